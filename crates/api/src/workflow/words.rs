//! The words of runs: status, reasons, severities, and what a step recorded under them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A JSON object whose keys keep their order.
pub type Object = Map<String, Value>;

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// The run has not started.
    Pending,
    /// Steps run, or the process that ran them ended without a word.
    Running,
    /// The run waits for an approval.
    Suspended,
    /// Every job succeeded or was skipped.
    Succeeded,
    /// A job failed.
    Failed,
    /// The run was cancelled.
    Cancelled,
}

impl RunStatus {
    /// The text of the status, as documents have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            RunStatus::Pending => "pending",
            RunStatus::Running => "running",
            RunStatus::Suspended => "suspended",
            RunStatus::Succeeded => "succeeded",
            RunStatus::Failed => "failed",
            RunStatus::Cancelled => "cancelled",
        }
    }

    /// Whether the run has ended.
    pub const fn is_ended(self) -> bool {
        matches!(self, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled)
    }
}

/// The status of a job or a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    /// It has not started.
    Pending,
    /// It runs.
    Running,
    /// A user has to approve the step.
    WaitingApproval,
    /// It waits for an approval in a nested workflow.
    Suspended,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It was skipped.
    Skipped,
    /// It was cancelled. Other implementations write this status; marsh writes `failed`.
    Cancelled,
}

impl NodeStatus {
    /// The text of the status, as documents have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            NodeStatus::Pending => "pending",
            NodeStatus::Running => "running",
            NodeStatus::WaitingApproval => "waiting_approval",
            NodeStatus::Suspended => "suspended",
            NodeStatus::Succeeded => "succeeded",
            NodeStatus::Failed => "failed",
            NodeStatus::Skipped => "skipped",
            NodeStatus::Cancelled => "cancelled",
        }
    }

    /// Whether the job or step has ended.
    pub const fn is_decided(self) -> bool {
        matches!(
            self,
            NodeStatus::Succeeded | NodeStatus::Failed | NodeStatus::Skipped | NodeStatus::Cancelled
        )
    }
}

/// Why a job or a step was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// A condition on a job or step that it depends on is not met.
    Dependency,
    /// Its guard is true.
    Guarded,
    /// The run was cancelled before it started.
    Cancelled,
    /// Its job timed out before it started.
    Timeout,
}

impl SkipReason {
    /// The text of the reason, as documents have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            SkipReason::Dependency => "dependency",
            SkipReason::Guarded => "guarded",
            SkipReason::Cancelled => "cancelled",
            SkipReason::Timeout => "timeout",
        }
    }
}

/// How serious the failure of an assert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The least serious.
    Low,
    /// In between.
    Medium,
    /// The most serious; the default of an assert.
    High,
}

impl Severity {
    /// The text of the severity, as files and documents have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        }
    }
}

/// Which version of an extension's code the steps of a run use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CodePolicy {
    /// Each step uses the newest version when it starts.
    #[default]
    Follow,
    /// All steps use the version that was current when the run started, also after edits, updates, rollbacks and a resume.
    Pinned,
}

/// The result of an assert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssertResult {
    /// Whether the expression was true.
    pub passed: bool,
    /// The expression.
    pub expr: String,
    /// The message of the assert, evaluated.
    pub message: String,
    /// The severity that the workflow file gives the assert.
    pub severity: Severity,
    /// Why the expression could not be evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A user's decision about a step that waits for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalDecision {
    /// Approved, or rejected.
    pub approved: bool,
    /// The reason that the user gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The user who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When the user decided (RFC 3339).
    pub decided_at: String,
}

/// The version of a type that a step ran. Built-in types have neither fingerprint nor digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepCode {
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The version that the type declares.
    pub type_version: String,
    /// The fingerprint of the code and everything that it depends on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The SHA-256 of the bundle, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}
