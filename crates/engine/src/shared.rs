//! The state that the handle, the JavaScript thread and the I/O threads of one runtime share.
//!
//! Invariants:
//! * A call is in `calls` from [`Shared::admit`] until exactly one of result, interrupt, exit or close takes it out;
//!   the thread that takes it out runs its `done`, outside the lock. So `done` runs exactly once.
//! * `slice` is who owns the JavaScript that runs right now. It changes only under the lock, together with `kill`, so
//!   a kill meant for one slice never hits the next.
//! * Every child's process group is in `groups` from before its first instruction can matter until it is known empty
//!   or has been killed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::api::{Bridge, EngineError, EngineErrorKind, Stats, Stream};
use crate::heap::Heap;
use crate::output::{Allowance, Lines, Said};
use crate::values::HostResult;

pub(crate) type Done = Box<dyn FnOnce(Result<String, EngineError>) + Send>;
pub(crate) type LoadDone = Box<dyn FnOnce(Result<(), EngineError>) + Send>;

/// On whose behalf JavaScript runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Load,
    Call(Arc<str>),
    /// Leftovers of calls that have ended.
    None,
}

impl Owner {
    pub(crate) fn id(&self) -> &str {
        match self {
            Owner::Call(id) => id,
            Owner::Load | Owner::None => "",
        }
    }
}

pub(crate) enum Event {
    Call { id: Arc<str>, op: String, params: String },
    Cancel { id: Arc<str>, reason: String },
    Completed { op: u64, owner: Owner, result: HostResult },
    Wake,
}

struct CallState {
    done: Done,
    cancelled: bool,
    said: Said,
    out: Lines,
    err: Lines,
}

impl CallState {
    fn new(done: Done) -> CallState {
        CallState {
            done,
            cancelled: false,
            said: Said::default(),
            out: Lines::default(),
            err: Lines::default(),
        }
    }
}

enum Loaded {
    Not(Vec<LoadDone>),
    Yes,
    Failed(EngineError),
}

struct State {
    calls: HashMap<Arc<str>, CallState>,
    /// By the module's top level, and by what goes on after its call has ended; anew with every call.
    said_by_no_call: Said,
    slice: Owner,
    loaded: Loaded,
    groups: HashMap<i32, Owner>,
    stats: Stats,
}

pub(crate) struct Shared {
    pub(crate) bridge: Arc<dyn Bridge>,
    pub(crate) heap: Arc<Heap>,
    output_limit: usize,
    state: Mutex<State>,
    changed: Condvar,
    kill: AtomicBool,
    closing: AtomicBool,
    tainted: AtomicBool,
    ended: AtomicBool,
    calls_total: AtomicU64,
    events: Sender<Event>,
}

impl Shared {
    pub(crate) fn new(
        bridge: Arc<dyn Bridge>,
        heap: Arc<Heap>,
        output_limit: usize,
        events: Sender<Event>,
    ) -> Shared {
        Shared {
            bridge,
            heap,
            output_limit,
            state: Mutex::new(State {
                calls: HashMap::new(),
                said_by_no_call: Said::default(),
                slice: Owner::Load,
                loaded: Loaded::Not(Vec::new()),
                groups: HashMap::new(),
                stats: Stats::default(),
            }),
            changed: Condvar::new(),
            kill: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            tainted: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            calls_total: AtomicU64::new(0),
            events,
        }
    }

