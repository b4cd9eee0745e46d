//! The records of method runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::run::MethodRunStatus;

/// The record of a method run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputDocument {
    /// The id of the run.
    pub id: String,
    /// The id of the definition.
    pub definition_id: String,
    /// The name of the definition; `null` when it was deleted since.
    pub model_name: Option<String>,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The method.
    pub method_name: String,
    /// What the run ended with.
    pub status: MethodRunStatus,
    /// ISO 8601.
    pub started_at: String,
    /// ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why it failed: `message` and `stack`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// How often it was retried.
    pub retry_count: u32,
    /// What ran, and at whose request.
    pub provenance: Value,
    /// What it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Value>,
    /// The log, relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_file: Option<String>,
    /// The process that ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// The records that a query found, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputSearch {
    /// The text that model, type or method contain.
    pub query: String,
    /// The records.
    pub results: Vec<OutputRow>,
}

/// A record in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputRow {
    /// The id of the run.
    pub id: String,
    /// The id of the definition.
    pub definition_id: String,
    /// The name of the definition; `null` when it was deleted since.
    pub model_name: Option<String>,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The method.
    pub method_name: String,
    /// What the run ended with.
    pub status: MethodRunStatus,
    /// ISO 8601.
    pub started_at: String,
    /// In milliseconds.
    pub duration_ms: Option<u64>,
}

/// The log of a method run, or its last lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputLog {
    /// The id of the run.
    pub output_id: String,
    /// The method.
    pub method_name: String,
    /// The lines.
    #[serde(flatten)]
    pub log: LogLines,
}

/// The content of a datum that a run wrote, or one field of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputData {
    /// The id of the run.
    pub output_id: String,
    /// The method.
    pub method_name: String,
    /// The id of the version.
    pub data_id: String,
    /// The name of the datum.
    pub data_name: String,
    /// The version.
    pub version: u32,
    /// The media type.
    pub content_type: String,
    /// The field that was asked for.
    pub field: Option<String>,
    /// The content or the field: JSON as JSON, text as text, `null` for other bytes.
    pub data: Value,
}

/// Lines of a log file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogLines {
    /// The file, relative to the repository; `null` when nothing was logged.
    pub path: Option<String>,
    /// The lines.
    pub lines: Vec<String>,
    /// How many lines the file has.
    pub total_lines: usize,
    /// How many of them are here.
    pub showing_lines: usize,
    /// The same, under the name that existing scripts read.
    pub line_count: usize,
}

impl LogLines {
    /// The last `tail` lines of a log's text, or all.
    pub fn of(path: Option<&str>, text: &str, tail: Option<usize>) -> LogLines {
        let all: Vec<&str> = text.lines().collect();
        let from = all.len().saturating_sub(tail.unwrap_or(all.len()));
        let lines: Vec<String> = all.iter().skip(from).map(|line| (*line).to_owned()).collect();
        let (path, showing) = (path.map(str::to_owned), lines.len());
        LogLines { path, total_lines: all.len(), showing_lines: showing, line_count: showing, lines }
    }
}
