//! The data that a workflow run wrote: the document of `data list --workflow`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words::RunStatus;
use crate::data::DataItem;

/// The data that a workflow run wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowDataList {
    /// The id of the workflow.
    pub workflow_id: String,
    /// The name of the workflow when the run started.
    pub workflow_name: String,
    /// The id of the run.
    pub run_id: String,
    /// The status of the run.
    pub run_status: RunStatus,
    /// The data, by kind, in the order in which they were written.
    pub groups: Vec<WorkflowDataGroup>,
    /// How many data there are.
    pub total: usize,
}

/// The data of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowDataGroup {
    /// `resource`, `file`, `report`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The newest version that the run wrote of each datum.
    pub items: Vec<WorkflowDataItem>,
}

/// A version that a workflow run wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowDataItem {
    /// The version.
    #[serde(flatten)]
    pub item: DataItem,
    /// The id of the definition.
    pub model_id: String,
    /// The name of the model when it wrote the datum.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// The step of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_name: Option<String>,
}
