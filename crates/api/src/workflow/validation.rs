//! The checks of workflow files: the documents of `workflow validate`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
