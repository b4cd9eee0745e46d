//! What can happen to a run.

use marsh_api::workflow::RunStatus;
use marsh_data::Tags;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use marsh_api::workflow::{ApprovalDecision, AssertResult, SkipReason, StepCode};

use crate::record::DataArtifact;
use crate::schema::{FailureKind, Severity};

/// A fact and when it became one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub at: String,
    pub fact: Fact,
}

/// A step of a job, or one item of a step with `forEach`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey {
    pub job: String,
    pub step: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Fact {
    Started(Box<Started>),
    /// Another process took the run over. What was running is to be run again.
    Resumed {
        pid: u32,
        /// Inputs that were added or replaced.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        inputs: Map<String, Value>,
        workflow_sha256: String,
        /// The jobs and steps of the file, when it was edited since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outline: Option<Vec<JobOutline>>,
    },
    /// These steps and jobs are to be done again, as if nothing had happened to them.
    Reset {
        steps: Vec<StepKey>,
        jobs: Vec<String>,
    },
    /// The module version that a type has in this run.
    Pinned {
        type_name: String,
        code: Value,
    },
    JobStarted {
        job: String,
    },
    JobEnded {
        job: String,
        succeeded: bool,
    },
    JobSkipped {
        job: String,
        reason: SkipReason,
    },
    JobTimedOut {
        job: String,
        error: String,
    },
    StepStarted {
        #[serde(rename = "place")]
        key: StepKey,
        attempt: u32,
    },
    /// What `forEach.in` gave.
    Expanded {
        job: String,
        step: String,
        items: Vec<Item>,
    },
    /// This try failed, and another one follows.
    StepRetried {
        #[serde(rename = "place")]
        key: StepKey,
        attempt: u32,
        error: String,
        kind: FailureKind,
        pause_ms: u64,
    },
    /// The pause before the next try is over.
    StepDue {
        #[serde(rename = "place")]
        key: StepKey,
    },
    StepEnded {
        #[serde(rename = "place")]
        key: StepKey,
        end: Box<StepEnd>,
    },
    StepSkipped {
        #[serde(rename = "place")]
        key: StepKey,
        reason: SkipReason,
    },
    ApprovalRequested {
        #[serde(rename = "place")]
        key: StepKey,
        prompt: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
    },
    ApprovalDecided {
        #[serde(rename = "place")]
        key: StepKey,
        decision: ApprovalDecision,
    },
    /// A nested workflow waits for an approval.
    ChildSuspended {
        #[serde(rename = "place")]
        key: StepKey,
        run_id: String,
    },
    /// No further step starts; what runs was told to stop.
    Stopping {
        reason: String,
    },
    /// No step can run before a user decides.
    Suspended,
    Ended {
        status: RunStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    pub run_id: String,
    pub workflow_id: String,
    pub workflow_name: String,
    /// Of the file's text.
    pub workflow_sha256: String,
    pub inputs: Map<String, Value>,
    /// The workflow's own, and over them those of the command.
    pub tags: Tags,
    /// Those of the command alone.
    #[serde(default)]
    pub run_tags: Vec<(String, String)>,
    pub pid: u32,
    pub log_file: String,
    pub trigger_source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
    /// Asserts below this do not fail the run.
    pub fail_on: Severity,
    /// The workflows that this one is nested in, by name, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<String>,
    pub outline: Vec<JobOutline>,
}

/// The names in a workflow, so that a journal can be read without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOutline {
    pub name: String,
    pub steps: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Of the expanded step.
    pub name: String,
    /// What `self.<item>` is.
    pub value: Value,
}

/// How a step ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepEnd {
    /// `None`: it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FailureKind>,
    /// The failure counts as none for the job.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allowed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assert: Option<AssertResult>,
}

impl StepEnd {
    pub fn failed(kind: FailureKind, error: impl Into<String>) -> StepEnd {
        StepEnd { error: Some(error.into()), kind: Some(kind), ..StepEnd::default() }
    }
}

/// What a step left behind: references, never content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Output {
    ModelMethod {
        model: String,
        method: String,
        output_id: String,
        code: StepCode,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        artifacts: Vec<DataArtifact>,
    },
    Workflow {
        workflow: String,
        run_id: String,
        status: RunStatus,
    },
}

impl std::fmt::Display for StepKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.job, self.step)?;
        match self.item {
            Some(item) => write!(f, "[{item}]"),
            None => Ok(()),
        }
    }
}
