//! Carries out what the scheduler decides, and tells it what came of it.
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

use marsh_host::CancelToken;
use marsh_model::run::ArtifactView;

use super::ledger::Ledger;
use super::mail::{Mail, Mailbox};
use super::step::{Did, During, Steps};
use crate::error::WorkflowError;
use crate::event::StepRef;
use crate::journal::{Fact, Item, OnDisk, Place, StepEnd};
use crate::machine::Phase;
use crate::schema::FailureKind;

/// How often the owner looks for requests of other processes.
const MAIL_EVERY: Duration = Duration::from_millis(200);

/// Why nothing runs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    Done,
    /// Something waits for a decision.
    Suspended,
}

/// What steps left behind, with content. Items of a `forEach` are not in it: there may be thousands.
pub(super) type Views = HashMap<Place, (String, Vec<ArtifactView>)>;

enum Message {
    Did {
        place: Place,
        did: Box<Did>,
        /// The thread that did it, ready for another.
        thread: Option<Sender<Work>>,
    },
    Cancelled,
}

/// A step on its way to a thread.
struct Work {
    place: Place,
    name: StepRef,
    attempt: u32,
    item: Option<Item>,
    token: CancelToken,
    on_disk: OnDisk,
    /// Where the thread that gets this takes work from. It keeps none for itself: it ends when nobody has one.
    thread: Sender<Work>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    StepTimeout(Place, u32),
    JobTimeout(String),
    Due(Place),
}

struct Active {
    token: CancelToken,
    attempt: u32,
    /// It was stopped because its time was over.
    late: Option<String>,
}

pub(super) struct Driver<'a, 'l, 's> {
    ledger: &'l mut Ledger<'a>,
    steps: &'s Steps<'s>,
    cancel: &'s CancelToken,
    mailbox: Mailbox,
    timers: BinaryHeap<Reverse<(Instant, u64, Timer)>>,
    sequence: u64,
    running: HashMap<Place, Active>,
    /// Threads whose step has ended.
    idle: Vec<Sender<Work>>,
    pub views: Views,
}

