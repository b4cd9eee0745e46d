//! Deadlines and cancellation: first the abort signal, then, if the call has not ended within its grace, an interrupt
//! that no code can catch.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use marsh_host_protocol::{CallError, ErrorKind, LOAD_LIMIT};

use crate::engine::Runtime;
use crate::locked;

/// How long a call may take to end by itself after its deadline has aborted its signal.
const DEADLINE_GRACE: Duration = Duration::from_millis(250);

pub struct Watchdog {
    shared: Arc<Shared>,
}

#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    calls: Mutex<HashMap<String, Watched>>,
    changed: Condvar,
}

struct Watched {
    /// Absent while a call that already ended, or was already cancelled, has not been registered yet.
    runtime: Option<Arc<dyn Runtime>>,
    act_at: Option<Instant>,
    stopped: Option<CallError>,
    limit: Duration,
    loading: bool,
    ended: bool,
}

impl Watched {
    fn new() -> Watched {
        Watched {
            runtime: None,
            act_at: None,
            stopped: None,
            limit: Duration::ZERO,
            loading: true,
            ended: false,
        }
    }
}

impl Watchdog {
    pub fn start() -> Watchdog {
        let shared = Arc::new(Shared::default());
        let watching = Arc::clone(&shared);
        std::thread::spawn(move || watching.run());
        Watchdog { shared }
    }

    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }
}

impl Handle {
    /// Watches a call that was just started; it may have ended already. Its own time starts when its module is loaded.
    /// `announce` runs at that moment.
    pub fn watch(
        &self,
        call_id: &str,
        runtime: Arc<dyn Runtime>,
        limit: Duration,
        announce: impl FnOnce() + Send + 'static,
    ) {
        let mut calls = locked(&self.shared.calls);
        let watched = calls.entry(call_id.to_owned()).or_insert_with(Watched::new);
        if watched.ended {
            calls.remove(call_id);
            return;
        }
        watched.runtime = Some(Arc::clone(&runtime));
        watched.limit = limit;
        if watched.act_at.is_none() {
            watched.act_at = Instant::now().checked_add(LOAD_LIMIT.min(limit));
        }
        drop(calls);
        self.shared.changed.notify_one();
        let (handle, call_id) = (self.clone(), call_id.to_owned());
        runtime.on_loaded(Box::new(move || {
            handle.loaded(&call_id);
            announce();
        }));
    }

    fn loaded(&self, call_id: &str) {
        let mut calls = locked(&self.shared.calls);
        let Some(watched) = calls.get_mut(call_id) else { return };
        watched.loading = false;
        if watched.stopped.is_none() {
            watched.act_at = Instant::now().checked_add(watched.limit);
        }
        drop(calls);
        self.shared.changed.notify_one();
    }

    /// The call has ended; says why it was stopped, if it was.
    pub fn ended(&self, call_id: &str) -> Option<CallError> {
        let mut calls = locked(&self.shared.calls);
        match calls.remove(call_id) {
            Some(watched) => watched.stopped,
            None => {
                // It ended before `watch` was reached.
                calls.insert(call_id.to_owned(), Watched { ended: true, ..Watched::new() });
                None
            }
        }
    }

    /// Aborts the call's signal now and interrupts it after `grace`. An unknown call has ended.
    pub fn cancel(&self, call_id: &str, reason: &str, grace: Duration) {
        let mut calls = locked(&self.shared.calls);
        let Some(watched) = calls.get_mut(call_id) else { return };
        if watched.stopped.is_some() {
            return;
        }
        watched.stopped = Some(CallError::new(ErrorKind::Cancelled, reason));
        watched.act_at = Some(Instant::now() + grace);
        let runtime = watched.runtime.clone();
        drop(calls);
        if let Some(runtime) = runtime {
            runtime.cancel(call_id, reason);
        }
        self.shared.changed.notify_one();
    }
}

/// What the watchdog does about a call whose time has come.
enum Action {
    Abort(Arc<dyn Runtime>, String, String),
    Interrupt(Arc<dyn Runtime>, String, CallError),
}

impl Shared {
    fn run(&self) {
        loop {
            let actions = self.wait_for_actions();
            for action in actions {
                match action {
                    Action::Abort(runtime, call_id, reason) => runtime.cancel(&call_id, &reason),
                    Action::Interrupt(runtime, call_id, error) => runtime.interrupt(&call_id, error),
                }
            }
        }
    }

    fn wait_for_actions(&self) -> Vec<Action> {
        let mut calls = locked(&self.calls);
        loop {
            let now = Instant::now();
            let mut actions = Vec::new();
            let mut next: Option<Instant> = None;
            for (call_id, watched) in calls.iter_mut() {
                let (Some(runtime), Some(at)) = (&watched.runtime, watched.act_at) else { continue };
                if at > now {
                    next = Some(next.map_or(at, |next| next.min(at)));
                    continue;
                }
                match &watched.stopped {
                    None => {
                        let message = if watched.loading {
                            format!(
                                "the module did not finish loading within {}",
                                seconds(LOAD_LIMIT.min(watched.limit))
                            )
                        } else {
                            format!("the call did not end within {}", seconds(watched.limit))
                        };
                        actions.push(Action::Abort(Arc::clone(runtime), call_id.clone(), message.clone()));
                        watched.stopped = Some(CallError::new(ErrorKind::Deadline, message));
                        let at = now + DEADLINE_GRACE;
                        watched.act_at = Some(at);
                        next = Some(next.map_or(at, |next| next.min(at)));
                    }
                    Some(reason) => {
                        actions.push(Action::Interrupt(Arc::clone(runtime), call_id.clone(), reason.clone()));
                        watched.act_at = None;
                    }
                }
            }
            if !actions.is_empty() {
                return actions;
            }
            calls = match next {
                Some(at) => {
                    let wait = at.saturating_duration_since(now);
                    self.changed.wait_timeout(calls, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(calls).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

fn seconds(limit: Duration) -> String {
    if limit.subsec_millis() == 0 {
        format!("{} s", limit.as_secs())
    } else {
        format!("{} ms", limit.as_millis())
    }
}
