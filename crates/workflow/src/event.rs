//! What happens while a workflow runs.

use std::path::PathBuf;

use marsh_model::RunEvent;
use serde_json::{Map, Value, json};

use crate::journal::{AssertResult, SkipReason};
use crate::record::RunStatus;

/// A step, named as in the file; of a `forEach`, the item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRef {
    pub job: String,
    /// As the record calls it.
    pub step: String,
    /// The step of the file and the number of the item.
    pub item: Option<(String, usize)>,
}

/// What happened. Events of nested workflows come inside [`WorkflowEvent::Nested`].
#[derive(Debug, Clone)]
pub enum WorkflowEvent {
    Started {
        run_id: String,
        workflow: String,
        jobs: Vec<StartedJob>,
        log_path: PathBuf,
        resumed: bool,
    },
    JobStarted {
        job: String,
    },
    JobCompleted {
        job: String,
        succeeded: bool,
        duration_ms: u64,
    },
    JobSkipped {
        job: String,
        reason: SkipReason,
    },
    StepStarted {
        at: StepRef,
        attempt: u32,
    },
    /// A `forEach` has this many items.
    StepExpanded {
        at: StepRef,
        items: usize,
    },
    StepRetrying {
        at: StepRef,
        attempt: u32,
        error: String,
        pause_ms: u64,
    },
    StepCompleted {
        at: StepRef,
        artifacts: Vec<SavedArtifact>,
        duration_ms: u64,
    },
    StepFailed {
        at: StepRef,
        error: String,
        allowed: bool,
        duration_ms: u64,
    },
    StepSkipped {
        at: StepRef,
        reason: SkipReason,
    },
    AssertResult {
        at: StepRef,
        result: AssertResult,
    },
    ApprovalRequested {
        at: StepRef,
        run_id: String,
        prompt: String,
        timeout_ms: Option<u64>,
    },
    ApprovalDecided {
        at: StepRef,
        approved: bool,
    },
    /// A line that the method of a step printed.
    Output {
        at: StepRef,
        stream: String,
        line: String,
    },
    /// Anything else that the method run of a step tells.
    Method {
        at: StepRef,
        event: RunEvent,
    },
    /// `at` is absent when it is about the run itself.
    Warning {
        at: Option<StepRef>,
        code: &'static str,
        message: String,
    },
    Nested {
        at: StepRef,
        event: Box<WorkflowEvent>,
    },
    /// Nothing runs until somebody approves. The record is on disk.
    Suspended {
        run_id: String,
    },
    /// The record is complete and on disk.
    Completed {
        run_id: String,
        status: RunStatus,
        duration_ms: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedJob {
    pub name: String,
    pub steps: usize,
    pub depends_on: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedArtifact {
    pub name: String,
    pub version: u32,
}

/// Receives events as they happen, from several threads. It must not wait for the run.
pub trait WorkflowObserver: Sync {
    fn event(&self, event: &WorkflowEvent);
}

/// Drops everything.
#[derive(Debug)]
pub struct Silent;

impl WorkflowObserver for Silent {
    fn event(&self, _event: &WorkflowEvent) {}
}

impl WorkflowEvent {
    /// The step that it is about.
    pub fn at(&self) -> Option<&StepRef> {
        match self {
            WorkflowEvent::StepStarted { at, .. }
            | WorkflowEvent::StepExpanded { at, .. }
            | WorkflowEvent::StepRetrying { at, .. }
            | WorkflowEvent::StepCompleted { at, .. }
            | WorkflowEvent::StepFailed { at, .. }
            | WorkflowEvent::StepSkipped { at, .. }
            | WorkflowEvent::AssertResult { at, .. }
            | WorkflowEvent::ApprovalRequested { at, .. }
            | WorkflowEvent::ApprovalDecided { at, .. }
            | WorkflowEvent::Output { at, .. }
            | WorkflowEvent::Method { at, .. }
            | WorkflowEvent::Nested { at, .. } => Some(at),
            WorkflowEvent::Warning { at, .. } => at.as_ref(),
            _ => None,
        }
    }

    /// One line of `--events`: `{"kind": …, "jobId": …, "stepId": …, …}`.
    pub fn to_json(&self) -> Value {
        let mut line = Map::new();
        let (kind, rest) = self.parts();
        line.insert("kind".into(), kind.into());
        if let Some(at) = self.at() {
            line.insert("jobId".into(), at.job.clone().into());
            line.insert("stepId".into(), at.step.clone().into());
            if let Some((template, index)) = &at.item {
                line.insert("forEachTemplate".into(), template.clone().into());
                line.insert("forEachIndex".into(), (*index).into());
            }
        }
        if let Value::Object(rest) = rest {
            line.extend(rest.into_iter().filter(|(_, value)| !value.is_null()));
        }
        Value::Object(line)
    }

    fn parts(&self) -> (&'static str, Value) {
        match self {
            WorkflowEvent::Started { run_id, workflow, jobs, log_path, resumed } => {
                let jobs: Vec<Value> = jobs
                    .iter()
                    .map(|job| json!({ "id": job.name, "stepCount": job.steps, "dependsOn": job.depends_on }))
                    .collect();
                let rest = json!({
                    "runId": run_id, "workflowName": workflow, "logPath": log_path, "jobs": jobs,
                    "resumed": resumed.then_some(true),
                });
                ("started", rest)
            }
            WorkflowEvent::JobStarted { job } => ("job_started", json!({ "jobId": job })),
            WorkflowEvent::JobCompleted { job, succeeded, duration_ms } => {
                let status = if *succeeded { "succeeded" } else { "failed" };
                ("job_completed", json!({ "jobId": job, "status": status, "durationMs": duration_ms }))
            }
            WorkflowEvent::JobSkipped { job, reason } => {
                ("job_skipped", json!({ "jobId": job, "reason": reason }))
            }
            WorkflowEvent::StepStarted { attempt, .. } => {
                ("step_started", json!({ "attempt": (*attempt > 1).then_some(attempt) }))
            }
            WorkflowEvent::StepExpanded { items, .. } => ("step_expanded", json!({ "items": items })),
            WorkflowEvent::StepRetrying { attempt, error, pause_ms, .. } => {
                ("step_retrying", json!({ "attempt": attempt, "error": error, "pauseMs": pause_ms }))
            }
            WorkflowEvent::StepCompleted { artifacts, duration_ms, .. } => {
                let handles: Vec<Value> = artifacts
                    .iter()
                    .map(|artifact| json!({ "name": artifact.name, "version": artifact.version }))
                    .collect();
                ("step_completed", json!({ "dataHandles": handles, "durationMs": duration_ms }))
            }
            WorkflowEvent::StepFailed { error, allowed, duration_ms, .. } => {
                let allowed = allowed.then_some(true);
                (
                    "step_failed",
                    json!({ "error": error, "allowedFailure": allowed, "durationMs": duration_ms }),
                )
            }
            WorkflowEvent::StepSkipped { reason, .. } => ("step_skipped", json!({ "reason": reason })),
            WorkflowEvent::AssertResult { result, .. } => ("assert_result", json!(result)),
            WorkflowEvent::ApprovalRequested { run_id, prompt, timeout_ms, .. } => {
                ("approval_requested", json!({ "runId": run_id, "prompt": prompt, "timeoutMs": timeout_ms }))
            }
            WorkflowEvent::ApprovalDecided { approved, .. } => {
                ("approval_decided", json!({ "approved": approved }))
            }
            WorkflowEvent::Output { stream, line, .. } => {
                ("method_output", json!({ "stream": stream, "line": line }))
            }
            WorkflowEvent::Method { event, .. } => method_parts(event),
            WorkflowEvent::Warning { code, message, .. } => {
                ("warning", json!({ "code": code, "message": message }))
            }
            WorkflowEvent::Nested { event, .. } => ("nested", json!({ "event": event.to_json() })),
            WorkflowEvent::Suspended { run_id } => ("suspended", json!({ "runId": run_id })),
            WorkflowEvent::Completed { run_id, status, duration_ms } => {
                ("completed", json!({ "runId": run_id, "status": status, "durationMs": duration_ms }))
            }
        }
    }
}

fn method_parts(event: &RunEvent) -> (&'static str, Value) {
    match event {
        RunEvent::Resolved { model, type_name, method } => {
            ("model_resolved", json!({ "modelName": model, "modelType": type_name, "methodName": method }))
        }
        RunEvent::Executing { method, .. } => ("method_executing", json!({ "methodName": method })),
        RunEvent::Saved { name, version } => {
            ("data_artifact_saved", json!({ "name": name, "version": version }))
        }
        RunEvent::Extension(value) => ("method_event", json!({ "event": value })),
        other => ("method_event", json!({ "event": format!("{other:?}") })),
    }
}
