//! [`ModuleRuntime`]: the handle by which other threads use the JavaScript thread.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::api::{Bridge, EngineError, EngineErrorKind, External, Options, Source, Stats};
use crate::gate::Wrapper;
use crate::heap::Heap;
use crate::lock::lock;
use crate::shared::{Done, LoadDone, Shared};
use crate::stack;
use crate::thread;

/// Below this the surface itself does not start.
const MIN_STACK: usize = 128 << 10;
/// More would only make an endless recursion take longer to be seen.
const MAX_STACK: usize = 16 << 20;
/// How long [`ModuleRuntime::close`] waits for the thread. Only native code that never looks up (a read from a pipe
/// that stays silent) can need longer; the thread then ends by itself, later.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// One module version, running on a thread of its own. Clones are the same runtime; when the last one is dropped
/// without [`ModuleRuntime::close`], the thread ends in its own time.
#[derive(Clone)]
pub struct ModuleRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl ModuleRuntime {
    /// Start the thread and return at once; the module loads there. See [`ModuleRuntime::loaded`].
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn spawn(
        source: Source,
        externals: Vec<External>,
        options: Options,
        bridge: Arc<dyn Bridge>,
    ) -> Result<ModuleRuntime, EngineError> {
        ModuleRuntime::start(source, externals, options, bridge, None)
    }

    /// The same with `wrapper` around every host operation, those of loading included.
    ///
    /// # Errors
    ///
    /// The system gives no thread.
    pub fn spawn_wrapped(
        source: Source,
        externals: Vec<External>,
        options: Options,
        bridge: Arc<dyn Bridge>,
        wrapper: Arc<dyn Wrapper>,
    ) -> Result<ModuleRuntime, EngineError> {
        ModuleRuntime::start(source, externals, options, bridge, Some(wrapper))
    }

    fn start(
        source: Source,
        externals: Vec<External>,
        options: Options,
        bridge: Arc<dyn Bridge>,
        wrapper: Option<Arc<dyn Wrapper>>,
    ) -> Result<ModuleRuntime, EngineError> {
        let (sender, receiver) = mpsc::channel();
        let heap = Heap::new(options.limits.memory_bytes);
        let shared = Arc::new(Shared::new(bridge, heap, options.limits.output_bytes, sender));
        let bytes = options.limits.stack_bytes.clamp(MIN_STACK, MAX_STACK);
        let start = thread::Start {
            source,
            externals,
            options,
            stack: bytes,
            events: receiver,
            wrapper,
            shared: shared.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("marsh-js".to_owned())
            .stack_size(stack::thread_size(bytes))
            .spawn(move || thread::run(start))
            .map_err(|error| {
                let message = format!("cannot start a thread for the module: {error}");
                EngineError::new(EngineErrorKind::Internal, message)
            })?;
        Ok(ModuleRuntime { inner: Arc::new(Inner { shared, thread: Mutex::new(Some(thread)) }) })
    }

    /// `done` runs once the module has been evaluated and `init` has returned, or why not.
    pub fn loaded(&self, done: LoadDone) {
        self.inner.shared.on_loaded(done);
    }

    /// Whether the module is still loading.
    pub fn is_loading(&self) -> bool {
        self.inner.shared.is_loading()
    }

    /// Call `dispatch(op, JSON.parse(params), call)`. `done` runs exactly once, from any thread.
    pub fn call(&self, call_id: String, op: String, params: String, done: Done) {
        self.inner.shared.admit(call_id, op, params, done);
    }

    /// Ask a call to stop: abort its signal, and terminate the process groups it started.
    pub fn cancel(&self, call_id: &str, reason: &str) {
        self.inner.shared.cancel(call_id, reason);
    }

    /// End a call now with `error`, whatever its JavaScript does, and kill the process groups it started. The runtime is
    /// tainted from here on.
    pub fn interrupt(&self, call_id: &str, error: EngineError) {
        self.inner.shared.interrupt(call_id, error);
    }

    /// Whether new calls are refused.
    pub fn tainted(&self) -> bool {
        self.inner.shared.tainted()
    }

    /// Calls that have not been answered.
    pub fn in_flight(&self) -> usize {
        self.inner.shared.in_flight()
    }

    /// Counters as of now.
    pub fn stats(&self) -> Stats {
        self.inner.shared.stats()
    }

    /// Watches this runtime without keeping it.
    pub fn probe(&self) -> Probe {
        Probe { shared: Arc::clone(&self.inner.shared) }
    }

    /// End: fail what is in flight, kill the children, drop the engine, give the memory back. Waits for the thread.
    pub fn close(self) {
        self.inner.shared.close();
        let Some(thread) = lock(&self.inner.thread).take() else { return };
        // From a callback on the runtime's own thread, the wait would never end.
        if thread.thread().id() == std::thread::current().id() {
            return;
        }
        let deadline = Instant::now() + CLOSE_PATIENCE;
        self.inner.shared.wait_ended(deadline);
        if self.inner.shared.ended() {
            let joined = thread.join().map_err(|_| "the thread of a module panicked");
            marsh_types::ignore(joined, "the thread's guard has failed all its calls");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A view of a runtime that does not keep it alive, and outlives its last handle.
#[derive(Clone)]
pub struct Probe {
    shared: Arc<Shared>,
}

impl Probe {
    /// Whether the thread has ended: the engine is dropped and its memory given back.
    pub fn ended(&self) -> bool {
        self.shared.ended()
    }

    /// Whether the end was asked for; it comes when the thread looks up.
    pub fn closing(&self) -> bool {
        self.shared.closing()
    }

    /// Calls that have not been answered.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight()
    }

    /// Bytes that the engine's heap holds now. After the end, what it failed to free.
    pub fn heap_bytes(&self) -> usize {
        self.shared.heap.used()
    }

    /// Counters as of now.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}
