//! The parent's side: start hosts, send requests, serve callbacks, stop what does not stop by itself.
//!
//! Each host has a thread that reads its answers and one that keeps the tail of its log. A call is served on the
//! thread that made it: the reader hands it everything that carries its call id, so callbacks of different calls never
//! wait for each other and may borrow from the caller's stack.

mod cancel;
mod host;
mod hosts;
mod lines;
mod place;
mod versions;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

pub use cancel::CancelToken;
pub use host::Host;
pub use hosts::{HostStatus, Hosts};
pub use lines::{Line, Ticket};
pub use place::Place;
pub use versions::Retention;

/// How a host process is started.
#[derive(Debug, Clone)]
pub struct HostCommand {
    pub program: PathBuf,
    pub args: Vec<String>,
    /// Where compiled code is kept; `None` compiles anew each time.
    pub bytecode_cache: Option<PathBuf>,
    pub cwd: Option<PathBuf>,
}

/// One call into a module version.
#[derive(Debug)]
pub struct Call<'a> {
    pub op: &'a str,
    pub params: Value,
    pub deadline: Duration,
    pub cancel: &'a CancelToken,
    /// How long a cancelled call may take to end by itself.
    pub grace: Duration,
}

/// What extension code can ask while a call runs. Served on the calling thread.
pub trait Callbacks {
    fn request(&self, method: &str, params: Value) -> Result<Value, CallbackError>;
    fn notify(&self, method: &str, params: Value);
}

/// An answer of "no" to a callback; extension code sees it as an `Error` with `code` and `data`.
#[derive(Debug, Clone)]
pub struct CallbackError {
    pub code: String,
    pub message: String,
    pub data: Option<Value>,
}

impl CallbackError {
    pub fn new(code: &str, message: impl Into<String>) -> CallbackError {
        CallbackError { code: code.to_owned(), message: message.into(), data: None }
    }
}

/// Callbacks of calls that have no context, such as `describe`.
#[derive(Debug)]
pub struct NoCallbacks;

impl Callbacks for NoCallbacks {
    fn request(&self, method: &str, _params: Value) -> Result<Value, CallbackError> {
        Err(CallbackError::new("unsupported", format!("`{method}` is not available in this call")))
    }

    fn notify(&self, _method: &str, _params: Value) {}
}
