//! The state of every job and step, and how facts change it.

use std::collections::{BTreeMap, VecDeque};

use super::plan::Plan;
use crate::journal::{Fact, StepEnd, StepKey};
use crate::record::RunStatus;
use crate::schema::{Decided, FailureKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Running,
    /// Between two tries.
    Paused,
    /// The step waits for an approval.
    Asked,
    /// The nested workflow of the step waits for an approval.
    Child,
    Decided(Decided),
}

impl Phase {
    pub fn decided(self) -> Option<Decided> {
        match self {
            Phase::Decided(decided) => Some(decided),
            _ => None,
        }
    }
}

/// The items of a step with `forEach`: a few bytes for each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ForEachState {
    pub phases: Vec<Phase>,
    /// Those that wait, in order.
    pub waiting: VecDeque<usize>,
    pub undecided: usize,
    pub failed: usize,
    pub skipped: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub phase: Phase,
    pub for_each: Option<ForEachState>,
    /// How many of it run: one, or some of its items.
    pub running: usize,
    /// Something of it failed, and was not allowed to.
    pub spoiled: bool,
    /// Tries that failed, by item; nothing for most.
    pub tries: BTreeMap<Option<usize>, u32>,
    /// Tries that every item had before the step was reset.
    pub before: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Job {
    pub phase: Phase,
    pub steps: Vec<Step>,
    /// Its time is over.
    pub expired: bool,
    /// Something of it was skipped because of a cancellation or of its time.
    pub cut_short: bool,
}

/// The state of a run. Two machines that were told the same facts are equal.
#[derive(Debug, Clone)]
pub(crate) struct Machine<'p> {
    pub(super) plan: &'p Plan,
    pub(super) jobs: Vec<Job>,
    /// All steps in the order in which they start when ready.
    pub(super) order: Vec<(usize, usize)>,
    pub(super) job_order: Vec<usize>,
    pub(super) running: usize,
    pub(super) stopping: Option<String>,
    pub(super) cut_short: bool,
}

fn fresh() -> Step {
    Step {
        phase: Phase::Waiting,
        for_each: None,
        running: 0,
        spoiled: false,
        tries: BTreeMap::new(),
        before: 0,
    }
}

