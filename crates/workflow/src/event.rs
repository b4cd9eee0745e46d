//! What happens while a workflow runs.

use std::path::PathBuf;

use marsh_model::RunEvent;

use crate::record::{RunStatus, SkipReason};

/// Jobs and steps are named as in the file.
#[derive(Debug, Clone)]
pub enum WorkflowEvent {
    Started {
        run_id: String,
        workflow: String,
        jobs: Vec<StartedJob>,
        log_path: PathBuf,
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
        job: String,
        step: String,
    },
    StepCompleted {
        job: String,
        step: String,
        artifacts: Vec<SavedArtifact>,
        duration_ms: u64,
    },
    StepFailed {
        job: String,
        step: String,
        error: String,
        allowed: bool,
        duration_ms: u64,
    },
    StepSkipped {
        job: String,
        step: String,
        reason: SkipReason,
    },
    /// A line that the method of a step printed.
    Output {
        job: String,
        step: String,
        stream: String,
        line: String,
    },
    /// Anything else that the method run of a step tells.
    Method {
        job: String,
        step: String,
        event: RunEvent,
    },
    /// `job` and `step` are absent when it is about the run itself.
    Warning {
        job: Option<String>,
        step: Option<String>,
        code: &'static str,
        message: String,
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
