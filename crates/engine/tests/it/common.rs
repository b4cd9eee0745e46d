//! A module, a shim that calls its exports by name, and a bridge that remembers what it was told.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use marsh_engine::{
    Bridge, BridgeError, Code, EngineError, External, Limits, ModuleRuntime, Options, Reply, Shim, Source,
    Stream,
};
use serde_json::{Value, json};

/// `call("name", args)` runs `export function name(args, call)` of the module.
pub const SHIM: Shim = Shim {
    name: "marsh:shim",
    code: r#"
        let api;
        export function init(given) { api = given; }
        export function dispatch(op, params, call) {
            const target = api.namespace[op];
            return typeof target === "function" ? target(params, call, api) : target;
        }
    "#,
};

pub type Notes = Arc<Mutex<Vec<(String, String, Value)>>>;

/// Answers `echo` with its params, `fail` with an error, `hang` never.
#[derive(Default)]
pub struct TestBridge {
    pub notes: Notes,
    /// Requests: call id, method, parameters.
    pub asked: Mutex<Vec<(String, String, Value)>>,
    pub held: Mutex<Vec<Reply>>,
}

impl Bridge for TestBridge {
    fn request(&self, call_id: &str, method: &str, params: String, reply: Reply) {
        let given = serde_json::from_str(&params).unwrap();
        self.asked.lock().unwrap().push((call_id.to_owned(), method.to_owned(), given));
        match method {
            "echo" => reply(Ok(params)),
            "hang" => self.held.lock().unwrap().push(reply),
            _ => reply(Err(BridgeError {
                code: "NOPE".to_owned(),
                message: format!("no method {method}"),
                data: Some(json!({ "method": method })),
            })),
        }
    }

    fn notify(&self, call_id: &str, method: &str, params: String) {
        let params = serde_json::from_str(&params).unwrap();
        self.note(call_id, method, params);
    }

    fn output(&self, call_id: &str, stream: Stream, line: &str) {
        let stream = if stream == Stream::Stdout { "stdout" } else { "stderr" };
        self.note(call_id, "output", json!({ "stream": stream, "line": line }));
    }

    fn uncaught(&self, call_id: &str, message: &str) {
        self.note(call_id, "log", json!({ "level": "error", "message": message }));
    }

    fn process_started(&self, call_id: &str, pgid: i32) {
        self.note(call_id, "process/started", json!({ "pgid": pgid }));
    }

    fn process_ended(&self, call_id: &str, pgid: i32) {
        self.note(call_id, "process/ended", json!({ "pgid": pgid }));
    }
}

impl TestBridge {
    fn note(&self, call_id: &str, what: &str, params: Value) {
        self.notes.lock().unwrap().push((call_id.to_owned(), what.to_owned(), params));
    }
}

pub struct Fixture {
    pub dir: tempfile::TempDir,
    pub limits: Limits,
    pub cache: Option<PathBuf>,
    pub externals: Vec<External>,
    pub bridge: Arc<TestBridge>,
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture {
            dir: tempfile::tempdir().unwrap(),
            limits: Limits::default(),
            cache: None,
            externals: Vec::new(),
            bridge: Arc::default(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn external(&mut self, specifier: &str, code: &str) {
        let path = self.path(&format!("external{}.js", self.externals.len()));
        std::fs::write(&path, code).unwrap();
        self.externals.push(External { specifier: specifier.to_owned(), code: Code::file(path) });
    }

    /// Start a runtime over `code`, without waiting for the load.
    pub fn start(&self, code: &str) -> ModuleRuntime {
        self.spawn_with(code, ModuleRuntime::spawn)
    }

    pub fn spawn_with(
        &self,
        code: &str,
        spawn: impl FnOnce(Source, Vec<External>, Options, Arc<dyn Bridge>) -> Result<ModuleRuntime, EngineError>,
    ) -> ModuleRuntime {
        let path = self.path("bundle.js");
        std::fs::write(&path, code).unwrap();
        let url = format!("file://{}?fp=abc", path.display());
        let options = Options {
            limits: self.limits.clone(),
            bytecode_cache: self.cache.clone(),
            shim: SHIM,
            args: vec!["one".to_owned()],
            cwd: Some(self.dir.path().to_owned()),
        };
        spawn(Source { url, code: Code::file(path) }, self.externals.clone(), options, self.bridge.clone())
            .unwrap()
    }

    pub fn load(&self, code: &str) -> ModuleRuntime {
        let runtime = self.start(code);
        loaded(&runtime).unwrap();
        runtime
    }

    /// Lines that a call has written to `stream`.
    pub fn lines(&self, id: &str, stream: &str) -> Vec<String> {
        let notes = self.bridge.notes.lock().unwrap();
        notes
            .iter()
            .filter(|(call, method, params)| call == id && method == "output" && params["stream"] == stream)
            .map(|(_, _, params)| params["line"].as_str().unwrap().to_owned())
            .collect()
    }

    pub fn noted(&self, method: &str) -> Vec<(String, Value)> {
        let notes = self.bridge.notes.lock().unwrap();
        notes
            .iter()
            .filter(|(_, noted, _)| noted == method)
            .map(|(call, _, params)| (call.clone(), params.clone()))
            .collect()
    }

    pub fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let start = std::time::Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < Duration::from_secs(20), "never happened: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn loaded(runtime: &ModuleRuntime) -> Result<(), EngineError> {
    let (sender, receiver) = mpsc::channel();
    runtime.loaded(Box::new(move |result| sender.send(result).unwrap()));
    receiver.recv_timeout(PATIENCE).expect("the load never ends")
}

pub struct Pending(mpsc::Receiver<Result<String, EngineError>>);

impl Pending {
    pub fn wait(self) -> Result<Value, EngineError> {
        self.wait_text().map(|json| serde_json::from_str(&json).unwrap())
    }

    /// What the call came to, as it was said: JSON may be deeper than a [`Value`] can be read.
    pub fn wait_text(self) -> Result<String, EngineError> {
        self.0.recv_timeout(PATIENCE).expect("the call never ends")
    }
}

pub fn begin(runtime: &ModuleRuntime, id: &str, op: &str, params: Value) -> Pending {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |result| drop(sender.send(result)));
    runtime.call(id.to_owned(), op.to_owned(), params.to_string(), done);
    Pending(receiver)
}

pub fn call(runtime: &ModuleRuntime, op: &str, params: Value) -> Result<Value, EngineError> {
    begin(runtime, &format!("call-{op}"), op, params).wait()
}

/// One module, one call of its `run`.
pub fn run(code: &str) -> Result<Value, EngineError> {
    let fixture = Fixture::new();
    let runtime = fixture.load(code);
    let result = call(&runtime, "run", json!({ "dir": fixture.dir.path() }));
    runtime.close();
    result
}

pub fn run_body(body: &str) -> Value {
    match run(&format!("export async function run(params, call, api) {{ {body} }}")) {
        Ok(value) => value,
        Err(error) => panic!("{error:?}"),
    }
}

pub fn alive(pid: i64) -> bool {
    // A zombie has ended; only its parent has not looked yet.
    std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}