    /// A panic while the lock was held leaves plain data behind that is still consistent enough to shut down with.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn send(&self, event: Event) {
        let sent = self.events.send(event).map_err(|_| "the thread has ended");
        marsh_types::ignore(sent, "nothing waits for an event once the thread has ended");
    }

    // ---- loading ----

    pub(crate) fn on_loaded(&self, done: LoadDone) {
        let answer = {
            let mut state = self.lock();
            match &mut state.loaded {
                Loaded::Not(waiting) => {
                    waiting.push(done);
                    return;
                }
                Loaded::Yes => Ok(()),
                Loaded::Failed(error) => Err(error.clone()),
            }
        };
        done(answer);
    }

    /// The load has ended. A failure is what every waiting and every later call gets.
    pub(crate) fn set_loaded(&self, result: Result<(), EngineError>) {
        let (waiting, calls) = {
            let mut state = self.lock();
            if !matches!(state.loaded, Loaded::Not(_)) {
                return;
            }
            let next = match &result {
                Ok(()) => Loaded::Yes,
                Err(error) => Loaded::Failed(error.clone()),
            };
            let Loaded::Not(waiting) = std::mem::replace(&mut state.loaded, next) else { return };
            let calls: Vec<CallState> = if result.is_err() {
                state.calls.drain().map(|(_, call)| call).collect()
            } else {
                Vec::new()
            };
            (waiting, calls)
        };
        for done in waiting {
            done(result.clone());
        }
        if let Err(error) = result {
            for call in calls {
                (call.done)(Err(error.clone()));
            }
        }
    }

    pub(crate) fn is_loading(&self) -> bool {
        matches!(self.lock().loaded, Loaded::Not(_))
    }

    // ---- calls ----

    pub(crate) fn admit(&self, id: String, op: String, params: String, done: Done) {
        let id: Arc<str> = id.into();
        let refusal = {
            let mut state = self.lock();
            if let Loaded::Failed(error) = &state.loaded {
                error.clone()
            } else if self.tainted() {
                let text = "the module's runtime was interrupted and takes no new calls";
                EngineError::new(EngineErrorKind::Tainted, text)
            } else if self.closing() {
                EngineError::closed()
            } else if state.calls.contains_key(&id) {
                EngineError::new(EngineErrorKind::Internal, format!("call id '{id}' is in use"))
            } else {
                state.calls.insert(id.clone(), CallState::new(done));
                state.said_by_no_call = Said::default();
                drop(state);
                self.calls_total.fetch_add(1, Ordering::Relaxed);
                self.send(Event::Call { id, op, params });
                return;
            }
        };
        done(Err(refusal));
    }

    pub(crate) fn is_live(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Call(id) => self.lock().calls.contains_key(id),
            Owner::Load => self.is_loading(),
            Owner::None => false,
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.lock().calls.len()
    }

    /// Ends a call with its result. Flushes its output, kills what it left running, then reports.
    pub(crate) fn end(&self, id: &str, result: Result<String, EngineError>) {
        let Some(call) = self.take(id) else { return };
        (call.done)(result);
    }

    fn take(&self, id: &str) -> Option<CallState> {
        let (mut call, groups) = {
            let mut state = self.lock();
            let call = state.calls.remove(id)?;
            state.stats.heap_bytes = self.heap.used();
            (call, take_groups(&mut state, |owner| owner.id() == id))
        };
        for (stream, lines) in [(Stream::Stdout, &mut call.out), (Stream::Stderr, &mut call.err)] {
            if let Some(line) = lines.take() {
                self.send_line(id, stream, &line);
            }
        }
        self.kill_groups(groups);
        Some(call)
    }

    pub(crate) fn cancel(&self, id: &str, reason: &str) {
        {
            let mut state = self.lock();
            let Some(call) = state.calls.get_mut(id) else { return };
            call.cancelled = true;
            for (pgid, owner) in &state.groups {
                if owner.id() == id {
                    signal_group(*pgid, rustix::process::Signal::TERM);
                }
            }
        }
        self.send(Event::Cancel { id: id.into(), reason: reason.to_owned() });
    }

    pub(crate) fn cancelled(&self, id: &str) -> bool {
        self.lock().calls.get(id).is_some_and(|call| call.cancelled)
    }

    /// End a call now, from any thread, whatever its JavaScript does.
    pub(crate) fn interrupt(&self, id: &str, error: EngineError) {
        {
            let state = self.lock();
            if !state.calls.contains_key(id) {
                return;
            }
            self.tainted.store(true, Ordering::SeqCst);
            // What runs may be this call's, or the leftover of a call that has ended, or the load that this call
            // waits for; code of another live call is left alone (it has a deadline of its own).
            let other = match &state.slice {
                Owner::Call(running) => &**running != id && state.calls.contains_key(running),
                Owner::Load | Owner::None => false,
            };
            if !other {
                self.kill.store(true, Ordering::SeqCst);
            }
        }
        self.changed.notify_all();
        self.end(id, Err(error));
        self.send(Event::Wake);
    }

    /// Every call in flight ends with `error`, and no new one is taken. The running slice ends too.
    pub(crate) fn fail_all(&self, error: &EngineError) {
        let ids: Vec<Arc<str>> = {
            let state = self.lock();
            if !self.closing() {
                self.taint();
            }
            self.kill.store(true, Ordering::SeqCst);
            state.calls.keys().cloned().collect()
        };
        self.changed.notify_all();
        for id in ids {
            self.end(&id, Err(error.clone()));
        }
    }

    /// Fail whatever `owner` stands for: its call, or the load.
    pub(crate) fn fail(&self, owner: &Owner, error: EngineError) {
        match owner {
            Owner::Call(id) => self.end(id, Err(error)),
            Owner::Load => self.set_loaded(Err(error)),
            Owner::None => {}
        }
    }

    pub(crate) fn taint(&self) {
        self.tainted.store(true, Ordering::SeqCst);
    }

    /// Tainted, and without a call in flight.
    pub(crate) fn spent(&self) -> bool {
        self.tainted() && self.lock().calls.is_empty()
    }

    pub(crate) fn tainted(&self) -> bool {
        self.tainted.load(Ordering::SeqCst)
    }

    // ---- slices ----

    pub(crate) fn begin_slice(&self, owner: Owner) {
        let mut state = self.lock();
        state.slice = owner;
        self.kill.store(false, Ordering::SeqCst);
    }

    pub(crate) fn end_slice(&self) {
        let mut state = self.lock();
        state.slice = Owner::None;
        state.stats.heap_bytes = self.heap.used();
    }

    pub(crate) fn slice(&self) -> Owner {
        self.lock().slice.clone()
    }

    /// Whether the JavaScript that runs now has to stop. Asked by the engine every few thousand steps.
    pub(crate) fn must_stop(&self) -> bool {
        self.kill.load(Ordering::Relaxed) || self.closing.load(Ordering::Relaxed) || self.heap.exhausted()
    }

    pub(crate) fn kill_slice(&self) {
        self.kill.store(true, Ordering::SeqCst);
    }

    /// Block the JavaScript thread until `ready` yields, or until its code has to stop.
    pub(crate) fn wait<T>(&self, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(value) = ready() {
                return Some(value);
            }
            if self.must_stop() {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Wake [`Shared::wait`]. Takes the lock once, so that a waiter between its check and its sleep is not missed.
    pub(crate) fn poke(&self) {
        drop(self.lock());
        self.changed.notify_all();
    }

    // ---- closing ----

    pub(crate) fn close(&self) {
        {
            let _state = self.lock();
            self.closing.store(true, Ordering::SeqCst);
        }
        self.changed.notify_all();
        self.kill_all_groups();
        self.send(Event::Wake);
    }

    pub(crate) fn closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    pub(crate) fn kill_all_groups(&self) {
        let groups = take_groups(&mut self.lock(), |_| true);
        self.kill_groups(groups);
    }

    pub(crate) fn set_ended(&self) {
        {
            let _state = self.lock();
            self.ended.store(true, Ordering::SeqCst);
        }
        self.changed.notify_all();
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(crate) fn wait_ended(&self, deadline: Instant) {
        let mut state = self.lock();
        while !self.ended() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    // ---- output ----

    /// Text written by the code of `owner`; complete lines go out, the rest waits for its end.
    ///
    /// Code that runs on after its call has ended speaks for no call: nothing is said of a call past its end.
    pub(crate) fn output(&self, owner: &Owner, stream: Stream, text: &str) {
        let mut id = "";
        let mut out: Vec<String> = Vec::new();
        {
            let mut state = self.lock();
            let state = &mut *state;
            let call = match owner {
                Owner::Call(id) => state.calls.get_mut(id),
                Owner::Load | Owner::None => None,
            };
            match call {
                None => match state.said_by_no_call.says(text.len(), self.output_limit) {
                    Allowance::Enough => out.extend(text.lines().map(str::to_owned)),
                    Allowance::UpToHere => out.push(self.cut_notice()),
                    Allowance::None => return,
                },
                Some(call) => {
                    id = owner.id();
                    let lines = match stream {
                        Stream::Stdout => &mut call.out,
                        Stream::Stderr => &mut call.err,
                    };
                    match call.said.says(text.len(), self.output_limit) {
                        Allowance::Enough => lines.push(text, &mut out),
                        Allowance::UpToHere => {
                            out.extend(lines.take());
                            out.push(self.cut_notice());
                        }
                        Allowance::None => return,
                    }
                }
            }
        }
        for line in out {
            self.send_line(id, stream, &line);
        }
    }

    fn cut_notice(&self) -> String {
        format!("[output cut: the call has written more than {} bytes]", self.output_limit)
    }

    /// What the shim tells of a call counts as its output: logging is a way to write without end, too.
    pub(crate) fn tell(&self, id: &str, method: &str, params: String) {
        let allowance = match self.lock().calls.get_mut(id) {
            Some(call) => call.said.says(params.len(), self.output_limit),
            None => Allowance::None,
        };
        match allowance {
            Allowance::Enough => self.bridge.notify(id, method, params),
            Allowance::UpToHere => self.send_line(id, Stream::Stdout, &self.cut_notice()),
            Allowance::None => {}
        }
    }

    fn send_line(&self, id: &str, stream: Stream, line: &str) {
        self.bridge.output(id, stream, line);
    }

    /// An error that no code handled.
    pub(crate) fn uncaught(&self, owner: &Owner, message: &str) {
        self.bridge.uncaught(owner.id(), message);
    }

    // ---- process groups ----

    /// Register a child. Says `false`, after killing it, if its owner has ended meanwhile.
    pub(crate) fn group_started(&self, pgid: i32, owner: &Owner) -> bool {
        let accepted = {
            let mut state = self.lock();
            let live = match owner {
                Owner::Call(id) => state.calls.contains_key(id),
                Owner::Load | Owner::None => true,
            };
            let accepted = live && !self.closing();
            if accepted {
                state.groups.insert(pgid, owner.clone());
            }
            accepted
        };
        if accepted {
            self.bridge.process_started(owner.id(), pgid);
        } else {
            signal_group(pgid, rustix::process::Signal::KILL);
        }
        accepted
    }

    /// The leader has been reaped. What it left behind in its group stays registered, to be killed with the call.
    pub(crate) fn leader_ended(&self, pgid: i32) {
        let owner = {
            let mut state = self.lock();
            let empty = rustix::process::Pid::from_raw(pgid)
                .is_none_or(|pid| rustix::process::test_kill_process_group(pid).is_err());
            if !empty {
                return;
            }
            state.groups.remove(&pgid)
        };
        if let Some(owner) = owner {
            self.group_ended(pgid, &owner);
        }
    }

    pub(crate) fn signal_child(&self, pgid: i32, signal: rustix::process::Signal) -> bool {
        // Under the lock: as long as the group is registered its number has not been given to anybody else.
        let state = self.lock();
        state.groups.contains_key(&pgid) && signal_group(pgid, signal)
    }

    fn group_ended(&self, pgid: i32, owner: &Owner) {
        self.bridge.process_ended(owner.id(), pgid);
    }

    fn kill_groups(&self, groups: Vec<(i32, Owner)>) {
        for (pgid, owner) in groups {
            signal_group(pgid, rustix::process::Signal::KILL);
            self.group_ended(pgid, &owner);
        }
    }

    // ---- counters ----

    pub(crate) fn set_stats(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.lock().stats);
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.lock().stats.clone();
        stats.heap_peak_bytes = self.heap.peak();
        stats.calls_total = self.calls_total.load(Ordering::Relaxed);
        stats
    }
}

fn take_groups(state: &mut State, which: impl Fn(&Owner) -> bool) -> Vec<(i32, Owner)> {
    state.groups.extract_if(|_, owner| which(owner)).collect()
}

fn signal_group(pgid: i32, signal: rustix::process::Signal) -> bool {
    rustix::process::Pid::from_raw(pgid)
        .is_some_and(|pid| rustix::process::kill_process_group(pid, signal).is_ok())
}
