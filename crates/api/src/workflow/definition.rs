//! Workflow files: what they declare, and how they are made and changed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::words::{CodePolicy, Object};

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

/// Inputs of runs that a server starts; text can hold expressions.
pub type TriggerInputs = serde_json::Map<String, Value>;

/// A schedule that stands in the place of a workflow's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerEntry {
    /// A cron expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Inputs in place of the workflow's own of the same names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<TriggerInputs>,
}

/// When a server starts a workflow, and with which inputs. Both are always there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerState {
    /// A cron expression; `null`: a server does not start the workflow by itself.
    pub schedule: Option<String>,
    /// The inputs.
    pub inputs: TriggerInputs,
}

/// A schedule was set: the document of `workflow trigger set`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerSet {
    /// The workflow.
    pub workflow_name: String,
    /// What stands in the place of the workflow's own schedule now.
    pub entry: TriggerEntry,
}

/// When a server starts a workflow: the document of `workflow trigger get`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerDetails {
    /// The workflow.
    pub workflow_name: String,
    /// What the workflow's file says; `null`: there is no such workflow.
    pub built_in: Option<TriggerState>,
    /// What `.swamp/serve.yaml` says.
    #[serde(rename = "override")]
    pub overriding: Option<TriggerEntry>,
    /// What a server does.
    pub effective: TriggerState,
}

/// A workflow has its own schedule again: the document of `workflow trigger remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerRemoved {
    /// The workflow.
    pub workflow_name: String,
}

/// Evaluated copies: of one workflow when it was named, else of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WorkflowEvaluationDocument {
    /// Of all workflows.
    All(WorkflowEvaluations),
    /// Of one.
    One(Box<WorkflowEvaluation>),
}

/// The evaluated copies of all workflows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowEvaluations {
    /// The copies, without jobs.
    pub items: Vec<WorkflowEvaluation>,
    /// How many workflows there are.
    pub total: usize,
    /// In how many of them an expression was replaced by its value.
    pub evaluated: usize,
}

/// The evaluated copy of a workflow, which `workflow run --last-evaluated` runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowEvaluation {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether an expression was replaced by its value.
    pub had_expressions: bool,
    /// Whether a `forEach` was replaced by its steps.
    pub for_each_expanded: bool,
    /// The file of the copy, absolute.
    pub output_path: String,
    /// The jobs of the copy, with everything that the file says about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<serde_json::Map<String, Value>>>,
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
