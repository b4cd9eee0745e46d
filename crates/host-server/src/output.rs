//! Everything that leaves the host, and the requests of running code that wait for an answer.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use marsh_host_protocol::{
    CallError, CallbackError, ContextNotice, ErrorKind, FromCall, LOAD_LIMIT, MAX_PAYLOAD_BYTES, Message,
    ModuleBytes, ModuleGet, ParentRequest, RpcError, ShapeError, check_shape, to_raw,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::engine::{Bridge, Reply};
use crate::locked;
use crate::module_cache::ModuleCache;

/// The code of a value without a JSON form that the parent reads.
const NOT_SERIALIZABLE: &str = "not_serializable";
/// The code of a result beyond the call's output limit.
const RESULT_TOO_LARGE: &str = "result_too_large";
/// The code of a request whose payload is beyond the protocol's limit.
const TOO_LARGE: &str = "too_large";

/// The writing half of the channel.
pub struct Outbox {
    writer: Mutex<Box<dyn Write + Send>>,
    next_id: AtomicU64,
    waiting: Mutex<HashMap<u64, Reply>>,
    modules: ModuleCache,
}

impl Outbox {
    pub fn new(writer: Box<dyn Write + Send>) -> Outbox {
        Outbox {
            writer: Mutex::new(writer),
            next_id: AtomicU64::new(1),
            waiting: Mutex::default(),
            modules: ModuleCache::default(),
        }
    }

    fn send(&self, message: &Message) {
        let line = match message.to_line() {
            Ok(line) => line,
            // Every part of a message is JSON text already, or plain data.
            Err(error) => return log(&format!("cannot encode a message: {error}")),
        };
        let mut writer = locked(&self.writer);
        if writer.write_all(&line).and_then(|()| writer.flush()).is_err() {
            // A parent that no longer reads is gone; the end of the input says so to the main thread.
        }
    }

    pub fn answer(&self, id: u64, result: Result<Box<RawValue>, RpcError>) {
        self.send(&Message::answer(id, result));
    }

    /// Answers a request with plain data.
    pub fn answer_with<T: Serialize>(&self, id: u64, value: &T) {
        let internal =
            |error: serde_json::Error| CallError::new(ErrorKind::Internal, error.to_string()).to_rpc();
        self.answer(id, to_raw(value).map_err(internal));
    }

    /// Hands an answer of the parent to the code that waits for it. An unknown id is that of a request whose runtime is
    /// gone.
    pub fn deliver(&self, id: u64, result: Option<&RawValue>, error: Option<RpcError>) {
        let Some(reply) = locked(&self.waiting).remove(&id) else { return };
        reply(match error {
            Some(error) => Err(CallbackError::from_rpc(error)),
            None => Ok(result.map_or("null", RawValue::get).to_owned()),
        });
    }
}

/// Writes to the host's log, of which the parent shows the end when the host dies.
pub fn log(text: &str) {
    let mut stderr = std::io::stderr().lock();
    if writeln!(stderr, "{text}").is_err() {
        // There is no other place to say it.
    }
}

/// The answer to a call, given why it was stopped if it was: code that reacts to its abort signal, by throwing or by
/// returning early, has still missed its deadline or been cancelled. Its children were killed with the signal, so its
/// result describes half of the work.
pub fn finished(
    outcome: Result<String, CallError>,
    stopped: Option<CallError>,
    limit: usize,
) -> Result<Box<RawValue>, RpcError> {
    let refused = |code: &str, message: String| {
        let mut error = CallError::new(ErrorKind::Threw, message);
        error.code = Some(code.to_owned());
        error.to_rpc()
    };
    match (outcome, stopped) {
        (_, Some(reason)) => Err(reason.to_rpc()),
        (Err(error), None) => Err(error.to_rpc()),
        (Ok(json), None) if json.len() > limit => {
            let message = format!("the result of the call takes {} bytes; the limit is {limit}", json.len());
            Err(refused(RESULT_TOO_LARGE, message))
        }
        (Ok(json), None) => {
            check_shape(&json)
                .map_err(|error| refused(NOT_SERIALIZABLE, format!("the result of the call {error}")))?;
            RawValue::from_string(json).map_err(|error| {
                CallError::new(ErrorKind::Internal, format!("the result is not JSON: {error}")).to_rpc()
            })
        }
    }
}

/// The parameters of a request or notification about a call.
fn about_call(call_id: &str, payload: String) -> Result<Box<RawValue>, CallbackError> {
    let internal =
        |error: serde_json::Error| CallbackError::new("internal", format!("invalid JSON: {error}"));
    let payload = RawValue::from_string(payload).map_err(internal)?;
    to_raw(&FromCall { call_id, payload: &payload }).map_err(internal)
}

fn checked(method: &str, params: &str) -> Result<(), CallbackError> {
    if params.len() > MAX_PAYLOAD_BYTES {
        let message = format!("`{method}` is given {} bytes; the limit is {MAX_PAYLOAD_BYTES}", params.len());
        return Err(CallbackError::new(TOO_LARGE, message));
    }
    check_shape(params).map_err(|error: ShapeError| {
        CallbackError::new(NOT_SERIALIZABLE, format!("the data given to {method} {error}"))
    })
}

/// The text that the parent sent.
fn module_text(answer: &str) -> Result<Vec<u8>, String> {
    let bytes: ModuleBytes = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    BASE64.decode(bytes.base64).map_err(|error| error.to_string())
}

impl Bridge for Outbox {
    fn module(&self, sha256: &str) -> Result<Vec<u8>, String> {
        if let Some(code) = self.modules.get(sha256) {
            return Ok(code);
        }
        let request = ParentRequest::ModuleGet(ModuleGet { sha256: sha256.to_owned() });
        let params = request.params().map_err(|error| error.to_string())?;
        let (sender, receiver) = channel();
        let reply: Reply = Box::new(move |answer| {
            if sender.send(answer).is_err() {
                // The module has given up on it.
            }
        });
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        locked(&self.waiting).insert(id, reply);
        self.send(&Message::request(id, request.name().as_str(), params));
        let answer = receiver.recv_timeout(LOAD_LIMIT).map_err(|error| format!("no answer: {error}"))?;
        let code = module_text(&answer.map_err(|error| error.message)?)?;
        self.modules.put(&code);
        Ok(code)
    }

    fn request(&self, call_id: &str, method: &str, params: String, reply: Reply) {
        match checked(method, &params).and_then(|()| about_call(call_id, params)) {
            Ok(params) => {
                let id = self.next_id.fetch_add(1, Ordering::Relaxed);
                locked(&self.waiting).insert(id, reply);
                self.send(&Message::request(id, method, params));
            }
            Err(error) => reply(Err(error)),
        }
    }

    fn notify(&self, call_id: &str, method: &str, params: String) {
        match checked(method, &params).and_then(|()| about_call(call_id, params)) {
            Ok(params) => self.send(&Message::notification(method, params)),
            Err(error) => log(&format!("a report of {call_id} is dropped: {}", error.message)),
        }
    }

    fn notice(&self, call_id: &str, notice: &ContextNotice) {
        let params = notice.params().and_then(|payload| to_raw(&FromCall { call_id, payload: &payload }));
        match params {
            Ok(params) => self.send(&Message::notification(notice.name().as_str(), params)),
            Err(error) => log(&format!("cannot encode `{}`: {error}", notice.name())),
        }
    }
}

/// A refusal to start.
pub fn refusal(message: String, code: &str) -> RpcError {
    let mut refused = CallError::new(ErrorKind::Internal, message);
    refused.code = Some(code.to_owned());
    refused.to_rpc()
}
