//! One running host process.

use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::versions::{Retention, Versions};
use super::{Call, CallbackError, Callbacks, HostCommand, Place};
use crate::error::{CallError, ErrorKind, HostError};
use crate::protocol::{
    CallParams, CancelParams, FromCall, HostStats, Initialize, Initialized, Message, ModuleRef,
    PROTOCOL_VERSION, RpcError, raw,
};

/// How long a host may take beyond a call's own deadline before it is killed.
const KILL_AFTER: Duration = Duration::from_secs(2);
/// How long loading a module may take: parsing, linking and its top level.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);
/// How long to wait for the end of a dead host's log.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Bytes of the host's log that are kept for the message about its death.
const STDERR_TAIL: usize = 4096;

/// What the reader thread hands to a waiting call.
#[derive(Debug)]
pub enum ToCall {
    Answer(Result<Value, RpcError>),
    Request { id: u64, method: String, payload: Value },
    Notification { method: String, payload: Value },
    Cancel { reason: String },
    HostGone,
}

/// A host process and the calls that wait for it.
#[derive(Debug)]
pub struct Host {
    pid: u32,
    child: Mutex<Child>,
    stdin: Mutex<Option<ChildStdin>>,
    shared: Arc<Shared>,
    next_id: AtomicU64,
    versions: Versions,
    retention: Retention,
    /// Where it runs, if not beside us.
    place: Option<Place>,
    /// The loads there had been when the heap was last weighed.
    weighed_at: AtomicU64,
}

/// What the table of versions tells the process.
pub trait SendLine: Send + Sync {
    fn send_load(&self, module: &ModuleRef) -> Result<(), HostError>;
    fn send_unload(&self, url: &str) -> Result<(), HostError>;
}

impl SendLine for Host {
    /// Sent ahead of the first call of a module version; its failure comes back as the call's own.
    fn send_load(&self, module: &ModuleRef) -> Result<(), HostError> {
        self.send(&Message::notification("load", raw(module)))
    }

    fn send_unload(&self, url: &str) -> Result<(), HostError> {
        self.send(&Message::notification("unload", raw(&json!({ "url": url }))))
    }
}

#[derive(Debug, Default)]
struct Shared {
    /// The session that the host leads and everything it starts belongs to.
    session: AtomicI32,
    /// The host was asked to end, so its end is no death.
    closing: AtomicBool,
    alive: AtomicBool,
    /// The host runs in a place of its own, where process ids mean something else.
    is_elsewhere: bool,
    waiting: Mutex<Waiting>,
    stderr_tail: Mutex<Vec<u8>>,
    /// All of the log was read.
    stderr_ended: Mutex<bool>,
    stderr_end: Condvar,
    /// Process groups that extensions started and that still run.
    groups: Mutex<HashSet<i32>>,
    initialized: Mutex<Option<Initialized>>,
    garbage: Mutex<Option<String>>,
    /// The protocol that the host speaks, when it is not ours.
    other_version: Mutex<Option<u32>>,
    /// Why the host takes no calls at all.
    refused: Mutex<Option<CallError>>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_request: HashMap<u64, Sender<ToCall>>,
    by_call: HashMap<String, Sender<ToCall>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while holding one of these locks left plain collections behind; they stay usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    /// Starts the process and sends `initialize` without waiting for its answer.
    pub fn start(
        command: &HostCommand,
        retention: Retention,
        place: Option<&Place>,
    ) -> Result<Arc<Host>, HostError> {
        let mut process = Command::new(&command.program);
        process.args(&command.args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(cwd) = &command.cwd {
            process.current_dir(cwd);
        }
        let mut child = process
            .spawn()
            .map_err(|source| HostError::Spawn { program: command.program.display().to_string(), source })?;
        let session = i32::try_from(child.id()).unwrap_or_default();
        let shared = Arc::new(Shared {
            alive: AtomicBool::new(true),
            session: AtomicI32::new(session),
            is_elsewhere: place.is_some(),
            ..Shared::default()
        });
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        if let Some(stdout) = stdout {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.read_answers(BufReader::with_capacity(1 << 16, stdout)));
        }
        if let Some(stderr) = stderr {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.keep_stderr(stderr));
        }
        let host = Arc::new(Host {
            pid: child.id(),
            child: Mutex::new(child),
            stdin: Mutex::new(stdin),
            shared,
            next_id: AtomicU64::new(1),
            versions: Versions::default(),
            retention,
            place: place.cloned(),
            weighed_at: AtomicU64::new(0),
        });
        let initialize =
            Initialize { protocol_version: PROTOCOL_VERSION, bytecode_cache: command.bytecode_cache.clone() };
        // Id 0 is the answer that the reader keeps for `engine`.
        host.send(&Message::request(0, "initialize", raw(&initialize)))?;
        Ok(host)
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn is_alive(&self) -> bool {
        self.shared.alive.load(Ordering::Acquire)
    }

