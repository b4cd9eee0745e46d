//! What the host needs of a JavaScript engine. The implementations are `quickjs` and `deno`.

use std::path::PathBuf;
use std::sync::Arc;

use marsh_host_protocol::{CallError, CallbackError, ContextNotice, ModuleRef, OperationName};

/// The JavaScript between a module and its calls.
#[derive(Debug, Clone, Copy)]
pub struct Shim {
    /// The name under which the engine knows it.
    pub name: &'static str,
    /// Its source.
    pub code: &'static str,
}

/// Where the answer to a request of running code goes; called exactly once, from any thread, with JSON text.
pub type Reply = Box<dyn FnOnce(Result<String, CallbackError>) + Send>;

/// What runs when a call has ended; called exactly once, from any thread, with the JSON text of the result.
pub type Done = Box<dyn FnOnce(Result<String, CallError>) + Send>;

/// What running code reaches outside of its runtime. The call id comes from the engine and never from JavaScript.
pub trait Bridge: Send + Sync + 'static {
    /// A request of the shim: a name of the protocol's table and its parameters as JSON text.
    fn request(&self, call_id: &str, method: &str, params: String, reply: Reply);
    /// A report of the shim.
    fn notify(&self, call_id: &str, method: &str, params: String);
    /// Code that this machine lacks, by its digest in hexadecimal digits. Waits for the answer.
    fn module(&self, sha256: &str) -> Result<Vec<u8>, String>;
    /// A report of the engine itself. The call id is empty for what belongs to no call in flight.
    fn notice(&self, call_id: &str, notice: &ContextNotice);
}

/// A JavaScript engine.
pub trait Engine: Send + Sync + 'static {
    /// Name and version.
    fn version(&self) -> String;

    /// Starts a runtime for a module version and returns at once; the module loads there.
    ///
    /// # Errors
    /// The runtime's thread cannot be started.
    fn start(
        &self,
        module: &ModuleRef,
        shim: Shim,
        bytecode_cache: Option<PathBuf>,
        bridge: Arc<dyn Bridge>,
    ) -> Result<Arc<dyn Runtime>, CallError>;
}

/// One module version, running. It ends when the last reference goes and its calls have ended.
pub trait Runtime: Send + Sync {
    /// Whether the module is still loading.
    fn is_loading(&self) -> bool;
    /// Runs `done` when loading has ended, however it ended.
    fn on_loaded(&self, done: Box<dyn FnOnce() + Send>);
    /// Starts a call.
    fn call(&self, call_id: &str, op: OpName<'_>, params: &str, done: Done);
    /// Aborts the call's signal and terminates the processes that it started.
    fn cancel(&self, call_id: &str, reason: &str);
    /// Ends the call now, whatever its code does. The runtime takes no new calls from here on.
    fn interrupt(&self, call_id: &str, error: CallError);
    /// Whether new calls are refused.
    fn is_tainted(&self) -> bool;
    /// Calls without an answer.
    fn in_flight(&self) -> usize;
    /// Ends the runtime and its calls, and waits for it.
    fn close(&self);
    /// Watches the runtime without keeping it.
    fn probe(&self) -> Box<dyn Probe>;
}

/// What a call does: an operation of the shim, or of another one that a check brings along.
#[derive(Debug, Clone, Copy)]
pub enum OpName<'a> {
    /// An operation of the protocol.
    Operation(OperationName),
    /// An operation of a shim that is not the production one.
    Other(&'a str),
}

impl OpName<'_> {
    /// The name that the shim gets.
    pub fn as_str(&self) -> &str {
        match self {
            OpName::Operation(name) => name.as_str(),
            OpName::Other(name) => name,
        }
    }
}

/// Counters of a runtime, also after its last reference is gone.
pub trait Probe: Send {
    /// Whether its thread has ended and its memory is freed.
    fn has_ended(&self) -> bool;
    /// Whether its end was asked for.
    fn is_closing(&self) -> bool;
    /// Calls without an answer.
    fn in_flight(&self) -> usize;
    /// Bytes of its heap. After the end, what it failed to free.
    fn heap_bytes(&self) -> u64;
    /// Calls since its start.
    fn calls(&self) -> u64;
}
