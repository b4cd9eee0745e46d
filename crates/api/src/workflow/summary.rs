//! Recent activity: the document of `marsh summarise`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Recent activity: the document of `marsh summarise`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivitySummary {
    /// The start of the period (RFC 3339).
    pub since: String,
    /// The number of workflow runs that started in the period.
    pub workflow_runs: usize,
    /// The same by workflow, in the order of their names.
    pub workflows: Vec<WorkflowActivity>,
    /// The last workflow runs that failed, newest first, up to the limit.
    pub failures: Vec<FailedRun>,
    /// The number of steps that wait for an approval now.
    pub approvals: usize,
    /// The number of method runs that started in the period.
    pub method_runs: usize,
    /// The number of them that failed.
    pub method_failures: usize,
}

/// The runs of one workflow in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowActivity {
    /// The name of the workflow.
    pub name: String,
    /// The number of runs that succeeded.
    pub succeeded: usize,
    /// The number of runs that failed.
    pub failed: usize,
    /// The number of runs that were cancelled.
    pub cancelled: usize,
    /// The number of runs that have not ended.
    pub open: usize,
}

/// A workflow run that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedRun {
    /// The id of the run.
    pub run_id: String,
    /// The name of the workflow.
    pub workflow_name: String,
    /// When the run started (RFC 3339).
    pub started_at: Option<String>,
    /// The first step that failed.
    pub failed_step: Option<String>,
    /// Why that step failed.
    pub failure_reason: Option<String>,
}
