//! The records of runs: the documents of `workflow history`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words::{ApprovalDecision, AssertResult, NodeStatus, Object, RunStatus, SkipReason, StepCode};

/// The record of a run: the document of `workflow history get`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// The id of the run.
    pub id: String,
    /// The id of the workflow.
    pub workflow_id: String,
    /// The name of the workflow when the run started.
    pub workflow_name: String,
    /// The status of the run.
    pub status: RunStatus,
    /// When the run started (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When the run ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// How long the run took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// The jobs, in the order of the workflow file.
    pub jobs: Vec<JobRecord>,
    /// The tags of the run.
    #[schemars(with = "BTreeMap<String, String>")]
    pub tags: Object,
    /// The process that ran it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The path of the log, relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_file: Option<String>,
    /// Data of the run itself. Other implementations write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_data_artifacts: Option<Value>,
    /// The inputs of the run, with defaults. Secrets are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Object>,
    /// The names of the inputs that a resume added or replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_inputs: Option<Vec<String>>,
    /// Who or what started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
    /// The machine that ran it. Other implementations write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// `manual`, `schedule`, `webhook`, `serve` or `workflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_source: Option<String>,
    /// The first step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<String>,
    /// Why that step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// How many steps have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_progress: Option<StepProgress>,
}

/// How many steps of a run have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepProgress {
    /// The number of steps that have ended.
    pub completed: usize,
    /// The number of all steps.
    pub total: usize,
}

/// A job, as the record of its run has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// The name of the job.
    pub name: String,
    /// The same, as record files have it.
    pub job_name: String,
    /// The status of the job.
    pub status: NodeStatus,
    /// How long the job took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// When the job started (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When the job ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// The steps, in the order of the workflow file; a step with `forEach` is replaced by its items.
    pub steps: Vec<StepRecord>,
}

/// A step, as the record of its run has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// The name of the step.
    pub name: String,
    /// The same, as record files have it.
    pub step_name: String,
    /// The status of the step.
    pub status: NodeStatus,
    /// How long the last attempt took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// When the last attempt started (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When the step ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// Why the step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// References to the results. Records of other implementations hold whole results here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The data versions that the step wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_artifacts: Vec<DataArtifact>,
    /// `true` for a failure that the workflow allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_failure: Option<bool>,
    /// The decision, for a step that was approved or rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_decision: Option<ApprovalDecision>,
    /// The question, for a step that waits or waited for an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_prompt: Option<String>,
    /// The result, for an assert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assert_result: Option<AssertResult>,
    /// Why the step was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// The version of the type that the step ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<StepCode>,
    /// The number of attempts, when there was more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
}

/// A reference to a data version that a step wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataArtifact {
    /// The id of the data.
    pub data_id: String,
    /// The name of the data.
    pub name: String,
    /// The number of the version, from 1.
    pub version: u32,
    /// The tags of the version.
    #[schemars(with = "BTreeMap<String, String>")]
    pub tags: Object,
}

/// Runs, newest first: the document of `workflow history search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunList {
    /// The part of a workflow's name that was searched for.
    pub query: String,
    /// The runs, up to the limit.
    pub results: Vec<RunListEntry>,
    /// The number of all runs that match.
    pub total: usize,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunListEntry {
    /// The status of the run.
    pub status: RunStatus,
    /// The id of the workflow.
    pub workflow_id: String,
    /// The name of the workflow when the run started.
    pub workflow_name: String,
    /// When the run started (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When the run ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// The tags of the run.
    #[schemars(with = "BTreeMap<String, String>")]
    pub tags: Object,
    /// The inputs of the run, with defaults. Secrets are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Object>,
    /// The machine that ran it. Other implementations write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// `manual`, `schedule`, `webhook`, `serve` or `workflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_source: Option<String>,
    /// The first step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<String>,
    /// Why that step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// How many steps have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_progress: Option<StepProgress>,
    /// The id of the run.
    pub run_id: String,
    /// `true` for a running run whose process is gone. `workflow resume` continues it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abandoned: bool,
}

/// The log of a run: the document of `workflow history logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunLog {
    /// The id of the run.
    pub run_id: String,
    /// The path of the log, relative to the repository.
    pub path: String,
    /// The lines, or the last of them.
    pub lines: Vec<String>,
    /// The number of lines in the log.
    pub total_lines: usize,
    /// The number of lines in this document.
    pub showing_lines: usize,
    /// The same, under the name that existing scripts read.
    pub line_count: usize,
}
