//! What the tests of a real host process share.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each test uses a part, a failure here is a failure of the test, and its files are fixtures"
)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use marsh_host_client::protocol::Run;
use marsh_host_client::{
    Call, CallbackError, Callbacks, CancelToken, ContextAnswer, ContextNotice, ContextRequest, Host,
    HostCommand, HostError, Hosts, Limits, ModuleEngine, ModuleRef, Operation,
};
use marsh_types::Digest;
use serde_json::{Value, json};

/// Modules need no zod to satisfy the contract: a schema is what behaves like one.
pub const PREAMBLE: &str = "
const any = { _def: { type: 'any' }, parse: (x) => x, safeParse: (x) => ({ success: true, data: x }) };
const model = (methods, more = {}) => ({
  type: '@test/m', version: '2026.01.01.1', ...more,
  resources: { out: { schema: any, lifetime: 'infinite', garbageCollection: 1 } },
  methods: Object.fromEntries(Object.entries(methods).map(([name, execute]) =>
    [name, { description: name, kind: 'read', arguments: any, execute }])),
});
";

pub struct Scratch {
    pub dir: tempfile::TempDir,
    pub hosts: Hosts,
}

/// `cargo test` builds examples beside the tests.
pub fn host_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().unwrap().parent().unwrap();
    target.join("examples").join(format!("host_process{}", std::env::consts::EXE_SUFFIX))
}

/// A program of the test's own in the place of a host. It reads the protocol from, and writes it to, descriptor 0.
pub fn forger(script: &str) -> Hosts {
    Hosts::new(HostCommand {
        program: "sh".into(),
        args: vec!["-c".into(), script.to_owned()],
        bytecode_cache: None,
        cwd: None,
    })
}

/// What a host answers first.
pub const INITIALIZED: &str =
    r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":3,"engine":"none","pid":1}}"#;

impl Scratch {
    pub fn new() -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let hosts = Hosts::new(HostCommand {
            program: host_program(),
            args: Vec::new(),
            bytecode_cache: Some(dir.path().join("bytecode")),
            cwd: None,
        });
        Scratch { dir, hosts }
    }

    pub fn host(&self) -> Arc<Host> {
        self.hosts.get("local").unwrap()
    }

    /// A module version with these methods.
    pub fn module(&self, name: &str, methods: &str) -> ModuleRef {
        let path = self.dir.path().join(format!("{name}.js"));
        let code = format!("{PREAMBLE} const m = model({{ {methods} }}); export {{ m as model }};");
        std::fs::write(&path, &code).unwrap();
        let sha256 = Digest::of(code.as_bytes()).to_hex();
        let url = format!("file://{}?fp=1", path.display());
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

pub fn operation(method: &str) -> Operation {
    let params = json!({
        "method": method, "type": "@test/m",
        "definition": { "id": "d", "name": "n", "version": 1, "tags": {}, "typeVersion": "2026.01.01.1" },
        "globalArguments": {}, "storedGlobalArguments": {}, "methodArguments": {}, "repoDir": "/",
    });
    serde_json::from_value::<Run>(params).unwrap().into()
}

pub fn run(
    host: &Host,
    module: &ModuleRef,
    method: &str,
    deadline: Duration,
    callbacks: &dyn Callbacks,
) -> Result<Value, HostError> {
    let cancel = CancelToken::new();
    let grace = Duration::from_millis(200);
    let call = Call { operation: operation(method), deadline, cancel: &cancel, grace, trace_parent: None };
    host.call(module, &call, callbacks).map(|answer| serde_json::from_str(answer.get()).unwrap())
}

/// Keeps every request and report; answers handles and nothing.
#[derive(Default)]
pub struct Recorder {
    pub requests: Mutex<Vec<ContextRequest>>,
    pub notices: Mutex<Vec<ContextNotice>>,
}

impl Callbacks for Recorder {
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        let answer = match &request {
            ContextRequest::WriteResource(_) => {
                ContextAnswer::Document(json!({ "name": "r", "dataId": "id" }))
            }
            _ => ContextAnswer::Nothing,
        };
        self.requests.lock().unwrap().push(request);
        Ok(answer)
    }

    fn notice(&self, notice: ContextNotice) {
        self.notices.lock().unwrap().push(notice);
    }
}
