//! Recent activity: the document of `marsh summarise`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words::{NodeStatus, RunStatus};
use crate::model::MethodRunStatus;

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
    /// The method runs of the period that no workflow started, by model.
    pub method_executions: Vec<ModelActivity>,
    /// What is stored now.
    pub data: StoredData,
    /// That nothing ran and nothing is stored, when that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The method runs of one model in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelActivity {
    /// The name of the model; its id when the definition is gone.
    pub model_name: String,
    /// The type of the model.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The number of runs that succeeded.
    pub succeeded: usize,
    /// The number of runs that failed.
    pub failed: usize,
    /// The number of all runs.
    pub total: usize,
    /// The same by method.
    pub methods: Vec<MethodActivity>,
}

/// The runs of one method of a model in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MethodActivity {
    /// The name of the method.
    pub method: String,
    /// The number of runs that succeeded.
    pub succeeded: usize,
    /// The number of runs that failed.
    pub failed: usize,
    /// The number of all runs.
    pub total: usize,
    /// The runs, newest first, up to the limit.
    pub runs: Vec<MethodRunActivity>,
    /// `true` when there were more runs than the limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A method run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodRunActivity {
    /// The id of the run.
    pub id: String,
    /// The id of the definition.
    pub definition_id: String,
    /// When the run started (RFC 3339).
    pub started_at: String,
    /// How long the run took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The status of the run.
    pub status: MethodRunStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// `manual` or `model`.
    pub triggered_by: String,
}

/// How much data is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredData {
    /// The number of results.
    pub total_items: usize,
    /// The number of their versions.
    pub total_versions: usize,
    /// The number of models that have results.
    pub unique_models: usize,
    /// The same by the type of the models.
    pub by_model_type: Vec<StoredDataOfType>,
}

/// How much data is stored for models of one type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredDataOfType {
    /// The type.
    pub model_type: String,
    /// The number of results.
    pub items: usize,
    /// The number of their versions.
    pub versions: usize,
}

/// The runs of one workflow in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
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
    /// The name of the workflow, as existing scripts read it.
    pub workflow_name: String,
    /// The number of all runs.
    pub total: usize,
    /// The runs, newest first, up to the limit.
    pub runs: Vec<WorkflowRunActivity>,
    /// `true` when there were more runs than the limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// A workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowRunActivity {
    /// The id of the run.
    pub id: String,
    /// When the run started (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When the run ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// The status of the run.
    pub status: RunStatus,
    /// The first step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failed_step: Option<String>,
    /// The steps, in the order of the workflow file.
    pub steps: Vec<StepActivity>,
}

/// A step of a workflow run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepActivity {
    /// The name of the job.
    pub job_name: String,
    /// The name of the step.
    pub step_name: String,
    /// The status of the step.
    pub status: NodeStatus,
    /// How long the last attempt took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why the step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
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
