//! The scheduler of a run: starts the steps that the state machine decides on, and feeds their results back to it.
//!
//! One thread decides and writes; steps run on threads of their own and report through a channel. What steps report in
//! the same moment is taken in together, so that it is made durable at once.
//!
//! * No code of a step runs before the facts that it follows from are on disk; what can be prepared is prepared meanwhile
//!   (`journal/sync.rs`).
//! * Cancellation reaches every running step at once, by its own token; the run ends when they have (`tests/it/run.rs`,
//!   `tests/it/workflow_commands.rs` of the binary). A step that is over its time is stopped in the same way.
//! * When the journal cannot be written, nothing further starts: what runs is stopped, and the run stays as it was last
//!   written, to be resumed.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use marsh_api::workflow::event::StepRef;
use marsh_host_client::CancelToken;
use marsh_model::run::ArtifactView;
use marsh_types::ignore;

use super::owner_request::{OwnerInbox, OwnerRequest};
use super::state::RunState;
use super::steps::{During, StepResult, Steps};
use crate::error::WorkflowError;
use crate::journal::{Fact, Item, OnDisk, StepEnd, StepKey};
use crate::machine::Phase;
use crate::schema::FailureKind;

/// How often the owner reads the requests of other processes.
const INBOX_INTERVAL: Duration = Duration::from_millis(200);

/// Why nothing runs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Done,
    /// Something waits for a decision.
    Suspended,
}

/// What steps left behind, with content. Items of a `forEach` are not in it: there may be thousands.
pub(super) type Views = HashMap<StepKey, (String, Vec<ArtifactView>)>;

enum Message {
    StepResult {
        key: StepKey,
        did: Box<StepResult>,
        /// The thread that did it, ready for another.
        thread: Option<Sender<Work>>,
    },
    Cancelled,
}

/// A step on its way to a thread.
struct Work {
    key: StepKey,
    name: StepRef,
    attempt: u32,
    item: Option<Item>,
    token: CancelToken,
    on_disk: OnDisk,
    /// The sender of the channel from which the receiving thread takes its next work. The thread ends when no sender is left.
    thread: Sender<Work>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    StepTimeout(StepKey, u32),
    JobTimeout(String),
    Due(StepKey),
}

struct Active {
    token: CancelToken,
    attempt: u32,
    /// It was stopped because its time was over.
    late: Option<String>,
}

pub(super) struct Scheduler<'a, 'l, 's> {
    state: &'l mut RunState<'a>,
    steps: &'s Steps<'s>,
    cancel: &'s CancelToken,
    inbox: OwnerInbox,
    timers: BinaryHeap<Reverse<(Instant, u64, Timer)>>,
    sequence: u64,
    running: HashMap<StepKey, Active>,
    /// Threads whose step has ended.
    idle: Vec<Sender<Work>>,
    pub views: Views,
}

