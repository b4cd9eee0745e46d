//! Which step runs when.
//!
//! * A job or a step is *decided* when it succeeded, failed or was skipped. Whatever depends on others is looked at when
//!   all of them are decided, and not later: nothing waits for siblings that it does not depend on
//!   (`a_slow_sibling_delays_nobody`).
//! * All entries of `dependsOn` must hold. If one does not, the job or step is skipped, which decides it, so that what
//!   depends on it is looked at in turn (`skips_travel_by_conditions`).
//! * **A failed step stops nothing by itself.** Steps that depend on it run if their conditions say so, so a step with
//!   `failed`, `completed` or `always` handles the failure (`handlers_in_the_same_job_run`; other implementations end the
//!   job first, so that such handlers never run); steps without any dependency on it go on. What is left undone is only what
//!   asked for success. The job fails all the same, unless the step has `allowFailure`.
//! * Ready steps start in the order of job weight, job name, step weight, step name, within three limits: jobs at once,
//!   steps at once in a job, and steps at once in the run (`limits_hold`).
//! * Cancellation starts nothing new, skips what has not started, and waits for what runs, which gets the same token. A
//!   run whose steps were all done before is not cancelled (`cancellation_*`).
//!
//! One thread decides everything and owns all state; steps run on threads of their own and report through a channel.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use marsh_host::CancelToken;

use super::plan::{Dependency, Plan};
use crate::record::SkipReason;
use crate::schema::Decided;

/// Runs one step to its end. Called on a thread of the step's own.
pub(crate) trait StepExecutor: Sync {
    type Output: Send + 'static;
    fn execute(&self, job: usize, step: usize) -> Finished<Self::Output>;
}

/// How a step ended.
#[derive(Debug)]
pub(crate) struct Finished<O> {
    pub output: Option<O>,
    /// `None`: it succeeded.
    pub error: Option<String>,
    /// It ended because the run was cancelled.
    pub interrupted: bool,
}

/// What the scheduler decided.
#[derive(Debug)]
pub(crate) enum Change<O> {
    JobStarted(usize),
    JobEnded { job: usize, succeeded: bool },
    JobSkipped { job: usize, reason: SkipReason },
    StepStarted { job: usize, step: usize },
    StepEnded { job: usize, step: usize, finished: Finished<O>, allowed: bool },
    StepSkipped { job: usize, step: usize, reason: SkipReason },
}

/// Hears of every change, on the scheduler's thread.
pub(crate) trait Progress<O> {
    fn change(&mut self, change: Change<O>);
    /// Everything that follows from the last event was told. Steps that were told to start do so after this.
    fn settled(&mut self);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Decided(Decided),
}

impl State {
    fn decided(self) -> Option<Decided> {
        match self {
            State::Decided(decided) => Some(decided),
            _ => None,
        }
    }
}

enum Message<O> {
    Ended { job: usize, step: usize, finished: Finished<O> },
    Cancelled,
}

/// Runs the plan. Returns the reason if cancellation kept anything from being done.
pub(crate) fn run<E: StepExecutor>(
    plan: &Plan,
    executor: &E,
    cancel: &CancelToken,
    progress: &mut dyn Progress<E::Output>,
) -> Option<String> {
    let (sender, receiver) = channel();
    let on_cancel = sender.clone();
    // The run may have ended by then, and nobody listens.
    let subscription = cancel.on_cancel(move |_| drop(on_cancel.send(Message::Cancelled)));
    let mut schedule = Schedule::new(plan, cancel);
    std::thread::scope(|scope| schedule.drive(scope, executor, &sender, &receiver, progress));
    drop(subscription);
    if schedule.cut_short { Some(cancel.reason().unwrap_or_else(|| "cancelled".into())) } else { None }
}

struct Schedule<'a> {
    plan: &'a Plan,
    cancel: &'a CancelToken,
    jobs: Vec<State>,
    steps: Vec<Vec<State>>,
    /// Per job: whether a step failed that was not allowed to, or could not run because of cancellation.
    spoiled: Vec<bool>,
    /// All steps in the order in which they start when ready.
    order: Vec<(usize, usize)>,
    job_order: Vec<usize>,
    running: usize,
    cut_short: bool,
}

