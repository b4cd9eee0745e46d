//! One running host and the calls into it.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use marsh_host_protocol::{
    Ask, CallError, CallParams, CallbackError, CancelParams, ContextNotice, ContextRequest, ErrorKind,
    HostRequest, HostStats, Initialize, Initialized, LOAD_LIMIT, Message, MethodError, ModuleBytes,
    ModuleRef, Nothing, PROTOCOL_VERSION, ParentRequest, Unload, to_raw,
};
use serde_json::value::RawValue;

use crate::error::HostError;
use crate::location::HostLocation;
use crate::process::{ChildProcess, ProcessControl};
use crate::reader::{ParentHandler, Shared, ToCall, locked};
use crate::trace;
use crate::transport::{Channel, LineWriter, Pipes, SocketPair, Transport};
use crate::versions::{InUse, Retention, SendLine, Versions};
use crate::{Call, Callbacks, HostCommand};

/// How long a host may take beyond a call's own deadline before it is killed.
const KILL_AFTER: Duration = Duration::from_secs(2);
/// How long a host may take to start and to check itself.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a host may take to say how it is.
const STATS_LIMIT: Duration = Duration::from_secs(5);
/// How long the reader may take to notice the end of a process that was killed.
const REAP_LIMIT: Duration = Duration::from_secs(1);

/// A host and the calls that wait for it.
pub struct Host {
    shared: Arc<Shared>,
    writer: Mutex<Option<Box<dyn LineWriter>>>,
    next_id: AtomicU64,
    versions: Versions,
    /// The modules that the host may ask for, by URL.
    modules: Mutex<HashMap<String, ModuleRef>>,
    retention: Retention,
    grace: Duration,
    /// The loads there had been when the heap was last weighed.
    weighed_at: AtomicU64,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("pid", &self.pid()).finish_non_exhaustive()
    }
}

impl SendLine for Host {
    fn send_load(&self, module: &ModuleRef) -> Result<(), HostError> {
        locked(&self.modules).insert(module.url.clone(), module.clone());
        self.notify(&HostRequest::Load(module.clone()))
    }

    fn send_unload(&self, url: &str) -> Result<(), HostError> {
        locked(&self.modules).remove(url);
        self.notify(&HostRequest::Unload(Unload { url: url.to_owned() }))
    }
}

/// When a host that does not answer is killed. The load limit counts only while the module loads, and the start limit
/// only until the host is ready.
struct Patience {
    kill_at: Instant,
    deadline: Duration,
    is_starting: bool,
    is_cancelled: bool,
}

impl Patience {
    fn new(deadline: Duration, is_starting: bool, is_loaded: bool) -> Patience {
        let mut patience = Patience { kill_at: Instant::now(), deadline, is_starting, is_cancelled: false };
        match (is_starting, is_loaded) {
            (true, _) => patience.allow(START_LIMIT.saturating_add(LOAD_LIMIT.min(deadline))),
            (false, false) => patience.allow(LOAD_LIMIT.min(deadline)),
            (false, true) => patience.allow(deadline),
        }
        patience
    }

    fn allow(&mut self, time: Duration) {
        if !self.is_cancelled {
            let now = Instant::now();
            // A deadline beyond the end of the clock is none.
            self.kill_at = now
                .checked_add(time.saturating_add(KILL_AFTER))
                .unwrap_or(now + Duration::from_secs(1 << 32));
        }
    }

    fn host_is_ready(&mut self) {
        if std::mem::take(&mut self.is_starting) {
            self.allow(LOAD_LIMIT.min(self.deadline));
        }
    }

    fn module_is_loaded(&mut self) {
        self.is_starting = false;
        self.allow(self.deadline);
    }

    fn cancelled(&mut self, grace: Duration) {
        self.kill_at = self.kill_at.min(Instant::now() + grace + KILL_AFTER);
        self.is_cancelled = true;
    }

    fn left(&self) -> Duration {
        self.kill_at.saturating_duration_since(Instant::now())
    }
}

