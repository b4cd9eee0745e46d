//! Approvals and cancellations of runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words::{Object, RunStatus};

/// Steps that wait for an approval, oldest first: the document of `workflow approvals`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PendingApprovals {
    /// The steps.
    pub approvals: Vec<PendingApproval>,
}

/// A step that waits for an approval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingApproval {
    /// The name of the workflow.
    pub workflow_name: String,
    /// The id of the run.
    pub run_id: String,
    /// The name of the job.
    pub job_name: String,
    /// The name of the step.
    pub step_name: String,
    /// When the step asked (RFC 3339).
    pub suspended_at: Option<String>,
    /// When the request expires (RFC 3339); null when it does not.
    pub expires_at: Option<String>,
    /// The question.
    pub prompt: String,
    /// The inputs of the run. Secrets are masked.
    pub inputs: Object,
}

/// A step that was approved or rejected: the document of `workflow approve` and `workflow reject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecidedApproval {
    /// The id of the run.
    pub run_id: String,
    /// The name of the workflow.
    pub workflow_name: String,
    /// The name of the step.
    pub step_name: String,
    /// Approved, or rejected.
    pub approved: bool,
    /// The user who decided.
    pub decided_by: Option<String>,
    /// The reason that the user gave.
    pub reason: Option<String>,
    /// The status of the run after the decision.
    pub run_status: RunStatus,
}

/// Runs that were cancelled: the document of `workflow cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelledRuns {
    /// The runs.
    pub cancelled: Vec<CancelledRun>,
    /// Why they were cancelled.
    pub reason: String,
}

/// A run that was cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelledRun {
    /// The id of the run.
    pub run_id: String,
    /// The name of the workflow.
    pub workflow_name: String,
    /// The status of the run after the cancellation.
    pub status: RunStatus,
}
