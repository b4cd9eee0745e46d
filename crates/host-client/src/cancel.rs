//! A request to stop, shared by everything that one command does.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use crate::reader::{ToCall, tell};

/// Cancelled at most once, from any thread; every waiting call is woken. Clones are the same token.
#[derive(Debug, Clone, Default)]
pub struct CancelToken {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    reason: Option<String>,
    waiting: Vec<(u64, Sender<ToCall>)>,
    hooks: Vec<(u64, Hook)>,
    next: u64,
}

struct Hook(Box<dyn Fn(&str) + Send>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> CancelToken {
        CancelToken::default()
    }

    /// Cancels the token. The first reason stays.
    pub fn cancel(&self, reason: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.reason.is_some() {
            return;
        }
        state.reason = Some(reason.to_owned());
        for (_, sender) in state.waiting.drain(..) {
            tell(&sender, ToCall::Cancel { reason: reason.to_owned() });
        }
        for (_, hook) in &state.hooks {
            (hook.0)(reason);
        }
    }

    /// Why the token was cancelled, if it was.
    pub fn reason(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).reason.clone()
    }

    /// Whether the token was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.reason().is_some()
    }

    /// Wakes `sender` on cancellation, at once if that has happened.
    pub(crate) fn subscribe(&self, sender: Sender<ToCall>) -> Subscription<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.next += 1;
        let id = state.next;
        match state.reason.clone() {
            Some(reason) => tell(&sender, ToCall::Cancel { reason }),
            None => state.waiting.push((id, sender)),
        }
        Subscription { token: self, id }
    }

    /// Calls `hook` on cancellation, at once if that has happened, until the subscription is dropped. The hook runs
    /// under the token's lock: it must be short and must not touch the token.
    pub fn on_cancel(&self, hook: impl Fn(&str) + Send + 'static) -> Subscription<'_> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.next += 1;
        let id = state.next;
        match state.reason.clone() {
            Some(reason) => hook(&reason),
            None => state.hooks.push((id, Hook(Box::new(hook)))),
        }
        Subscription { token: self, id }
    }
}

/// Ends the subscription when dropped.
#[derive(Debug)]
#[must_use]
pub struct Subscription<'a> {
    token: &'a CancelToken,
    id: u64,
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        let mut state = self.token.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.retain(|(id, _)| *id != self.id);
        state.hooks.retain(|(id, _)| *id != self.id);
    }
}
