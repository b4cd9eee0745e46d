//! The supervisor and a real host process, over the production protocol.

#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use marsh_host_client::protocol::{Describe, Run, WriteResource};
use marsh_host_client::{
    Call, CallError, CallbackError, Callbacks, CancelToken, ContextAnswer, ContextNotice, ContextRequest,
    ErrorKind, Host, HostCommand, HostError, HostLocation, Hosts, Limits, ModuleEngine, ModuleRef,
    NoCallbacks, Retention,
};
use marsh_types::{Digest, Kind};
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
        let code = format!("{PREAMBLE}{code}");
        write(&path, &code);
        let sha256 = Digest::of(code.as_bytes()).to_hex();
        let url = format!("file://{}?fp={fingerprint}", path.display());
        ModuleRef {
            url,
            sha256,
            path,
            externals: Vec::new(),
            limits: Limits::default(),
            engine: ModuleEngine::default(),
        }
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
    let operation = serde_json::from_value::<Run>(params(method)).unwrap().into();
    let call = Call { operation, deadline, cancel, grace: Duration::from_millis(200), trace_parent: None };
    host.call(module, &call, callbacks).map(|answer| serde_json::from_str(answer.get()).unwrap())
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

/// Answers `writeResource`, and keeps what it was asked and told.
#[derive(Default)]
struct Recorder {
    written: Mutex<Vec<WriteResource>>,
    logged: Mutex<Vec<String>>,
}

impl Callbacks for Recorder {
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        let ContextRequest::WriteResource(write) = request else {
            return Err(CallbackError::new("refused", format!("no {} here", request.name())));
        };
        let mut written = self.written.lock().unwrap();
        written.push(write);
        let handle = json!({ "name": "r", "dataId": format!("id-{}", written.len()) });
        Ok(ContextAnswer::Document(handle))
    }

    fn notice(&self, notice: ContextNotice) {
        if let ContextNotice::Log(log) = notice {
            self.logged.lock().unwrap().push(log.message);
        }
    }
}

#[test]
fn module_without_a_context_is_described() {
    let scratch = Scratch::new();
    let module =
        scratch.module("m", "1", "const m = model({ a: () => {}, b: () => {} }); export { m as model };");
    let cancel = CancelToken::new();
    let call = Call {
        operation: Describe { kind: Kind::Model }.into(),
        deadline: Duration::from_secs(20),
        cancel: &cancel,
        grace: Duration::ZERO,
        trace_parent: None,
    };
    let described = scratch.host().call(&module, &call, &NoCallbacks).unwrap();
    let described: Value = serde_json::from_str(described.get()).unwrap();
    assert_eq!(described["type"], "@test/m");
    assert_eq!(described["methods"].as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn resource_that_a_method_writes_arrives_as_its_json_text() {
    let scratch = Scratch::new();
    let code = "const m = model({ go: async (_, ctx) => { ctx.logger.info('saw {n}', { n: 1 }); \
        await ctx.writeResource('out', 'r', { big: 1e21, small: 1.50, text: 'ü' }); } }); export { m as model };";
    let module = scratch.module("m", "1", code);
    let recorder = Recorder::default();
    let result =
        run(&scratch.host(), &module, "go", Duration::from_secs(20), &CancelToken::new(), &recorder).unwrap();
    assert_eq!(result["handles"][0]["dataId"], "id-1");
    let written = recorder.written.lock().unwrap();
    assert_eq!(written[0].content, r#"{"big":1e+21,"small":1.5,"text":"ü"}"#);
    assert_eq!(*recorder.logged.lock().unwrap(), ["saw 1"]);
}

#[test]
fn url_with_another_fingerprint_is_another_module_version() {
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
fn calls_of_one_module_interleave() {
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
fn refused_request_is_an_error_with_a_code_in_the_extension() {
    let scratch = Scratch::new();
    let code = "const m = model({ go: async (_, ctx) => { try { await ctx.readResource('x'); } \
        catch (error) { throw new Error(`${error.code}: ${error.message}`); } } }); export { m as model };";
    let module = scratch.module("m", "1", code);
    let error = call_error(run_simply(&scratch.host(), &module, "go"));
    assert_eq!(error.kind, ErrorKind::Threw);
    assert_eq!(error.message, "refused: no context/readResource here");
}

#[test]
fn busy_loop_at_its_deadline_ends_and_the_next_call_gets_a_new_runtime() {
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
fn cancelled_call_that_reacts_to_its_signal_ends_cancelled() {
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
fn module_that_fails_to_load_fails_its_first_call() {
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
fn children_of_a_killed_host_are_killed() {
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
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        Err(CallbackError::new("refused", request.name().as_str()))
    }

    fn notice(&self, notice: ContextNotice) {
        if let ContextNotice::ProcessStarted(group) = notice {
            *self.group.lock().unwrap() = Some(group.pgid);
            self.known.notify_all();
        }
    }
}

/// Whether a process of this group runs. A zombie has ended; who has to reap it is the system's business, and the first
/// process of a container may never do so.
// cfg: /proc
#[cfg(target_os = "linux")]
fn group_exists(group: i32) -> bool {
    let runs = |stat: String| {
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let is_zombie = fields.next() == Some("Z");
        !is_zombie && fields.nth(1) == Some(group.to_string().as_str())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok()).any(runs)
}

/// Whether a process of this group exists.
// cfg: /proc
#[cfg(not(target_os = "linux"))]
fn group_exists(group: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(group).unwrap();
    rustix::process::test_kill_process_group(pid).is_ok()
}

#[test]
fn program_that_does_not_speak_the_protocol_is_an_error() {
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
fn host_of_another_protocol_version_is_refused() {
    let answer = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":99,"engine":"other","pid":1}}"#;
    let script = format!("read request; printf '%s\\n' '{answer}' >&0; while read request; do :; done");
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
fn host_that_does_not_end_by_itself_is_killed_when_it_is_dropped() {
    let command = HostCommand {
        program: "sleep".into(),
        args: vec!["1000".to_owned()],
        bytecode_cache: None,
        cwd: None,
    };
    let host = Host::start(&command, Retention::default(), &HostLocation::Local).unwrap();
    let pid = host.pid();
    drop(host);
    // Waited for as well: nothing of the process is left.
    let gone = std::process::Command::new("kill").args(["-0", &pid.to_string()]).output().unwrap();
    assert!(!gone.status.success());
}

/// As a host answers that has found that its engine gives old code for new module URLs.
#[test]
fn host_that_cannot_tell_versions_apart_runs_nothing() {
    let answer =
        r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"two module URLs gave one module"}}"#;
    let hosts = Hosts::new(HostCommand {
        program: "sh".into(),
        args: vec!["-c".into(), format!("read request; printf '%s\\n' '{answer}' >&0")],
        bytecode_cache: None,
        cwd: None,
    });
    let scratch = Scratch::new();
    let module = scratch.module("m", "1", "export const model = 1;");
    let error = run_simply(&hosts.get("x").unwrap(), &module, "go").unwrap_err();
    assert!(matches!(error, HostError::Identity { .. }), "{error}");
    assert!(error.to_string().contains("refuses to run code that might not be the newest"), "{error}");
}
