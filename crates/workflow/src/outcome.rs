//! What a run ended with, with the content of its results.

use std::collections::HashMap;
use std::path::PathBuf;

use marsh_model::run::ArtifactView;
use marsh_model::run::reports::ReportOutcome;
use serde_json::{Map, Value, json};

use crate::journal::{AssertResult, Place, SkipReason};
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
        mut views: HashMap<Place, (String, Vec<ArtifactView>)>,
    ) -> WorkflowOutcome {
        let jobs = record.jobs.iter().map(|job| JobOutcome {
            name: job.job_name.clone(),
            status: job.status,
            duration_ms: job.duration_ms(),
            steps: job
                .steps
                .iter()
                .map(|step| {
                    let place = Place { job: job.job_name.clone(), step: step.step_name.clone(), item: None };
                    step_outcome(step, views.remove(&place))
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

    /// The first step that waits for somebody.
    fn approval_required(&self) -> Option<Value> {
        if self.status != RunStatus::Suspended {
            return None;
        }
        let mut steps = self.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
        let (job, step) = steps.find(|(_, step)| step.status == NodeStatus::WaitingApproval)?;
        Some(json!({ "jobId": job.name, "stepId": step.name, "prompt": step.approval_prompt }))
    }

    /// The `--json` document of `workflow run`.
    pub fn to_json(&self) -> Value {
        let record = &self.record;
        let mut document = json!({
            "id": record.id,
            "workflowId": record.workflow_id,
            "workflowName": record.workflow_name,
            "inputs": record.inputs,
            "status": self.status,
            "jobs": self.jobs.iter().map(JobOutcome::to_json).collect::<Vec<_>>(),
            "duration": self.duration_ms,
            "path": self.path,
            "initiatedBy": record.initiated_by,
            "approvalRequired": self.approval_required(),
            "failedStep": record.failed_step,
            "failureReason": record.failure_reason,
            "cancelReason": record.tags.get("cancel_reason"),
        });
        drop_nulls(&mut document);
        document
    }
}

impl JobOutcome {
    fn to_json(&self) -> Value {
        let mut document = json!({
            "name": self.name,
            "status": self.status,
            "steps": self.steps.iter().map(StepOutcome::to_json).collect::<Vec<_>>(),
            "duration": self.duration_ms,
        });
        drop_nulls(&mut document);
        document
    }
}

impl StepOutcome {
    fn to_json(&self) -> Value {
        let mut artifacts: Vec<Value> = self.artifacts.iter().map(artifact).collect();
        artifacts.extend(
            self.references
                .iter()
                .map(|found| json!({ "id": found.data_id, "name": found.name, "version": found.version })),
        );
        let mut document = json!({
            "name": self.name,
            "status": self.status,
            "error": self.error,
            "duration": self.duration_ms,
            "outputId": self.output_id,
            "dataArtifacts": if artifacts.is_empty() { Value::Null } else { Value::from(artifacts) },
            "allowedFailure": if self.allowed_failure { Value::Bool(true) } else { Value::Null },
            "reason": self.skip_reason,
            "assertResult": self.assert,
            "attempts": self.attempts,
            "runId": self.nested,
        });
        drop_nulls(&mut document);
        document
    }
}

fn artifact(view: &ArtifactView) -> Value {
    let mut document = json!({
        "id": view.metadata.id,
        "name": view.metadata.name,
        "version": view.metadata.version,
        "path": view.path,
    });
    drop_nulls(&mut document);
    if let (Some(attributes), Some(map)) = (&view.attributes, document.as_object_mut()) {
        map.insert("attributes".into(), attributes.clone());
    }
    document
}

/// Absent is absent, not null; the values themselves are not looked into.
fn drop_nulls(document: &mut Value) {
    if let Some(map) = document.as_object_mut() {
        let kept: Map<String, Value> =
            std::mem::take(map).into_iter().filter(|(_, value)| !value.is_null()).collect();
        *map = kept;
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
