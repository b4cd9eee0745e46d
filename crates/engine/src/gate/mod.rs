//! The one door between JavaScript and the machine.
//!
//! Everything that the surface can do to the outside is an [`Operation`]: a row of a table under `host/`, which states its
//! name, capabilities, determinism and cost (`table.rs`). JavaScript finds operations by name through the two native
//! functions that [`install`] makes, and the operations of a call through the two that [`bind`] makes for it; another
//! one (`thread.rs`) evaluates parts of the surface and reaches nothing else.
//! What the language itself has stays outside of the table: `Date`, `Math.random` and the memory that code takes.
//!
//! Permissions, recording, replay and metrics stand around the table, not in operations: a [`Wrapper`] sees the row and
//! the arguments of every call before it runs, synchronous or not, and its outcome afterwards (`wrap.rs`).
//!
//! Arguments and results are plain data (`../values.rs`): no JavaScript value ever leaves the JavaScript thread, which is why
//! dropping a runtime with work pending can neither leak nor abort.
//!
//! # Adding a function of Deno
//!
//! Two files, or three:
//!
//! 1. `host/<topic>.rs`: the function, and its row in `OPERATIONS`, with [`plain`] if it runs to its end and [`start`] if it
//!    completes later. The columns are parameters, so that a row without them does not compile.
//! 2. `js/deno_<topic>.js`: the export that calls it, with `call("topic.name", …)` for the synchronous form and
//!    `start("topic.name", …)` for the promise. Every row has both.
//! 3. `conformance/cases/deno/<topic>.js`: a case that runs here and under Deno.
//!
//! A new topic is one line more in `host/mod.rs`.
//!
//! # Invariants
//!
//! | promise | test |
//! |---|---|
//! | native functions are made here alone; rows have names of their own, and columns that agree | `table.rs` |
//! | the surface calls what the table has, and the table has what the surface calls | `table.rs` |
//! | a wrapper sees every call and its outcome once, and can answer in place of the operation | `tests/it/wrapper.rs` |

mod table;
mod wrap;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rquickjs::function::{IntoArgs, Rest};
use rquickjs::{Ctx, Exception, FromJs, Function, IntoJs, Object, Value};

use crate::host;
use crate::loader::Modules;
use crate::lock::lock;
use crate::shared::{Event, Owner, Shared};
use crate::stack::{self, Room};
use crate::timers::Timers;

pub use crate::values::{Arg, Args, ErrorClass, HostError, HostResult, Val};
pub use table::{Capability, Cost, Determinism, Operation, operations};
pub(crate) use table::{ENV, NET, NONE, READ, READ_WRITE, RUN, Run, SYS, WRITE, plain, start};
pub(crate) use wrap::{Entered, Watched};
pub use wrap::{OperationCall, Wrapper};

/// What the operations of one runtime know.
pub(crate) struct Env {
    pub(crate) shared: Arc<Shared>,
    pub(crate) modules: Arc<Modules>,
    pub(crate) cwd: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) vars: Mutex<BTreeMap<String, String>>,
    pub(crate) timers: Mutex<Timers>,
    pub(crate) children: host::process::Children,
    pub(crate) digests: host::crypto::Digests,
    pub(crate) decoders: host::text::Decoders,
    pub(crate) flates: host::flate::Flates,
    pub(crate) fetches: host::fetch::Fetches,
    pub(crate) files: host::file::Files,
    pub(crate) sockets: host::socket::Sockets,
    pub(crate) web_sockets: host::websocket::WebSockets,
    pub(crate) servers: host::serve::Servers,
    pub(crate) databases: host::sqlite::Databases,
    pub(crate) wasm: host::wasm::Machines,
    pub(crate) alive: host::net::Alive,
    pub(crate) started: std::time::Instant,
    /// What stands around every operation.
    pub(crate) wrapper: Option<Arc<dyn Wrapper>>,
    next: AtomicU64,
}

