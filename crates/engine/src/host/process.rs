//! Child processes.
//!
//! Every child leads a process group of its own, registered with the runtime before anything else can happen to it, so
//! that the end of its call (or of the host, by the supervisor that was told its number) takes it along. Its standard
//! streams are pipes or null, never the host's own: those carry the protocol.
//!
//! Held by `tests/it/deno_command.rs`, `tests/lifecycle.rs`.

use std::collections::{BTreeMap, HashMap};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use std::os::unix::process::ExitStatusExt;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use crate::api::Stream;
use crate::errors;
use crate::gate::{
    Args, Completer, Cost, Determinism, Env, ErrorClass, HostError, HostResult, Operation, RUN, Val, plain,
    start,
};
use crate::lock::lock;
use crate::shared::Owner;

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("process.spawn", RUN, Determinism::ChangesWorld, Cost::Disk, spawn),
    plain("process.kill", RUN, Determinism::ChangesWorld, Cost::Instant, kill),
    plain("process.killPid", RUN, Determinism::ChangesWorld, Cost::Instant, kill_pid),
    start("process.wait", RUN, Determinism::ReadsWorld, Cost::Wait, wait),
    start("process.read", RUN, Determinism::ReadsWorld, Cost::Wait, read),
    start("process.write", RUN, Determinism::ChangesWorld, Cost::Wait, write),
    plain("process.closeStdin", RUN, Determinism::ChangesWorld, Cost::Instant, close_stdin),
    start("process.output", RUN, Determinism::ChangesWorld, Cost::Wait, output),
];

type Shared<T> = Arc<tokio::sync::Mutex<Option<T>>>;

/// A child as JavaScript may ask about it.
#[derive(Clone)]
pub(crate) struct Child {
    pgid: i32,
    owner: Owner,
    stdin: Shared<ChildStdin>,
    stdout: Shared<ChildStdout>,
    stderr: Shared<ChildStderr>,
    status: watch::Receiver<Option<ExitStatus>>,
    /// Output of the host's own that has been forwarded; `wait` finishes after it.
    forwards: Arc<Mutex<Vec<tokio::task::JoinHandle<()>>>>,
}

/// Children by number; an ended one leaves when its call has ended too.
pub(crate) type Children = Mutex<HashMap<u64, Child>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    program: String,
    #[serde(default)]
    args: Vec<String>,
    cwd: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    clear_env: bool,
    stdin: Connection,
    stdout: Connection,
    stderr: Connection,
}

/// Where a child's standard stream goes.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Connection {
    Piped,
    Null,
    /// The host's own standard output is the protocol, so lines go out as output of the call.
    Inherit,
    #[serde(other)]
    Other,
}

fn launch(env: &Env, spec: &Spec) -> Result<Child, HostError> {
    let _io = crate::io::handle()?.enter();
    let owner = env.shared.slice();
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).process_group(0).env_clear();
    if !spec.clear_env {
        command.envs(lock(&env.vars).iter());
    }
    command.envs(&spec.env);
    let cwd = spec.cwd.as_deref().map_or_else(|| env.cwd.clone(), |dir| env.path(dir));
    command.current_dir(&cwd);
    let piped = |to: Connection| if to == Connection::Null { Stdio::null() } else { Stdio::piped() };
    command.stdin(if spec.stdin == Connection::Piped { Stdio::piped() } else { Stdio::null() });
    command.stdout(piped(spec.stdout)).stderr(piped(spec.stderr));
    let mut child = command.spawn().map_err(|error| not_started(&error, spec, &cwd))?;
    let Some(pgid) = child.id().and_then(|id| i32::try_from(id).ok()) else {
        return Err(HostError::new(
            ErrorClass::Error,
            format!("Failed to spawn '{}': no process id", spec.program),
        ));
    };
    let kept = env.shared.group_started(pgid, &owner);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (sender, status) = watch::channel(None);
    let shared = env.shared.clone();
    tokio::spawn(async move {
        let status = child.wait().await.unwrap_or_else(|_| ExitStatus::from_raw(0x7f00));
        shared.leader_ended(pgid);
        sender.send_replace(Some(status));
    });
    if !kept {
        return Err(HostError::new(
            ErrorClass::Interrupted,
            format!("'{}' was started by a call that has ended", spec.program),
        ));
    }
    let mut handle = Child {
        pgid,
        owner: owner.clone(),
        stdin: share(stdin),
        stdout: share(stdout),
        stderr: share(stderr),
        status,
        forwards: Arc::default(),
    };
    if spec.stdout == Connection::Inherit {
        let pipe = std::mem::replace(&mut handle.stdout, share(None));
        forward(env, &handle, pipe, Stream::Stdout, &owner);
    }
    if spec.stderr == Connection::Inherit {
        let pipe = std::mem::replace(&mut handle.stderr, share(None));
        forward(env, &handle, pipe, Stream::Stderr, &owner);
    }
    Ok(handle)
}

fn share<T>(value: Option<T>) -> Shared<T> {
    Arc::new(tokio::sync::Mutex::new(value))
}

