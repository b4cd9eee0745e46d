//! The JavaScript thread: its event loop, from creating the engine to dropping it.
//!
//! Invariants:
//! * One event, then all microtasks, then the next event; `Shared::slice` says for whom.
//! * The only JavaScript value that Rust keeps beyond a slice is [`Surface`], in the engine's own user data; it goes
//!   before the context, the context before the runtime.
//! * Whatever way the thread ends, every call is answered, every group killed ([`AtEnd`]).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rquickjs::{Context, Ctx, Function, Object, Runtime, Value};

use crate::api::{EngineError, EngineErrorKind, External, Options, Source};
use crate::bytecode::Cache;
use crate::errors;
use crate::gate::{self, Env, HostResult, Surface};
use crate::heap::Counting;
use crate::loader::{Load, Modules, Resolve, Text};
use crate::lock::lock;
use crate::shared::{Event, Owner, Shared};
use crate::stack::{self, Room};
use crate::surface;
use marsh_allocator as allocator;

/// After a kill, the microtasks of the slice may still unwind this long; then the runtime counts as wedged.
const UNWIND: Duration = Duration::from_secs(2);

/// How far the heap grows before cycles are looked for; afterwards the engine sets its own pace.
const FIRST_COLLECTION: usize = 8 << 20;

pub(crate) struct Start {
    pub(crate) source: Source,
    pub(crate) externals: Vec<External>,
    pub(crate) options: Options,
    pub(crate) stack: usize,
    pub(crate) events: Receiver<Event>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) wrapper: Option<Arc<dyn gate::Wrapper>>,
}

/// Runs however the thread ends, a panic included.
struct AtEnd(Arc<Shared>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.close();
        let error = EngineError::closed();
        self.0.set_loaded(Err(error.clone()));
        self.0.fail_all(&error);
        self.0.kill_all_groups();
        self.0.set_ended();
    }
}

pub(crate) fn run(start: Start) {
    let shared = start.shared.clone();
    let at_end = AtEnd(shared.clone());
    match Engine::new(start) {
        Ok(mut engine) => {
            engine.load();
            engine.serve();
            drop(engine);
        }
        Err(error) => shared.set_loaded(Err(errors::internal(&error))),
    }
    allocator::give_back();
    drop(at_end);
}

struct Engine {
    context: Context,
    runtime: Runtime,
    env: Arc<Env>,
    shared: Arc<Shared>,
    events: Receiver<Event>,
    /// Calls that came while loading, completions that came while no call was in flight.
    parked: VecDeque<Event>,
    modules: Arc<Modules>,
    rejected: Arc<AtomicBool>,
    source: Source,
    shim: &'static str,
    started: Instant,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.context.with(|ctx| {
            let removed = ctx.remove_userdata::<Surface>().map_err(|_| "the surface is in use");
            marsh_types::ignore(removed, "the context goes with it");
        });
    }
}

impl Engine {
    fn new(start: Start) -> rquickjs::Result<Engine> {
        let started = Instant::now();
        let Start { source, externals, options, stack, events, shared, wrapper } = start;
        let runtime = Runtime::new_with_alloc(Counting(shared.heap.clone()))?;
        stack::begin(stack);
        // The default would collect every few hundred kilobytes while a large module is being evaluated.
        runtime.set_gc_threshold(FIRST_COLLECTION);

        let names = externals.iter().map(|external| external.specifier.clone()).collect();
        let mut texts = HashMap::new();
        for external in externals {
            texts.insert(external.specifier, Text::Code(external.code));
        }
        texts.insert(source.url.clone(), Text::Code(source.code.clone()));
        texts.insert(options.shim.name.to_owned(), Text::Static(options.shim.code));
        let cache = options.bytecode_cache.as_deref().and_then(Cache::open);
        let modules = Arc::new(Modules::new(texts, names, cache));
        runtime.set_loader(Resolve(modules.clone()), Load(modules.clone()));

        let cwd = options.cwd.or_else(|| std::env::current_dir().ok()).unwrap_or_else(|| "/".into());
        let env = Arc::new(Env::new(shared.clone(), modules.clone(), cwd, options.args, wrapper));
        let context = Context::full(&runtime)?;
        let mut engine = Engine {
            context,
            runtime,
            env,
            shared,
            events,
            parked: VecDeque::new(),
            modules,
            rejected: Arc::new(AtomicBool::new(false)),
            source,
            shim: options.shim.name,
            started,
        };
        engine.install()?;
        // From here on code runs that is not ours.
        let watch = engine.shared.clone();
        engine.runtime.set_interrupt_handler(Some(Box::new(move || watch.must_stop())));
        Ok(engine)
    }

