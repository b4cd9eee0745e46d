//! A workflow as the scheduler sees it: what depends on what, how many at once, and nothing of what steps do.

use std::collections::HashMap;

use crate::journal::StepKey;
use crate::schema::{Condition, Workflow};

/// Items of a `forEach` that run at once when nothing says otherwise.
pub(crate) const FAN_OUT: usize = 16;
/// Steps of a run at once when nothing says otherwise: each has a thread.
pub(crate) const STEPS_AT_ONCE: usize = 64;

#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub jobs: Vec<PlanJob>,
    /// How many jobs run at once; `None`: any number.
    pub max_jobs: Option<usize>,
    /// How many steps run at once in the whole run.
    pub max_steps: Option<usize>,
    names: HashMap<String, (usize, HashMap<String, usize>)>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct PlanJob {
    pub name: String,
    pub weight: f64,
    pub depends: Vec<Dependency>,
    pub steps: Vec<PlanStep>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct PlanStep {
    pub name: String,
    pub weight: f64,
    pub depends: Vec<Dependency>,
    /// It stands for as many steps as its collection has items.
    pub for_each: bool,
    /// How many steps of the job may run while this one does, itself included.
    pub cap: Option<usize>,
}

/// On another job, or on another step of the job.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub on: usize,
    pub condition: Condition,
}

impl Plan {
    pub fn new(jobs: Vec<PlanJob>, max_jobs: Option<usize>, max_steps: Option<usize>) -> Plan {
        let names = jobs.iter().enumerate().map(|(at, job)| {
            let steps = job.steps.iter().enumerate().map(|(at, step)| (step.name.clone(), at)).collect();
            (job.name.clone(), (at, steps))
        });
        let names = names.collect();
        Plan { jobs, max_jobs, max_steps, names }
    }

    /// The plan of a workflow whose references were checked; one that leads nowhere is left out.
    pub fn of(workflow: &Workflow, max_steps: Option<usize>) -> Plan {
        // 0 means no limit, as absence does.
        let cap = |count: Option<u32>| {
            count.filter(|count| *count > 0).and_then(|count| usize::try_from(count).ok())
        };
        let job_at = |name: &str| workflow.jobs.iter().position(|job| job.name == name);
        let jobs = workflow.jobs.iter().map(|job| {
            let step_at = |name: &str| job.steps.iter().position(|step| step.name == name);
            let steps = job.steps.iter().map(|step| PlanStep {
                name: step.name.clone(),
                weight: step.weight,
                depends: step
                    .depends_on
                    .iter()
                    .filter_map(|entry| {
                        Some(Dependency { on: step_at(&entry.step)?, condition: entry.condition.clone() })
                    })
                    .collect(),
                for_each: step.for_each.is_some(),
                cap: cap(step.concurrency)
                    .or_else(|| cap(job.concurrency))
                    .or_else(|| cap(workflow.concurrency)),
            });
            PlanJob {
                name: job.name.clone(),
                weight: job.weight,
                depends: job
                    .depends_on
                    .iter()
                    .filter_map(|entry| {
                        Some(Dependency { on: job_at(&entry.job)?, condition: entry.condition.clone() })
                    })
                    .collect(),
                steps: steps.collect(),
            }
        });
        Plan::new(jobs.collect(), cap(workflow.concurrency), max_steps)
    }

    pub fn job(&self, name: &str) -> Option<usize> {
        self.names.get(name).map(|(at, _)| *at)
    }

    pub fn step(&self, job: &str, step: &str) -> Option<(usize, usize)> {
        let (job, steps) = self.names.get(job)?;
        Some((*job, *steps.get(step)?))
    }

    pub fn key(&self, job: usize, step: usize, item: Option<usize>) -> StepKey {
        let job = &self.jobs[job];
        StepKey { job: job.name.clone(), step: job.steps[step].name.clone(), item }
    }
}
