//! The child's side: the loop of a host process.
//!
//! The main thread only reads requests, so `cancel` and the end of input are seen while extension code runs. Each
//! module version has a runtime on a thread of its own (in the engine). One watchdog thread holds every deadline.
//!
//! Standard output is the protocol; the engine never writes to it. When standard input ends, the parent is gone or
//! wants us gone: runtimes are closed, which kills what their extensions started.

mod identity;
mod memory;
mod modules;
mod watchdog;

use std::collections::HashMap;
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use marsh_engine::{Bridge, BridgeError};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::error::{CallError, ErrorKind};
use crate::protocol::{
    CallParams, CancelParams, Initialize, Initialized, MAX_DEPTH, Message, ModuleRef, PROTOCOL_VERSION,
    RpcError, raw, too_deep,
};
use modules::Modules;
use watchdog::Watchdog;

/// Runs the protocol over standard input and output until input ends or `shutdown` comes.
pub fn main() -> ExitCode {
    // A session of its own: Ctrl-C on the terminal reaches marsh, which cancels in order, not the host; and everything
    // that extensions start can be told by its session, even when the host dies before it could speak of it.
    rustix::process::setsid().ok();
    widen_heap_steps();
    let output = Arc::new(Output::default());
    let mut server = Server {
        modules: Modules::new(Arc::clone(&output), None, modules::DRIVER),
        output,
        watchdog: Watchdog::start(),
    };
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let Ok(message) = serde_json::from_slice::<Message>(&line) else {
            // Nothing sensible can follow a line that is not the protocol.
            return ExitCode::FAILURE;
        };
        if server.handle(message).is_break() {
            break;
        }
    }
    server.modules.close();
    ExitCode::SUCCESS
}

/// Runtimes live on threads of their own, whose heaps glibc grows page by page, with a system call each: thousands of
/// calls to load a large module. The one heap that it grows in steps is that of the first thread; so that one is used by
/// all, in steps of 4 MB (2 ms of a warm method run, a fifth of the first answer of an AWS model). What contends for it
/// is little, since the engine cuts its small blocks out of large ones.
fn widen_heap_steps() {
    marsh_engine::allocator::share_heaps(1);
    marsh_engine::allocator::grow_in_steps(4 << 20);
}

struct Server {
    modules: Modules,
    output: Arc<Output>,
    watchdog: Watchdog,
}

impl Server {
    fn handle(&mut self, message: Message) -> std::ops::ControlFlow<()> {
        let Some(method) = message.method else {
            if let Some(id) = message.id {
                self.output.deliver(id, message.result, message.error);
            }
            return std::ops::ControlFlow::Continue(());
        };
        let params = message.params.as_deref().map_or("null", RawValue::get);
        match (method.as_str(), message.id) {
            ("initialize", Some(id)) => match parse::<Initialize>(params) {
                Ok(initialize) => {
                    if let Err(error) =
                        identity::check_once(&self.output, initialize.bytecode_cache.as_deref())
                    {
                        self.output.answer(id, Err(refusal(&error)));
                        return std::ops::ControlFlow::Break(());
                    }
                    self.modules =
                        Modules::new(Arc::clone(&self.output), initialize.bytecode_cache, modules::DRIVER);
                    self.output.answer(id, Ok(raw(&initialized())));
                }
                Err(error) => self.output.answer(id, Err(error)),
            },
            ("load", None) => {
                // A notification: what goes wrong comes back with the first call.
                if let Ok(module) = parse::<ModuleRef>(params) {
                    self.modules.declare(module);
                }
            }
            ("call", Some(id)) => match parse::<CallParams>(params) {
                Ok(call) => self.call(id, call),
                Err(error) => self.output.answer(id, Err(error)),
            },
            ("cancel", _) => {
                if let Ok(cancel) = parse::<CancelParams>(params) {
                    self.cancel(&cancel);
                }
            }
            ("unload", _) => {
                #[derive(Deserialize)]
                struct Unload {
                    url: String,
                }
                if let Ok(unload) = parse::<Unload>(params) {
                    self.modules.unload(&unload.url);
                }
            }
            ("stats", Some(id)) => self.output.answer(id, Ok(raw(&self.modules.stats()))),
            ("shutdown", _) => return std::ops::ControlFlow::Break(()),
            (_, Some(id)) => {
                let error =
                    RpcError { code: -32601, message: format!("no such method: {method}"), data: None };
                self.output.answer(id, Err(error));
            }
            (_, None) => {}
        }
        std::ops::ControlFlow::Continue(())
    }

    fn call(&self, id: u64, call: CallParams) {
        let deadline = Duration::from_millis(call.deadline_ms);
        let output = Arc::clone(&self.output);
        let watch = self.watchdog.handle();
        let call_id = call.call_id.clone();
        let started =
            self.modules.call(&call.url, &call.call_id, &call.op, call.params.get(), move |outcome| {
                let stopped = watch.ended(&call_id);
                output.answer(id, finish(outcome, stopped));
            });
        match started {
            Ok(runtime) => self.watchdog.handle().watch(&call.call_id, runtime, deadline),
            Err(error) => self.output.answer(id, Err(error.to_rpc())),
        }
    }

