//! Workflows and their runs: the documents of `marsh workflow …` and `marsh summarise`, and the words that they share with
//! the journal and the records of runs.
//!
//! The functions that make these documents are in `crates/workflow/src/document.rs`; its tests hold the exact form.

pub mod event;

use std::collections::BTreeMap;

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

/// A run of a workflow: the document of `workflow run` and `workflow resume`.
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
    #[schemars(with = "BTreeMap<String, crate::report::ReportResult>")]
    pub reports: Option<Object>,
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
}

/// A job of a workflow file, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowJob {
    /// The name of the job.
    pub name: String,
    /// What the job is for.
    pub description: Option<String>,
    /// What must have ended before, and how.
    pub depends_on: Vec<WorkflowJobDependency>,
    /// The steps, in the order of the file.
    pub steps: Vec<WorkflowStep>,
}

/// A job that another one depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowJobDependency {
    /// The name of the job.
    pub job: String,
    /// The condition on its end: `{type, …}` as in the file.
    pub condition: Value,
}

/// A step that another one depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowStepDependency {
    /// The name of the step.
    pub step: String,
    /// The condition on its end: `{type, …}` as in the file.
    pub condition: Value,
}

/// A step of a workflow file, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStep {
    /// The name of the step.
    pub name: String,
    /// What the step is for.
    pub description: Option<String>,
    /// `model_method`, `workflow`, `manual_approval` or `assert`.
    pub task_type: String,
    /// What must have ended before, and how.
    pub depends_on: Vec<WorkflowStepDependency>,
    /// What the step does: `{type, …}` as in the file.
    pub task: Value,
}

/// When a server starts a workflow, and with which inputs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowTrigger {
    /// A cron expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The inputs; text can hold expressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
}

/// A new workflow: the document of `workflow create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreatedWorkflow {
    /// The id of the workflow.
    pub id: String,
    /// The name of the workflow.
    pub name: String,
    /// The path of its file, relative to the repository.
    pub path: String,
    /// Its jobs.
    pub jobs: Vec<WorkflowJob>,
}

/// A workflow: the document of `workflow get`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowDetails {
    /// The id of the workflow.
    pub id: String,
    /// The name of the workflow.
    pub name: String,
    /// What the workflow is for.
    pub description: Option<String>,
    /// The version that its file states.
    pub version: u64,
    /// The JSON Schema of its inputs.
    pub inputs: Option<Value>,
    /// When a server starts it.
    pub trigger: Option<WorkflowTrigger>,
    /// Its tags.
    #[schemars(with = "BTreeMap<String, String>")]
    pub tags: Object,
    /// Which reports follow its runs.
    pub reports: Option<Value>,
    /// Which version of the code its steps use.
    pub code: Option<CodePolicy>,
    /// Its jobs.
    pub jobs: Vec<WorkflowJob>,
    /// The path of its file, relative to the repository.
    pub path: String,
}

/// The graph of a workflow: the document of `workflow get --graph`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowGraph {
    /// The id of the workflow.
    pub id: String,
    /// The name of the workflow.
    pub name: String,
    /// The graph, as text or as Mermaid source.
    pub graph: String,
}

/// Workflows: the document of `workflow search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowList {
    /// The part of a name that was searched for.
    pub query: String,
    /// The workflows, by name.
    pub results: Vec<WorkflowListEntry>,
}

/// A workflow in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowListEntry {
    /// The id of the workflow.
    pub id: String,
    /// The name of the workflow.
    pub name: String,
    /// What the workflow is for.
    pub description: Option<String>,
    /// The number of its jobs.
    pub job_count: usize,
    /// Whether it declares inputs.
    pub has_inputs: bool,
    /// When a server starts it.
    pub trigger: Option<WorkflowTrigger>,
}

/// Whether an edit changed a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EditStatus {
    /// The text is the same as before.
    Unchanged,
    /// The file has a new text.
    Updated,
}

impl EditStatus {
    /// The text of the status, as documents have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            EditStatus::Unchanged => "unchanged",
            EditStatus::Updated => "updated",
        }
    }
}

/// An edited workflow: the document of `workflow edit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EditedWorkflow {
    /// The path of the file, relative to the repository.
    pub path: String,
    /// The editor; null when the text came from standard input.
    pub editor: Option<String>,
    /// Whether the file changed.
    pub status: EditStatus,
    /// The name of the workflow.
    pub name: String,
}

/// A deleted workflow: the document of `workflow delete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedWorkflow {
    /// The id of the workflow.
    pub id: String,
    /// The name of the workflow.
    pub name: String,
    /// The path of the file that was deleted, relative to the repository.
    pub workflow_path: String,
    /// The number of runs that were deleted with it.
    pub runs_deleted: usize,
}

/// A position in a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilePosition {
    /// The path of the file, relative to the repository.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: Option<u64>,
    /// The text of the line.
    pub source_line: Option<String>,
}

/// One check of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidationCheck {
    /// What was checked: `schema`, a rule of the graph, `trigger`, or `<job>/<step>`.
    pub name: String,
    /// Whether the check found no error.
    pub passed: bool,
    /// The warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The first position that the error or the warning is about.
    #[serde(flatten)]
    pub position: Option<FilePosition>,
}

/// The checks of one workflow: the document of `workflow validate NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowValidation {
    /// The id of the workflow. Absent for a file that cannot be read as a workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// The name of the workflow, or the path of a file that cannot be read as a workflow.
    pub workflow_name: String,
    /// The checks.
    pub validations: Vec<ValidationCheck>,
    /// The number of checks with a warning.
    pub total_warnings: usize,
    /// Whether no check found an error.
    pub passed: bool,
}

/// The checks of all workflows: the document of `workflow validate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowValidations {
    /// The workflows, by name, and after them the files that cannot be read.
    pub workflows: Vec<WorkflowValidation>,
    /// Whether all workflows passed.
    pub passed: bool,
}

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