impl Env {
    pub(crate) fn new(
        shared: Arc<Shared>,
        modules: Arc<Modules>,
        cwd: PathBuf,
        args: Vec<String>,
        wrapper: Option<Arc<dyn Wrapper>>,
    ) -> Env {
        let lossless = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Env {
            shared,
            modules,
            cwd,
            args,
            vars: Mutex::new(std::env::vars_os().filter_map(lossless).collect()),
            timers: Mutex::new(Timers::default()),
            children: Default::default(),
            digests: Default::default(),
            decoders: Default::default(),
            flates: Default::default(),
            fetches: Default::default(),
            files: Default::default(),
            sockets: Default::default(),
            web_sockets: Default::default(),
            servers: Default::default(),
            databases: Default::default(),
            wasm: Default::default(),
            alive: Default::default(),
            started: std::time::Instant::now(),
            wrapper,
            next: AtomicU64::new(1),
        }
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.cwd.join(Path::new(path))
    }
}

type Slot = Arc<Mutex<Option<HostResult>>>;

enum Target {
    Event { op: u64, owner: Owner },
    Slot(Slot),
}

/// Where the result of a started operation goes. Dropping it unused completes with an error, so that a promise whose
/// operation got lost is rejected.
pub(crate) struct Completer {
    shared: Arc<Shared>,
    target: Option<Target>,
    watched: Option<Arc<Watched>>,
}

impl Completer {
    pub(crate) fn done(mut self, result: HostResult) {
        if let Some(watched) = self.watched.take() {
            watched.ended(&result);
        }
        self.deliver(result);
    }

    fn deliver(&mut self, result: HostResult) {
        match self.target.take() {
            None => {}
            Some(Target::Event { op, owner }) => {
                self.shared.send(Event::Completed { op, owner, result });
            }
            Some(Target::Slot(slot)) => {
                *lock(&slot) = Some(result);
                self.shared.poke();
            }
        }
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        if self.target.is_none() {
            return;
        }
        let result = abandoned();
        if let Some(watched) = self.watched.take() {
            watched.abandoned(&result);
        }
        self.deliver(result);
    }
}

fn abandoned() -> HostResult {
    Err(HostError::new(ErrorClass::Interrupted, "the operation was abandoned"))
}

/// Put the native functions where the surface's core module picks them up.
pub(crate) fn install<'js>(ctx: &Ctx<'js>, env: &Arc<Env>) -> rquickjs::Result<Object<'js>> {
    let native = Object::new(ctx.clone())?;
    let at = env.clone();
    native.set(
        "call",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, name: rquickjs::String<'js>, args: Rest<Value<'js>>| {
                let result =
                    find(&ctx, &name).and_then(|op| call(&at, op, read(&ctx, args)?, at.shared.slice().id()));
                answer(&ctx, result)
            },
        )?,
    )?;
    let at = env.clone();
    native.set(
        "start",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, name: rquickjs::String<'js>, args: Rest<Value<'js>>| {
                let result =
                    find(&ctx, &name).and_then(|op| begin(&at, op, read(&ctx, args)?, at.shared.slice()));
                answer(&ctx, result.map(|op| Val::Num(op as f64)))
            },
        )?,
    )?;
    Ok(native)
}