    fn cancel(&self, cancel: &CancelParams) {
        self.watchdog.handle().cancel(
            &cancel.call_id,
            &cancel.reason,
            Duration::from_millis(cancel.grace_ms),
        );
    }
}

/// What a call ended with, given why it was stopped if it was: code that reacts to its abort signal, by throwing or by
/// returning early, has still missed its deadline or been cancelled. Its children were killed with the signal, so that
/// what it returns tells of half of the work.
fn finish(outcome: Result<String, CallError>, stopped: Option<CallError>) -> Result<Box<RawValue>, RpcError> {
    match (outcome, stopped) {
        (_, Some(reason)) => Err(reason.to_rpc()),
        (Ok(json), None) if too_deep(&json) => {
            let mut error = CallError::new(ErrorKind::Threw, refused_depth("the result of the call"));
            error.code = Some(NOT_SERIALIZABLE.to_owned());
            Err(error.to_rpc())
        }
        (Ok(json), None) => RawValue::from_string(json).map_err(|error| {
            CallError::new(ErrorKind::Internal, format!("the result is not JSON: {error}")).to_rpc()
        }),
        (Err(error), None) => Err(error.to_rpc()),
    }
}

/// Why this host takes no calls.
fn refusal(error: &identity::IdentityError) -> RpcError {
    let mut refused = CallError::new(ErrorKind::Internal, error.to_string());
    refused.code = Some(crate::error::MODULE_IDENTITY.to_owned());
    refused.to_rpc()
}

/// The code of what has no JSON that anybody would read.
const NOT_SERIALIZABLE: &str = "not_serializable";

fn refused_depth(what: &str) -> String {
    format!("{what} is nested deeper than {MAX_DEPTH} levels")
}

fn initialized() -> Initialized {
    Initialized {
        protocol_version: PROTOCOL_VERSION,
        engine: marsh_engine::engine_version(),
        pid: std::process::id(),
    }
}

fn parse<'a, T: Deserialize<'a>>(params: &'a str) -> Result<T, RpcError> {
    serde_json::from_str(params).map_err(|error| RpcError {
        code: -32602,
        message: format!("bad parameters: {error}"),
        data: None,
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Reply = Box<dyn FnOnce(Result<String, BridgeError>) + Send>;

/// Everything that leaves the host, and the requests it waits for.
#[derive(Default)]
struct Output {
    next_id: AtomicU64,
    waiting: Mutex<HashMap<u64, Reply>>,
}

impl Output {
    fn send(&self, message: &Message) {
        let Ok(line) = message.to_line() else { return };
        let mut stdout = std::io::stdout().lock();
        // A parent that no longer reads is gone; the end of our input will say so.
        drop(stdout.write_all(&line).and_then(|()| stdout.flush()));
    }

    fn answer(&self, id: u64, result: Result<Box<RawValue>, RpcError>) {
        self.send(&Message::answer(id, result));
    }

    fn deliver(&self, id: u64, result: Option<Box<RawValue>>, error: Option<RpcError>) {
        let Some(reply) = locked(&self.waiting).remove(&id) else { return };
        reply(match error {
            Some(error) => Err(bridge_error(error)),
            None => Ok(result.map_or_else(|| "null".to_owned(), |json| json.get().to_owned())),
        });
    }
}

fn bridge_error(error: RpcError) -> BridgeError {
    let (code, data) = match error.data {
        Some(serde_json::Value::Object(mut map)) => {
            let code = map.get("code").and_then(|code| code.as_str()).unwrap_or("internal").to_owned();
            (code, map.remove("data").filter(|data| !data.is_null()))
        }
        _ => ("internal".to_owned(), None),
    };
    BridgeError { code, message: error.message, data }
}

impl Bridge for Output {
    fn request(&self, call_id: &str, method: &str, params: String, reply: Reply) {
        if too_deep(&params) {
            let message = refused_depth(&format!("what is given to {method}"));
            reply(Err(BridgeError { code: NOT_SERIALIZABLE.to_owned(), message, data: None }));
            return;
        }
        let Some(params) = from_call(call_id, params) else {
            reply(Err(BridgeError {
                code: "internal".to_owned(),
                message: format!("the parameters of {method} are not JSON"),
                data: None,
            }));
            return;
        };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) + 1;
        locked(&self.waiting).insert(id, reply);
        self.send(&Message::request(id, method, params));
    }

    fn notify(&self, call_id: &str, method: &str, params: String) {
        if let Some(params) = from_call(call_id, params) {
            self.send(&Message::notification(method, params));
        }
    }
}

fn from_call(call_id: &str, payload: String) -> Option<Box<RawValue>> {
    let payload = RawValue::from_string(payload).ok()?;
    Some(raw(&crate::protocol::FromCall { call_id: call_id.to_owned(), payload }))
}

/// The engine's error as the protocol says it.
fn call_error(error: marsh_engine::EngineError) -> CallError {
    use marsh_engine::EngineErrorKind as Engine;
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