    /// Evaluate the surface. Its core takes the native functions out of the global object again.
    fn install(&mut self) -> rquickjs::Result<()> {
        let Engine { context, env, modules, rejected, shared, .. } = self;
        context.with(|ctx| -> rquickjs::Result<()> {
            stack::anchor(&ctx);
            let native = gate::install(&ctx, env)?;
            let lazy = modules.clone();
            // A part of the surface that was evaluated by half stays so: the next call gets another runtime.
            let broken = shared.clone();
            native.set(
                "evaluate",
                Function::new(ctx.clone(), move |ctx: Ctx<'_>, name: String| -> rquickjs::Result<()> {
                    let evaluate = || lazy.declare(&ctx, &name)?.eval()?.1.finish::<()>();
                    stack::enter(&ctx, Room::Surface, evaluate).inspect_err(|_| broken.taint())
                })?,
            )?;
            ctx.globals().set("__marsh", native)?;
            let evaluated = || -> rquickjs::Result<Object<'_>> {
                let (module, promise) = modules.declare(&ctx, "marsh:main")?.eval()?;
                promise.finish::<()>()?;
                module.get("entry")
            };
            let entry = match evaluated() {
                Ok(entry) => entry,
                Err(error) => {
                    let thrown = errors::raw(&ctx, error);
                    return Err(rquickjs::Error::new_loading_message("marsh:main", thrown));
                }
            };
            ctx.store_userdata(Surface(entry)).map(drop).map_err(|_| rquickjs::Error::Unknown)
        })?;
        let flag = rejected.clone();
        self.runtime.set_host_promise_rejection_tracker(Some(Box::new(
            move |ctx: Ctx<'_>, promise: Value<'_>, reason: Value<'_>, handled: bool| {
                flag.store(true, Ordering::Relaxed);
                let noted = gate::invoke(&ctx, Room::Surface, "rejection", (promise, reason, handled));
                // Out of memory here is noticed by the heap.
                if let Err(rquickjs::Error::Exception) = noted.map(|(): ()| ()) {
                    ctx.catch();
                }
            },
        )));
        Ok(())
    }

    // ---- slices ----

    /// Run JavaScript for `owner`, then everything it queued. `false` if it cannot be brought to an end.
    fn slice(&mut self, owner: Owner, body: impl for<'js> FnOnce(&Ctx<'js>) -> rquickjs::Result<()>) -> bool {
        self.shared.begin_slice(owner.clone());
        let Engine { shared, rejected, context, .. } = self;
        let sound = context.with(|ctx| {
            stack::anchor(&ctx);
            if let Err(error) = body(&ctx) {
                settle(shared, &ctx, &owner, error);
            }
            let sound = drain(shared, &ctx, &owner);
            if rejected.swap(false, Ordering::Relaxed) && !shared.must_stop() {
                report_unhandled(shared, &ctx);
            }
            if shared.heap.exhausted() {
                out_of_memory(shared, &owner);
                ctx.run_gc();
                shared.heap.recover();
            }
            if owner == Owner::Load && shared.must_stop() && !shared.closing() {
                let error = EngineError::new(EngineErrorKind::Deadline, "loading the module was interrupted");
                shared.set_loaded(Err(error));
            }
            sound
        });
        self.shared.end_slice();
        sound
    }

    // ---- loading ----

    fn load(&mut self) {
        let start_ms = self.started.elapsed().as_secs_f64() * 1e3;
        self.shared.set_stats(|stats| stats.start_ms = start_ms);
        let (url, shim) = (self.source.url.clone(), self.shim);
        let mut sound = self.slice(Owner::Load, |ctx| {
            let version = surface::engine_version();
            gate::invoke(ctx, Room::Module, "load", (url.as_str(), shim, version.as_str()))
        });
        while sound && self.shared.is_loading() && !self.shared.closing() {
            sound = self.turn();
        }
        if !sound {
            self.shared.close();
        }
        self.modules.loaded();
        let load_ms = self.started.elapsed().as_secs_f64() * 1e3;
        let hit = lock(&self.modules.record)
            .loaded
            .iter()
            .any(|(name, from_cache)| *from_cache && *name == self.source.url);
        self.shared.set_stats(|stats| {
            stats.load_ms = load_ms;
            stats.bytecode_hit = hit;
        });
    }

    fn serve(&mut self) {
        while !self.shared.closing() && !self.shared.spent() {
            if !self.turn() {
                let error = EngineError::new(EngineErrorKind::Deadline, "the module's runtime is wedged");
                self.shared.fail_all(&error);
                return;
            }
        }
    }

    // ---- events ----

    /// Wait for the next event and run it. `false` when the runtime cannot go on.
    fn turn(&mut self) -> bool {
        let loading = self.shared.is_loading();
        let active = loading || self.shared.in_flight() > 0;
        if active
            && !loading
            && let Some(event) = self.parked.pop_front()
        {
            return self.event(event);
        }
        let due = if active { lock(&self.env.timers).next() } else { None };
        let received = match due {
            None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => {
                let now = Instant::now();
                // Events first, but a steady stream of them must not starve the timers.
                let wait = due.saturating_duration_since(now);
                if wait.is_zero() {
                    return self.fire(now) && self.pending();
                }
                self.events.recv_timeout(wait)
            }
        };
        match received {
            Ok(event) => self.event(event),
            Err(RecvTimeoutError::Timeout) => self.fire(Instant::now()),
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    /// One event that is already there, if any.
    fn pending(&mut self) -> bool {
        match self.events.try_recv() {
            Ok(event) => self.event(event),
            Err(_) => true,
        }
    }

    fn fire(&mut self, now: Instant) -> bool {
        let Some((id, owner)) = lock(&self.env.timers).take_due(now) else { return true };
        let owner = if self.shared.is_live(&owner) { owner } else { Owner::None };
        self.slice(owner, |ctx| gate::invoke(ctx, Room::Module, "timer", (id as f64,)))
    }

    fn event(&mut self, event: Event) -> bool {
        match event {
            Event::Wake => true,
            Event::Call { id, op, params } => {
                if !self.shared.is_live(&Owner::Call(id.clone())) {
                    return true;
                }
                if self.shared.is_loading() {
                    self.parked.push_back(Event::Call { id, op, params });
                    return true;
                }
                let env = self.env.clone();
                self.slice(Owner::Call(id.clone()), |ctx| start_call(ctx, &env, &id, &op, &params))
            }
            Event::Cancel { id, reason } => {
                let owner = Owner::Call(id.clone());
                if !self.shared.is_live(&owner) {
                    return true;
                }
                self.slice(owner, |ctx| gate::invoke(ctx, Room::Module, "abort", (&*id, reason.as_str())))
            }
            Event::Completed { op, owner, result } => self.completed(op, owner, result),
        }
    }

    fn completed(&mut self, op: u64, owner: Owner, result: HostResult) -> bool {
        if !self.shared.is_loading() && self.shared.in_flight() == 0 {
            self.parked.push_back(Event::Completed { op, owner, result });
            return true;
        }
        let owner = if self.shared.is_live(&owner) { owner } else { Owner::None };
        self.slice(owner, |ctx| match result {
            Ok(value) => gate::invoke(ctx, Room::Module, "complete", (op as f64, true, value)),
            Err(error) => {
                let error = gate::make_error(ctx, &error)?;
                gate::invoke(ctx, Room::Module, "complete", (op as f64, false, error))
            }
        })
    }
}

/// Start a call, with the functions that carry its id.
#[inline(never)]
fn start_call(ctx: &Ctx<'_>, env: &Arc<Env>, id: &Arc<str>, op: &str, params: &str) -> rquickjs::Result<()> {
    let own = gate::bind(ctx, env, id)?;
    gate::invoke(ctx, Room::Module, "start", (&**id, op, params, own))
}

/// Run the microtasks. `false` if they cannot be brought to an end.
fn drain(shared: &Shared, ctx: &Ctx<'_>, owner: &Owner) -> bool {
    let mut killed_at: Option<Instant> = None;
    loop {
        if shared.must_stop() {
            if shared.closing() {
                return true;
            }
            if shared.heap.exhausted() && killed_at.is_none() {
                out_of_memory(shared, owner);
            }
            // What remains unwinds: the interrupt handler ends each job that runs on.
            let since = *killed_at.get_or_insert_with(Instant::now);
            if since.elapsed() > UNWIND {
                return false;
            }
        }
        if !ctx.execute_pending_job() {
            return true;
        }
    }
}

/// Code that was stopped in the middle is not gone on with: what its heap holds is anybody's guess.
fn out_of_memory(shared: &Shared, owner: &Owner) {
    shared.taint();
    let error = EngineError::new(EngineErrorKind::OutOfMemory, "out of memory");
    shared.kill_slice();
    shared.fail(owner, error);
}

/// An exception reached the event loop.
fn settle(shared: &Shared, ctx: &Ctx<'_>, owner: &Owner, error: rquickjs::Error) {
    let stopped = shared.must_stop();
    let thrown = errors::thrown(ctx, error);
    if stopped && shared.heap.exhausted() {
        out_of_memory(shared, owner);
    } else if !stopped {
        match owner {
            Owner::None => shared.uncaught(owner, &format!("uncaught: {thrown}")),
            Owner::Call(_) | Owner::Load => shared.fail(owner, thrown),
        }
    }
}

fn report_unhandled(shared: &Shared, ctx: &Ctx<'_>) {
    let list: rquickjs::Result<Option<String>> = gate::invoke(ctx, Room::Module, "unhandled", ());
    match list {
        Ok(None) => {}
        Ok(Some(list)) => errors::unhandled(shared, &list),
        Err(_) => {
            ctx.catch();
        }
    }
}
