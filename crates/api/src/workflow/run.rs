//! Runs: the documents of `workflow run` and `workflow resume`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words::{AssertResult, NodeStatus, Object, RunStatus, SkipReason};
use crate::report::ReportResult;

/// What `workflow run` prints: one run, or one for each item of standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WorkflowRunDocument {
    /// Several items on standard input. The last one can be an error.
    Several(Vec<WorkflowRunItem>),
    /// One run.
    One(Box<WorkflowRun>),
}

/// One item of several: a run, or why it did not start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WorkflowRunItem {
    /// It ran.
    Run(Box<WorkflowRun>),
    /// It did not start.
    Error(crate::error::ErrorDocument),
}

/// A run of a workflow: the document of `workflow resume`, and of `workflow run` for one set of inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowRun {
    /// The id of the run.
    pub id: String,
    /// The id of the workflow.
    pub workflow_id: String,
    /// The name of the workflow.
    pub workflow_name: String,
    /// The inputs of the run, with defaults. Secrets are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Object>,
    /// The status of the run.
    pub status: RunStatus,
    /// The jobs, in the order of the workflow file.
    pub jobs: Vec<WorkflowRunJob>,
    /// Milliseconds from start to end; 0 for a run that has not ended.
    pub duration: u64,
    /// The path of the record of the run.
    pub path: String,
    /// Who or what started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
    /// The first step that waits for an approval, for a suspended run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_required: Option<ApprovalRequired>,
    /// The first step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<String>,
    /// Why that step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Why the run was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<String>,
    /// The reports on the run, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BTreeMap<String, ReportResult>")]
    pub reports: Option<BTreeMap<String, ReportResult>>,
}

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowRunJob {
    /// The name of the job.
    pub name: String,
    /// The status of the job.
    pub status: NodeStatus,
    /// The steps, in the order of the workflow file; a step with `forEach` is replaced by its items.
    pub steps: Vec<WorkflowRunStep>,
    /// Milliseconds from start to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowRunStep {
    /// The name of the step.
    pub name: String,
    /// The status of the step.
    pub status: NodeStatus,
    /// Why the step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Milliseconds from start to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// The id of the record of the method run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_id: Option<String>,
    /// The data versions that the step wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_artifacts: Option<Vec<WorkflowRunArtifact>>,
    /// `true` for a failure that the workflow allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_failure: Option<bool>,
    /// Why the step was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SkipReason>,
    /// The result, for an assert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assert_result: Option<AssertResult>,
    /// The number of attempts, when there was more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The id of the nested run, for a step that runs a workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// A data version that a step wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowRunArtifact {
    /// The id of the data.
    pub id: String,
    /// The name of the data.
    pub name: String,
    /// The number of the version, from 1.
    pub version: u32,
    /// The path of the content. Absent for a step that ran in an earlier process, and for items of a `forEach`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The content of a resource, under the same condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Value>,
}

/// A step that waits for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRequired {
    /// The name of the job.
    pub job_id: String,
    /// The name of the step.
    pub step_id: String,
    /// The question.
    pub prompt: Option<String>,
}