impl Host {
    /// Starts a host and sends `initialize` without waiting for its answer.
    ///
    /// # Errors
    /// [`HostError::Spawn`]: the program cannot be started.
    pub fn start(
        command: &HostCommand,
        retention: Retention,
        location: &HostLocation,
    ) -> Result<Arc<Host>, HostError> {
        let mut process = Command::new(&command.program);
        process.args(&command.args).stderr(Stdio::piped());
        trace::hand_on(&mut process);
        if let Some(cwd) = &command.cwd {
            process.current_dir(cwd);
        }
        let transport: &dyn Transport = if location.is_local() { &SocketPair } else { &Pipes };
        let (mut child, channel) = transport
            .start(&mut process)
            .map_err(|source| HostError::Spawn { program: command.program.display().to_string(), source })?;
        let log = child.stderr.take().map(|log| Box::new(log) as Box<dyn std::io::Read + Send>);
        tracing::debug!(pid = child.id(), program = %command.program.display(), "host started");
        let process = ChildProcess::new(child, location.clone());
        let initialize =
            Initialize { protocol_version: PROTOCOL_VERSION, bytecode_cache: command.bytecode_cache.clone() };
        Host::connect(channel, Box::new(process), log, initialize, retention, location.grace())
    }

    /// Speaks with a host over a channel. `log`: what the host writes beside the protocol.
    ///
    /// # Errors
    /// The host is gone.
    pub fn connect(
        channel: Channel,
        process: Box<dyn ProcessControl>,
        log: Option<Box<dyn std::io::Read + Send>>,
        initialize: Initialize,
        retention: Retention,
        grace: Duration,
    ) -> Result<Arc<Host>, HostError> {
        let shared = Arc::new(Shared::new(process));
        let reading = Arc::clone(&shared);
        std::thread::spawn(move || reading.read_lines(channel.reader));
        match log {
            Some(log) => {
                let reading = Arc::clone(&shared);
                std::thread::spawn(move || reading.read_log(log));
            }
            None => shared.no_log(),
        }
        let host = Arc::new(Host {
            shared,
            writer: Mutex::new(Some(channel.writer)),
            next_id: AtomicU64::new(1),
            versions: Versions::default(),
            modules: Mutex::default(),
            retention,
            grace,
            weighed_at: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&host);
        let parent = ParentHandler(Box::new(move |id, request| {
            let weak = weak.clone();
            std::thread::spawn(move || {
                if let Some(host) = weak.upgrade() {
                    host.answer_host(id, &request);
                }
            });
        }));
        if host.shared.parent.set(parent).is_err() {
            // This is the only place that sets it.
        }
        // The reader takes the answer with id 0 as the host's own.
        host.request(0, &HostRequest::Initialize(initialize), far())?;
        Ok(host)
    }

    /// The process id on this machine; 0 for a host that has none here.
    pub fn pid(&self) -> u32 {
        self.shared.process.pid()
    }

    /// Whether the host takes calls.
    pub fn is_alive(&self) -> bool {
        self.shared.is_alive()
    }

    /// What the host said of itself, once it has.
    pub fn initialized(&self) -> Option<Initialized> {
        self.shared.initialized()
    }

    /// Runs one call, serves its requests on this thread until it ends, and reads its answer.
    ///
    /// # Errors
    /// Those of [`Host::call`]; [`HostError::Answer`]: the answer has another shape than the operation's.
    pub fn ask<A: Ask>(
        &self,
        module: &ModuleRef,
        params: A,
        options: AskOptions<'_>,
        callbacks: &dyn Callbacks,
    ) -> Result<A::Answer, HostError> {
        let AskOptions { deadline, cancel, grace, trace_parent } = options;
        let call = Call { operation: params.into(), deadline, cancel, grace, trace_parent };
        let answer = self.call(module, &call, callbacks)?;
        serde_json::from_str(answer.get())
            .map_err(|source| HostError::Answer { operation: A::NAME.as_str(), source })
    }

    /// Runs one call and serves its requests on this thread until it ends. Returns the JSON text of the answer.
    ///
    /// # Errors
    /// [`HostError::Call`]: the code failed, missed its deadline or was cancelled; the others: the host failed.
    pub fn call(
        &self,
        module: &ModuleRef,
        call: &Call<'_>,
        callbacks: &dyn Callbacks,
    ) -> Result<Box<RawValue>, HostError> {
        if let Some(reason) = call.cancel.reason() {
            return Err(CallError::new(ErrorKind::Cancelled, reason).into());
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let call_id = format!("c{id}");
        let operation = call.operation.name();
        let span = tracing::info_span!(
            "host_call",
            operation = operation.as_str(),
            call = call_id,
            host = self.pid()
        );
        let _span = span.enter();
        let (sender, receiver) = channel();
        let registration = self.shared.register(id, Some(&call_id), sender.clone());
        let in_use = self.versions.enter(module, self)?;
        let params = call.operation.params().map_err(|source| HostError::Encode { source })?;
        let params = CallParams {
            url: module.url.clone(),
            call_id: call_id.clone(),
            op: call.operation.name(),
            params,
            deadline_ms: millis(call.deadline),
            announce_loaded: !in_use.is_loaded(),
            trace_parent: call.trace_parent.clone().or_else(|| trace::parent(&span)),
        };
        let patience = Patience::new(call.deadline, !self.shared.is_initialized(), in_use.is_loaded());
        self.request(id, &HostRequest::Call(params), patience.kill_at)?;
        let subscription = call.cancel.subscribe(sender);
        let outcome = self.serve(&call_id, call, patience, &in_use, &receiver, callbacks);
        drop((subscription, registration, in_use));
        self.retain();
        outcome
    }

    /// Unloads idle versions beyond the limits.
    fn retain(&self) {
        self.versions.keep_idle(self.retention.idle_versions, self);
        // Heaps are weighed when a version came since they last were: their sum hardly changes otherwise.
        let loads = self.versions.loads();
        if self.retention.weigh && self.weighed_at.swap(loads, Ordering::Relaxed) != loads {
            // A host that does not answer fails the next call with its reasons.
            if let Ok(stats) = self.stats() {
                let mut heaps: HashMap<String, u64> = HashMap::new();
                for module in stats.modules {
                    *heaps.entry(module.url).or_default() += module.heap_bytes;
                }
                self.versions.keep_heap(self.retention.heap_bytes, &heaps, self);
            }
        }
    }

    /// What this process knows of the host's module versions.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// A newer version of the same source is there: this one goes as soon as no call uses it.
    pub fn supersede(&self, url: &str) {
        self.versions.supersede(url, self);
    }

    /// Unloads a version as soon as no call uses it; the next call loads it anew. Says whether it was loaded.
    pub fn evict(&self, url: &str) -> bool {
        self.versions.evict(url, self)
    }

    fn serve(
        &self,
        call_id: &str,
        call: &Call<'_>,
        mut patience: Patience,
        in_use: &InUse<'_>,
        receiver: &Receiver<ToCall>,
        callbacks: &dyn Callbacks,
    ) -> Result<Box<RawValue>, HostError> {
        loop {
            match receiver.recv_timeout(patience.left()) {
                Ok(ToCall::Answer(Ok(value))) => {
                    in_use.loaded();
                    return Ok(value);
                }
                Ok(ToCall::Answer(Err(error))) => return Err(CallError::from_rpc(error).into()),
                Ok(ToCall::Request { id, method, payload }) => {
                    let answer = answer(&method, &payload, callbacks).map_err(|error| error.to_rpc());
                    self.send(&Message::answer(id, answer), patience.kill_at)?;
                }
                Ok(ToCall::Notice(ContextNotice::Loaded(Nothing))) => {
                    in_use.loaded();
                    patience.module_is_loaded();
                }
                Ok(ToCall::Notice(notice)) => callbacks.notice(notice),
                Ok(ToCall::Initialized) => patience.host_is_ready(),
                Ok(ToCall::Cancel { reason }) => {
                    patience.cancelled(call.grace);
                    let params =
                        CancelParams { call_id: call_id.to_owned(), reason, grace_ms: millis(call.grace) };
                    self.notify(&HostRequest::Cancel(params))?;
                }
                Ok(ToCall::HostGone) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.shared.death());
                }
                Err(RecvTimeoutError::Timeout) => {
                    let operation = call.operation.name();
                    self.shared.kill_for(&format!("it did not answer `{operation}` in time"));
                    return Err(match call.cancel.reason() {
                        Some(reason) => CallError::new(ErrorKind::Cancelled, reason).into(),
                        None => HostError::Unresponsive {
                            request: operation.to_string(),
                            seconds: call.deadline.saturating_add(KILL_AFTER).as_secs(),
                        },
                    });
                }
            }
        }
    }