/// Deno says which of the two is missing, the program or the directory; the system does not.
fn not_started(error: &std::io::Error, spec: &Spec, cwd: &std::path::Path) -> HostError {
    let what = if error.kind() == std::io::ErrorKind::NotFound && !cwd.is_dir() {
        format!("No such cwd '{}'", cwd.display())
    } else {
        error.to_string()
    };
    let mut failed = errors::io(error, "");
    failed.message = format!("Failed to spawn '{}': {what}", spec.program);
    failed
}

/// Sends what an inherited stream says as output of the call.
fn forward<R>(env: &Env, child: &Child, pipe: Shared<R>, stream: Stream, owner: &Owner)
where
    R: AsyncRead + Unpin + Send + 'static,
{
    let (shared, owner) = (env.shared.clone(), owner.clone());
    let task = tokio::spawn(async move {
        let mut pipe = pipe.lock().await;
        let Some(pipe) = pipe.as_mut() else { return };
        let mut held: Vec<u8> = Vec::new();
        let mut chunk = vec![0_u8; 16 << 10];
        while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
            held.extend_from_slice(&chunk[..read]);
            let rest = held.split_off(decodable(&held));
            shared.output(&owner, stream, &String::from_utf8_lossy(&held));
            held = rest;
        }
        if !held.is_empty() {
            shared.output(&owner, stream, &String::from_utf8_lossy(&held));
        }
    });
    lock(&child.forwards).push(task);
}

/// How much of what was read can be decoded: all but a character that the chunk's end has cut in two.
fn decodable(bytes: &[u8]) -> usize {
    let start = bytes.len().saturating_sub(3);
    match bytes[start..].iter().rposition(|byte| byte & 0xc0 != 0x80) {
        Some(last)
            if std::str::from_utf8(&bytes[start + last..])
                .is_err_and(|error| error.error_len().is_none()) =>
        {
            start + last
        }
        _ => bytes.len(),
    }
}

fn spawn(env: &Env, args: &Args) -> HostResult {
    let child = launch(env, &args.json(0)?)?;
    let (id, pid) = (env.next_id(), child.pgid);
    let mut children = lock(&env.children);
    // What ended calls have left behind goes, and its pipes with it.
    children.retain(|_, child| child.status.borrow().is_none() || env.shared.is_live(&child.owner));
    children.insert(id, child);
    Ok(Val::List(vec![Val::Num(id as f64), Val::Num(pid.into())]))
}

fn find(env: &Env, args: &Args) -> Result<Child, HostError> {
    let id = args.num(0)? as u64;
    lock(&env.children)
        .get(&id)
        .cloned()
        .ok_or_else(|| HostError::type_error("Child process has already terminated"))
}

pub(crate) fn signal(name: &str) -> Result<rustix::process::Signal, HostError> {
    use rustix::process::Signal;
    Ok(match name {
        "SIGHUP" => Signal::HUP,
        "SIGINT" => Signal::INT,
        "SIGQUIT" => Signal::QUIT,
        "SIGKILL" => Signal::KILL,
        "SIGUSR1" => Signal::USR1,
        "SIGUSR2" => Signal::USR2,
        "SIGPIPE" => Signal::PIPE,
        "SIGALRM" => Signal::ALARM,
        "SIGTERM" => Signal::TERM,
        "SIGCONT" => Signal::CONT,
        "SIGSTOP" => Signal::STOP,
        "SIGWINCH" => Signal::WINCH,
        other => return Err(HostError::type_error(format!("Invalid signal: {other}"))),
    })
}

/// `(child, signal name)`: to the child's whole group, as it may have children that hold its pipes.
fn kill(env: &Env, args: &Args) -> HostResult {
    let child = find(env, args)?;
    let signal = signal(args.str(1)?)?;
    if child.status.borrow().is_some() || !env.shared.signal_child(child.pgid, signal) {
        return Err(HostError::type_error("Child process has already terminated"));
    }
    Ok(Val::Undefined)
}

/// `(pid, signal name)`: only processes that this runtime has started.
fn kill_pid(env: &Env, args: &Args) -> HostResult {
    let signal = signal(args.str(1)?)?;
    if env.shared.signal_child(args.num(0)? as i32, signal) {
        Ok(Val::Undefined)
    } else {
        Err(HostError::new(
            ErrorClass::NotFound,
            "No such process (os error 3), or not one that this extension started",
        ))
    }
}

fn describe(status: ExitStatus) -> Vec<(&'static str, Val)> {
    let signal = status.signal();
    // A shell's convention, which Deno follows.
    let code = status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0));
    vec![
        ("success", Val::Bool(status.success())),
        ("code", Val::Num(code.into())),
        ("signal", signal.map_or(Val::Null, |number| Val::Str(signal_name(number)))),
    ]
}

fn signal_name(number: i32) -> String {
    const NAMES: &[(i32, &str)] = &[
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
    ];
    let known = NAMES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("SIG{number}"), |(_, name)| (*name).to_owned())
}

