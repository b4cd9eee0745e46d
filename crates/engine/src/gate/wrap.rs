//! The one point at which something can be put around every call of a host operation.

use std::sync::{Arc, Mutex};

use crate::gate::Env;
use crate::gate::table::Operation;
use crate::lock::lock;
use crate::values::{Args, HostResult};

/// Stands around every call of a host operation, synchronous or not: permissions, recording, replay, metrics. See
/// [`ModuleRuntime::spawn_wrapped`](crate::ModuleRuntime::spawn_wrapped); without one a call costs one comparison more.
pub trait Wrapper: Send + Sync + 'static {
    /// Runs on the JavaScript thread before the operation. `Some(outcome)` answers the call, and the operation does not
    /// run; [`Wrapper::after`] is not called for it.
    fn before(&self, call: &OperationCall<'_>) -> Option<HostResult>;

    /// Runs when the operation has ended, once for each call, on the thread that ended it.
    fn after(&self, number: u64, operation: &'static Operation, outcome: &HostResult);
}

/// A call of a host operation that is about to run.
#[derive(Debug)]
pub struct OperationCall<'a> {
    /// Unique within the runtime.
    pub number: u64,
    /// The row of the table.
    pub operation: &'static Operation,
    /// As JavaScript passed them.
    pub arguments: &'a Args,
    /// The call of the module that the code runs for; empty while loading and for leftovers.
    pub call_id: &'a str,
}

/// What the gate does next.
pub(crate) enum Entered {
    /// The operation runs; its outcome is reported, if anything wants it.
    Runs(Option<Arc<Watched>>),
    /// The wrapper has answered.
    Answered(HostResult),
}

pub(crate) fn enter(env: &Env, operation: &'static Operation, arguments: &Args, call_id: &str) -> Entered {
    let Some(wrapper) = &env.wrapper else { return Entered::Runs(None) };
    let number = env.next_id();
    match wrapper.before(&OperationCall { number, operation, arguments, call_id }) {
        Some(outcome) => Entered::Answered(outcome),
        None => Entered::Runs(Some(Arc::new(Watched {
            wrapper: Arc::clone(wrapper),
            operation,
            number,
            start: Mutex::new(Start::Running),
        }))),
    }
}

/// How far the start of an operation is that completes later.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Running,
    /// Its completer was dropped before the operation said whether it has started.
    Abandoned,
    Ended,
}

/// A call whose outcome the wrapper receives.
pub(crate) struct Watched {
    wrapper: Arc<dyn Wrapper>,
    operation: &'static Operation,
    number: u64,
    start: Mutex<Start>,
}

impl Watched {
    pub(crate) fn ended(&self, outcome: &HostResult) {
        self.wrapper.after(self.number, self.operation, outcome);
    }

    /// The completer was dropped, which is `outcome` unless the operation fails to start with an error of its own.
    pub(crate) fn abandoned(&self, outcome: &HostResult) {
        let start = {
            let mut start = lock(&self.start);
            std::mem::replace(&mut *start, Start::Abandoned)
        };
        if start == Start::Ended {
            self.ended(outcome);
        }
    }

    /// The operation has started, or failed to.
    pub(crate) fn started(&self, abandoned: impl FnOnce() -> HostResult, failure: Option<HostResult>) {
        let start = {
            let mut start = lock(&self.start);
            std::mem::replace(&mut *start, Start::Ended)
        };
        match (failure, start) {
            (Some(failure), _) => self.ended(&failure),
            (None, Start::Abandoned) => self.ended(&abandoned()),
            (None, Start::Running | Start::Ended) => {}
        }
    }
}
