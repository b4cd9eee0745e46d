//! The supervisor and a real host process, over the production protocol.

#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use marsh_host::supervisor::NoCallbacks;
use marsh_host::{
    Call, CallError, CallbackError, Callbacks, CancelToken, ErrorKind, Host, HostCommand, HostError, Hosts,
    Limits, ModuleRef,
};
use serde_json::{Value, json};

/// Modules need no zod to satisfy the contract: a schema is what behaves like one.
const PREAMBLE: &str = "
const any = { _def: { type: 'any' }, parse: (x) => x, safeParse: (x) => ({ success: true, data: x }) };
const model = (methods, more = {}) => ({
  type: '@test/m', version: '2026.01.01.1', ...more,
  resources: { out: { schema: any, lifetime: 'infinite', garbageCollection: 1 } },
  methods: Object.fromEntries(Object.entries(methods).map(([name, execute]) =>
    [name, { description: name, kind: 'read', arguments: any, execute }])),
});
";

struct Scratch {
    dir: tempfile::TempDir,
    hosts: Hosts,
}

impl Scratch {
    fn new() -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let hosts = Hosts::new(HostCommand {
            program: host_program(),
            args: Vec::new(),
            bytecode_cache: Some(dir.path().join("bytecode")),
            cwd: None,
        });
        Scratch { dir, hosts }
    }

    fn host(&self) -> Arc<Host> {
        self.hosts.get("local").unwrap()
    }

    /// A module version: its URL carries a fingerprint, as those of real bundles do.
    fn module(&self, name: &str, fingerprint: &str, code: &str) -> ModuleRef {
        let path = self.dir.path().join(format!("{name}.js"));
        write(&path, &format!("{PREAMBLE}{code}"));
        let url = format!("file://{}?fp={fingerprint}", path.display());
        ModuleRef { url, path, externals: Vec::new(), limits: Limits::default() }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test writes its fixture")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// `cargo test` builds examples beside the tests.
fn host_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().unwrap().parent().unwrap();
    target.join("examples").join(format!("host_process{}", std::env::consts::EXE_SUFFIX))
}

fn params(method: &str) -> Value {
    json!({
        "method": method, "type": "@test/m",
        "definition": { "id": "d", "name": "n", "version": 1, "tags": {}, "typeVersion": "2026.01.01.1" },
        "globalArguments": {}, "storedGlobalArguments": {}, "methodArguments": {}, "checks": {}, "repoDir": "/",
    })
}

fn run(
    host: &Host,
    module: &ModuleRef,
    method: &str,
    deadline: Duration,
    cancel: &CancelToken,
    callbacks: &dyn Callbacks,
) -> Result<Value, HostError> {
    let call =
        Call { op: "run", params: params(method), deadline, cancel, grace: Duration::from_millis(200) };
    host.call(module, &call, callbacks)
}

fn run_simply(host: &Host, module: &ModuleRef, method: &str) -> Result<Value, HostError> {
    run(host, module, method, Duration::from_secs(20), &CancelToken::new(), &Recorder::default())
}

fn call_error(result: Result<Value, HostError>) -> CallError {
    match result {
        Err(HostError::Call(error)) => error,
        other => panic!("expected a call error, got {other:?}"),
    }
}

/// Answers `writeResource`, keeps what it was told.
#[derive(Default)]
struct Recorder {
    written: Mutex<Vec<Value>>,
    notes: Mutex<Vec<(String, Value)>>,
}

impl Callbacks for Recorder {
    fn request(&self, method: &str, params: Value) -> Result<Value, CallbackError> {
        if method != "context/writeResource" {
            return Err(CallbackError::new("refused", format!("no {method} here")));
        }
        let mut written = self.written.lock().unwrap();
        written.push(params);
        Ok(json!({ "name": "r", "dataId": format!("id-{}", written.len()) }))
    }

    fn notify(&self, method: &str, params: Value) {
        self.notes.lock().unwrap().push((method.to_owned(), params));
    }
}

