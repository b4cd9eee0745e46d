//! QuickJS as the host's engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use marsh_engine::{Code, EngineError, EngineErrorKind, ModuleRuntime, Options, Source};
use marsh_host_protocol::{
    CallError, ContextNotice, ErrorKind, Log, LogLevel, ModuleRef, Output, OutputStream, ProcessGroup,
};
use marsh_types::Digest;
use serde_json::json;

use crate::engine::{Bridge, Done, Engine, OpName, Probe, Reply, Runtime, Shim};

/// The engine of `marsh-engine`.
#[derive(Debug, Clone, Copy)]
pub struct QuickJs;

impl Engine for QuickJs {
    fn version(&self) -> String {
        marsh_engine::engine_version()
    }

    fn start(
        &self,
        module: &ModuleRef,
        shim: Shim,
        bytecode_cache: Option<PathBuf>,
        bridge: Arc<dyn Bridge>,
    ) -> Result<Arc<dyn Runtime>, CallError> {
        let limits = marsh_engine::Limits {
            memory_bytes: size(module.limits.memory_bytes),
            stack_bytes: size(module.limits.stack_bytes),
            output_bytes: size(module.limits.output_bytes),
        };
        let shim = marsh_engine::Shim { name: shim.name, code: shim.code };
        let options = Options { limits, bytecode_cache, shim, args: Vec::new(), cwd: None };
        let externals = module
            .externals
            .iter()
            .map(|external| marsh_engine::External {
                specifier: external.specifier.clone(),
                code: code(&external.sha256, &external.path, &bridge),
            })
            .collect();
        let code = code(&module.sha256, &module.path, &bridge);
        let source = Source { url: module.url.clone(), code };
        let runtime = ModuleRuntime::spawn(source, externals, options, Arc::new(Adapter(bridge)));
        Ok(Arc::new(QuickJsRuntime(runtime.map_err(call_error)?)))
    }
}

/// Code by its digest: from the file that the parent names, if it is here and is the right one, else from the parent. A
/// digest that is not one matches no text.
fn code(sha256: &str, path: &Path, bridge: &Arc<dyn Bridge>) -> Code {
    let (bridge, wanted) = (Arc::clone(bridge), sha256.to_owned());
    let digest = sha256.parse::<Digest>().map_or([0; 32], Digest::bytes);
    Code {
        path: Some(path.to_path_buf()),
        sha256: Some(digest),
        fetch: Some(Arc::new(move || bridge.module(&wanted))),
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

struct QuickJsRuntime(ModuleRuntime);

impl Runtime for QuickJsRuntime {
    fn is_loading(&self) -> bool {
        self.0.is_loading()
    }

    fn on_loaded(&self, done: Box<dyn FnOnce() + Send>) {
        self.0.loaded(Box::new(move |_| done()));
    }

    fn call(&self, call_id: &str, op: OpName<'_>, params: &str, done: Done) {
        let done = Box::new(move |outcome: Result<String, EngineError>| done(outcome.map_err(call_error)));
        self.0.call(call_id.to_owned(), op.as_str().to_owned(), params.to_owned(), done);
    }

    fn cancel(&self, call_id: &str, reason: &str) {
        self.0.cancel(call_id, reason);
    }

    fn interrupt(&self, call_id: &str, error: CallError) {
        let kind = match error.kind {
            ErrorKind::Deadline => EngineErrorKind::Deadline,
            _ => EngineErrorKind::Cancelled,
        };
        self.0.interrupt(call_id, EngineError::new(kind, error.message));
    }

    fn is_tainted(&self) -> bool {
        self.0.tainted()
    }

    fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    fn close(&self) {
        self.0.clone().close();
    }

    fn probe(&self) -> Box<dyn Probe> {
        Box::new(QuickJsProbe(self.0.probe()))
    }
}

struct QuickJsProbe(marsh_engine::Probe);

impl Probe for QuickJsProbe {
    fn has_ended(&self) -> bool {
        self.0.ended()
    }

    fn is_closing(&self) -> bool {
        self.0.closing()
    }

    fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    fn heap_bytes(&self) -> u64 {
        self.0.heap_bytes() as u64
    }

    fn calls(&self) -> u64 {
        self.0.stats().calls_total
    }
}

/// The engine's bridge over the host's.
struct Adapter(Arc<dyn Bridge>);

impl marsh_engine::Bridge for Adapter {
    fn request(&self, call_id: &str, method: &str, params: String, reply: marsh_engine::Reply) {
        let reply: Reply = Box::new(move |answer| {
            reply(answer.map_err(|error| marsh_engine::BridgeError {
                code: error.code,
                message: error.message,
                data: error.data,
            }));
        });
        self.0.request(call_id, method, params, reply);
    }

    fn notify(&self, call_id: &str, method: &str, params: String) {
        self.0.notify(call_id, method, params);
    }

    fn output(&self, call_id: &str, stream: marsh_engine::Stream, line: &str) {
        let stream = match stream {
            marsh_engine::Stream::Stdout => OutputStream::Stdout,
            marsh_engine::Stream::Stderr => OutputStream::Stderr,
        };
        self.0.notice(call_id, &ContextNotice::Output(Output { stream, line: line.to_owned() }));
    }

    fn uncaught(&self, call_id: &str, message: &str) {
        let log = Log { level: LogLevel::Error, message: message.to_owned(), category: Vec::new() };
        self.0.notice(call_id, &ContextNotice::Log(log));
    }

    fn process_started(&self, call_id: &str, pgid: i32) {
        self.0.notice(call_id, &ContextNotice::ProcessStarted(ProcessGroup { pgid }));
    }

    fn process_ended(&self, call_id: &str, pgid: i32) {
        self.0.notice(call_id, &ContextNotice::ProcessEnded(ProcessGroup { pgid }));
    }
}

/// The engine's error as the protocol says it.
fn call_error(error: EngineError) -> CallError {
    use EngineErrorKind as Engine;
    let kind = match error.kind {
        Engine::Syntax => ErrorKind::Syntax,
        Engine::Load => ErrorKind::Load,
        Engine::Threw => ErrorKind::Threw,
        Engine::Unsupported => ErrorKind::Unsupported,
        Engine::OutOfMemory => ErrorKind::OutOfMemory,
        Engine::StackOverflow => ErrorKind::StackOverflow,
        Engine::Deadline => ErrorKind::Deadline,
        Engine::Cancelled => ErrorKind::Cancelled,
        Engine::Exit => ErrorKind::Exit,
        Engine::UnhandledRejection => ErrorKind::UnhandledRejection,
        _ => ErrorKind::Internal,
    };
    let mut data = error.data;
    if let Some(location) = error.location
        && data.is_none()
    {
        data = Some(json!({ "file": location.file, "line": location.line, "column": location.column }));
    }
    CallError {
        kind,
        message: error.message,
        name: error.name,
        code: error.code,
        stack: error.stack,
        data,
        place: None,
    }
}
