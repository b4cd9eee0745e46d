//! A loader as a long-lived process has it, with real bundling workers and hosts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use marsh_bundle::Worker;
use marsh_extension::{LoadError, LoadOptions, LoadedModel, Loader, LoaderOptions, OnFailure};
use marsh_host_client::protocol::Run;
use marsh_host_client::{
    Call, CallbackError, Callbacks, CancelToken, ContextAnswer, ContextNotice, ContextRequest, HostCommand,
    Hosts, Limits, SUBCOMMAND,
};
use marsh_repo::Repo;
use marsh_testkit::Scratch;
use marsh_types::TypeName;
use serde_json::json;

use crate::support::BINARY;

/// A schema without zod, so that a test bundles in no time.
pub const ANY: &str = "const any = { _def: { type: 'any' }, parse: (x: unknown) => x, safeParse: (x: unknown) => ({ success: true, data: x }) };\n";

/// `@me/x` with a method `run` that logs `word`; `top` stands before it.
pub fn source(top: &str, word: &str) -> String {
    format!(
        "{ANY}{top}\nexport const model = {{ type: '@me/x', version: '2026.01.01.1', methods: {{ run: {{ \
         description: 'run', kind: 'read', arguments: any, \
         execute: (_: unknown, context: any) => context.logger.info(String({word})) }} }} }};\n"
    )
}

/// A method extension onto `@me/x` with a method `more`.
pub fn method_extension(top: &str, word: &str) -> String {
    format!(
        "{ANY}{top}\nexport const extension = {{ type: '@me/x', methods: [{{ more: {{ \
         description: 'more', kind: 'read', arguments: any, \
         execute: (_: unknown, context: any) => context.logger.info(String({word})) }} }}] }};\n"
    )
}

pub fn hosts(repo: &Scratch) -> Arc<Hosts> {
    Arc::new(Hosts::new(HostCommand {
        program: BINARY.into(),
        args: vec![SUBCOMMAND.to_owned()],
        bytecode_cache: Some(repo.path(".bytecode")),
        cwd: None,
    }))
}

/// The loader of a process that has just started.
pub fn serving(repo: &Scratch, hosts: &Arc<Hosts>) -> Loader {
    let options = LoaderOptions {
        worker: Worker::new(BINARY, ["__bundle"]),
        cache_dir: repo.path(".cache"),
        offline: true,
        limits: Limits { memory_bytes: 48 << 20, ..Limits::default() },
        engines: marsh_extension::engine::EnginePolicy::default(),
        cancel: CancelToken::new(),
        auto: None,
    };
    let loader = Loader::new(Repo::open(repo.root()).unwrap(), options, Arc::clone(hosts));
    loader.on_failure(OnFailure::LastGood).for_call(LoadOptions { timeout: Duration::from_secs(5) })
}

pub fn x() -> TypeName {
    TypeName::parse("@me/x").unwrap()
}

pub fn resolve(loader: &Loader) -> Result<LoadedModel, LoadError> {
    loader.resolve(&x())
}

/// What a method of a module version logs.
pub fn said(loader: &Loader, loaded: &LoadedModel, method: &str) -> String {
    #[derive(Default)]
    struct Log(Mutex<Vec<String>>);
    impl Callbacks for Log {
        fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
            Err(CallbackError::new("refused", format!("no {} here", request.name())))
        }
        fn notice(&self, notice: ContextNotice) {
            if let ContextNotice::Log(log) = notice {
                self.0.lock().unwrap().push(log.message);
            }
        }
    }
    let log = Log::default();
    let cancel = CancelToken::new();
    let params = json!({
        "method": method, "type": "@me/x",
        "definition": { "id": "d", "name": "n", "version": 1, "tags": {}, "typeVersion": "2026.01.01.1" },
        "globalArguments": {}, "storedGlobalArguments": {}, "methodArguments": {}, "checks": {}, "repoDir": "/",
    });
    let call = Call {
        operation: serde_json::from_value::<Run>(params).unwrap().into(),
        deadline: Duration::from_secs(20),
        cancel: &cancel,
        grace: Duration::ZERO,
        trace_parent: None,
    };
    let host = loader.hosts().get(&loaded.host_key).unwrap();
    host.call(&loaded.module, &call, &log).unwrap();
    let lines = log.0.into_inner().unwrap();
    lines.join("\n")
}
