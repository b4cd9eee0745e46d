//! What arrives from a host: the thread that reads its lines, and the calls that wait for them.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use marsh_host_protocol::{
    CallError, ContextNotice, ContextNoticeName, FromCall, Initialized, LineRead, MAX_LINE_BYTES, MessageRef,
    PROTOCOL_VERSION, ParentRequest, ParentRequestName, RpcError, read_line,
};
use serde_json::value::RawValue;

use crate::error::HostError;
use crate::process::ProcessControl;

/// How long to wait for the end of a dead host's log.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Bytes of the host's log that are kept for the message about its death.
const LOG_TAIL: usize = 4096;
/// A line's buffer beyond this is given back after the line.
const KEPT_BUFFER: usize = 1 << 20;
/// Bytes of a line that is not the protocol that its error shows.
const SHOWN_GARBAGE: usize = 200;

/// What the reader thread hands to a waiting call.
#[derive(Debug)]
pub(crate) enum ToCall {
    Answer(Result<Box<RawValue>, RpcError>),
    Request {
        id: u64,
        method: String,
        payload: Box<RawValue>,
    },
    Notice(ContextNotice),
    /// The host is ready for calls.
    Initialized,
    Cancel {
        reason: String,
    },
    HostGone,
}

/// Why a host is of no use.
#[derive(Debug, Clone)]
enum Verdict {
    /// It sent something that is not the protocol.
    Garbage(String),
    /// It speaks another version of the protocol.
    Version(u32),
    /// It refused to start.
    Refused(CallError),
    /// It was killed for this reason.
    Killed(String),
}

/// Answers requests of the host itself.
pub(crate) struct ParentHandler(pub(crate) Box<dyn Fn(u64, ParentRequest) + Send + Sync>);

impl std::fmt::Debug for ParentHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ParentHandler")
    }
}

/// What the threads of one host share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) process: Box<dyn ProcessControl>,
    /// The host was asked to end, so its end is expected.
    pub(crate) closing: AtomicBool,
    alive: AtomicBool,
    waiting: Mutex<Waiting>,
    log: Mutex<LogTail>,
    log_end: Condvar,
    initialized: Mutex<Option<Initialized>>,
    verdict: Mutex<Option<Verdict>>,
    /// Answers a request of the host itself, on another thread: the reader never writes.
    pub(crate) parent: OnceLock<ParentHandler>,
    /// The exit status, once the process has ended.
    ended: Mutex<Option<String>>,
    end: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    by_request: HashMap<u64, Sender<ToCall>>,
    by_call: HashMap<String, Sender<ToCall>>,
}

