//! The parent's side of the host protocol: starts hosts, calls operations, serves the requests of running code, and
//! stops calls that do not end by themselves.
//!
//! A host is the same binary under a hidden subcommand ([`SUBCOMMAND`]); `marsh-host-server` is its side. This crate
//! depends on no engine.
//!
//! Each host has a thread that reads its lines and one that keeps the tail of its log. A call is served on the thread
//! that made it: the reader hands it everything that carries its call id, so requests of different calls never wait for
//! each other and may borrow from the caller's stack.
//!
//! # Invariants
//!
//! * Extension code runs in a host process only. The process that owns data and locks never evaluates it.
//! * Every call ends: with an answer, at its deadline, or because its host died. A missed deadline means abort signal,
//!   then interrupt, then 2 s later the end of the host (`marsh-host-server`, `tests/stuck.rs`).
//! * A host that dies takes its own calls along and nothing else. The processes that its extensions started are killed
//!   with it (`tests/process.rs`).
//! * Nothing of a host is read without a limit: lines, log, results (`tests/limits.rs`, `tests/channel.rs`).
//! * A superseded version goes with its last call (`tests/versions.rs`). Idle versions are kept within [`Retention`].

#![warn(missing_docs)]

mod cancel;
mod error;
mod host;
mod hosts;
mod lines;
mod location;
mod process;
mod reader;
mod trace;
mod transport;
mod versions;

use std::path::PathBuf;
use std::time::Duration;

pub use marsh_host_protocol as protocol;
pub use marsh_host_protocol::{
    Ask, CallError, CallbackError, ContextAnswer, ContextNotice, ContextRequest, ErrorKind, External,
    HostStats, Limits, ModuleEngine, ModuleRef, ModuleState, ModuleStats, Operation, SourceLocation,
};

pub use cancel::CancelToken;
pub use error::HostError;
pub use host::Host;
pub use hosts::{HostStatus, Hosts};
pub use lines::{Line, Ticket};
pub use location::{ContainerControl, HostLocation};
pub use process::{ChildProcess, NoProcess, ProcessControl};
pub use transport::{Channel, LineWriter, Pipes, SocketPair, Transport};
pub use versions::Retention;

/// The hidden subcommand under which the binary becomes a host.
pub const SUBCOMMAND: &str = "__host";

/// How a host process is started.
#[derive(Debug, Clone)]
pub struct HostCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where compiled code is kept; `None` compiles anew each time.
    pub bytecode_cache: Option<PathBuf>,
    /// Its working directory; `None` is this process's own.
    pub cwd: Option<PathBuf>,
}

/// One call into a module version.
#[derive(Debug)]
pub struct Call<'a> {
    /// What to do.
    pub operation: Operation,
    /// How long it may take, once its module is loaded.
    pub deadline: Duration,
    /// Stops the call.
    pub cancel: &'a CancelToken,
    /// How long a cancelled call may take to end by itself.
    pub grace: Duration,
    /// The W3C `traceparent` of the caller's span.
    pub trace_parent: Option<String>,
}

/// Answers the requests of running code, on the thread of its call.
pub trait Callbacks {
    /// Answers a request.
    ///
    /// # Errors
    /// A refusal, which extension code sees as an error with a code.
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError>;

    /// Takes note of a report.
    fn notice(&self, notice: ContextNotice);
}

/// Callbacks of calls that have no context, such as `describe`.
#[derive(Debug, Clone, Copy)]
pub struct NoCallbacks;

impl Callbacks for NoCallbacks {
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        Err(unavailable(&request))
    }

    fn notice(&self, _notice: ContextNotice) {}
}

/// The refusal of a request that a call does not serve.
pub fn unavailable(request: &ContextRequest) -> CallbackError {
    CallbackError::new("unsupported", format!("`{}` is not available in this call", request.name()))
}