#[test]
fn a_module_is_described_without_a_context() {
    let scratch = Scratch::new();
    let module =
        scratch.module("m", "1", "const m = model({ a: () => {}, b: () => {} }); export { m as model };");
    let cancel = CancelToken::new();
    let call = Call {
        op: "describe",
        params: json!({}),
        deadline: Duration::from_secs(20),
        cancel: &cancel,
        grace: Duration::ZERO,
    };
    let described = scratch.host().call(&module, &call, &NoCallbacks).unwrap();
    assert_eq!(described["type"], "@test/m");
    assert_eq!(described["methods"].as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn what_a_method_writes_arrives_as_the_text_it_made() {
    let scratch = Scratch::new();
    let code = "const m = model({ go: async (_, ctx) => { ctx.logger.info('saw {n}', { n: 1 }); \
        await ctx.writeResource('out', 'r', { big: 1e21, small: 1.50, text: 'ü' }); } }); export { m as model };";
    let module = scratch.module("m", "1", code);
    let recorder = Recorder::default();
    let result =
        run(&scratch.host(), &module, "go", Duration::from_secs(20), &CancelToken::new(), &recorder).unwrap();
    assert_eq!(result["handles"][0]["dataId"], "id-1");
    let written = recorder.written.lock().unwrap();
    assert_eq!(written[0]["content"], r#"{"big":1e+21,"small":1.5,"text":"ü"}"#);
    let notes = recorder.notes.lock().unwrap();
    assert!(notes.iter().any(|(method, params)| method == "context/log" && params["message"] == "saw 1"));
}

#[test]
fn one_url_is_one_module_version_and_another_fingerprint_is_another() {
    let scratch = Scratch::new();
    let code = "let calls = 0; const m = model({ go: () => { calls += 1; return { dataHandles: [{ name: String(calls) }] }; } }); export { m as model };";
    let first = scratch.module("m", "1", code);
    let host = scratch.host();
    let name = |result: Value| result["handles"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(name(run_simply(&host, &first, "go").unwrap()), "1");
    assert_eq!(name(run_simply(&host, &first, "go").unwrap()), "2");
    let second = scratch.module("m", "2", code);
    assert_eq!(name(run_simply(&host, &second, "go").unwrap()), "1");
    assert_eq!(name(run_simply(&host, &first, "go").unwrap()), "3");
    let urls = |host: &Host| host.stats().unwrap().modules.into_iter().map(|module| module.url);
    assert!(urls(&host).eq([first.url.clone(), second.url.clone()]));
    host.supersede(&second.url);
    // The thread ends a moment after it was told to.
    let until = Instant::now() + Duration::from_secs(20);
    while !urls(&host).eq([first.url.clone()]) {
        assert!(Instant::now() < until, "{:?}", host.stats());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn calls_on_one_module_interleave() {
    let scratch = Scratch::new();
    let code = "let release; const gate = new Promise((resolve) => { release = resolve; }); \
        const m = model({ wait: () => gate, open: () => release() }); export { m as model };";
    let module = scratch.module("m", "1", code);
    let host = scratch.host();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run_simply(&host, &module, "wait"));
        // `open` may well run first; both orders must end.
        run_simply(&host, &module, "open").unwrap();
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn a_refused_callback_is_an_error_with_a_code_in_the_extension() {
    let scratch = Scratch::new();
    let code = "const m = model({ go: async (_, ctx) => { try { await ctx.readResource('x'); } \
        catch (error) { throw new Error(`${error.code}: ${error.message}`); } } }); export { m as model };";
    let module = scratch.module("m", "1", code);
    let error = call_error(run_simply(&scratch.host(), &module, "go"));
    assert_eq!(error.kind, ErrorKind::Threw);
    assert_eq!(error.message, "refused: no context/readResource here");
}

#[test]
fn a_deadline_ends_a_busy_loop_and_the_next_call_gets_a_fresh_runtime() {
    let scratch = Scratch::new();
    let code = "const m = model({ loop: () => { for (;;) {} }, ok: () => {} }); export { m as model };";
    let module = scratch.module("m", "1", code);
    let host = scratch.host();
    let started = Instant::now();
    let error = call_error(run(
        &host,
        &module,
        "loop",
        Duration::from_millis(300),
        &CancelToken::new(),
        &Recorder::default(),
    ));
    assert_eq!(error.kind, ErrorKind::Deadline);
    assert_eq!(error.message, "the call did not end within 300 ms");
    assert!(started.elapsed() < Duration::from_secs(10));
    let pid = host.pid();
    run_simply(&host, &module, "ok").unwrap();
    assert!(host.is_alive());
    assert_eq!(scratch.hosts.pids(), [pid]);
}

#[test]
fn cancellation_is_cooperative_first() {
    let scratch = Scratch::new();
    let code = "const m = model({ go: (_, ctx) => new Promise((_, reject) => \
        ctx.signal.addEventListener('abort', () => reject(new Error('cleaned up')))) }); export { m as model };";
    let module = scratch.module("m", "1", code);
    let host = scratch.host();
    let cancel = CancelToken::new();
    let error = std::thread::scope(|scope| {
        let call =
            scope.spawn(|| run(&host, &module, "go", Duration::from_secs(60), &cancel, &Recorder::default()));
        cancel.cancel("enough");
        call_error(call.join().unwrap())
    });
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Cancelled, "enough"));
    assert!(host.is_alive());
}

#[test]
fn a_load_failure_is_the_calls_own_failure() {
    let scratch = Scratch::new();
    let module = scratch.module("m", "1", "throw new TypeError('top level');");
    let error = call_error(run_simply(&scratch.host(), &module, "go"));
    assert_eq!(error.kind, ErrorKind::Load);
    assert!(error.message.contains("top level"), "{error:?}");
    let module = scratch.module("n", "1", "export const other = 1;");
    let error = call_error(run_simply(&scratch.host(), &module, "go"));
    assert_eq!(error.code.as_deref(), Some("contract_violation"));
}

#[test]
fn children_of_a_killed_host_die() {
    let scratch = Scratch::new();
    let code = "const m = model({ go: async () => { await new Deno.Command('sleep', { args: ['600'] }).output(); } }); export { m as model };";
    let module = scratch.module("m", "1", code);
    let host = scratch.host();
    let started = Started::default();
    std::thread::scope(|scope| {
        let call =
            scope.spawn(|| run(&host, &module, "go", Duration::from_secs(60), &CancelToken::new(), &started));
        let group = started.wait();
        host.kill();
        let error = call.join().unwrap().unwrap_err();
        assert!(matches!(error, HostError::Died { .. }), "{error}");
        let deadline = Instant::now() + Duration::from_secs(10);
        while group_exists(group) {
            assert!(Instant::now() < deadline, "process group {group} outlived its host");
            std::thread::yield_now();
        }
    });
    // The next caller gets a new host.
    assert_ne!(scratch.host().pid(), host.pid());
}

/// Waits for the first process group that an extension starts.
#[derive(Default)]
struct Started {
    group: Mutex<Option<i32>>,
    known: std::sync::Condvar,
}

impl Started {
    fn wait(&self) -> i32 {
        let group = self.group.lock().unwrap();
        let (group, timeout) =
            self.known.wait_timeout_while(group, Duration::from_secs(20), |group| group.is_none()).unwrap();
        assert!(!timeout.timed_out(), "no process was started");
        group.unwrap()
    }
}

impl Callbacks for Started {
    fn request(&self, method: &str, _params: Value) -> Result<Value, CallbackError> {
        Err(CallbackError::new("refused", method.to_owned()))
    }

    fn notify(&self, method: &str, params: Value) {
        if method == "process/started" {
            *self.group.lock().unwrap() = params["pgid"].as_i64().and_then(|pgid| i32::try_from(pgid).ok());
            self.known.notify_all();
        }
    }
}

fn group_exists(group: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(group).unwrap();
    rustix::process::test_kill_process_group(pid).is_ok()
}

#[test]
fn a_program_that_is_no_host_is_told_apart() {
    let hosts = Hosts::new(HostCommand {
        program: "echo".into(),
        args: vec!["hello".into()],
        bytecode_cache: None,
        cwd: None,
    });
    let scratch = Scratch::new();
    let module = scratch.module("m", "1", "export const model = 1;");
    let error = match hosts.get("x") {
        Ok(host) => run_simply(&host, &module, "go").unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, HostError::Garbage { .. } | HostError::Died { .. }), "{error}");
    let missing = Hosts::new(HostCommand {
        program: "/no/such/program".into(),
        args: vec![],
        bytecode_cache: None,
        cwd: None,
    });
    assert!(matches!(missing.get("x"), Err(HostError::Spawn { .. })));
}

#[test]
fn a_host_of_another_protocol_is_refused() {
    let answer = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":99,"engine":"other","pid":1}}"#;
    let script = format!("read request; printf '%s\\n' '{answer}'; while read request; do :; done");
    let hosts = Hosts::new(HostCommand {
        program: "sh".into(),
        args: vec!["-c".into(), script],
        bytecode_cache: None,
        cwd: None,
    });
    let scratch = Scratch::new();
    let module = scratch.module("m", "1", "export const model = 1;");
    let error = run_simply(&hosts.get("x").unwrap(), &module, "go").unwrap_err();
    assert!(matches!(error, HostError::Version { theirs: 99, .. }), "{error}");
}

#[test]
fn a_host_that_does_not_end_by_itself_is_killed_when_it_is_dropped() {
    let command = HostCommand {
        program: "sleep".into(),
        args: vec!["1000".to_owned()],
        bytecode_cache: None,
        cwd: None,
    };
    let host = Host::start(&command, marsh_host::supervisor::Retention::default(), None).unwrap();
    let pid = host.pid();
    drop(host);
    // Waited for as well: nothing of the process is left.
    let gone = std::process::Command::new("kill").args(["-0", &pid.to_string()]).output().unwrap();
    assert!(!gone.status.success());
}

/// As a host answers that has found that its engine gives old code for new module URLs.
#[test]
fn a_host_that_cannot_tell_versions_apart_runs_nothing() {
    let answer =
        r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"two module URLs gave one module"}}"#;
    let hosts = Hosts::new(HostCommand {
        program: "sh".into(),
        args: vec!["-c".into(), format!("read request; printf '%s\\n' '{answer}'")],
        bytecode_cache: None,
        cwd: None,
    });
    let scratch = Scratch::new();
    let module = scratch.module("m", "1", "export const model = 1;");
    let error = run_simply(&hosts.get("x").unwrap(), &module, "go").unwrap_err();
    assert!(matches!(error, HostError::Identity { .. }), "{error}");
    assert!(error.to_string().contains("refuses to run code that might not be the newest"), "{error}");
}
