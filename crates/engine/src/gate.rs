//! The one door between JavaScript and the machine.
//!
//! Everything the surface can do to the outside is an [`Op`] in one of the tables under `host/`, found by name. There
//! is no other native function in a runtime besides the four below, so a permission check placed in [`permit`] sees
//! every file, process, variable and request, synchronous or not.
//!
//! Arguments and results are plain data ([`Arg`], [`Val`]): no JavaScript value ever leaves the JavaScript thread, which
//! is why dropping a runtime with work pending can neither leak nor abort.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rquickjs::function::{IntoArgs, Rest};
use rquickjs::{Array, Ctx, Exception, FromJs, Function, IntoJs, Object, TypedArray, Value};

use crate::host;
use crate::loader::Modules;
use crate::shared::{Event, Owner, Shared};
use crate::stack::{self, Room};
use crate::timers::Timers;

/// What a host operation is given.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    None,
    Bool(bool),
    Num(f64),
    Str(String),
    Bytes(Vec<u8>),
}

/// What a host operation gives back.
#[derive(Debug)]
pub(crate) enum Val {
    Undefined,
    Null,
    Bool(bool),
    Num(f64),
    Str(String),
    Bytes(Vec<u8>),
    /// JSON text, parsed on arrival.
    Json(String),
    List(Vec<Val>),
    Map(Vec<(&'static str, Val)>),
}

/// A failed host operation; `class` names the JavaScript class: one of `Deno.errors`, a built-in error, or
/// `DOMException:<name>`.
#[derive(Clone, Debug)]
pub(crate) struct HostError {
    pub(crate) class: &'static str,
    pub(crate) message: String,
    pub(crate) code: Option<String>,
    pub(crate) data: Option<String>,
}

pub(crate) type HostResult = Result<Val, HostError>;

impl HostError {
    pub(crate) fn new(class: &'static str, message: impl Into<String>) -> HostError {
        HostError { class, message: message.into(), code: None, data: None }
    }

    pub(crate) fn type_error(message: impl Into<String>) -> HostError {
        HostError::new("TypeError", message)
    }

    pub(crate) fn unsupported(what: &str) -> HostError {
        HostError::new("Unsupported", format!("{what} is not available in marsh's engine"))
    }
}

/// The arguments of one host call, read in order or by place.
#[derive(Debug)]
pub(crate) struct Args(Vec<Arg>);

impl Args {
    /// The arguments of an operation of a call: its id comes first.
    fn of_call(mut self, id: &str) -> Args {
        self.0.insert(0, Arg::Str(id.to_owned()));
        self
    }

    pub(crate) fn is_none(&self, at: usize) -> bool {
        matches!(self.0.get(at), None | Some(Arg::None))
    }

    pub(crate) fn str(&self, at: usize) -> Result<&str, HostError> {
        match self.0.get(at) {
            Some(Arg::Str(text)) => Ok(text),
            other => Err(HostError::type_error(format!("argument {at} must be a string, not {other:?}"))),
        }
    }

    pub(crate) fn opt_str(&self, at: usize) -> Option<&str> {
        match self.0.get(at) {
            Some(Arg::Str(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn num(&self, at: usize) -> Result<f64, HostError> {
        match self.0.get(at) {
            Some(Arg::Num(number)) => Ok(*number),
            other => Err(HostError::type_error(format!("argument {at} must be a number, not {other:?}"))),
        }
    }

    pub(crate) fn bool(&self, at: usize) -> bool {
        matches!(self.0.get(at), Some(Arg::Bool(true)))
    }

    pub(crate) fn bytes(&self, at: usize) -> Result<&[u8], HostError> {
        match self.0.get(at) {
            Some(Arg::Bytes(bytes)) => Ok(bytes),
            Some(Arg::Str(text)) => Ok(text.as_bytes()),
            other => Err(HostError::type_error(format!("argument {at} must be bytes, not {other:?}"))),
        }
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, at: usize) -> Result<T, HostError> {
        serde_json::from_str(self.str(at)?).map_err(|error| HostError::type_error(error.to_string()))
    }
}

/// How an operation runs.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// To the end, on the calling thread; asynchronously on the blocking pool.
    Plain(fn(&Env, &Args) -> HostResult),
    /// Starts something that completes later.
    Start(fn(&Arc<Env>, Args, Completer) -> Result<(), HostError>),
}

pub(crate) struct Op {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
}

pub(crate) const fn plain(name: &'static str, run: fn(&Env, &Args) -> HostResult) -> Op {
    Op { name, run: Run::Plain(run) }
}

pub(crate) const fn start(
    name: &'static str,
    run: fn(&Arc<Env>, Args, Completer) -> Result<(), HostError>,
) -> Op {
    Op { name, run: Run::Start(run) }
}

static OPS: LazyLock<HashMap<&'static str, &'static Op>> =
    LazyLock::new(|| host::TABLES.iter().flat_map(|table| table.iter()).map(|op| (op.name, op)).collect());

/// The permission hook: every operation passes here with its arguments before it runs. Nothing is refused yet.
fn permit(_env: &Env, _op: &Op, _args: &Args) -> Result<(), HostError> {
    Ok(())
}

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
    pub(crate) alive: host::net::Alive,
    pub(crate) started: std::time::Instant,
    next: AtomicU64,
}

impl Env {
    pub(crate) fn new(shared: Arc<Shared>, modules: Arc<Modules>, cwd: PathBuf, args: Vec<String>) -> Env {
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
            alive: Default::default(),
            started: std::time::Instant::now(),
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

/// Lock a mutex whose data no panic can leave half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Slot = Arc<Mutex<Option<HostResult>>>;

enum Target {
    Event { op: u64, owner: Owner },
    Slot(Slot),
}

/// Where the result of a started operation goes. Dropping it unused completes with an error, so that nobody waits for
/// ever on an operation that got lost.
pub(crate) struct Completer {
    shared: Arc<Shared>,
    target: Option<Target>,
}

impl Completer {
    pub(crate) fn done(mut self, result: HostResult) {
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
        self.deliver(Err(HostError::new("Interrupted", "the operation was abandoned")));
    }
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
                let result = find(&ctx, &name).and_then(|op| call(&at, op, read(&ctx, args)?));
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
                let result =
                    find_own(&ctx, &name).and_then(|op| call(&at, op, read(&ctx, args)?.of_call(&call_id)));
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

fn find_own<'js>(ctx: &Ctx<'js>, name: &rquickjs::String<'js>) -> Result<&'static Op, HostError> {
    let name = text(ctx, name)?;
    host::calls::OWN
        .iter()
        .find(|op| op.name == name)
        .ok_or_else(|| HostError::new("Unsupported", format!("no operation '{name}' of a call")))
}

fn find<'js>(ctx: &Ctx<'js>, name: &rquickjs::String<'js>) -> Result<&'static Op, HostError> {
    let name = text(ctx, name)?;
    OPS.get(name.as_str())
        .copied()
        .ok_or_else(|| HostError::new("Unsupported", format!("no host operation '{name}'")))
}

/// Run to the end, blocking the JavaScript thread; what starts something is waited for, breakably.
fn call(env: &Arc<Env>, op: &Op, args: Args) -> HostResult {
    permit(env, op, &args)?;
    match op.run {
        Run::Plain(run) => run(env, &args),
        Run::Start(run) => {
            let slot: Slot = Slot::default();
            let target = Some(Target::Slot(slot.clone()));
            run(env, args, Completer { shared: env.shared.clone(), target })?;
            env.shared.wait(|| lock(&slot).take()).unwrap_or_else(|| {
                // The call has been answered already; its code must not go on.
                Err(HostError::new("Uncatchable", format!("{} was interrupted", op.name)))
            })
        }
    }
}

/// Start and return the number under which the completion will arrive.
fn begin(env: &Arc<Env>, op: &'static Op, args: Args, owner: Owner) -> Result<u64, HostError> {
    permit(env, op, &args)?;
    let id = env.next_id();
    let target = Some(Target::Event { op: id, owner });
    let completer = Completer { shared: env.shared.clone(), target };
    match op.run {
        Run::Start(run) => run(env, args, completer)?,
        Run::Plain(run) => {
            let env = env.clone();
            crate::io::handle()?.spawn_blocking(move || completer.done(run(&env, &args)));
        }
    }
    Ok(id)
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
    invoke(ctx, Room::Surface, "makeError", (error.class, error.message.as_str(), code, data))
}

fn throw<'js>(ctx: &Ctx<'js>, error: &HostError) -> rquickjs::Error {
    match make_error(ctx, error) {
        Ok(value) => {
            if error.class == "Uncatchable" {
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
    args.0.into_iter().map(|value| read_one(ctx, value)).collect::<Result<_, _>>().map(Args)
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

impl<'js> IntoJs<'js> for Val {
    fn into_js(self, ctx: &Ctx<'js>) -> rquickjs::Result<Value<'js>> {
        match self {
            Val::Undefined => Ok(Value::new_undefined(ctx.clone())),
            Val::Null => Ok(Value::new_null(ctx.clone())),
            Val::Bool(flag) => Ok(Value::new_bool(ctx.clone(), flag)),
            Val::Num(number) => Ok(Value::new_number(ctx.clone(), number)),
            Val::Str(text) => Ok(rquickjs::String::from_str(ctx.clone(), &text)?.into_value()),
            // Copied into the engine's own heap, so that it counts against the limit.
            Val::Bytes(bytes) => Ok(TypedArray::<u8>::new_copy(ctx.clone(), bytes)?.into_value()),
            Val::Json(text) => ctx.json_parse(text),
            Val::List(items) => {
                let array = Array::new(ctx.clone())?;
                for (at, item) in items.into_iter().enumerate() {
                    array.set(at, item.into_js(ctx)?)?;
                }
                Ok(array.into_value())
            }
            Val::Map(fields) => {
                let object = Object::new(ctx.clone())?;
                for (name, value) in fields {
                    object.set(name, value.into_js(ctx)?)?;
                }
                Ok(object.into_value())
            }
        }
    }
}
