//! What a run ended with, with the content of its results.

use std::path::PathBuf;

use marsh_model::run::ArtifactView;
use serde_json::{Map, Value, json};

use crate::record::{JobRecord, NodeStatus, RunRecord, RunStatus, SkipReason, StepRecord};
use crate::run::Ran;

#[derive(Debug)]
pub struct WorkflowOutcome {
    pub record: RunRecord,
    /// The record's file.
    pub path: PathBuf,
    pub jobs: Vec<JobOutcome>,
    pub status: RunStatus,
    pub duration_ms: u64,
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
}

impl WorkflowOutcome {
    pub(crate) fn new(record: RunRecord, path: PathBuf, ran: Vec<Vec<Option<Ran>>>) -> WorkflowOutcome {
        let jobs = record.jobs.iter().zip(ran).map(|(job, ran)| job_outcome(job, ran)).collect();
        WorkflowOutcome {
            status: record.status,
            duration_ms: record.duration_ms().unwrap_or(0),
            jobs,
            record,
            path,
        }
    }

    pub fn step(&self, job: &str, step: &str) -> Option<&StepOutcome> {
        let job = self.jobs.iter().find(|outcome| outcome.name == job)?;
        job.steps.iter().find(|outcome| outcome.name == step)
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
        let artifacts: Vec<Value> = self.artifacts.iter().map(artifact).collect();
        let mut document = json!({
            "name": self.name,
            "status": self.status,
            "error": self.error,
            "duration": self.duration_ms,
            "outputId": self.output_id,
            "dataArtifacts": if artifacts.is_empty() { Value::Null } else { Value::from(artifacts) },
            "allowedFailure": if self.allowed_failure { Value::Bool(true) } else { Value::Null },
            "reason": self.skip_reason,
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

fn job_outcome(job: &JobRecord, ran: Vec<Option<Ran>>) -> JobOutcome {
    JobOutcome {
        name: job.job_name.clone(),
        status: job.status,
        duration_ms: job.duration_ms(),
        steps: job.steps.iter().zip(ran).map(|(step, ran)| step_outcome(step, ran)).collect(),
    }
}

fn step_outcome(step: &StepRecord, ran: Option<Ran>) -> StepOutcome {
    let (output_id, artifacts) = match ran {
        Some(ran) => (Some(ran.output_id), ran.artifacts),
        None => (None, Vec::new()),
    };
    StepOutcome {
        name: step.step_name.clone(),
        status: step.status,
        error: step.error.clone(),
        duration_ms: step.duration_ms(),
        allowed_failure: step.allowed_failure.unwrap_or(false),
        skip_reason: step.skip_reason,
        output_id,
        artifacts,
    }
}
