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
    /// The id, a UUID.
    pub id: String,
    /// The name.
    pub name: String,
    /// What it does, as its author describes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What starts it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// Tags of its runs.
    pub tags: Tags,
    /// The declaration of its inputs, as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
    /// The jobs, in the order of the file.
    pub jobs: Vec<Job>,
    /// The version of the file; 1 if it names none.
    pub version: u64,
    /// How many jobs run at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The reports to run or skip, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reports: Option<Value>,
    /// Which version of code the steps run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodePolicy>,
    /// Where the steps run.
    #[serde(flatten)]
    pub placement: Placement,
}

/// When a server starts the workflow by itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Trigger {
    /// A cron pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The inputs of runs that the schedule starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
}

/// Where steps run, in set-ups with several machines.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// All placed steps run on one worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<bool>,
    /// The name of a worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The labels that a worker must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// The platform that a worker must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// How long a step waits for a worker, in seconds.
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

/// A job of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The name of the job.
    pub name: String,
    /// What it does, as its author describes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The steps, in the order of the file.
    pub steps: Vec<Step>,
    /// The jobs that have to end before it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<JobDependency>,
    /// Of the jobs that can start, the one with the largest weight starts first.
    pub weight: f64,
    /// How many steps run at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How long the job may take.
    #[serde(serialize_with = "retry::as_optional_text", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Where its steps run.
    #[serde(flatten)]
    pub placement: Placement,
}

/// A job that has to end before another starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobDependency {
    /// The name of that job.
    pub job: String,
    /// How it has to end.
    pub condition: Condition,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The name of the step.
    pub name: String,
    /// What it does, as its author describes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it runs.
    pub task: Task,
    /// The items that it runs for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// The steps that have to end before it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<StepDependency>,
    /// Of the steps that can start, the one with the largest weight starts first.
    pub weight: f64,
    /// How many items run at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// What differs for the data that it writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_output_overrides: Vec<DataOutputOverride>,
    /// The job goes on when it fails.
    pub allow_failure: bool,
    /// An expression; the step is skipped unless it is true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
    /// When and how often it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// For each try.
    #[serde(serialize_with = "retry::as_optional_text", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// `None`: as the workflow says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CodePolicy>,
    /// Where it runs.
    #[serde(flatten)]
    pub placement: Placement,
}

/// A step that has to end before another starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepDependency {
    /// The name of that step.
    pub step: String,
    /// How it has to end.
    pub condition: Condition,
}

/// The items of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForEach {
    /// The name under which expressions see the item.
    pub item: String,
    /// The expression that gives the list.
    #[serde(rename = "in")]
    pub items: String,
}

/// What differs for data of one specification.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataOutputOverride {
    /// The name of the specification.
    pub spec_name: String,
    /// The lifetime, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Value>,
    /// The versions to keep, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub garbage_collection: Option<Value>,
    /// The tags to add, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Value>,
    /// The inputs that become part of the name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vary: Vec<String>,
    /// The vault for sensitive fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault_name: Option<String>,
}

/// One thing that is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Such as `jobs[0].steps[1].task`; empty for the file itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// The text of that line.
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
