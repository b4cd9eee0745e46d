//! The public types of the crate: what a caller passes in and gets back. No behaviour.

use std::path::PathBuf;

/// One ES module to run.
#[derive(Clone, Debug)]
pub struct Source {
    /// The module's identity, and the value of `import.meta.url`.
    pub url: String,
    /// Its text.
    pub code: Code,
}

/// Where the text of a module comes from.
#[derive(Clone, Default)]
pub struct Code {
    /// A file that should hold it.
    pub path: Option<PathBuf>,
    /// The SHA-256 that the text must have; `None` takes any text.
    pub sha256: Option<[u8; 32]>,
    /// Asked, on a thread of its own, when no file holds a text with that digest.
    pub fetch: Option<Fetch>,
}

/// Gets the text of a module from elsewhere, or says why not.
pub type Fetch = std::sync::Arc<dyn Fn() -> Result<Vec<u8>, String> + Send + Sync>;

impl Code {
    /// Any text that this file holds.
    pub fn file(path: impl Into<PathBuf>) -> Code {
        Code { path: Some(path.into()), ..Code::default() }
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("path", &self.path).finish_non_exhaustive()
    }
}

/// An ES module provided by the host under a bare specifier, such as `npm:zod@4.3.6`.
#[derive(Clone, Debug)]
pub struct External {
    /// As the module imports it.
    pub specifier: String,
    /// Its text.
    pub code: Code,
}

/// Bounds of one runtime.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes the JavaScript heap (array buffers included) may take.
    pub memory_bytes: usize,
    /// Bytes of native stack that JavaScript may use (at most 16 MiB).
    pub stack_bytes: usize,
    /// Bytes of captured console and child output per call; the engine cuts the rest, with one notice.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { memory_bytes: 512 << 20, stack_bytes: 1 << 20, output_bytes: 8 << 20 }
    }
}

/// The JavaScript that the caller puts between the module and its calls; see the crate documentation.
#[derive(Clone, Copy, Debug)]
pub struct Shim {
    /// The module's name in stack traces.
    pub name: &'static str,
    /// Its text.
    pub code: &'static str,
}

/// How a runtime runs its module.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bounds of memory, stack and output.
    pub limits: Limits,
    /// Directory for compiled code; `None` compiles from source every time.
    pub bytecode_cache: Option<PathBuf>,
    /// The JavaScript between the module and its calls.
    pub shim: Shim,
    /// The value of `Deno.args`.
    pub args: Vec<String>,
    /// The value of `Deno.cwd()`, and the base of relative paths; `None` is the process's own directory.
    pub cwd: Option<PathBuf>,
}

/// The other side of the host protocol, as JavaScript sees it. Call ids come from the runtime, never from JavaScript.
pub trait Bridge: Send + Sync + 'static {
    /// Sends a request. `reply` runs exactly once, on any thread, with JSON text or an error.
    fn request(&self, call_id: &str, method: &str, params: String, reply: Reply);
    /// Sends a notification of the shim, on behalf of a call in flight.
    fn notify(&self, call_id: &str, method: &str, params: String);
    /// A line that a call wrote. The call id is empty for what no call in flight can be blamed for (loading, leftovers).
    fn output(&self, _call_id: &str, _stream: Stream, _line: &str) {}
    /// An error that no code handled, of a call or of none.
    fn uncaught(&self, _call_id: &str, _message: &str) {}
    /// A call started a process group.
    fn process_started(&self, _call_id: &str, _pgid: i32) {}
    /// A process group has ended.
    fn process_ended(&self, _call_id: &str, _pgid: i32) {}
}

/// A standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes the answer of a [`Bridge::request`].
pub type Reply = Box<dyn FnOnce(Result<String, BridgeError>) + Send>;

/// A failed request; in JavaScript an `Error` with `.code` and `.data`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BridgeError {
    /// The error's `code`.
    pub code: String,
    /// The error's `message`.
    pub message: String,
    /// The error's `data`.
    pub data: Option<serde_json::Value>,
}

/// Why a load or a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineErrorKind {
    /// The module does not parse.
    Syntax,
    /// Top-level code threw, or an import is missing.
    Load,
    /// The code threw.
    Threw,
    /// A member of the surface is missing; the message names it.
    Unsupported,
    /// The heap reached [`Limits::memory_bytes`].
    OutOfMemory,
    /// The stack reached [`Limits::stack_bytes`].
    StackOverflow,
    /// The caller interrupted the call at its deadline.
    Deadline,
    /// The call was cancelled.
    Cancelled,
    /// The code called `Deno.exit(n)`.
    Exit,
    /// A promise was rejected, and no code handled it.
    UnhandledRejection,
    /// The runtime had a call interrupted or lost its heap, and takes no new calls.
    Tainted,
    /// The runtime was closed.
    Closed,
    /// A defect of the engine, or of the system under it.
    Internal,
}

/// Where in the source an error comes from; lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// As the stack trace names it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// A failed load or call.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.headline())]
pub struct EngineError {
    /// Why it failed.
    pub kind: EngineErrorKind,
    /// `message` of the JavaScript error.
    pub message: String,
    /// `name` of the JavaScript error.
    pub name: Option<String>,
    /// `code` of the JavaScript error, if it is a string.
    pub code: Option<String>,
    /// `stack` of the JavaScript error.
    pub stack: Option<String>,
    /// `data` of the JavaScript error, if JSON can express it.
    pub data: Option<serde_json::Value>,
    /// The first frame that is not the surface's.
    pub location: Option<Location>,
}

impl EngineError {
    /// An error without a JavaScript error behind it.
    pub fn new(kind: EngineErrorKind, message: impl Into<String>) -> EngineError {
        EngineError {
            kind,
            message: message.into(),
            name: None,
            code: None,
            stack: None,
            data: None,
            location: None,
        }
    }

    /// `TypeError: x is not a function`, as JavaScript would put it; without the name where that says nothing.
    fn headline(&self) -> String {
        match &self.name {
            Some(name) if name != "Error" => format!("{name}: {}", self.message),
            _ => self.message.clone(),
        }
    }

    pub(crate) fn closed() -> EngineError {
        EngineError::new(EngineErrorKind::Closed, "the module's runtime is closed")
    }
}

/// Counters of one runtime, as of the end of its latest call.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Bytes the JavaScript heap holds.
    pub heap_bytes: usize,
    /// The most bytes that the JavaScript heap has held.
    pub heap_peak_bytes: usize,
    /// Calls that were accepted.
    pub calls_total: u64,
    /// Creation of the engine plus evaluation of the surface.
    pub start_ms: f64,
    /// From start to the end of `init`.
    pub load_ms: f64,
    /// Whether the module itself came from compiled code.
    pub bytecode_hit: bool,
}