impl<'p> Machine<'p> {
    pub fn new(plan: &'p Plan) -> Machine<'p> {
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
        let jobs = jobs.iter().map(|job| Job {
            phase: Phase::Waiting,
            steps: job.steps.iter().map(|_| fresh()).collect(),
            expired: false,
            cut_short: false,
        });
        Machine { plan, jobs: jobs.collect(), order, job_order, running: 0, stopping: None, cut_short: false }
    }

    /// How many steps run.
    #[cfg(test)]
    pub fn running(&self) -> usize {
        self.running
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    pub fn job_runs(&self, name: &str) -> bool {
        self.plan.job(name).is_some_and(|job| self.jobs[job].phase == Phase::Running)
    }

    /// Whether the time of a job is over.
    pub fn is_expired(&self, job: &str) -> bool {
        self.plan.job(job).is_some_and(|job| self.jobs[job].expired)
    }

    /// Whether every job is decided.
    pub fn is_done(&self) -> bool {
        self.jobs.iter().all(|job| job.phase.decided().is_some())
    }

    /// The reason if cancellation kept anything from being done.
    pub fn cut_short(&self) -> Option<&str> {
        self.cut_short.then(|| self.stopping.as_deref().unwrap_or("cancelled"))
    }

    /// What a run that is done ended as.
    pub fn status(&self) -> RunStatus {
        if self.cut_short {
            return RunStatus::Cancelled;
        }
        let good = |job: &Job| matches!(job.phase.decided(), Some(Decided::Succeeded | Decided::Skipped));
        if self.jobs.iter().all(good) { RunStatus::Succeeded } else { RunStatus::Failed }
    }

    pub fn phase(&self, key: &StepKey) -> Option<Phase> {
        let (job, step) = self.plan.step(&key.job, &key.step)?;
        let step = &self.jobs[job].steps[step];
        match (key.item, &step.for_each) {
            (Some(item), Some(for_each)) => for_each.phases.get(item).copied(),
            (Some(_), None) => None,
            (None, _) => Some(step.phase),
        }
    }

    /// The number of the next try of a step, from 1.
    pub fn attempt(&self, key: &StepKey) -> u32 {
        let Some((job, step)) = self.plan.step(&key.job, &key.step) else { return 1 };
        let step = &self.jobs[job].steps[step];
        step.tries.get(&key.item).copied().unwrap_or(step.before) + 1
    }

    /// The same, counted from the last reset: what `retry.attempts` counts.
    pub fn attempt_since_reset(&self, key: &StepKey) -> u32 {
        let before = self.plan.step(&key.job, &key.step);
        let before = before.map_or(0, |(job, step)| self.jobs[job].steps[step].before);
        self.attempt(key).saturating_sub(before)
    }

    /// Every step or item in this phase.
    pub fn keys_in(&self, wanted: Phase) -> Vec<StepKey> {
        let mut found = Vec::new();
        for (job, state) in self.jobs.iter().enumerate() {
            for (at, step) in state.steps.iter().enumerate() {
                match &step.for_each {
                    None if step.phase == wanted => found.push(self.plan.key(job, at, None)),
                    None => {}
                    Some(for_each) => {
                        let items = for_each.phases.iter().enumerate().filter(|(_, phase)| **phase == wanted);
                        found.extend(items.map(|(item, _)| self.plan.key(job, at, Some(item))));
                    }
                }
            }
        }
        found
    }

    /// Takes a fact in. Facts about jobs and steps that the workflow does not have (any more) change nothing.
    pub fn apply(&mut self, fact: &Fact) {
        match fact {
            Fact::Started(_) | Fact::Pinned { .. } | Fact::Suspended | Fact::Ended { .. } => {}
            Fact::Resumed { .. } => self.resumed(),
            Fact::Reset { steps, jobs } => self.reset(steps, jobs),
            Fact::JobStarted { job } => self.set_job(job, Phase::Running),
            Fact::JobEnded { job, succeeded } => {
                let decided = if *succeeded { Decided::Succeeded } else { Decided::Failed };
                self.set_job(job, Phase::Decided(decided));
            }
            Fact::JobSkipped { job, .. } => self.set_job(job, Phase::Decided(Decided::Skipped)),
            Fact::JobTimedOut { job, .. } => {
                if let Some(job) = self.plan.job(job) {
                    self.jobs[job].expired = true;
                }
            }
            Fact::StepStarted { key, .. } => self.set(key, Phase::Running),
            Fact::Expanded { job, step, items } => self.expanded(job, step, items.len()),
            Fact::StepRetried { key, attempt, .. } => {
                self.set(key, Phase::Paused);
                if let Some((job, step)) = self.plan.step(&key.job, &key.step) {
                    self.jobs[job].steps[step].tries.insert(key.item, *attempt);
                }
            }
            Fact::StepDue { key } => self.set(key, Phase::Waiting),
            Fact::StepEnded { key, end } => self.step_ended(key, end),
            Fact::StepSkipped { key, reason } => {
                let cut_short = matches!(
                    reason,
                    crate::journal::SkipReason::Cancelled | crate::journal::SkipReason::Timeout
                );
                if let Some(job) = self.plan.job(&key.job).filter(|_| cut_short) {
                    self.jobs[job].cut_short = true;
                }
                self.cut_short |= *reason == crate::journal::SkipReason::Cancelled;
                self.set(key, Phase::Decided(Decided::Skipped));
            }
            Fact::ApprovalRequested { key, .. } => self.set(key, Phase::Asked),
            Fact::ApprovalDecided { key, decision } => {
                if !decision.approved {
                    self.spoil(key);
                }
                let decided = if decision.approved { Decided::Succeeded } else { Decided::Failed };
                self.set(key, Phase::Decided(decided));
            }
            Fact::ChildSuspended { key, .. } => self.set(key, Phase::Child),
            Fact::Stopping { reason } => self.stopping = Some(reason.clone()),
        }
    }

    fn set_job(&mut self, name: &str, phase: Phase) {
        if let Some(job) = self.plan.job(name) {
            self.jobs[job].phase = phase;
        }
    }

    fn spoil(&mut self, key: &StepKey) {
        if let Some((job, step)) = self.plan.step(&key.job, &key.step) {
            self.jobs[job].steps[step].spoiled = true;
        }
    }

    fn step_ended(&mut self, key: &StepKey, end: &StepEnd) {
        if end.error.is_some() {
            self.cut_short |= end.kind == Some(FailureKind::Cancelled);
            if !end.allowed {
                self.spoil(key);
            }
        }
        let decided = if end.error.is_none() { Decided::Succeeded } else { Decided::Failed };
        self.set(key, Phase::Decided(decided));
    }

    /// Moves a step or an item to another phase, with everything that is counted.
    fn set(&mut self, key: &StepKey, phase: Phase) {
        let Some((job, at)) = self.plan.step(&key.job, &key.step) else { return };
        let step = &mut self.jobs[job].steps[at];
        let before = match (key.item, &step.for_each) {
            (None, _) => step.phase,
            (Some(item), Some(for_each)) => match for_each.phases.get(item) {
                Some(phase) => *phase,
                None => return,
            },
            (Some(_), None) => return,
        };
        let (was, is) = (usize::from(before == Phase::Running), usize::from(phase == Phase::Running));
        step.running = step.running + is - was.min(step.running + is);
        self.running = self.running + is - was.min(self.running + is);
        let (Some(item), Some(for_each)) = (key.item, &mut step.for_each) else {
            step.phase = phase;
            return;
        };
        for_each.phases[item] = phase;
        match (before, phase) {
            (Phase::Waiting, Phase::Waiting) => {}
            (_, Phase::Waiting) => {
                let at = for_each.waiting.partition_point(|other| *other < item);
                for_each.waiting.insert(at, item);
            }
            (Phase::Waiting, _) => match for_each.waiting.front() {
                Some(front) if *front == item => drop(for_each.waiting.pop_front()),
                _ => for_each.waiting.retain(|other| *other != item),
            },
            _ => {}
        }
        if let (None, Some(decided)) = (before.decided(), phase.decided()) {
            for_each.undecided -= 1;
            for_each.failed += usize::from(decided == Decided::Failed);
            for_each.skipped += usize::from(decided == Decided::Skipped);
            if for_each.undecided == 0 {
                step.phase = Phase::Decided(for_each.decided());
            }
        }
    }

    fn expanded(&mut self, job: &str, step: &str, items: usize) {
        let key = StepKey { job: job.to_owned(), step: step.to_owned(), item: None };
        let Some((job, at)) = self.plan.step(job, step) else { return };
        // The expansion itself was what ran.
        self.set(&key, Phase::Waiting);
        let step = &mut self.jobs[job].steps[at];
        let for_each = ForEachState {
            phases: vec![Phase::Waiting; items],
            waiting: (0..items).collect(),
            undecided: items,
            failed: 0,
            skipped: 0,
        };
        step.phase = if items == 0 { Phase::Decided(for_each.decided()) } else { Phase::Running };
        step.for_each = Some(for_each);
    }

    /// What the former owner had started and not ended is to be started again.
    fn resumed(&mut self) {
        for phase in [Phase::Running, Phase::Paused, Phase::Child] {
            for key in self.keys_in(phase) {
                self.set(&key, Phase::Waiting);
            }
        }
    }

    fn reset(&mut self, steps: &[StepKey], jobs: &[String]) {
        self.stopping = None;
        for key in steps {
            if let Some((job, step)) = self.plan.step(&key.job, &key.step) {
                let state = &mut self.jobs[job].steps[step];
                // Tries are counted on, so that nothing that a step did before is taken for what it does now.
                let before = state.tries.values().max().copied().unwrap_or(state.before) + 1;
                *state = Step { before, ..fresh() };
            }
        }
        for name in jobs {
            if let Some(job) = self.plan.job(name) {
                let job = &mut self.jobs[job];
                (job.phase, job.expired, job.cut_short) = (Phase::Waiting, false, false);
            }
        }
        self.cut_short = self.jobs.iter().any(|job| job.cut_short && !job.expired);
    }
}

impl ForEachState {
    fn decided(&self) -> Decided {
        if self.failed > 0 {
            Decided::Failed
        } else if self.skipped > 0 && self.skipped == self.phases.len() {
            Decided::Skipped
        } else {
            Decided::Succeeded
        }
    }
}

#[cfg(test)]
impl PartialEq for Machine<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.jobs == other.jobs
            && self.running == other.running
            && self.stopping == other.stopping
            && self.cut_short == other.cut_short
    }
}
