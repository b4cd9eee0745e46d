//! Runs of methods.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ErrorReport;
use crate::report::ReportResult;

/// How far a method run is, or what it ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MethodRunStatus {
    /// Not started yet.
    Pending,
    /// Under way, or its process died.
    Running,
    /// The method returned.
    Succeeded,
    /// The method threw, timed out or crashed.
    Failed,
    /// A signal or a request ended it.
    Cancelled,
}

impl MethodRunStatus {
    /// The word that documents and records use.
    pub fn as_str(self) -> &'static str {
        match self {
            MethodRunStatus::Pending => "pending",
            MethodRunStatus::Running => "running",
            MethodRunStatus::Succeeded => "succeeded",
            MethodRunStatus::Failed => "failed",
            MethodRunStatus::Cancelled => "cancelled",
        }
    }
}

/// What `model method run` prints: one run, or one for each item of standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MethodRunDocument {
    /// Several items on standard input. The last one can be an error.
    Several(Vec<MethodRunItem>),
    /// One run.
    One(Box<MethodRun>),
}

/// One item of several: a run, or why it did not start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MethodRunItem {
    /// It ran.
    Run(Box<MethodRun>),
    /// It did not start.
    Error(crate::error::ErrorDocument),
}

/// One run of a method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodRun {
    /// The id of the definition.
    pub model_id: String,
    /// Its name.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The version of the type.
    pub type_version: String,
    /// The method.
    pub method_name: String,
    /// What the run ended with.
    pub status: MethodRunStatus,
    /// In milliseconds.
    pub duration: u64,
    /// The id of the run's record (`model output get`).
    pub output_id: String,
    /// The log, relative to the repository; `null` when the run logged nothing.
    pub log_file: Option<String>,
    /// What the run wrote.
    pub data_artifacts: Vec<DataArtifact>,
    /// The global arguments, evaluated; sensitive values are masked.
    pub global_arguments: Map<String, Value>,
    /// The arguments of the method; sensitive values are masked.
    pub method_arguments: Map<String, Value>,
    /// The fingerprint of the code that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_fingerprint: Option<String>,
    /// The user or the trigger that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
    /// The reports that followed it, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<BTreeMap<String, ReportResult>>,
}

/// The details of a server's answer about a run that was not successful.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedRun {
    /// The run.
    pub run: MethodRun,
}

/// A version of a datum that a run wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataArtifact {
    /// The id of the datum.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: u32,
    /// The output of the type that it is an instance of.
    pub spec_name: Option<String>,
    /// `resource`, `file`, …
    pub kind: Option<String>,
    /// The media type.
    pub content_type: String,
    /// Where the content is; `null` for ephemeral data.
    pub path: Option<String>,
    /// The content of a resource.
    pub attributes: Option<Value>,
    /// The content of a small text file, for people only.
    #[serde(skip)]
    pub text: Option<String>,
    /// The size in bytes, for people only.
    #[serde(skip)]
    pub size: Option<u64>,
}
