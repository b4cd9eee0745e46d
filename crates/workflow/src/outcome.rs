//! What a run ended with, with the content of its results.

use std::collections::HashMap;
use std::path::PathBuf;

use marsh_model::run::ArtifactView;
use marsh_model::run::reports::ReportOutcome;

use crate::journal::{AssertResult, SkipReason, StepKey};
use crate::record::{DataArtifact, NodeStatus, RunRecord, RunStatus, StepRecord};

#[derive(Debug)]
pub struct WorkflowOutcome {
    pub record: RunRecord,
    /// The record's file.
    pub path: PathBuf,
    pub jobs: Vec<JobOutcome>,
    pub status: RunStatus,
    pub duration_ms: u64,
    /// The reports on the run.
    pub reports: Vec<ReportOutcome>,
}

#[derive(Debug)]
pub struct JobOutcome {
    pub name: String,
    pub status: NodeStatus,
    pub duration_ms: Option<u64>,
    pub steps: Vec<StepOutcome>,
}

#[derive(Debug)]
pub struct StepOutcome {
    pub name: String,
    pub status: NodeStatus,
    pub error: Option<String>,
    pub duration_ms: Option<u64>,
    pub allowed_failure: bool,
    pub skip_reason: Option<SkipReason>,
    /// The record of the method run.
    pub output_id: Option<String>,
    pub artifacts: Vec<ArtifactView>,
    /// What it wrote, where the content is not at hand: items of a `forEach`, steps of an earlier process.
    pub references: Vec<DataArtifact>,
    pub assert: Option<AssertResult>,
    pub approval_prompt: Option<String>,
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
