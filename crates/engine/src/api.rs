//! The public vocabulary of the crate: what a caller passes in and gets back. No behaviour.

use std::path::PathBuf;

/// One ES module to run. `url` is the module's identity and what `import.meta.url` says.
#[derive(Clone, Debug)]
pub struct Source {
    pub url: String,
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
    /// Whatever text this file holds.
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
    pub specifier: String,
    pub code: Code,
}

/// Bounds of one runtime.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes the JavaScript heap (array buffers included) may take.
    pub memory_bytes: usize,
    /// Bytes of native stack that JavaScript may use (at most 16 MiB).
    pub stack_bytes: usize,
    /// Bytes of captured console and child output per call; what comes after is cut with one notice.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { memory_bytes: 512 << 20, stack_bytes: 1 << 20, output_bytes: 8 << 20 }
    }
}

/// The JavaScript that the caller puts between the module and its calls; see the crate documentation.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    pub name: &'static str,
    pub code: &'static str,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub limits: Limits,
    /// Directory for compiled code; `None` compiles from source every time.
    pub bytecode_cache: Option<PathBuf>,
    pub driver: Driver,
    /// What `Deno.args` says.
    pub args: Vec<String>,
    /// What `Deno.cwd()` says and what relative paths are relative to; `None` is the process's own.
    pub cwd: Option<PathBuf>,
}

/// The other side of the host protocol, as JavaScript sees it. Call ids come from the runtime, never from JavaScript.
pub trait Bridge: Send + Sync + 'static {
    /// Ask. `reply` is called exactly once, from any thread, with JSON text or an error.
    fn request(&self, call_id: &str, method: &str, params: String, reply: Reply);
    /// Tell, on behalf of a call in flight: what the driver sends.
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

pub type Reply = Box<dyn FnOnce(Result<String, BridgeError>) + Send>;

/// A failed request; in JavaScript an `Error` with `.code` and `.data`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BridgeError {
    pub code: String,
    pub message: String,
    pub data: Option<serde_json::Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineErrorKind {
    /// The module does not parse.
    Syntax,
    /// Top-level code threw, or an import is missing.
    Load,
    Threw,
    /// A member of the surface is missing; the message names it.
    Unsupported,
    OutOfMemory,
    StackOverflow,
    Deadline,
    Cancelled,
    /// `Deno.exit(n)`.
    Exit,
    UnhandledRejection,
    /// The runtime had a call interrupted or lost its heap, and takes no new calls.
    Tainted,
    Closed,
    Internal,
}

/// Where in the source an error comes from; lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.headline())]
pub struct EngineError {
    pub kind: EngineErrorKind,
    pub message: String,
    /// `name` of the JavaScript error.
    pub name: Option<String>,
    /// `code` of the JavaScript error, if it is a string.
    pub code: Option<String>,
    pub stack: Option<String>,
    /// `data` of the JavaScript error, if JSON can say it.
    pub data: Option<serde_json::Value>,
    pub location: Option<Location>,
}

impl EngineError {
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
    pub heap_peak_bytes: usize,
    pub calls_total: u64,
    /// Creation of the engine plus evaluation of the surface.
    pub start_ms: f64,
    /// From start to the end of `init`.
    pub load_ms: f64,
    /// Whether the module itself came from compiled code.
    pub bytecode_hit: bool,
}