    /// What the host said of itself, once it has.
    pub fn initialized(&self) -> Option<Initialized> {
        locked(&self.shared.initialized).clone()
    }

    /// Runs one call and serves its callbacks on this thread until it ends.
    pub fn call(
        &self,
        module: &ModuleRef,
        call: &Call<'_>,
        callbacks: &dyn Callbacks,
    ) -> Result<Value, HostError> {
        if let Some(reason) = call.cancel.reason() {
            return Err(CallError::new(ErrorKind::Cancelled, reason).into());
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let call_id = format!("c{id}");
        let (sender, receiver) = channel();
        let guard = self.register(id, Some(&call_id), sender.clone());
        let in_use = self.versions.enter(module, self)?;
        let params = CallParams {
            url: module.url.clone(),
            call_id: call_id.clone(),
            op: call.op.to_owned(),
            params: raw(&call.params),
            deadline_ms: millis(call.deadline),
        };
        self.send(&Message::request(id, "call", raw(&params)))?;
        let subscription = call.cancel.subscribe(sender);
        let outcome = self.serve(&call_id, call, &receiver, callbacks);
        drop((subscription, guard, in_use));
        self.retain();
        outcome
    }

    /// Lets go of what is kept beyond the limits.
    fn retain(&self) {
        self.versions.keep_idle(self.retention.idle_versions, self);
        // Heaps are weighed when a version came since they last were: their sum hardly changes otherwise.
        let loads = self.versions.loads();
        if self.retention.weigh && self.weighed_at.swap(loads, Ordering::Relaxed) != loads {
            // A host that cannot say is about to fail the next call with its reasons.
            if let Ok(stats) = self.stats() {
                let mut heaps: HashMap<String, u64> = HashMap::new();
                for module in stats.modules {
                    *heaps.entry(module.url).or_default() += module.heap_bytes;
                }
                self.versions.keep_heap(self.retention.heap_bytes, &heaps, self);
            }
        }
    }

    /// What this process knows of its module versions.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// A newer version of the same source is there: this one goes as soon as no call uses it.
    pub fn supersede(&self, url: &str) {
        self.versions.supersede(url, self);
    }

    /// Lets a version go as soon as no call uses it; the next call loads it anew.
    pub fn evict(&self, url: &str) -> bool {
        self.versions.evict(url, self)
    }

    fn serve(
        &self,
        call_id: &str,
        call: &Call<'_>,
        receiver: &Receiver<ToCall>,
        callbacks: &dyn Callbacks,
    ) -> Result<Value, HostError> {
        // A first call also waits for the module to load, which has a deadline of its own in the host.
        let mut kill_at = Instant::now() + call.deadline + LOAD_DEADLINE + KILL_AFTER;
        loop {
            let wait = kill_at.saturating_duration_since(Instant::now());
            match receiver.recv_timeout(wait) {
                Ok(ToCall::Answer(Ok(value))) => return Ok(value),
                Ok(ToCall::Answer(Err(error))) => return Err(CallError::from_rpc(error).into()),
                Ok(ToCall::Request { id, method, payload }) => {
                    let answer = callbacks
                        .request(&method, payload)
                        .map(|value| raw(&value))
                        .map_err(|error| rpc_error(&error));
                    self.send(&Message::answer(id, answer))?;
                }
                Ok(ToCall::Notification { method, payload }) => callbacks.notify(&method, payload),
                Ok(ToCall::Cancel { reason }) => {
                    let params =
                        CancelParams { call_id: call_id.to_owned(), reason, grace_ms: millis(call.grace) };
                    self.send(&Message::notification("cancel", raw(&params)))?;
                    kill_at = kill_at.min(Instant::now() + call.grace + KILL_AFTER);
                }
                Ok(ToCall::HostGone) | Err(RecvTimeoutError::Disconnected) => return Err(self.died()),
                Err(RecvTimeoutError::Timeout) => {
                    self.kill();
                    return Err(match call.cancel.reason() {
                        Some(reason) => CallError::new(ErrorKind::Cancelled, reason).into(),
                        None => HostError::Unresponsive {
                            request: call.op.to_owned(),
                            seconds: (call.deadline + KILL_AFTER).as_secs(),
                        },
                    });
                }
            }
        }
    }

    /// Runtimes, heap bytes and calls, as the host counts them.
    pub fn stats(&self) -> Result<HostStats, HostError> {
        let value = self.request("stats", json!({}), Duration::from_secs(5))?;
        serde_json::from_value(value).map_err(|error| HostError::Garbage { line: error.to_string() })
    }

    fn request(&self, method: &str, params: Value, deadline: Duration) -> Result<Value, HostError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = channel();
        let _guard = self.register(id, None, sender);
        self.send(&Message::request(id, method, raw(&params)))?;
        let until = Instant::now() + deadline;
        loop {
            match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(ToCall::Answer(Ok(value))) => return Ok(value),
                Ok(ToCall::Answer(Err(error))) => return Err(CallError::from_rpc(error).into()),
                Ok(ToCall::HostGone) | Err(RecvTimeoutError::Disconnected) => return Err(self.died()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.kill();
                    return Err(HostError::Unresponsive {
                        request: method.to_owned(),
                        seconds: deadline.as_secs(),
                    });
                }
            }
        }
    }

    fn register(&self, id: u64, call_id: Option<&str>, sender: Sender<ToCall>) -> Registration<'_> {
        let mut waiting = locked(&self.shared.waiting);
        if let Some(call_id) = call_id {
            waiting.by_call.insert(call_id.to_owned(), sender.clone());
        }
        // The reader tells everybody who waits of the host's end, once; whoever comes later must hear it too.
        if !self.is_alive() {
            drop(sender.send(ToCall::HostGone));
        }
        waiting.by_request.insert(id, sender);
        Registration { shared: &self.shared, id, call_id: call_id.map(str::to_owned) }
    }

    fn send(&self, message: &Message) -> Result<(), HostError> {
        let line = message
            .to_line()
            .map_err(|error| HostError::Garbage { line: format!("cannot encode a request: {error}") })?;
        let mut stdin = locked(&self.stdin);
        let written = match stdin.as_mut() {
            Some(pipe) => pipe.write_all(&line).is_ok(),
            None => false,
        };
        drop(stdin);
        if written { Ok(()) } else { Err(self.died()) }
    }

    fn died(&self) -> HostError {
        if let Some(refused) = &*locked(&self.shared.refused) {
            return HostError::Identity { message: refused.message.clone() };
        }
        if let Some(theirs) = *locked(&self.shared.other_version) {
            return HostError::Version { theirs, ours: PROTOCOL_VERSION };
        }
        if let Some(line) = locked(&self.shared.garbage).take() {
            return HostError::Garbage { line };
        }
        let status = match locked(&self.child).wait() {
            Ok(status) => status.to_string(),
            Err(error) => format!("status unknown: {error}"),
        };
        self.shared.await_stderr();
        let stderr = String::from_utf8_lossy(&locked(&self.shared.stderr_tail)).into_owned();
        HostError::Died { status, stderr }
    }

    /// Ends the process and every process group that its extensions started, now.
    pub fn kill(&self) {
        // First the host, so that it starts nothing new; then what it started.
        if let Err(error) = locked(&self.child).kill()
            && error.kind() != std::io::ErrorKind::InvalidInput
        {
            locked(&self.shared.stderr_tail).extend_from_slice(format!("cannot kill: {error}").as_bytes());
        }
        self.shared.kill_groups();
        self.shared.kill_session();
        if let Some(Err(error)) = self.place.as_ref().map(Place::end) {
            let message = format!("cannot end the place it ran in: {error}");
            locked(&self.shared.stderr_tail).extend_from_slice(message.as_bytes());
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Closing its standard input asks the host to end; it kills what its extensions left. A host that does not end
        // within the grace is killed.
        self.shared.closing.store(true, Ordering::Release);
        drop(locked(&self.stdin).take());
        let grace = self.place.as_ref().map_or(Duration::from_millis(500), |place| place.grace);
        let until = Instant::now() + grace;
        let mut pause = Duration::from_micros(200);
        loop {
            // A statement of its own: `kill` takes the same lock.
            let ended = locked(&self.child).try_wait();
            match ended {
                Ok(Some(_)) => break,
                Ok(None) if Instant::now() < until => std::thread::sleep(pause),
                Ok(None) | Err(_) => {
                    self.kill();
                    drop(locked(&self.child).wait());
                    break;
                }
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        }
        self.shared.kill_groups();
    }
}

struct Registration<'a> {
    shared: &'a Shared,
    id: u64,
    call_id: Option<String>,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let mut waiting = locked(&self.shared.waiting);
        waiting.by_request.remove(&self.id);
        if let Some(call_id) = &self.call_id {
            waiting.by_call.remove(call_id);
        }
    }
}

