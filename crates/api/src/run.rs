//! Runs of methods and workflows: the documents of `marsh run …` and `marsh model cancel`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A method of a model.
    ModelMethod,
    /// A workflow.
    Workflow,
}

/// The status of a run of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrackedStatus {
    /// A process runs it, or did until it died.
    Running,
    /// It waits for an approval; no process runs it.
    Suspended,
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl TrackedStatus {
    /// The text of the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            TrackedStatus::Running => "running",
            TrackedStatus::Suspended => "suspended",
            TrackedStatus::Completed => "completed",
            TrackedStatus::Failed => "failed",
            TrackedStatus::Cancelled => "cancelled",
        }
    }
}

/// A run of a method or a workflow. Steps of a workflow belong to its run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackedRun {
    /// The id of the run.
    pub id: String,
    /// What runs.
    pub run_kind: RunKind,
    /// The name of the definition; `null` for a workflow, and when it was deleted since.
    pub model_name: Option<String>,
    /// The type of the model; `null` for a workflow.
    pub model_type: Option<String>,
    /// The method; `null` for a workflow.
    pub method_name: Option<String>,
    /// The name of the workflow; `null` for a method.
    pub workflow_name: Option<String>,
    /// The process that runs it or ran it last.
    pub pid: Option<u32>,
    /// The machine of that process, where it is known.
    pub hostname: Option<String>,
    /// The status.
    pub status: TrackedStatus,
    /// ISO 8601.
    pub started_at: String,
    /// When it ended (ISO 8601); `null` before.
    pub completed_at: Option<String>,
    /// The last sign of life (ISO 8601).
    pub heartbeat_at: String,
    /// Whether it is recorded as running and its process is gone.
    pub stale: bool,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
}

/// The document of `run history`: the newest run first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunHistory {
    /// The runs.
    pub runs: Vec<TrackedRun>,
}

/// Which runs a history shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HistoryScope {
    /// Those of the last 24 hours.
    #[default]
    Day,
    /// Those that are recorded as running.
    Active,
    /// Every run.
    All,
}

/// The document of `run doctor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDiagnosis {
    /// The runs of the last seven days, and every one that is recorded as running.
    pub total_tracked: usize,
    /// How many a process runs.
    pub active: usize,
    /// How many lost their process, before a repair.
    pub stale: usize,
    /// How many of these the repair recorded as failed.
    pub reaped: usize,
    /// The runs that a process runs.
    pub active_runs: Vec<TrackedRun>,
    /// The runs that lost their process.
    pub stale_runs: Vec<TrackedRun>,
}

/// The document of `run gc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunsCollected {
    /// How many records of workflow runs were deleted.
    pub workflow_runs_deleted: usize,
    /// The size of their records, logs and journals in bytes.
    pub workflow_run_bytes_reclaimed: u64,
    /// How many records of method runs were deleted.
    pub outputs_deleted: usize,
    /// The size of their records and logs in bytes.
    pub output_bytes_reclaimed: u64,
    /// Both sizes.
    pub total_bytes_reclaimed: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// A method run that was asked to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelledMethodRun {
    /// The id of the run.
    pub id: String,
    /// The name of the definition.
    pub model_name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The method.
    pub method: String,
    /// `cancelled`, unless the run ended by itself before it heard of it.
    pub status: TrackedStatus,
    /// Why, for the record.
    pub reason: Option<String>,
}

/// The document of `model cancel --all`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CancelledMethodRuns {
    /// The runs, the newest first.
    pub cancelled: Vec<CancelledMethodRun>,
    /// Why, for the records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The document of `model cancel`: of one run, or with `--all` of every run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MethodCancellation {
    /// The run of one model.
    One(CancelledMethodRun),
    /// Every run.
    All(CancelledMethodRuns),
}
