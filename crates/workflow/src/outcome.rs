//! What a run ended with, with the content of its results.

use std::collections::HashMap;
use std::path::PathBuf;

use marsh_model::run::ArtifactView;
use marsh_model::run::reports::ReportOutcome;

use crate::journal::{AssertResult, SkipReason, StepKey};
use crate::record::{DataArtifact, NodeStatus, RunRecord, RunStatus, StepRecord};

/// How a run ended, with its reports.
#[derive(Debug)]
pub struct WorkflowOutcome {
    /// The record on disk.
    pub record: RunRecord,
    /// The record's file.
    pub path: PathBuf,
    /// Its jobs, in the order of the file.
    pub jobs: Vec<JobOutcome>,
    /// How the run ended.
    pub status: RunStatus,
    /// Wall time, in milliseconds.
    pub duration_ms: u64,
    /// The reports on the run.
    pub reports: Vec<ReportOutcome>,
}

/// How a job ended.
#[derive(Debug)]
pub struct JobOutcome {
    /// The name of the job.
    pub name: String,
    /// Its state.
    pub status: NodeStatus,
    /// Wall time, in milliseconds; none if it never started.
    pub duration_ms: Option<u64>,
    /// Its steps, in the order of the file.
    pub steps: Vec<StepOutcome>,
}

/// How a step ended.
#[derive(Debug)]
pub struct StepOutcome {
    /// The name of the step, with its item if it has items.
    pub name: String,
    /// Its state.
    pub status: NodeStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// Wall time, in milliseconds; none if it never started.
    pub duration_ms: Option<u64>,
    /// It failed, and `allowFailure` let the job go on.
    pub allowed_failure: bool,
    /// Why it was skipped.
    pub skip_reason: Option<SkipReason>,
    /// The record of the method run.
    pub output_id: Option<String>,
    /// The data that it wrote.
    pub artifacts: Vec<ArtifactView>,
    /// What it wrote, where the content is not at hand: items of a `forEach`, steps of an earlier process.
    pub references: Vec<DataArtifact>,
    /// The result of its assertion.
    pub assert: Option<AssertResult>,
    /// The question that it asks, or asked.
    pub approval_prompt: Option<String>,
    /// How often its method was called; none for other steps.
    pub attempts: Option<u32>,
    /// The run of a nested workflow.
    pub nested: Option<String>,
}

impl WorkflowOutcome {
    pub(crate) fn new(
        record: RunRecord,
        path: PathBuf,
        mut views: HashMap<StepKey, (String, Vec<ArtifactView>)>,
    ) -> WorkflowOutcome {
        let jobs = record.jobs.iter().map(|job| JobOutcome {
            name: job.job_name.clone(),
            status: job.status,
            duration_ms: job.duration_ms(),
            steps: job
                .steps
                .iter()
                .map(|step| {
                    let key = StepKey { job: job.job_name.clone(), step: step.step_name.clone(), item: None };
                    step_outcome(step, views.remove(&key))
                })
                .collect(),
        });
        WorkflowOutcome {
            status: record.status,
            duration_ms: record.duration_ms().unwrap_or(0),
            jobs: jobs.collect(),
            record,
            path,
            reports: Vec::new(),
        }
    }

    /// Of a run whose results are not at hand.
    pub(crate) fn of_record(record: RunRecord, path: PathBuf) -> WorkflowOutcome {
        WorkflowOutcome::new(record, path, HashMap::new())
    }

    /// The step of that name in that job.
    pub fn step(&self, job: &str, step: &str) -> Option<&StepOutcome> {
        let job = self.jobs.iter().find(|outcome| outcome.name == job)?;
        job.steps.iter().find(|outcome| outcome.name == step)
    }
}

/// Results with their content, where this process saw them; else by name.
fn step_outcome(step: &StepRecord, views: Option<(String, Vec<ArtifactView>)>) -> StepOutcome {
    let output_id = step.output.as_ref().and_then(|output| output["outputId"].as_str()).map(str::to_owned);
    let (output_id, artifacts) = match views {
        Some((id, artifacts)) => (Some(id), artifacts),
        None => (output_id, Vec::new()),
    };
    StepOutcome {
        name: step.step_name.clone(),
        status: step.status,
        error: step.error.clone(),
        duration_ms: step.duration_ms(),
        allowed_failure: step.allowed_failure.unwrap_or(false),
        skip_reason: step.skip_reason,
        output_id,
        references: if artifacts.is_empty() { step.data_artifacts.clone() } else { Vec::new() },
        artifacts,
        assert: step.assert_result.clone(),
        approval_prompt: step.approval_prompt.clone(),
        attempts: step.attempts,
        nested: step.output.as_ref().and_then(|output| output["runId"].as_str()).map(str::to_owned),
    }
}