impl<'a> Schedule<'a> {
    fn new(plan: &'a Plan, cancel: &'a CancelToken) -> Schedule<'a> {
        let jobs = &plan.jobs;
        let mut job_order: Vec<usize> = (0..jobs.len()).collect();
        job_order.sort_by(|&a, &b| {
            jobs[a].weight.total_cmp(&jobs[b].weight).then_with(|| jobs[a].name.cmp(&jobs[b].name))
        });
        let mut order = Vec::new();
        for &job in &job_order {
            let steps = &jobs[job].steps;
            let mut step_order: Vec<usize> = (0..steps.len()).collect();
            step_order.sort_by(|&a, &b| {
                steps[a].weight.total_cmp(&steps[b].weight).then_with(|| steps[a].name.cmp(&steps[b].name))
            });
            order.extend(step_order.into_iter().map(|step| (job, step)));
        }
        Schedule {
            plan,
            cancel,
            jobs: vec![State::Waiting; jobs.len()],
            steps: jobs.iter().map(|job| vec![State::Waiting; job.steps.len()]).collect(),
            spoiled: vec![false; jobs.len()],
            order,
            job_order,
            running: 0,
            cut_short: false,
        }
    }

    fn drive<'scope, 'env, E: StepExecutor>(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        executor: &'env E,
        sender: &Sender<Message<E::Output>>,
        receiver: &Receiver<Message<E::Output>>,
        progress: &mut dyn Progress<E::Output>,
    ) where
        E::Output: 'scope,
    {
        loop {
            let starting = self.settle(progress);
            progress.settled();
            for (job, step) in starting {
                let report = sender.clone();
                let work = move || {
                    let finished = catch_unwind(AssertUnwindSafe(|| executor.execute(job, step)))
                        .unwrap_or_else(|_| failed("the step ended in a bug of marsh (a panic)"));
                    drop(report.send(Message::Ended { job, step, finished }));
                };
                if let Err(error) = std::thread::Builder::new().spawn_scoped(scope, work) {
                    let finished = failed(&format!("cannot start a thread for the step: {error}"));
                    drop(sender.send(Message::Ended { job, step, finished }));
                }
            }
            if self.running == 0 {
                return;
            }
            match receiver.recv() {
                Ok(Message::Ended { job, step, finished }) => self.ended(job, step, finished, progress),
                // `settle` looks at the token.
                Ok(Message::Cancelled) => {}
                // Cannot be: we hold a sender.
                Err(_) => return,
            }
        }
    }

    fn ended<O>(&mut self, job: usize, step: usize, finished: Finished<O>, progress: &mut dyn Progress<O>) {
        self.running -= 1;
        let decided = if finished.error.is_none() { Decided::Succeeded } else { Decided::Failed };
        self.steps[job][step] = State::Decided(decided);
        // What was interrupted did not fail in a way that its author could have allowed for.
        let allowed = self.plan.jobs[job].steps[step].allow_failure && !finished.interrupted;
        if decided == Decided::Failed {
            self.cut_short |= finished.interrupted;
            self.spoiled[job] |= !allowed;
        }
        let allowed = allowed && decided == Decided::Failed;
        progress.change(Change::StepEnded { job, step, finished, allowed });
    }

    /// Decides everything that can be decided now, and returns the steps that start.
    fn settle<O>(&mut self, progress: &mut dyn Progress<O>) -> Vec<(usize, usize)> {
        if self.cancel.is_cancelled() {
            self.stop(progress);
        }
        let mut starting = Vec::new();
        loop {
            let mut changed = false;
            for at in 0..self.job_order.len() {
                changed |= self.look_at_job(self.job_order[at], progress);
            }
            for at in 0..self.order.len() {
                let (job, step) = self.order[at];
                if self.look_at_step(job, step, &mut starting, progress) {
                    changed = true;
                }
            }
            if !changed {
                return starting;
            }
        }
    }

    /// Starts, skips or ends a job. `true`: something changed.
    fn look_at_job<O>(&mut self, job: usize, progress: &mut dyn Progress<O>) -> bool {
        match self.jobs[job] {
            State::Decided(_) => false,
            State::Running => {
                if self.steps[job].iter().any(|state| state.decided().is_none()) {
                    return false;
                }
                let succeeded = !self.spoiled[job];
                let decided = if succeeded { Decided::Succeeded } else { Decided::Failed };
                self.jobs[job] = State::Decided(decided);
                progress.change(Change::JobEnded { job, succeeded });
                true
            }
            State::Waiting => match holds(&self.plan.jobs[job].depends, &self.jobs) {
                None => false,
                Some(false) => {
                    self.skip_job(job, SkipReason::Dependency, progress);
                    true
                }
                Some(true) => {
                    let running = self.jobs.iter().filter(|state| **state == State::Running).count();
                    if self.plan.max_jobs.is_some_and(|max| running >= max) {
                        return false;
                    }
                    self.jobs[job] = State::Running;
                    progress.change(Change::JobStarted(job));
                    true
                }
            },
        }
    }

    fn look_at_step<O>(
        &mut self,
        job: usize,
        step: usize,
        starting: &mut Vec<(usize, usize)>,
        progress: &mut dyn Progress<O>,
    ) -> bool {
        if self.jobs[job] != State::Running || self.steps[job][step] != State::Waiting {
            return false;
        }
        match holds(&self.plan.jobs[job].steps[step].depends, &self.steps[job]) {
            None => false,
            Some(false) => {
                self.steps[job][step] = State::Decided(Decided::Skipped);
                progress.change(Change::StepSkipped { job, step, reason: SkipReason::Dependency });
                true
            }
            Some(true) => {
                if !self.has_room(job, step) {
                    return false;
                }
                self.steps[job][step] = State::Running;
                self.running += 1;
                starting.push((job, step));
                progress.change(Change::StepStarted { job, step });
                true
            }
        }
    }

    /// Whether the step may join those that run. Within a job, the smallest cap of those that run together counts.
    fn has_room(&self, job: usize, step: usize) -> bool {
        if self.plan.max_steps.is_some_and(|max| self.running >= max) {
            return false;
        }
        let steps = &self.plan.jobs[job].steps;
        let running: Vec<usize> =
            (0..steps.len()).filter(|&other| self.steps[job][other] == State::Running).collect();
        let cap = running.iter().chain([&step]).filter_map(|&one| steps[one].cap).min();
        cap.is_none_or(|cap| running.len() < cap)
    }

    fn skip_job<O>(&mut self, job: usize, reason: SkipReason, progress: &mut dyn Progress<O>) {
        for step in 0..self.steps[job].len() {
            self.steps[job][step] = State::Decided(Decided::Skipped);
            progress.change(Change::StepSkipped { job, step, reason });
        }
        self.jobs[job] = State::Decided(Decided::Skipped);
        progress.change(Change::JobSkipped { job, reason });
    }

    /// Skips all that has not started.
    fn stop<O>(&mut self, progress: &mut dyn Progress<O>) {
        for job in 0..self.jobs.len() {
            match self.jobs[job] {
                State::Decided(_) => {}
                State::Waiting => {
                    self.cut_short = true;
                    self.skip_job(job, SkipReason::Cancelled, progress);
                }
                State::Running => {
                    for step in 0..self.steps[job].len() {
                        if self.steps[job][step] == State::Waiting {
                            self.cut_short = true;
                            self.spoiled[job] = true;
                            self.steps[job][step] = State::Decided(Decided::Skipped);
                            progress.change(Change::StepSkipped { job, step, reason: SkipReason::Cancelled });
                        }
                    }
                }
            }
        }
    }
}

/// `None` while one of the dependencies is not decided.
fn holds(depends: &[Dependency], states: &[State]) -> Option<bool> {
    let mut all = true;
    for dependency in depends {
        all &= dependency.condition.holds(states[dependency.on].decided()?);
    }
    Some(all)
}

fn failed<O>(message: &str) -> Finished<O> {
    Finished { output: None, error: Some(message.to_owned()), interrupted: false }
}
