//! What follows from the state.

use super::plan::Dependency;
use super::state::{Job, Machine, Phase, Step};
use crate::journal::{Fact, SkipReason, StepKey};
use crate::schema::Decided;

impl Machine<'_> {
    /// All facts that follow from the state, already applied: jobs that start and end, steps that start and are skipped. The
    /// caller starts the steps. Without `may_start`, no step starts.
    pub fn decide(&mut self, may_start: bool) -> Vec<Fact> {
        let mut decided = Vec::new();
        if self.stopping.is_some() {
            self.skip_rest(None, SkipReason::Cancelled, &mut decided);
        }
        for job in 0..self.jobs.len() {
            if self.jobs[job].expired {
                self.skip_rest(Some(job), SkipReason::Timeout, &mut decided);
            }
        }
        loop {
            let before = decided.len();
            for at in 0..self.job_order.len() {
                self.look_at_job(self.job_order[at], &mut decided);
            }
            for at in 0..self.order.len() {
                let (job, step) = self.order[at];
                self.look_at_step(job, step, may_start, &mut decided);
            }
            if decided.len() == before {
                return decided;
            }
        }
    }

    fn found(&mut self, fact: Fact, decided: &mut Vec<Fact>) {
        self.apply(&fact);
        decided.push(fact);
    }

    fn look_at_job(&mut self, job: usize, decided: &mut Vec<Fact>) {
        let name = || self.plan.jobs[job].name.clone();
        match self.jobs[job].phase {
            Phase::Running => {
                let state = &self.jobs[job];
                if state.steps.iter().any(|step| step.phase.decided().is_none()) {
                    return;
                }
                let spoiled = state.cut_short || state.expired || state.steps.iter().any(|step| step.spoiled);
                self.found(Fact::JobEnded { job: name(), succeeded: !spoiled }, decided);
            }
            Phase::Waiting => match holds(&self.plan.jobs[job].depends, |on| self.jobs[on].phase) {
                None => {}
                Some(false) => self.skip_job(job, SkipReason::Dependency, decided),
                Some(true) => {
                    let running = |job: &&Job| job.phase == Phase::Running;
                    let running = self.jobs.iter().filter(running).count();
                    if self.plan.max_jobs.is_none_or(|max| running < max) {
                        self.found(Fact::JobStarted { job: name() }, decided);
                    }
                }
            },
            _ => {}
        }
    }

    fn look_at_step(&mut self, job: usize, step: usize, may_start: bool, decided: &mut Vec<Fact>) {
        if self.jobs[job].phase != Phase::Running {
            return;
        }
        let state = &self.jobs[job].steps[step];
        if state.for_each.is_some() {
            while may_start && self.has_room(job, step) {
                let for_each = self.jobs[job].steps[step].for_each.as_ref();
                let Some(item) = for_each.and_then(|for_each| for_each.waiting.front().copied()) else {
                    return;
                };
                let key = self.plan.key(job, step, Some(item));
                let attempt = self.attempt(&key);
                self.found(Fact::StepStarted { key, attempt }, decided);
            }
            return;
        }
        if state.phase != Phase::Waiting {
            return;
        }
        let depends = &self.plan.jobs[job].steps[step].depends;
        let key = self.plan.key(job, step, None);
        match holds(depends, |on| self.jobs[job].steps[on].phase) {
            None => {}
            Some(false) => {
                self.found(Fact::StepSkipped { key, reason: SkipReason::Dependency }, decided);
            }
            Some(true) if may_start && self.has_room(job, step) => {
                let attempt = self.attempt(&key);
                self.found(Fact::StepStarted { key, attempt }, decided);
            }
            Some(true) => {}
        }
    }

    /// Whether one more of the step may join those that run. Within a job, the smallest cap of those that run together
    /// counts.
    fn has_room(&self, job: usize, step: usize) -> bool {
        if self.plan.max_steps.is_some_and(|max| self.running >= max) {
            return false;
        }
        let plan = &self.plan.jobs[job].steps;
        let steps = &self.jobs[job].steps;
        if plan[step].for_each
            && plan[step].cap.is_none()
            && steps[step].for_each.is_some()
            && steps[step].running >= super::FAN_OUT
        {
            return false;
        }
        let mut running = 0;
        let mut cap = plan[step].cap;
        for (state, plan) in steps.iter().zip(plan).filter(|(state, _)| state.running > 0) {
            running += state.running;
            cap = match (cap, plan.cap) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        cap.is_none_or(|cap| running < cap)
    }

    fn skip_job(&mut self, job: usize, reason: SkipReason, decided: &mut Vec<Fact>) {
        for step in 0..self.jobs[job].steps.len() {
            if self.jobs[job].steps[step].phase.decided().is_none() {
                self.skip_step(job, step, reason, decided);
            }
        }
        let name = self.plan.jobs[job].name.clone();
        self.found(Fact::JobSkipped { job: name, reason }, decided);
    }

    fn skip_step(&mut self, job: usize, step: usize, reason: SkipReason, decided: &mut Vec<Fact>) {
        let skips =
            |phase: Phase| matches!(phase, Phase::Waiting | Phase::Paused | Phase::Asked | Phase::Child);
        let Step { phase, for_each, .. } = &self.jobs[job].steps[step];
        let keys: Vec<StepKey> = match for_each {
            None if skips(*phase) => vec![self.plan.key(job, step, None)],
            None => Vec::new(),
            Some(for_each) => {
                let items = for_each.phases.iter().enumerate().filter(|(_, phase)| skips(**phase));
                items.map(|(item, _)| self.plan.key(job, step, Some(item))).collect()
            }
        };
        for key in keys {
            self.found(Fact::StepSkipped { key, reason }, decided);
        }
    }

    /// Skips all that has not started, in one job or in all.
    fn skip_rest(&mut self, only: Option<usize>, reason: SkipReason, decided: &mut Vec<Fact>) {
        for job in 0..self.jobs.len() {
            if only.is_some_and(|only| only != job) {
                continue;
            }
            match self.jobs[job].phase {
                Phase::Waiting => self.skip_job(job, reason, decided),
                Phase::Running => {
                    for step in 0..self.jobs[job].steps.len() {
                        self.skip_step(job, step, reason, decided);
                    }
                }
                _ => {}
            }
        }
    }
}

/// `None` while one of the dependencies is not decided.
fn holds(depends: &[Dependency], phase: impl Fn(usize) -> Phase) -> Option<bool> {
    let mut all = true;
    for dependency in depends {
        let decided: Decided = phase(dependency.on).decided()?;
        all &= dependency.condition.holds(decided);
    }
    Some(all)
}