impl Shared {
    fn read_answers(&self, mut reader: impl std::io::BufRead) {
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            match serde_json::from_slice::<Message>(&line) {
                Ok(message) => {
                    self.route(message);
                    if locked(&self.other_version).is_some() {
                        break;
                    }
                }
                Err(_) => {
                    let text = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
                    *locked(&self.garbage) = Some(text);
                    break;
                }
            }
        }
        self.alive.store(false, Ordering::Release);
        let mut waiting = locked(&self.waiting);
        for (_, sender) in waiting.by_request.drain() {
            drop(sender.send(ToCall::HostGone));
        }
        waiting.by_call.clear();
        drop(waiting);
        self.kill_groups();
        if !self.closing.load(Ordering::Acquire) {
            self.kill_session();
        }
    }

    fn route(&self, message: Message) {
        match (message.id, message.method) {
            (Some(0), None) if message.error.is_some() => {
                *locked(&self.refused) = message.error.map(CallError::from_rpc);
            }
            (Some(0), None) => {
                let initialized: Option<Initialized> =
                    message.result.and_then(|result| serde_json::from_str(result.get()).ok());
                let version = initialized.as_ref().map(|initialized| initialized.protocol_version);
                *locked(&self.other_version) = version.filter(|version| *version != PROTOCOL_VERSION);
                *locked(&self.initialized) = initialized;
            }
            (Some(id), None) => {
                let answer = match message.error {
                    Some(error) => Err(error),
                    None => Ok(message.result.as_deref().map_or(Value::Null, parsed)),
                };
                if let Some(sender) = locked(&self.waiting).by_request.get(&id) {
                    drop(sender.send(ToCall::Answer(answer)));
                }
            }
            (id, Some(method)) => {
                let Some(from) =
                    message.params.and_then(|params| serde_json::from_str::<FromCall>(params.get()).ok())
                else {
                    return;
                };
                let payload = parsed(&from.payload);
                self.track_group(&method, &payload);
                let to_call = match id {
                    Some(id) => ToCall::Request { id, method, payload },
                    None => ToCall::Notification { method, payload },
                };
                // A call that has ended no longer listens; what its leftovers say is dropped with it.
                if let Some(sender) = locked(&self.waiting).by_call.get(&from.call_id) {
                    drop(sender.send(to_call));
                }
            }
            (None, None) => {}
        }
    }

    fn track_group(&self, method: &str, payload: &Value) {
        if self.is_elsewhere {
            return;
        }
        let group = payload.get("pgid").and_then(Value::as_i64).and_then(|pgid| i32::try_from(pgid).ok());
        match (method, group) {
            ("process/started", Some(group)) => {
                locked(&self.groups).insert(group);
            }
            ("process/ended", Some(group)) => {
                locked(&self.groups).remove(&group);
            }
            _ => {}
        }
    }

    fn kill_groups(&self) {
        let groups: Vec<i32> = locked(&self.groups).drain().collect();
        for group in groups {
            if let Some(pid) = rustix::process::Pid::from_raw(group) {
                // The group may be gone already, which is the aim.
                rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).ok();
            }
        }
    }

    /// Kills what a host that died left in its session: a child that it had started but not yet told of, too. Such a
    /// child may be starting another one, so the search goes on until it finds nothing.
    #[cfg(target_os = "linux")]
    fn kill_session(&self) {
        use rustix::process::{Pid, Signal, kill_process};
        let session = self.session.load(Ordering::Acquire);
        for _ in 0..50 {
            let Ok(entries) = std::fs::read_dir("/proc") else { return };
            let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
            let members = pids.filter(|pid| *pid != session && lives_in_session(*pid, session));
            let killed =
                members.filter_map(Pid::from_raw).filter(|pid| kill_process(*pid, Signal::KILL).is_ok());
            if killed.count() == 0 {
                return;
            }
        }
    }

    /// Elsewhere the groups that the host told of are all that is known.
    #[cfg(not(target_os = "linux"))]
    fn kill_session(&self) {}

    fn keep_stderr(&self, mut stderr: impl std::io::Read) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut buffer) {
            let mut tail = locked(&self.stderr_tail);
            tail.extend_from_slice(&buffer[..count]);
            let excess = tail.len().saturating_sub(STDERR_TAIL);
            tail.drain(..excess);
        }
        *locked(&self.stderr_ended) = true;
        self.stderr_end.notify_all();
    }

    /// The last words of a host that has ended may still be on their way. Something that it left may keep the pipe open,
    /// so the wait is bounded.
    fn await_stderr(&self) {
        let ended = locked(&self.stderr_ended);
        drop(self.stderr_end.wait_timeout_while(ended, LAST_WORDS, |ended| !*ended));
    }
}

/// Whether a process belongs to a session and is more than a zombie, which nothing can kill again.
#[cfg(target_os = "linux")]
fn lives_in_session(pid: i32, session: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name is in parentheses and may hold anything; state, parent, group and session follow it.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let state = fields.next();
    state.is_some_and(|state| state != "Z")
        && fields.nth(2).and_then(|field| field.parse().ok()) == Some(session)
}

fn rpc_error(error: &CallbackError) -> RpcError {
    RpcError {
        code: -32001,
        message: error.message.clone(),
        data: Some(json!({ "code": error.code, "data": error.data })),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn parsed(raw: &serde_json::value::RawValue) -> Value {
    // The line parsed as JSON already, so this part of it does too.
    serde_json::from_str(raw.get()).unwrap_or(Value::Null)
}
