//! The workflow file as types. Invalid files do not become values of these types: see `read`.

mod condition;
mod expression_text;
mod fields;
mod json;
mod read;
mod read_retry;
mod retry;
mod task;

use std::collections::BTreeMap;
use std::time::Duration;

use marsh_data::Tags;
use serde::Serialize;
use serde_json::Value;

pub use condition::{Condition, Decided};
pub use expression_text::{ExpressionText, ExpressionTexts};
pub use json::json_schemas;
pub use marsh_types::yaml::At;
pub use read::{Parsed, parse};
pub use retry::{Backoff, CodePolicy, FailureKind, Retry};
pub use task::{ModelMethod, ModelTarget, Severity, Task};

/// A workflow, in the key order in which it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workflow {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    pub tags: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
    pub jobs: Vec<Job>,
    pub version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reports: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodePolicy>,
    #[serde(flatten)]
    pub placement: Placement,
}

/// When a server starts the workflow by itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Trigger {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
}

/// Where steps run, in set-ups with several machines.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_timeout: Option<f64>,
}

impl Placement {
    /// The key that asks for a machine that this one is not. There are no workers, so a step runs here or nowhere.
    pub fn elsewhere(&self) -> Option<&'static str> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        if self.target.as_deref().is_some_and(|target| !matches!(target, "local" | "localhost")) {
            return Some("target");
        }
        let mut labels = self.labels.iter().flatten();
        if !labels.all(|(key, value)| match key.as_str() {
            "os" => is_os(value, os),
            "arch" => is_arch(value, arch),
            _ => false,
        }) {
            return Some("labels");
        }
        let is_here = |platform: &String| {
            let (first, second) = platform.split_once(['/', '-']).unwrap_or((platform, ""));
            is_os(first, os) && (second.is_empty() || is_arch(second, arch))
        };
        self.platform.as_ref().is_some_and(|platform| !is_here(platform)).then_some("platform")
    }

    /// Whether it asks for another machine. `affinity` and `queueTimeout` mean nothing alone.
    pub fn places(&self) -> bool {
        self.target.is_some() || self.labels.is_some() || self.platform.is_some()
    }
}

fn is_os(name: &str, os: &str) -> bool {
    name == os || (os == "macos" && name == "darwin")
}

fn is_arch(name: &str, arch: &str) -> bool {
    name == arch || matches!((name, arch), ("amd64" | "x64", "x86_64") | ("arm64", "aarch64"))
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub steps: Vec<Step>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<JobDependency>,
    pub weight: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    #[serde(serialize_with = "retry::as_optional_text", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    #[serde(flatten)]
    pub placement: Placement,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobDependency {
    pub job: String,
    pub condition: Condition,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub task: Task,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<StepDependency>,
    pub weight: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_output_overrides: Vec<DataOutputOverride>,
    pub allow_failure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// For each try.
    #[serde(serialize_with = "retry::as_optional_text", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// `None`: as the workflow says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodePolicy>,
    #[serde(flatten)]
    pub placement: Placement,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepDependency {
    pub step: String,
    pub condition: Condition,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForEach {
    pub item: String,
    #[serde(rename = "in")]
    pub items: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataOutputOverride {
    pub spec_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub garbage_collection: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vary: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault_name: Option<String>,
}

/// One thing that is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Such as `jobs[0].steps[1].task`; empty for the file itself.
    pub path: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}
