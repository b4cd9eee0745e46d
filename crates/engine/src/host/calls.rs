//! The life of a call as JavaScript reports it: results, requests to the other side, output, timers, exit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::{EngineError, EngineErrorKind, Stream};
use crate::errors;
use crate::gate::{
    Args, Completer, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, Val, plain,
    start,
};
use crate::lock::lock;
use crate::shared::Owner;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("load.done", NONE, Determinism::ChangesWorld, Cost::Instant, load_done),
    plain("load.externals", NONE, Determinism::Pure, Cost::Instant, load_externals),
    plain("output", NONE, Determinism::ChangesWorld, Cost::Instant, output),
    plain("timer.set", NONE, Determinism::ReadsWorld, Cost::Instant, timer_set),
    plain("timer.clear", NONE, Determinism::Pure, Cost::Instant, timer_clear),
    plain("exit", NONE, Determinism::ChangesWorld, Cost::Instant, exit),
    plain("current", NONE, Determinism::Pure, Cost::Instant, current),
    plain("uncaught", NONE, Determinism::ChangesWorld, Cost::Instant, uncaught),
];

/// The operations of one call. Their first argument is the call's id, which the gate puts there (`gate::bind`).
pub(crate) const OWN: &[Operation] = &[
    plain("call.done", NONE, Determinism::ChangesWorld, Cost::Instant, call_done),
    start("bridge.request", NONE, Determinism::ChangesWorld, Cost::Wait, request),
    plain("bridge.notify", NONE, Determinism::ChangesWorld, Cost::Instant, notify),
];

fn load_done(env: &Env, args: &Args) -> HostResult {
    let result = match args.opt_str(0) {
        None => Ok(()),
        Some(json) => {
            let mut error = errors::described(json);
            let record = lock(&env.modules.record);
            if record.syntax_error_in.is_some() && error.name.as_deref() == Some("SyntaxError") {
                error.kind = EngineErrorKind::Syntax;
            } else if error.kind == EngineErrorKind::Threw {
                error.kind = EngineErrorKind::Load;
            }
            Err(error)
        }
    };
    env.shared.set_loaded(result);
    Ok(Val::Undefined)
}

/// The specifiers that the module has made the loader load.
fn load_externals(env: &Env, _args: &Args) -> HostResult {
    let record = lock(&env.modules.record);
    Ok(Val::List(
        record
            .loaded
            .iter()
            .filter(|(name, _)| env.modules.is_external(name))
            .map(|(name, _)| Val::Str(name.clone()))
            .collect(),
    ))
}

/// `(id, result JSON)` or `(id, nothing, description of the error)`.
fn call_done(env: &Env, args: &Args) -> HostResult {
    let id = args.str(0)?;
    let result = match args.opt_str(2) {
        None => Ok(args.opt_str(1).unwrap_or("null").to_owned()),
        Some(json) => {
            let mut error = errors::described(json);
            if env.shared.cancelled(id) && error.kind == EngineErrorKind::Threw {
                error.kind = EngineErrorKind::Cancelled;
            }
            Err(error)
        }
    };
    env.shared.end(id, result);
    Ok(Val::Undefined)
}

fn request(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let (id, method, params) = (args.str(0)?, args.str(1)?, args.str(2)?.to_owned());
    if !env.shared.is_live(&Owner::Call(id.into())) {
        return Err(HostError::new(
            ErrorClass::Interrupted,
            format!("{method} was asked for by a call that has ended"),
        ));
    }
    let reply = Box::new(move |result: Result<String, crate::BridgeError>| {
        done.done(match result {
            Ok(json) => Ok(Val::Json(json)),
            Err(error) => Err(HostError {
                class: ErrorClass::Error,
                message: error.message,
                code: Some(error.code),
                data: error.data.map(|data| data.to_string()),
            }),
        });
    });
    env.shared.bridge.request(id, method, params, reply);
    Ok(())
}

fn notify(env: &Env, args: &Args) -> HostResult {
    env.shared.tell(args.str(0)?, args.str(1)?, args.str(2)?.to_owned());
    Ok(Val::Undefined)
}

fn output(env: &Env, args: &Args) -> HostResult {
    let stream = if args.str(0)? == "stderr" { Stream::Stderr } else { Stream::Stdout };
    let text = String::from_utf8_lossy(args.bytes(1)?);
    env.shared.output(&env.shared.slice(), stream, &text);
    Ok(Val::Undefined)
}

fn timer_set(env: &Env, args: &Args) -> HostResult {
    let delay = Duration::from_secs_f64((args.num(1)? / 1e3).clamp(0.0, 1e9));
    lock(&env.timers).set(args.num(0)? as u64, Instant::now() + delay, env.shared.slice());
    Ok(Val::Undefined)
}

fn timer_clear(env: &Env, args: &Args) -> HostResult {
    lock(&env.timers).clear(args.num(0)? as u64);
    Ok(Val::Undefined)
}

/// Ends all calls (and the load); the slice is killed, so nothing after `Deno.exit` runs.
fn exit(env: &Env, args: &Args) -> HostResult {
    let text = format!("extension called Deno.exit({})", args.num(0)?);
    let error = EngineError::new(EngineErrorKind::Exit, text.clone());
    env.shared.set_loaded(Err(error.clone()));
    env.shared.fail_all(&error);
    Err(HostError::new(ErrorClass::Uncatchable, text))
}

fn current(env: &Env, _args: &Args) -> HostResult {
    Ok(Val::Str(env.shared.slice().id().to_owned()))
}

/// A timer's or listener's callback threw: the call it ran for fails.
fn uncaught(env: &Env, args: &Args) -> HostResult {
    let error = errors::described(args.str(0)?);
    let owner = env.shared.slice();
    match owner {
        Owner::None => env.shared.uncaught(&owner, &format!("uncaught: {error}")),
        Owner::Call(_) | Owner::Load => env.shared.fail(&owner, error),
    }
    Ok(Val::Undefined)
}
