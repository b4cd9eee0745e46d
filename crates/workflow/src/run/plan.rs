//! A workflow as the scheduler sees it: numbers instead of names, and nothing of what steps do.

use crate::schema::{Condition, Workflow};

#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub jobs: Vec<PlanJob>,
    /// How many jobs run at once; `None`: any number.
    pub max_jobs: Option<usize>,
    /// How many steps run at once in the whole run.
    pub max_steps: Option<usize>,
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
    pub allow_failure: bool,
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
                allow_failure: step.allow_failure,
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
        Plan { jobs: jobs.collect(), max_jobs: cap(workflow.concurrency), max_steps }
    }
}