/// The functions of one call, by which its requests, its reports and its result go out (`host::calls::OWN`). They hold
/// the call's id here, so that no code can speak for another call, whatever it has patched: a continuation may run in
/// another call's slice, and still speaks for the call that it belongs to.
pub(crate) fn bind<'js>(ctx: &Ctx<'js>, env: &Arc<Env>, id: &Arc<str>) -> rquickjs::Result<Object<'js>> {
    let own = Object::new(ctx.clone())?;
    let (at, call_id) = (env.clone(), id.clone());
    own.set(
        "call",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, name: rquickjs::String<'js>, args: Rest<Value<'js>>| {
                let result = find_own(&ctx, &name)
                    .and_then(|op| call(&at, op, read(&ctx, args)?.of_call(&call_id), &call_id));
                answer(&ctx, result)
            },
        )?,
    )?;
    let (at, call_id) = (env.clone(), id.clone());
    own.set(
        "start",
        Function::new(
            ctx.clone(),
            move |ctx: Ctx<'js>, name: rquickjs::String<'js>, args: Rest<Value<'js>>| {
                let owner = Owner::Call(call_id.clone());
                let result = find_own(&ctx, &name)
                    .and_then(|op| begin(&at, op, read(&ctx, args)?.of_call(&call_id), owner));
                answer(&ctx, result.map(|op| Val::Num(op as f64)))
            },
        )?,
    )?;
    Ok(own)
}

fn find_own<'js>(ctx: &Ctx<'js>, name: &rquickjs::String<'js>) -> Result<&'static Operation, HostError> {
    let name = text(ctx, name)?;
    host::calls::OWN
        .iter()
        .find(|operation| operation.name() == name)
        .ok_or_else(|| HostError::new(ErrorClass::Unsupported, format!("no operation '{name}' of a call")))
}

fn find<'js>(ctx: &Ctx<'js>, name: &rquickjs::String<'js>) -> Result<&'static Operation, HostError> {
    let name = text(ctx, name)?;
    table::find(&name)
        .ok_or_else(|| HostError::new(ErrorClass::Unsupported, format!("no host operation '{name}'")))
}

/// Runs an operation to its end, blocking the JavaScript thread. The wait for one that completes later ends when its code
/// has to stop.
fn call(env: &Arc<Env>, operation: &'static Operation, args: Args, call_id: &str) -> HostResult {
    let watched = match wrap::enter(env, operation, &args, call_id) {
        Entered::Runs(watched) => watched,
        Entered::Answered(outcome) => return outcome,
    };
    let outcome = match operation.run() {
        Run::Plain(run) => run(env, &args),
        Run::Start(run) => wait(env, operation, args, run),
    };
    if let Some(watched) = watched {
        watched.ended(&outcome);
    }
    outcome
}

fn wait(env: &Arc<Env>, operation: &Operation, args: Args, run: table::StartFn) -> HostResult {
    let slot: Slot = Slot::default();
    let target = Some(Target::Slot(slot.clone()));
    run(env, args, Completer { shared: env.shared.clone(), target, watched: None })?;
    env.shared.wait(|| lock(&slot).take()).unwrap_or_else(|| {
        // The call has been answered already; its code must not go on.
        let message = format!("{} was interrupted", operation.name());
        Err(HostError::new(ErrorClass::Uncatchable, message))
    })
}

/// Starts an operation and returns the number under which its completion will arrive.
fn begin(env: &Arc<Env>, operation: &'static Operation, args: Args, owner: Owner) -> Result<u64, HostError> {
    let entered = wrap::enter(env, operation, &args, owner.id());
    let id = env.next_id();
    let target = Some(Target::Event { op: id, owner });
    let mut completer = Completer { shared: env.shared.clone(), target, watched: None };
    let watched = match entered {
        Entered::Runs(watched) => watched,
        Entered::Answered(outcome) => {
            completer.done(outcome);
            return Ok(id);
        }
    };
    completer.watched.clone_from(&watched);
    let started = match operation.run() {
        Run::Start(run) => run(env, args, completer),
        Run::Plain(run) => {
            let env = env.clone();
            crate::io::handle().map(|io| {
                // The completer says what comes of it.
                let _task = io.spawn_blocking(move || completer.done(run(&env, &args)));
            })
        }
    };
    if let Some(watched) = watched {
        watched.started(abandoned, started.as_ref().err().cloned().map(Err));
    }
    started.map(|()| id)
}

