//! Environment, identity, and facts about the machine.

use std::sync::LazyLock;

#[cfg(target_os = "linux")]
use crate::errors;
use crate::gate::{
    Args, Cost, Determinism, ENV, Env, ErrorClass, HostError, HostResult, NONE, Operation, SYS, Val, plain,
};
use crate::lock::lock;
use crate::surface;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("env.get", ENV, Determinism::ReadsWorld, Cost::Instant, env_get),
    plain("env.set", ENV, Determinism::ChangesWorld, Cost::Instant, env_set),
    plain("env.delete", ENV, Determinism::ChangesWorld, Cost::Instant, env_delete),
    plain("env.all", ENV, Determinism::ReadsWorld, Cost::Instant, env_all),
    plain("os.info", SYS, Determinism::ReadsWorld, Cost::Instant, info),
    plain("os.hostname", SYS, Determinism::ReadsWorld, Cost::Instant, hostname),
    plain("os.memory", SYS, Determinism::ReadsWorld, Cost::Instant, memory),
    plain("os.systemMemory", SYS, Determinism::ReadsWorld, Cost::Instant, system_memory),
    plain("os.timeZone", SYS, Determinism::ReadsWorld, Cost::Instant, time_zone),
    plain("os.load", SYS, Determinism::ReadsWorld, Cost::Instant, load),
    plain("time.now", NONE, Determinism::ReadsWorld, Cost::Instant, now),
    plain("module.node", NONE, Determinism::Pure, Cost::Instant, node_module),
    plain("module.builtins", NONE, Determinism::Pure, Cost::Instant, builtins),
];

fn name(args: &Args) -> Result<&str, HostError> {
    let name = args.str(0)?;
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(HostError::type_error(format!("Key is invalid: {name:?}")));
    }
    Ok(name)
}

fn env_get(env: &Env, args: &Args) -> HostResult {
    Ok(lock(&env.vars).get(name(args)?).map_or(Val::Undefined, |value| Val::Str(value.clone())))
}

fn env_set(env: &Env, args: &Args) -> HostResult {
    let value = args.str(1)?;
    if value.contains('\0') {
        return Err(HostError::type_error("Value contains a NUL byte"));
    }
    lock(&env.vars).insert(name(args)?.to_owned(), value.to_owned());
    Ok(Val::Undefined)
}

fn env_delete(env: &Env, args: &Args) -> HostResult {
    lock(&env.vars).remove(name(args)?);
    Ok(Val::Undefined)
}

fn env_all(env: &Env, _args: &Args) -> HostResult {
    let text = serde_json::to_string(&*lock(&env.vars));
    text.map(Val::Json).map_err(|error| HostError::new(ErrorClass::Error, error.to_string()))
}

fn info(env: &Env, _args: &Args) -> HostResult {
    let uname = rustix::system::uname();
    let text = |text: &std::ffi::CStr| Val::Str(text.to_string_lossy().into_owned());
    let exe = std::env::current_exe().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Val::Map(vec![
        ("pid", Val::Num(std::process::id().into())),
        ("ppid", Val::Num(std::os::unix::process::parent_id().into())),
        ("uid", Val::Num(rustix::process::getuid().as_raw().into())),
        ("gid", Val::Num(rustix::process::getgid().as_raw().into())),
        ("os", Val::Str(if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS }.to_owned())),
        ("arch", Val::Str(std::env::consts::ARCH.to_owned())),
        ("release", text(uname.release())),
        ("version", text(uname.version())),
        ("sysname", text(uname.sysname())),
        ("machine", text(uname.machine())),
        ("exe", Val::Str(exe)),
        ("cwd", Val::Str(env.cwd.to_string_lossy().into_owned())),
        ("cpus", Val::Num(std::thread::available_parallelism().map_or(1, usize::from) as f64)),
        ("args", Val::List(env.args.iter().cloned().map(Val::Str).collect())),
    ]))
}

fn hostname(_env: &Env, _args: &Args) -> HostResult {
    Ok(Val::Str(rustix::system::uname().nodename().to_string_lossy().into_owned()))
}

fn memory(env: &Env, _args: &Args) -> HostResult {
    let used = env.shared.heap.used() as f64;
    Ok(Val::Map(vec![
        ("rss", Val::Num(used)),
        ("heapTotal", Val::Num(used)),
        ("heapUsed", Val::Num(used)),
        ("external", Val::Num(0.0)),
    ]))
}

/// The members of `Deno.systemMemoryInfo()`, with their names in `/proc/meminfo`.
#[cfg(target_os = "linux")] // cfg: only `system_memory` of Linux uses it
const MEMORY: [(&str, &str); 7] = [
    ("total", "MemTotal"),
    ("free", "MemFree"),
    ("available", "MemAvailable"),
    ("buffers", "Buffers"),
    ("cached", "Cached"),
    ("swapTotal", "SwapTotal"),
    ("swapFree", "SwapFree"),
];

/// Bytes of the machine's memory. The kernel counts in units of 1024 bytes.
#[cfg(target_os = "linux")]
fn system_memory(_env: &Env, _args: &Args) -> HostResult {
    let text =
        std::fs::read_to_string("/proc/meminfo").map_err(|error| errors::io(&error, "systemMemoryInfo"))?;
    let bytes = |wanted: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(':'));
        let kib = value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
        Val::Num((kib.unwrap_or(0) * 1024) as f64)
    };
    Ok(Val::Map(MEMORY.iter().map(|(name, kernel)| (*name, bytes(kernel))).collect()))
}

#[cfg(not(target_os = "linux"))]
fn system_memory(_env: &Env, _args: &Args) -> HostResult {
    Err(HostError::unsupported("Deno.systemMemoryInfo on this system"))
}

/// The time zone that `Date` has its local times in: of `TZ`, else of the machine, else UTC. A process keeps its own.
fn time_zone(_env: &Env, _args: &Args) -> HostResult {
    static ZONE: LazyLock<String> = LazyLock::new(|| {
        let known = |name: &str| marsh_intl::canonical_zone(name.trim_start_matches(':')).ok();
        let link = || {
            let target = std::fs::read_link("/etc/localtime").ok()?;
            known(target.to_str()?.split_once("zoneinfo/")?.1)
        };
        let named = std::env::var("TZ").ok().and_then(|name| known(&name));
        named.or_else(link).unwrap_or_else(|| "UTC".to_owned())
    });
    Ok(Val::Str(ZONE.clone()))
}

/// Seconds since the machine started, and its load averages.
#[cfg(target_os = "linux")]
fn load(_env: &Env, _args: &Args) -> HostResult {
    let info = rustix::system::sysinfo();
    // The kernel counts loads in parts of 65,536.
    let loads = info.loads.iter().map(|load| Val::Num(*load as f64 / 65_536.0)).collect();
    Ok(Val::Map(vec![("uptime", Val::Num(info.uptime as f64)), ("loads", Val::List(loads))]))
}

#[cfg(not(target_os = "linux"))]
fn load(_env: &Env, _args: &Args) -> HostResult {
    Err(HostError::unsupported("the load of this system"))
}

fn now(env: &Env, _args: &Args) -> HostResult {
    Ok(Val::Num(env.started.elapsed().as_secs_f64() * 1e3))
}

/// The full name of a node builtin, or nothing.
fn node_module(_env: &Env, args: &Args) -> HostResult {
    Ok(surface::node_name(args.str(0)?).map_or(Val::Null, Val::Str))
}

fn builtins(_env: &Env, _args: &Args) -> HostResult {
    Ok(Val::List(surface::NODE.iter().map(|name| Val::Str((*name).to_owned())).collect()))
}