    /// Runtimes, heap bytes and calls, as the host counts them.
    ///
    /// # Errors
    /// The host is gone, or does not answer within 5 s.
    pub fn stats(&self) -> Result<HostStats, HostError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = channel();
        let _registration = self.shared.register(id, None, sender);
        let until = Instant::now() + STATS_LIMIT;
        self.request(id, &HostRequest::Stats(Nothing), until)?;
        loop {
            match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(ToCall::Answer(Ok(value))) => {
                    return serde_json::from_str(value.get())
                        .map_err(|source| HostError::Answer { operation: "stats", source });
                }
                Ok(ToCall::Answer(Err(error))) => return Err(CallError::from_rpc(error).into()),
                Ok(ToCall::HostGone) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.shared.death());
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(HostError::Unresponsive {
                        request: "stats".to_owned(),
                        seconds: STATS_LIMIT.as_secs(),
                    });
                }
                Ok(_) => {}
            }
        }
    }

    fn request(&self, id: u64, request: &HostRequest, until: Instant) -> Result<(), HostError> {
        let params = request.params().map_err(|source| HostError::Encode { source })?;
        self.send(&Message::request(id, request.name().as_str(), params), until)
    }

    fn notify(&self, request: &HostRequest) -> Result<(), HostError> {
        let params = request.params().map_err(|source| HostError::Encode { source })?;
        self.send(&Message::notification(request.name().as_str(), params), far())
    }

    fn send(&self, message: &Message, until: Instant) -> Result<(), HostError> {
        let line = message.to_line().map_err(|source| HostError::Encode { source })?;
        let written = match locked(&self.writer).as_mut() {
            Some(writer) => writer.write_line(&line, until),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        written.map_err(|error| {
            if error.kind() == std::io::ErrorKind::TimedOut {
                self.shared.kill_for("it did not read what it was sent");
            }
            self.shared.death()
        })
    }

    /// Answers a request of the host itself. A host that is gone needs no answer.
    fn answer_host(&self, id: u64, request: &ParentRequest) {
        let ParentRequest::ModuleGet(wanted) = request;
        let answer = self.module_bytes(&wanted.sha256).map_err(|error| error.to_rpc());
        if self.send(&Message::answer(id, answer), far()).is_err() {
            // The calls of the host fail with the reason.
        }
    }

    /// Code that the host lacks: only what a loaded module version names.
    fn module_bytes(&self, sha256: &str) -> Result<Box<RawValue>, CallbackError> {
        let path =
            locked(&self.modules).values().find_map(|module| module.path_of(sha256).map(Path::to_path_buf));
        let path = path
            .ok_or_else(|| CallbackError::new("not_found", format!("no module has the digest {sha256}")))?;
        let unreadable = |error: std::io::Error| {
            CallbackError::new("io", format!("cannot read {}: {error}", path.display()))
        };
        let bytes = std::fs::read(&path).map_err(unreadable)?;
        to_raw(&ModuleBytes { base64: BASE64.encode(bytes) })
            .map_err(|error| CallbackError::new("internal", error.to_string()))
    }

    /// Ends the host, and everything that its extensions started, now.
    pub fn kill(&self) {
        self.shared.kill();
    }
}

