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
    /// When it became one, RFC 3339.
    pub at: String,
    /// The fact.
    pub fact: Fact,
}

/// A step of a job, or one item of a step with `forEach`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey {
    /// The name of the job.
    pub job: String,
    /// The name of the step, as the file has it.
    pub step: String,
    /// The index of the item, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<usize>,
}

/// What can happen to a run; each is a line of its journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Fact {
    /// The run began.
    Started(Box<Started>),
    /// Another process took the run over. What was running is to be run again.
    Resumed {
        /// The process that runs it now.
        pid: u32,
        /// Inputs that were added or replaced.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        inputs: Map<String, Value>,
        /// SHA-256 of the file's text, in hex.
        workflow_sha256: String,
        /// The jobs and steps of the file, when it was edited since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outline: Option<Vec<JobOutline>>,
    },
    /// These steps and jobs are to be done again, as if nothing had happened to them.
    Reset {
        /// The steps to do again.
        steps: Vec<StepKey>,
        /// The jobs to do again.
        jobs: Vec<String>,
    },
    /// The module version that a type has in this run.
    Pinned {
        /// The type.
        type_name: String,
        /// The version, as the loader describes it.
        code: Value,
    },
    /// A job began.
    JobStarted {
        /// The name of the job.
        job: String,
    },
    /// All steps of a job have ended.
    JobEnded {
        /// The name of the job.
        job: String,
        /// No step failed, or only steps that may.
        succeeded: bool,
    },
    /// A job was skipped, with its steps.
    JobSkipped {
        /// The name of the job.
        job: String,
        /// Why.
        reason: SkipReason,
    },
    /// A job took longer than it may.
    JobTimedOut {
        /// The name of the job.
        job: String,
        /// The message of the failure.
        error: String,
    },
    /// A step began, or was tried again.
    StepStarted {
        /// The step.
        #[serde(rename = "place")]
        key: StepKey,
        /// The number of the try, from 1.
        attempt: u32,
    },
    /// What `forEach.in` gave.
    Expanded {
        /// The name of the job.
        job: String,
        /// The name of the step.
        step: String,
        /// The items, in their order.
        items: Vec<Item>,
    },
    /// This try failed, and another one follows.
    StepRetried {
        /// The step.
        #[serde(rename = "place")]
        key: StepKey,
        /// The number of the try that failed, from 1.
        attempt: u32,
        /// The message of the failure.
        error: String,
        /// The kind of the failure.
        kind: FailureKind,
        /// How long to wait before the next try, in milliseconds.
        pause_ms: u64,
    },
    /// The pause before the next try is over.
    StepDue {
        /// The step.
        #[serde(rename = "place")]
        key: StepKey,
    },
    /// A step ended, well or not.
    StepEnded {
        /// The step.
        #[serde(rename = "place")]
        key: StepKey,
        /// How it ended.
        end: Box<StepEnd>,
    },
    /// A step was skipped.
    StepSkipped {
        /// The step.
        #[serde(rename = "place")]
        key: StepKey,
        /// Why.
        reason: SkipReason,
    },
    /// A step asks a person.
    ApprovalRequested {
        /// The step.
        #[serde(rename = "place")]
        key: StepKey,
        /// The question.
        prompt: String,
        /// How long the question stands, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
    },
    /// A person answered.
    ApprovalDecided {
        /// The step.
        #[serde(rename = "place")]
        key: StepKey,
        /// The answer.
        decision: ApprovalDecision,
    },
    /// A nested workflow waits for an approval.
    ChildSuspended {
        /// The step that runs the nested workflow.
        #[serde(rename = "place")]
        key: StepKey,
        /// The nested run.
        run_id: String,
    },
    /// No further step starts; what runs was told to stop.
    Stopping {
        /// The reason that the user or the failure gave.
        reason: String,
    },
    /// No step can run before a user decides.
    Suspended,
    /// The run has ended.
    Ended {
        /// How.
        status: RunStatus,
        /// Why, if it did not end well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// What is known of a run when it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The id of the run.
    pub run_id: String,
    /// The id of its workflow.
    pub workflow_id: String,
    /// The name of its workflow.
    pub workflow_name: String,
    /// Of the file's text.
    pub workflow_sha256: String,
    /// Its inputs, secrets masked.
    pub inputs: Map<String, Value>,
    /// The workflow's own, and over them those of the command.
    pub tags: Tags,
    /// Those of the command alone.
    #[serde(default)]
    pub run_tags: Vec<(String, String)>,
    /// The process that runs it.
    pub pid: u32,
    /// The path of its log, from the repository.
    pub log_file: String,
    /// What started it: `manual`, `schedule`, `webhook` or `workflow`.
    pub trigger_source: String,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
    /// Asserts below this do not fail the run.
    pub fail_on: Severity,
    /// The workflows that this one is nested in, by name, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<String>,
    /// The file is the evaluated copy of the workflow.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evaluated: bool,
    /// The jobs and steps of the file.
    pub outline: Vec<JobOutline>,
}

/// The names in a workflow, so that a journal can be read without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOutline {
    /// The name of the job.
    pub name: String,
    /// The names of its steps.
    pub steps: Vec<String>,
}

/// An item of a step with `forEach`.
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
    /// The kind of the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FailureKind>,
    /// The failure counts as none for the job.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allowed: bool,
    /// What it left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// The result of its assertion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assert: Option<AssertResult>,
}

impl StepEnd {
    /// The end of a step that failed.
    pub fn failed(kind: FailureKind, error: impl Into<String>) -> StepEnd {
        StepEnd { error: Some(error.into()), kind: Some(kind), ..StepEnd::default() }
    }
}

/// What a step left behind: references, never content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Output {
    /// A method ran.
    ModelMethod {
        /// The name of the model.
        model: String,
        /// The name of the method.
        method: String,
        /// The id of the output record.
        output_id: String,
        /// The code that ran.
        code: StepCode,
        /// The data that it wrote.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        artifacts: Vec<DataArtifact>,
    },
    /// A nested workflow ran.
    Workflow {
        /// The name of the nested workflow.
        workflow: String,
        /// The nested run.
        run_id: String,
        /// How the nested run ended.
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
