//! Documents about reports.

use marsh_types::Origin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ErrorReport;

/// What a report made, or why it failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportResult {
    /// The name of the report.
    pub name: String,
    /// `method`, `model` or `workflow`.
    pub scope: String,
    /// Whether it was made.
    pub success: bool,
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markdown: Option<String>,
    /// Its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
}

/// The stored reports that a query found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportSearch {
    /// The text that report or model contain.
    pub query: String,
    /// The reports.
    pub results: Vec<ReportRow>,
}

/// A stored report in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportRow {
    /// The name of the report.
    pub name: String,
    /// `method`, `model` or `workflow`.
    pub scope: Option<String>,
    /// The model or the workflow that it is about.
    pub model_name: String,
    /// The type of the model.
    pub model_type: String,
    /// The newest version.
    pub version: u32,
    /// ISO 8601.
    pub created_at: String,
    /// The name of the report, under the name that existing scripts read.
    pub report_name: String,
    /// `method`, `model` or `workflow`, likewise.
    pub report_scope: Option<String>,
    /// The id of the model or of the workflow.
    pub model_id: String,
    /// The name of the workflow, for reports about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_name: Option<String>,
    /// Which of the variants of a `forEach` it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vary_suffix: Option<String>,
    /// The name of the datum that holds the text.
    pub data_name: String,
}

/// A stored report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportDocument {
    /// The name of the report.
    pub name: String,
    /// `method`, `model` or `workflow`.
    pub scope: Option<String>,
    /// The model or the workflow that it is about.
    pub model_name: String,
    /// The type of the model.
    pub model_type: String,
    /// The version.
    pub version: u32,
    /// ISO 8601.
    pub created_at: String,
    /// The name of the report, under the name that existing scripts read.
    pub report_name: String,
    /// `method`, `model` or `workflow`, likewise.
    pub report_scope: Option<String>,
    /// The id of the model or of the workflow.
    pub model_id: String,
    /// The name of the workflow, for reports about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_name: Option<String>,
    /// Which of the variants of a `forEach` it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vary_suffix: Option<String>,
    /// The name of the datum that holds the text.
    pub data_name: String,
    /// Its text.
    pub markdown: String,
    /// Its data; `null` when it has none.
    pub json: Value,
}

/// What a report type says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportDescription {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub description: Option<String>,
    /// `method`, `model` or `workflow`.
    pub scope: Option<String>,
    /// Labels by which reports are selected.
    pub labels: Vec<String>,
    /// Where the source comes from.
    pub origin: Origin,
    /// The source file; `null` for a report that marsh makes itself.
    pub path: Option<String>,
}

/// The report types that a query found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportTypeSearch {
    /// The text that the names contain.
    pub query: String,
    /// The types.
    pub results: Vec<ReportTypeRow>,
}

/// A report type in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportTypeRow {
    /// Its name.
    pub name: String,
    /// The same, under the name that existing scripts read.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What it shows, where that is known without loading it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `method`, `model` or `workflow`, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Where the source comes from.
    pub origin: Origin,
    /// The source file; `null` for a report that marsh makes itself.
    pub path: Option<String>,
}