fn answer<'js>(ctx: &Ctx<'js>, result: HostResult) -> rquickjs::Result<Value<'js>> {
    match result {
        Ok(value) => value.into_js(ctx),
        Err(error) => Err(throw(ctx, &error)),
    }
}

/// The entry points of the surface (`js/main.js`), kept in the engine's user data.
pub(crate) struct Surface<'js>(pub(crate) Object<'js>);

// SAFETY: the lifetime parameter is the only thing that changes, as the trait asks.
unsafe impl<'js> rquickjs::JsLifetime<'js> for Surface<'js> {
    type Changed<'to> = Surface<'to>;
}

/// Call an entry point of the surface. `room` is [`Room::Module`] for those that run the module's code, at the bottom of
/// the stack, and [`Room::Surface`] for those that only the surface's own code runs in, at any depth.
pub(crate) fn invoke<'js, A, R>(ctx: &Ctx<'js>, room: Room, name: &str, args: A) -> rquickjs::Result<R>
where
    A: IntoArgs<'js>,
    R: FromJs<'js>,
{
    let function: Function<'js> = match ctx.userdata::<Surface>() {
        Some(surface) => surface.0.get(name)?,
        None => return Err(Exception::throw_internal(ctx, "the surface is not there yet")),
    };
    stack::enter(ctx, room, || function.call(args))
}

pub(crate) fn make_error<'js>(ctx: &Ctx<'js>, error: &HostError) -> rquickjs::Result<Value<'js>> {
    let (code, data) = (error.code.as_deref(), error.data.as_deref());
    invoke(ctx, Room::Surface, "makeError", (error.class.as_str(), error.message.as_str(), code, data))
}

fn throw<'js>(ctx: &Ctx<'js>, error: &HostError) -> rquickjs::Error {
    match make_error(ctx, error) {
        Ok(value) => {
            if error.class == ErrorClass::Uncatchable {
                // SAFETY: the context is alive and entered, and the value belongs to it; the call only sets a flag on
                // an error object, which `makeError` returned.
                unsafe { rquickjs::qjs::JS_SetUncatchableError(ctx.as_raw().as_ptr(), value.as_raw()) };
            }
            ctx.throw(value)
        }
        Err(error) => error,
    }
}

/// JavaScript strings may hold lone surrogates, which no Rust string can.
pub(crate) fn text<'js>(ctx: &Ctx<'js>, string: &rquickjs::String<'js>) -> Result<String, HostError> {
    if let Ok(text) = string.to_string() {
        return Ok(text);
    }
    let well_formed = || -> rquickjs::Result<String> {
        let method: Function =
            Object::from_value(ctx.globals().get::<_, Object>("String")?.get::<_, Value>("prototype")?)?
                .get("toWellFormed")?;
        stack::enter(ctx, Room::Surface, || method.call((rquickjs::function::This(string.clone()),)))
    };
    well_formed().map_err(|_| HostError::type_error("a string cannot be converted"))
}

fn read<'js>(ctx: &Ctx<'js>, args: Rest<Value<'js>>) -> Result<Args, HostError> {
    args.0.into_iter().map(|value| read_one(ctx, value)).collect::<Result<_, _>>().map(Args::new)
}

fn read_one<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Arg, HostError> {
    if value.is_undefined() || value.is_null() {
        return Ok(Arg::None);
    }
    if let Some(flag) = value.as_bool() {
        return Ok(Arg::Bool(flag));
    }
    if let Some(number) = value.as_number() {
        return Ok(Arg::Num(number));
    }
    if let Some(string) = value.as_string() {
        return Ok(Arg::Str(text(ctx, string)?));
    }
    let bytes = value.as_object().and_then(|object| {
        let array = object.as_typed_array::<u8>()?;
        // SAFETY: the slice is copied before any JavaScript runs again.
        unsafe { array.as_bytes() }.map(<[u8]>::to_vec)
    });
    bytes.map(Arg::Bytes).ok_or_else(|| HostError::type_error("a host operation takes plain values"))
}
