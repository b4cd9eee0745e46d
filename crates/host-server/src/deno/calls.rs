//! The calls of one Deno, and the limit of what they print.
//!
//! A call is in the table from [`Calls::admit`] until exactly one of its result, an interrupt or the end of the process
//! takes it out; the thread that takes it out runs its `done`, outside the lock. So `done` runs exactly once.

use std::collections::HashMap;
use std::sync::Mutex;

use marsh_host_protocol::{CallError, ErrorKind};

use crate::engine::Done;
use crate::locked;

/// What runs when loading has ended.
pub type OnLoaded = Box<dyn FnOnce() + Send>;

/// Why a call was not admitted.
pub type Refused = (Done, CallError);

#[derive(Default)]
pub struct Calls {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: HashMap<String, Call>,
    total: u64,
    loaded: Loaded,
    tainted: bool,
    /// Bytes that no call said.
    said_by_no_call: Said,
}

enum Loaded {
    Not(Vec<OnLoaded>),
    Yes,
    Failed(CallError),
}

impl Default for Loaded {
    fn default() -> Loaded {
        Loaded::Not(Vec::new())
    }
}

struct Call {
    done: Done,
    cancelled: bool,
    said: Said,
    out: String,
    err: String,
}

/// A stream of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// How many bytes were said.
#[derive(Debug, Default)]
struct Said(u64);

/// Whether what is said next still goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    Enough,
    /// Here the limit is crossed, which happens once.
    UpToHere,
    None,
}

impl Said {
    fn says(&mut self, bytes: usize, limit: u64) -> Allowance {
        if self.0 > limit {
            return Allowance::None;
        }
        self.0 = self.0.saturating_add(bytes as u64);
        if self.0 > limit { Allowance::UpToHere } else { Allowance::Enough }
    }
}

impl Calls {
    /// Takes a call in, or hands it back with the reason.
    pub fn admit(&self, id: &str, done: Done) -> Result<(), Refused> {
        let mut state = locked(&self.state);
        let refusal = match &state.loaded {
            Loaded::Failed(error) => Some(error.clone()),
            _ if state.tainted => {
                let text = "the module's process was interrupted and takes no new calls";
                Some(CallError::new(ErrorKind::Internal, text))
            }
            _ if state.calls.contains_key(id) => {
                Some(CallError::new(ErrorKind::Internal, format!("call id '{id}' is in use")))
            }
            _ => None,
        };
        if let Some(error) = refusal {
            return Err((done, error));
        }
        state.total += 1;
        state.said_by_no_call = Said::default();
        let call =
            Call { done, cancelled: false, said: Said::default(), out: String::new(), err: String::new() };
        state.calls.insert(id.to_owned(), call);
        Ok(())
    }

    pub fn is_live(&self, id: &str) -> bool {
        locked(&self.state).calls.contains_key(id)
    }

    pub fn in_flight(&self) -> usize {
        locked(&self.state).calls.len()
    }

    pub fn total(&self) -> u64 {
        locked(&self.state).total
    }

    /// Takes a call out. The lines that it left without an end come with it, and whether it was cancelled.
    pub fn take(&self, id: &str) -> Option<Taken> {
        let call = locked(&self.state).calls.remove(id)?;
        let rest = [(Stream::Stdout, call.out), (Stream::Stderr, call.err)];
        Some(Taken { done: call.done, cancelled: call.cancelled, rest })
    }

    /// The ids of all calls.
    pub fn ids(&self) -> Vec<String> {
        locked(&self.state).calls.keys().cloned().collect()
    }

    /// Notes that a call was cancelled; `false` when it has ended.
    pub fn cancel(&self, id: &str) -> bool {
        let mut state = locked(&self.state);
        let Some(call) = state.calls.get_mut(id) else { return false };
        call.cancelled = true;
        true
    }

    pub fn taint(&self) {
        locked(&self.state).tainted = true;
    }

    pub fn is_tainted(&self) -> bool {
        locked(&self.state).tainted
    }

    // ---- loading ----

    pub fn is_loading(&self) -> bool {
        matches!(locked(&self.state).loaded, Loaded::Not(_))
    }

    /// Runs `done` when loading has ended.
    pub fn on_loaded(&self, done: OnLoaded) {
        {
            let mut state = locked(&self.state);
            if let Loaded::Not(waiting) = &mut state.loaded {
                waiting.push(done);
                return;
            }
        }
        done();
    }

    /// Loading has ended. A failure is what every later call gets. Says whether it had not ended before.
    pub fn set_loaded(&self, result: Result<(), CallError>) -> bool {
        let waiting = {
            let mut state = locked(&self.state);
            if !matches!(state.loaded, Loaded::Not(_)) {
                return false;
            }
            let next = match result {
                Ok(()) => Loaded::Yes,
                Err(error) => Loaded::Failed(error),
            };
            match std::mem::replace(&mut state.loaded, next) {
                Loaded::Not(waiting) => waiting,
                Loaded::Yes | Loaded::Failed(_) => Vec::new(),
            }
        };
        for done in waiting {
            done();
        }
        true
    }

    // ---- output ----

    /// What goes out of a text that code printed: the id that it belongs to, and lines without their ends.
    ///
    /// Code that runs on after its call has ended speaks for no call.
    pub fn print<'a>(&self, id: &'a str, stream: Stream, text: &str, limit: u64) -> (&'a str, Vec<String>) {
        let mut state = locked(&self.state);
        let Some(call) = state.calls.get_mut(id) else {
            let lines = match state.said_by_no_call.says(text.len(), limit) {
                Allowance::Enough => text.lines().map(str::to_owned).collect(),
                Allowance::UpToHere => vec![cut_notice(limit)],
                Allowance::None => Vec::new(),
            };
            return ("", lines);
        };
        let partial = match stream {
            Stream::Stdout => &mut call.out,
            Stream::Stderr => &mut call.err,
        };
        let mut lines = Vec::new();
        match call.said.says(text.len(), limit) {
            Allowance::Enough => {
                partial.push_str(text);
                while let Some(end) = partial.find('\n') {
                    let rest = partial.split_off(end + 1);
                    let mut line = std::mem::replace(partial, rest);
                    line.pop();
                    lines.push(line);
                }
            }
            Allowance::UpToHere => {
                if !partial.is_empty() {
                    lines.push(std::mem::take(partial));
                }
                lines.push(cut_notice(limit));
            }
            Allowance::None => {}
        }
        (id, lines)
    }

    /// Whether a report of the shim still goes out: logging is a way to write without end, too.
    pub fn tell(&self, id: &str, bytes: usize, limit: u64) -> Allowance {
        match locked(&self.state).calls.get_mut(id) {
            Some(call) => call.said.says(bytes, limit),
            None => Allowance::None,
        }
    }

    /// The call that text outside of the protocol belongs to: the only one in flight, if there is exactly one.
    pub fn only_call(&self) -> String {
        let state = locked(&self.state);
        match (state.calls.len(), state.calls.keys().next()) {
            (1, Some(id)) => id.clone(),
            _ => String::new(),
        }
    }
}

/// A call that has ended.
pub struct Taken {
    pub done: Done,
    pub cancelled: bool,
    pub rest: [(Stream, String); 2],
}

pub fn cut_notice(limit: u64) -> String {
    format!("[output cut: the call has written more than {limit} bytes]")
}