#[derive(Debug, Default)]
struct LogTail {
    bytes: Vec<u8>,
    complete: bool,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while holding one of these locks left plain collections behind; they stay usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands something to a call. A call that has ended no longer listens, and what arrives for it is dropped with it.
pub(crate) fn tell(sender: &Sender<ToCall>, message: ToCall) {
    if sender.send(message).is_err() {
        // The receiver is the call's own, and it is gone only when the call has ended.
    }
}

impl Shared {
    pub(crate) fn new(process: Box<dyn ProcessControl>) -> Shared {
        Shared {
            process,
            closing: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            waiting: Mutex::default(),
            log: Mutex::default(),
            log_end: Condvar::new(),
            initialized: Mutex::default(),
            verdict: Mutex::default(),
            parent: OnceLock::new(),
            ended: Mutex::default(),
            end: Condvar::new(),
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    pub(crate) fn initialized(&self) -> Option<Initialized> {
        locked(&self.initialized).clone()
    }

    pub(crate) fn is_initialized(&self) -> bool {
        locked(&self.initialized).is_some()
    }

    // ---- calls that wait ----

    pub(crate) fn register(
        &self,
        id: u64,
        call_id: Option<&str>,
        sender: Sender<ToCall>,
    ) -> Registration<'_> {
        let mut waiting = locked(&self.waiting);
        if let Some(call_id) = call_id {
            waiting.by_call.insert(call_id.to_owned(), sender.clone());
        }
        // The reader reports the host's end once to every call that waits; a later call must hear of it too.
        if !self.is_alive() {
            tell(&sender, ToCall::HostGone);
        }
        waiting.by_request.insert(id, sender);
        Registration { shared: self, id, call_id: call_id.map(str::to_owned) }
    }

    // ---- the end of the host ----

    /// Kills the host for a reason that its calls fail with.
    pub(crate) fn kill_for(&self, reason: &str) {
        tracing::warn!(pid = self.process.pid(), reason, "host killed");
        locked(&self.verdict).get_or_insert_with(|| Verdict::Killed(reason.to_owned()));
        self.kill();
    }

    /// Ends the process and everything that its extensions started, now.
    pub(crate) fn kill(&self) {
        // The next caller gets a new host, even while the reader has not seen the end of this one.
        self.alive.store(false, Ordering::Release);
        if let Err(error) = self.process.kill() {
            locked(&self.log).bytes.extend_from_slice(error.as_bytes());
        }
    }

    /// Why a call of this host fails. Waits for the end of the process.
    pub(crate) fn death(&self) -> HostError {
        // A host that refuses to start says so and ends. A write to it fails before the reader has read its last words.
        if locked(&self.verdict).is_none() && !self.await_end(LAST_WORDS) {
            tracing::debug!("the channel of a host is open after its end");
        }
        let verdict = locked(&self.verdict).clone();
        match verdict {
            Some(Verdict::Refused(error)) => return HostError::Identity { message: error.message },
            Some(Verdict::Version(theirs)) => return HostError::Version { theirs, ours: PROTOCOL_VERSION },
            Some(Verdict::Garbage(line)) => return HostError::Garbage { line },
            Some(Verdict::Killed(_)) | None => {}
        }
        let status = self.process.finish(false);
        let log = locked(&self.log);
        let (log, _) = self
            .log_end
            .wait_timeout_while(log, LAST_WORDS, |log| !log.complete)
            .unwrap_or_else(PoisonError::into_inner);
        let mut stderr = String::from_utf8_lossy(&log.bytes).into_owned();
        if let Some(Verdict::Killed(reason)) = verdict {
            stderr = format!("{reason}\n{stderr}");
        }
        HostError::Died { status, stderr }
    }

    /// Waits until the reader has seen the end of the process.
    pub(crate) fn await_end(&self, limit: Duration) -> bool {
        let ended = locked(&self.ended);
        let waited = self.end.wait_timeout_while(ended, limit, |ended| ended.is_none());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    // ---- reading ----

    /// Reads lines until the channel ends, or something arrives that is not the protocol.
    pub(crate) fn read_lines(self: Arc<Shared>, reader: Box<dyn Read + Send>) {
        let mut reader = BufReader::with_capacity(1 << 16, reader);
        let mut line = Vec::new();
        loop {
            match read_line(&mut reader, &mut line, MAX_LINE_BYTES) {
                Ok(LineRead::Line) => {}
                Ok(LineRead::TooLong) => {
                    self.judge(Verdict::Garbage(format!("a line of more than {MAX_LINE_BYTES} bytes")));
                    break;
                }
                Ok(LineRead::End) | Err(_) => break,
            }
            let verdict = match serde_json::from_slice::<MessageRef<'_>>(&line) {
                Ok(message) => self.route(message).err(),
                Err(_) => Some(garbage(&line)),
            };
            if let Some(verdict) = verdict {
                self.judge(verdict);
                break;
            }
            if line.capacity() > KEPT_BUFFER {
                line = Vec::new();
            }
        }
        drop((reader, line));
        self.alive.store(false, Ordering::Release);
        let orderly = self.closing.load(Ordering::Acquire);
        if locked(&self.verdict).is_some() {
            self.kill();
        }
        let status = self.process.finish(orderly);
        let mut waiting = locked(&self.waiting);
        for (_, sender) in waiting.by_request.drain() {
            tell(&sender, ToCall::HostGone);
        }
        waiting.by_call.clear();
        drop(waiting);
        *locked(&self.ended) = Some(status);
        self.end.notify_all();
    }

    fn judge(&self, verdict: Verdict) {
        locked(&self.verdict).get_or_insert(verdict);
    }

    fn route(&self, message: MessageRef<'_>) -> Result<(), Verdict> {
        match (message.id, message.method) {
            (Some(0), None) => self.take_initialized(message),
            (Some(id), None) => {
                let answer = match message.error {
                    Some(error) => Err(error),
                    None => Ok(message.result.unwrap_or(RawValue::NULL).to_owned()),
                };
                if let Some(sender) = locked(&self.waiting).by_request.get(&id) {
                    tell(sender, ToCall::Answer(answer));
                }
                Ok(())
            }
            (Some(id), Some(method)) if ParentRequestName::parse(method).is_some() => {
                let params = message.params.unwrap_or(RawValue::NULL).get();
                let request = ParentRequest::parse(method, params).map_err(|_| garbage(params.as_bytes()))?;
                if let Some(parent) = self.parent.get() {
                    (parent.0)(id, request);
                }
                Ok(())
            }
            (id, Some(method)) => {
                let params = message.params.ok_or_else(|| garbage(method.as_bytes()))?;
                let from: FromCall<'_> =
                    serde_json::from_str(params.get()).map_err(|_| garbage(params.get().as_bytes()))?;
                let to_call = match id {
                    Some(id) => {
                        ToCall::Request { id, method: method.to_owned(), payload: from.payload.to_owned() }
                    }
                    None => match self.notice(method, from.payload) {
                        Some(notice) => ToCall::Notice(notice),
                        None => return Ok(()),
                    },
                };
                if let Some(sender) = locked(&self.waiting).by_call.get(from.call_id) {
                    tell(sender, to_call);
                }
                Ok(())
            }
            (None, None) => Err(garbage(b"a message without id and method")),
        }
    }

    /// A notice that extension code sent with parameters of another shape says nothing, and is dropped.
    fn notice(&self, method: &str, payload: &RawValue) -> Option<ContextNotice> {
        let name = ContextNoticeName::parse(method)?;
        let notice = ContextNotice::parse(method, payload.get()).ok()?;
        match (&notice, name) {
            (ContextNotice::ProcessStarted(group), _) => self.process.group_started(group.pgid),
            (ContextNotice::ProcessEnded(group), _) => self.process.group_ended(group.pgid),
            _ => {}
        }
        Some(notice)
    }

    fn take_initialized(&self, message: MessageRef<'_>) -> Result<(), Verdict> {
        if let Some(error) = message.error {
            return Err(Verdict::Refused(CallError::from_rpc(error)));
        }
        let result = message.result.unwrap_or(RawValue::NULL);
        let initialized: Initialized =
            serde_json::from_str(result.get()).map_err(|_| garbage(result.get().as_bytes()))?;
        if initialized.protocol_version != PROTOCOL_VERSION {
            return Err(Verdict::Version(initialized.protocol_version));
        }
        *locked(&self.initialized) = Some(initialized);
        for sender in locked(&self.waiting).by_call.values() {
            tell(sender, ToCall::Initialized);
        }
        Ok(())
    }

    /// Keeps the tail of the host's log.
    pub(crate) fn read_log(self: Arc<Shared>, mut log: Box<dyn Read + Send>) {
        let mut buffer = [0; 4096];
        let mut lines = crate::trace::Lines::default();
        while let Ok(count @ 1..) = log.read(&mut buffer) {
            lines.take(&buffer[..count]);
            let mut tail = locked(&self.log);
            tail.bytes.extend_from_slice(&buffer[..count]);
            let excess = tail.bytes.len().saturating_sub(LOG_TAIL);
            tail.bytes.drain(..excess);
        }
        locked(&self.log).complete = true;
        self.log_end.notify_all();
    }

    /// There is no log to wait for.
    pub(crate) fn no_log(&self) {
        locked(&self.log).complete = true;
    }
}

fn garbage(line: &[u8]) -> Verdict {
    Verdict::Garbage(String::from_utf8_lossy(&line[..line.len().min(SHOWN_GARBAGE)]).into_owned())
}

/// A call that waits. When it is dropped, nothing arrives for it any more.
pub(crate) struct Registration<'a> {
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