impl<'a, 'l, 's> Driver<'a, 'l, 's> {
    pub fn new(
        ledger: &'l mut Ledger<'a>,
        steps: &'s Steps<'s>,
        cancel: &'s CancelToken,
        mailbox: Mailbox,
    ) -> Driver<'a, 'l, 's> {
        Driver {
            ledger,
            steps,
            cancel,
            mailbox,
            timers: BinaryHeap::new(),
            sequence: 0,
            running: HashMap::new(),
            idle: Vec::new(),
            views: HashMap::new(),
        }
    }

    /// Runs until nothing runs.
    pub fn run(&mut self) -> Result<Rest, WorkflowError> {
        let (sender, receiver) = channel();
        let on_cancel = sender.clone();
        // The run may have ended by then, and nobody listens.
        let subscription = self.cancel.on_cancel(move |_| drop(on_cancel.send(Message::Cancelled)));
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
            let starts = self.ledger.decide(true)?;
            let on_disk = self.ledger.settle()?;
            for (place, attempt) in starts {
                self.start(scope, sender, place, attempt, on_disk.clone());
            }
            self.watch_jobs();
            self.read_mail()?;
            let is_idle = self.running.is_empty() && self.ledger.machine.places(Phase::Paused).is_empty();
            if is_idle {
                // The mail may have decided something.
                let starts = self.ledger.machine.clone().decide(true);
                if starts.is_empty() {
                    self.ledger.settle()?;
                    return Ok(if self.ledger.machine.is_done() { Rest::Done } else { Rest::Suspended });
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
            self.timers.peek().map_or(MAIL_EVERY, |Reverse((at, ..))| at.saturating_duration_since(now));
        match receiver.recv_timeout(next.min(MAIL_EVERY)) {
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
        self.ledger.check()?;
        match message {
            // `turns` looks at the token.
            Message::Cancelled => Ok(()),
            Message::Did { place, did, thread } => {
                self.idle.extend(thread);
                self.did(place, *did)
            }
        }
    }

    fn stop(&mut self, reason: &str) -> Result<(), WorkflowError> {
        if self.ledger.machine.is_stopping() {
            return Ok(());
        }
        self.ledger.tell(Fact::Stopping { reason: reason.to_owned() })?;
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
        place: Place,
        attempt: u32,
        on_disk: OnDisk,
    ) where
        's: 'scope,
    {
        let token = CancelToken::new();
        if let Some(timeout) = self.steps.timeout(&place) {
            self.at(Instant::now() + timeout, Timer::StepTimeout(place.clone(), attempt));
        }
        self.running.insert(place.clone(), Active { token: token.clone(), attempt, late: None });
        let (item, name) = (self.steps.item(&place), self.ledger.step_ref(&place));
        let (thread, works) = channel();
        let mut work = Work { place, name, attempt, item, token, on_disk, thread };
        if let Some(idle) = self.idle.pop() {
            let thread = std::mem::replace(&mut work.thread, idle.clone());
            match idle.send(work) {
                Ok(()) => return,
                // Cannot be: it waits for work.
                Err(unsent) => work = Work { thread, ..unsent.0 },
            }
        }
        let (report, steps, place) = (sender.clone(), self.steps, work.place.clone());
        if let Err(error) = std::thread::Builder::new().spawn_scoped(scope, move || {
            let mut next = Some(work);
            while let Some(work) = next {
                if report.send(perform(steps, work)).is_err() {
                    return;
                }
                next = works.recv().ok();
            }
        }) {
            let message = format!("cannot start a thread for the step: {error}");
            let did = Box::new(Did::failed(FailureKind::Crash, message));
            drop(sender.send(Message::Did { place, did, thread: None }));
        }
    }

    /// The time of a job begins when the job does.
    fn watch_jobs(&mut self) {
        for (name, timeout) in self.steps.job_timeouts() {
            let is_known = self
                .timers
                .iter()
                .any(|Reverse((.., timer))| matches!(timer, Timer::JobTimeout(job) if *job == name));
            if !is_known && self.ledger.machine.job_runs(&name) {
                self.at(Instant::now() + timeout, Timer::JobTimeout(name));
            }
        }
    }

    fn ring(&mut self) -> Result<(), WorkflowError> {
        let now = Instant::now();
        while self.timers.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((.., timer))) = self.timers.pop() else { return Ok(()) };
            match timer {
                Timer::Due(place) => {
                    if self.ledger.machine.phase(&place) == Some(Phase::Paused) {
                        self.ledger.tell(Fact::StepDue { place })?;
                    }
                }
                Timer::StepTimeout(place, attempt) => {
                    let Some(active) = self.running.get_mut(&place) else { continue };
                    if active.attempt == attempt && active.late.is_none() {
                        let limit = self.steps.timeout(&place).unwrap_or_default();
                        let message = format!("it did not end within {}", in_words(limit));
                        active.token.cancel(&message);
                        active.late = Some(message);
                    }
                }
                Timer::JobTimeout(job) => {
                    if !self.ledger.machine.job_runs(&job) {
                        continue;
                    }
                    let limit = self.steps.job_timeouts().find(|(name, _)| *name == job);
                    let limit = in_words(limit.map(|(_, limit)| limit).unwrap_or_default());
                    let error = format!("job `{job}` did not end within {limit}");
                    for (place, active) in &mut self.running {
                        if place.job == job && active.late.is_none() {
                            active.token.cancel(&error);
                            active.late = Some(error.clone());
                        }
                    }
                    self.ledger.tell(Fact::JobTimedOut { job, error })?;
                }
            }
        }
        Ok(())
    }

    fn did(&mut self, place: Place, did: Did) -> Result<(), WorkflowError> {
        let active = self.running.remove(&place);
        let attempt = active.as_ref().map_or(1, |active| active.attempt);
        let late = active.and_then(|active| active.late);
        for pinned in self.steps.new_pins() {
            self.ledger.tell(pinned)?;
        }
        match did {
            Did::Expanded(items) => {
                self.steps.set_items(&place, &items);
                let (job, step) = (place.job, place.step);
                self.ledger.tell(Fact::Expanded { job, step, items })
            }
            Did::Guarded => {
                let reason = crate::journal::SkipReason::Guarded;
                self.ledger.tell(Fact::StepSkipped { place, reason })
            }
            Did::Asked { prompt, timeout_ms } => {
                self.ledger.tell(Fact::ApprovalRequested { place, prompt, timeout_ms })
            }
            Did::Waits { run_id } => self.ledger.tell(Fact::ChildSuspended { place, run_id }),
            Did::Ended { mut end, views } => {
                if let (Some(late), Some(_)) = (late, &end.error) {
                    end.error = Some(late);
                    end.kind = Some(FailureKind::Timeout);
                }
                if let Some((output_id, views)) = views
                    && place.item.is_none()
                {
                    self.views.insert(place.clone(), (output_id, views));
                }
                self.ended(place, attempt, *end)
            }
        }
    }

    fn ended(&mut self, place: Place, attempt: u32, mut end: StepEnd) -> Result<(), WorkflowError> {
        if let (Some(error), Some(kind)) = (&end.error, end.kind) {
            let tried = self.ledger.machine.attempt_since_reset(&place);
            let is_expired = self.ledger.machine.is_stopping() || self.ledger.machine.is_expired(&place.job);
            if !is_expired && let Some(pause) = self.steps.retry_pause(&place, tried, kind) {
                let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                self.at(Instant::now() + pause, Timer::Due(place.clone()));
                let error = error.clone();
                return self.ledger.tell(Fact::StepRetried { place, attempt, error, kind, pause_ms });
            }
            end.allowed = end.allowed || self.steps.allows(&place, kind);
        }
        self.ledger.tell(Fact::StepEnded { place, end: Box::new(end) })
    }

    /// What other processes ask for.
    fn read_mail(&mut self) -> Result<(), WorkflowError> {
        for mail in self.mailbox.read()? {
            match mail {
                Mail::Cancel { reason } => self.stop(&reason)?,
                Mail::Decide { place, decision } => {
                    // The first decision counts.
                    if self.ledger.machine.phase(&place) == Some(Phase::Asked) {
                        self.ledger.tell(Fact::ApprovalDecided { place, decision })?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn perform(steps: &Steps<'_>, work: Work) -> Message {
    let Work { place, name, attempt, item, token, on_disk, thread } = work;
    let during = During { attempt, cancel: &token, on_disk: &on_disk };
    let did = catch_unwind(AssertUnwindSafe(|| steps.execute(&place, &name, item.as_ref(), &during)));
    let did = did
        .unwrap_or_else(|_| Did::failed(FailureKind::Invalid, "the step ended in a bug of marsh (a panic)"));
    Message::Did { place, did: Box::new(did), thread: Some(thread) }
}

fn in_words(limit: Duration) -> String {
    let millis = limit.as_millis();
    if millis.is_multiple_of(1000) { format!("{} s", millis / 1000) } else { format!("{millis} ms") }
}