impl<'a, 'l, 's> Scheduler<'a, 'l, 's> {
    pub fn new(
        state: &'l mut RunState<'a>,
        steps: &'s Steps<'s>,
        cancel: &'s CancelToken,
        inbox: OwnerInbox,
    ) -> Scheduler<'a, 'l, 's> {
        Scheduler {
            state,
            steps,
            cancel,
            inbox,
            timers: BinaryHeap::new(),
            sequence: 0,
            running: HashMap::new(),
            idle: Vec::new(),
            views: HashMap::new(),
        }
    }

    /// Runs until nothing runs.
    pub fn run(&mut self) -> Result<Rest, WorkflowError> {
        let span =
            tracing::info_span!("workflow_run", workflow = self.steps.workflow.name, run = self.steps.run_id);
        let _span = span.enter();
        let (sender, receiver) = channel();
        let on_cancel = sender.clone();
        let subscription = self.cancel.on_cancel(move |_| {
            ignore(
                on_cancel.send(Message::Cancelled).map_err(|error| error.to_string()),
                "the run has ended",
            );
        });
        let rest = std::thread::scope(|scope| {
            let (sender, receiver) = (sender, receiver);
            let rest = self.turns(scope, &sender, &receiver);
            if rest.is_err() {
                // The scope waits for the steps, so they must end.
                self.running.values().for_each(|active| active.token.cancel("the run cannot go on"));
            }
            // The scope waits for the threads, and those for work.
            self.idle.clear();
            drop((sender, receiver));
            rest
        });
        drop(subscription);
        rest
    }

    fn turns<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        sender: &Sender<Message>,
        receiver: &Receiver<Message>,
    ) -> Result<Rest, WorkflowError>
    where
        's: 'scope,
    {
        loop {
            if let Some(reason) = self.cancel.reason() {
                self.stop(&reason)?;
            }
            let starts = self.state.decide(true)?;
            let on_disk = self.state.settle()?;
            for (key, attempt) in starts {
                self.start(scope, sender, key, attempt, on_disk.clone());
            }
            self.watch_jobs();
            self.read_inbox()?;
            let is_idle = self.running.is_empty() && self.state.machine.keys_in(Phase::Paused).is_empty();
            if is_idle {
                // The mail may have decided something.
                let starts = self.state.machine.clone().decide(true);
                if starts.is_empty() {
                    self.state.settle()?;
                    return Ok(if self.state.machine.is_done() { Rest::Done } else { Rest::Suspended });
                }
                continue;
            }
            self.wait(receiver)?;
        }
    }

    /// Takes in what happens next, and whatever else has happened by then.
    fn wait(&mut self, receiver: &Receiver<Message>) -> Result<(), WorkflowError> {
        let now = Instant::now();
        let next =
            self.timers.peek().map_or(INBOX_INTERVAL, |Reverse((at, ..))| at.saturating_duration_since(now));
        match receiver.recv_timeout(next.min(INBOX_INTERVAL)) {
            Ok(message) => self.take(message)?,
            Err(RecvTimeoutError::Timeout) => {}
            // Cannot be: `run` holds a sender.
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        while let Ok(message) = receiver.try_recv() {
            self.take(message)?;
        }
        self.ring()
    }

    fn take(&mut self, message: Message) -> Result<(), WorkflowError> {
        self.state.check()?;
        match message {
            // `turns` looks at the token.
            Message::Cancelled => Ok(()),
            Message::StepResult { key, did, thread } => {
                self.idle.extend(thread);
                self.did(key, *did)
            }
        }
    }

    fn stop(&mut self, reason: &str) -> Result<(), WorkflowError> {
        if self.state.machine.is_stopping() {
            return Ok(());
        }
        self.state.tell(Fact::Stopping { reason: reason.to_owned() })?;
        self.running.values().for_each(|active| active.token.cancel(reason));
        Ok(())
    }

    fn at(&mut self, at: Instant, timer: Timer) {
        self.sequence += 1;
        self.timers.push(Reverse((at, self.sequence, timer)));
    }

    fn start<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        sender: &Sender<Message>,
        key: StepKey,
        attempt: u32,
        on_disk: OnDisk,
    ) where
        's: 'scope,
    {
        let token = CancelToken::new();
        if let Some(timeout) = self.steps.timeout(&key) {
            self.at(Instant::now() + timeout, Timer::StepTimeout(key.clone(), attempt));
        }
        self.running.insert(key.clone(), Active { token: token.clone(), attempt, late: None });
        let (item, name) = (self.steps.item(&key), self.state.step_ref(&key));
        let (thread, works) = channel();
        let mut work = Work { key, name, attempt, item, token, on_disk, thread };
        if let Some(idle) = self.idle.pop() {
            let thread = std::mem::replace(&mut work.thread, idle.clone());
            match idle.send(work) {
                Ok(()) => return,
                // Cannot be: it waits for work.
                Err(unsent) => work = Work { thread, ..unsent.0 },
            }
        }
        let (report, steps, key) = (sender.clone(), self.steps, work.key.clone());
        let run = tracing::Span::current();
        if let Err(error) = std::thread::Builder::new().spawn_scoped(scope, move || {
            let _run = run.enter();
            let mut next = Some(work);
            while let Some(work) = next {
                if report.send(perform(steps, work)).is_err() {
                    return;
                }
                next = works.recv().ok();
            }
        }) {
            let message = format!("cannot start a thread for the step: {error}");
            let did = Box::new(StepResult::failed(FailureKind::Crash, message));
            let sent = sender.send(Message::StepResult { key, did, thread: None });
            ignore(sent.map_err(|error| error.to_string()), "the run has ended");
        }
    }

    /// The time of a job begins when the job does.
    fn watch_jobs(&mut self) {
        for (name, timeout) in self.steps.job_timeouts() {
            let is_known = self
                .timers
                .iter()
                .any(|Reverse((.., timer))| matches!(timer, Timer::JobTimeout(job) if *job == name));
            if !is_known && self.state.machine.job_runs(&name) {
                self.at(Instant::now() + timeout, Timer::JobTimeout(name));
            }
        }
    }

    fn ring(&mut self) -> Result<(), WorkflowError> {
        let now = Instant::now();
        while self.timers.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((.., timer))) = self.timers.pop() else { return Ok(()) };
            match timer {
                Timer::Due(key) => {
                    if self.state.machine.phase(&key) == Some(Phase::Paused) {
                        self.state.tell(Fact::StepDue { key })?;
                    }
                }
                Timer::StepTimeout(key, attempt) => {
                    let Some(active) = self.running.get_mut(&key) else { continue };
                    if active.attempt == attempt && active.late.is_none() {
                        let limit = self.steps.timeout(&key).unwrap_or_default();
                        let message = format!("it did not end within {}", in_words(limit));
                        active.token.cancel(&message);
                        active.late = Some(message);
                    }
                }
                Timer::JobTimeout(job) => {
                    if !self.state.machine.job_runs(&job) {
                        continue;
                    }
                    let limit = self.steps.job_timeouts().find(|(name, _)| *name == job);
                    let limit = in_words(limit.map(|(_, limit)| limit).unwrap_or_default());
                    let error = format!("job `{job}` did not end within {limit}");
                    for (key, active) in &mut self.running {
                        if key.job == job && active.late.is_none() {
                            active.token.cancel(&error);
                            active.late = Some(error.clone());
                        }
                    }
                    self.state.tell(Fact::JobTimedOut { job, error })?;
                }
            }
        }
        Ok(())
    }

    fn did(&mut self, key: StepKey, did: StepResult) -> Result<(), WorkflowError> {
        let active = self.running.remove(&key);
        let attempt = active.as_ref().map_or(1, |active| active.attempt);
        let late = active.and_then(|active| active.late);
        for pinned in self.steps.new_pins()? {
            self.state.tell(pinned)?;
        }
        match did {
            StepResult::Expanded(items) => {
                self.steps.set_items(&key, &items);
                let (job, step) = (key.job, key.step);
                self.state.tell(Fact::Expanded { job, step, items })
            }
            StepResult::Guarded => {
                let reason = crate::journal::SkipReason::Guarded;
                self.state.tell(Fact::StepSkipped { key, reason })
            }
            StepResult::Asked { prompt, timeout_ms } => {
                self.state.tell(Fact::ApprovalRequested { key, prompt, timeout_ms })
            }
            StepResult::Waits { run_id } => self.state.tell(Fact::ChildSuspended { key, run_id }),
            StepResult::Ended { mut end, views } => {
                if let (Some(late), Some(_)) = (late, &end.error) {
                    end.error = Some(late);
                    end.kind = Some(FailureKind::Timeout);
                }
                if let Some((output_id, views)) = views
                    && key.item.is_none()
                {
                    self.views.insert(key.clone(), (output_id, views));
                }
                self.ended(key, attempt, *end)
            }
        }
    }

    fn ended(&mut self, key: StepKey, attempt: u32, mut end: StepEnd) -> Result<(), WorkflowError> {
        if let (Some(error), Some(kind)) = (&end.error, end.kind) {
            let tried = self.state.machine.attempt_since_reset(&key);
            let is_expired = self.state.machine.is_stopping() || self.state.machine.is_expired(&key.job);
            if !is_expired && let Some(pause) = self.steps.retry_pause(&key, tried, kind) {
                let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                tracing::info!(job = key.job, step = key.step, tried, pause_ms, "retry");
                self.at(Instant::now() + pause, Timer::Due(key.clone()));
                let error = error.clone();
                return self.state.tell(Fact::StepRetried { key, attempt, error, kind, pause_ms });
            }
            end.allowed = end.allowed || self.steps.allows(&key, kind);
        }
        self.state.tell(Fact::StepEnded { key, end: Box::new(end) })
    }

    /// What other processes ask for.
    fn read_inbox(&mut self) -> Result<(), WorkflowError> {
        let received = self.inbox.read()?;
        for reason in received.invalid {
            self.state.log_warning(&format!("ignored an invalid request to this run: {reason}"));
        }
        for request in received.requests {
            match request {
                OwnerRequest::Cancel { reason } => self.stop(&reason)?,
                OwnerRequest::Decide { key, decision } => {
                    // The first decision counts.
                    if self.state.machine.phase(&key) == Some(Phase::Asked) {
                        self.state.tell(Fact::ApprovalDecided { key, decision })?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn perform(steps: &Steps<'_>, work: Work) -> Message {
    let Work { key, name, attempt, item, token, on_disk, thread } = work;
    let _span =
        tracing::info_span!("step", job = key.job, step = key.step, item = key.item, attempt = attempt)
            .entered();
    let during = During { attempt, cancel: &token, on_disk: &on_disk };
    let did = catch_unwind(AssertUnwindSafe(|| steps.execute(&key, &name, item.as_ref(), &during)));
    let did = did.unwrap_or_else(|_| {
        StepResult::failed(FailureKind::Invalid, "the step ended in a bug of marsh (a panic)")
    });
    Message::StepResult { key, did: Box::new(did), thread: Some(thread) }
}

fn in_words(limit: Duration) -> String {
    let millis = limit.as_millis();
    if millis.is_multiple_of(1000) { format!("{} s", millis / 1000) } else { format!("{millis} ms") }
}