async fn ended(child: &mut Child) -> ExitStatus {
    let status = child.status.wait_for(Option::is_some).await.ok().and_then(|status| *status);
    let forwards = std::mem::take(&mut *lock(&child.forwards));
    for task in forwards {
        marsh_types::ignore(task.await, "the output of a task that panicked ends early");
    }
    status.unwrap_or_else(|| ExitStatus::from_raw(0x7f00))
}

fn wait(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let mut child = find(env, &args)?;
    crate::io::handle()?.spawn(async move {
        let status = ended(&mut child).await;
        done.done(Ok(Val::Map(describe(status))));
    });
    Ok(())
}

/// `(child, "stdout" or "stderr", wanted bytes)`: a chunk, or nothing at the end.
fn read(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    async fn chunk<R: AsyncRead + Unpin>(pipe: &Shared<R>) -> HostResult {
        let mut pipe = pipe.lock().await;
        let Some(open) = pipe.as_mut() else { return Ok(Val::Null) };
        let mut bytes = vec![0_u8; 64 << 10];
        match open.read(&mut bytes).await {
            Ok(0) => {
                *pipe = None;
                Ok(Val::Null)
            }
            Ok(read) => {
                bytes.truncate(read);
                Ok(Val::Bytes(bytes))
            }
            Err(error) => Err(errors::io(&error, "read")),
        }
    }
    let child = find(env, &args)?;
    let stderr = args.str(1)? == "stderr";
    crate::io::handle()?.spawn(async move {
        done.done(if stderr { chunk(&child.stderr).await } else { chunk(&child.stdout).await });
    });
    Ok(())
}

/// `(child, bytes)`
fn write(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let child = find(env, &args)?;
    let bytes = args.bytes(1)?.to_vec();
    crate::io::handle()?.spawn(async move {
        let mut pipe = child.stdin.lock().await;
        done.done(match pipe.as_mut() {
            None => Err(HostError::new(ErrorClass::BadResource, "Writable stream is closed or errored.")),
            Some(open) => match open.write_all(&bytes).await {
                Ok(()) => {
                    open.flush().await.map(|()| Val::Undefined).map_err(|error| errors::io(&error, "write"))
                }
                Err(error) => Err(errors::io(&error, "write")),
            },
        });
    });
    Ok(())
}

fn close_stdin(env: &Env, args: &Args) -> HostResult {
    let child = find(env, args)?;
    crate::io::handle()?.spawn(async move {
        *child.stdin.lock().await = None;
    });
    Ok(Val::Undefined)
}

/// `(child, input?, time limit in ms?, signal then)`: write its input and close it, and collect what it writes until it
/// ends. All at once, as it may well write before it has read everything.
fn output(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let mut child = find(env, &args)?;
    let limit = env.shared.heap.limit();
    let input = if args.is_none(1) { Vec::new() } else { args.bytes(1)?.to_vec() };
    let patience = if args.is_none(2) { None } else { Some(args.num(2)?).filter(|ms| *ms > 0.0) };
    let last = signal(args.opt_str(3).unwrap_or("SIGTERM"))?;
    let (shared, pgid) = (env.shared.clone(), child.pgid);
    let Child { stdin, stdout, stderr, .. } = child.clone();
    crate::io::handle()?.spawn(async move {
        let feed = async {
            let mut pipe = stdin.lock().await;
            if let Some(open) = pipe.as_mut() {
                let written = open.write_all(&input).await;
                marsh_types::ignore(written, "a child need not read all of its input");
            }
            *pipe = None;
        };
        let work = async { tokio::join!(feed, collect(&stdout, limit), collect(&stderr, limit)) };
        tokio::pin!(work);
        let mut late = false;
        let ((), said, complained) = match patience {
            None => work.await,
            Some(ms) => {
                let wait = std::time::Duration::from_secs_f64((ms / 1e3).clamp(0.0, 1e9));
                match tokio::time::timeout(wait, &mut work).await {
                    Ok(all) => all,
                    Err(_) => {
                        late = shared.signal_child(pgid, last);
                        work.await
                    }
                }
            }
        };
        let mut fields = describe(ended(&mut child).await);
        done.done((|| {
            fields.push(("stdout", Val::Bytes(said?)));
            fields.push(("stderr", Val::Bytes(complained?)));
            fields.push(("late", Val::Bool(late)));
            Ok(Val::Map(fields))
        })());
    });
    Ok(())
}

async fn collect<R: AsyncRead + Unpin>(pipe: &Shared<R>, limit: usize) -> Result<Vec<u8>, HostError> {
    let mut pipe = pipe.lock().await;
    let Some(open) = pipe.as_mut() else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    let read = open.take(limit as u64 + 1).read_to_end(&mut bytes).await;
    *pipe = None;
    read.map_err(|error| errors::io(&error, "read"))?;
    if bytes.len() > limit {
        return Err(HostError::new(ErrorClass::RangeError, "the child wrote more than the memory limit"));
    }
    Ok(bytes)
}