/// Time and cancellation of one [`Host::ask`].
#[derive(Debug, Clone)]
pub struct AskOptions<'a> {
    /// How long the call may take, once its module is loaded.
    pub deadline: Duration,
    /// Stops the call.
    pub cancel: &'a crate::CancelToken,
    /// How long a cancelled call may take to end by itself.
    pub grace: Duration,
    /// The W3C `traceparent` of the caller's span.
    pub trace_parent: Option<String>,
}

/// Answers one request of running code.
fn answer(
    method: &str,
    payload: &RawValue,
    callbacks: &dyn Callbacks,
) -> Result<Box<RawValue>, CallbackError> {
    let request = ContextRequest::parse(method, payload.get()).map_err(|error| match &error {
        MethodError::Unknown(method) => {
            CallbackError::new("unsupported", format!("`{method}` is not available in this version of marsh"))
        }
        MethodError::Params { .. } => CallbackError::new("invalid_arguments", error.to_string()),
    })?;
    let answer = callbacks.request(request)?;
    to_raw(&answer).map_err(|error| {
        CallbackError::new("internal", format!("cannot encode the answer to `{method}`: {error}"))
    })
}

impl Drop for Host {
    fn drop(&mut self) {
        // The end of its input asks the host to end; it ends what its extensions left. A host that does not end within
        // the grace is killed.
        self.shared.closing.store(true, Ordering::Release);
        drop(locked(&self.writer).take());
        if !self.shared.await_end(self.grace) {
            self.shared.kill();
            // The reader reaps the process when that ends.
            self.shared.await_end(REAP_LIMIT);
        }
    }
}

/// A time that no call lives to see, for messages that have no deadline of their own; a host that does not read is given
/// up sooner (`transport`).
fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
