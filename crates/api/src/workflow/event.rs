//! The events of a workflow run: one JSON object a line under `--events`, and the `event` messages of the server.
//!
//! Every event has a `kind`. An event about a step carries `jobId` and `stepId`; an event about an item of a `forEach`
//! also carries `forEachTemplate` and `forEachIndex`. A reader skips kinds and fields that it does not know: later
//! versions add both.
//!
//! The tests in `crates/workflow/src/event.rs` hold the exact form of every kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AssertResult, RunStatus, SkipReason};

/// A step of a run, or one item of a step with `forEach`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepRef {
    /// The name of the job.
    pub job_id: String,
    /// The name of the step as the record of the run has it. Items of a `forEach` have names of their own.
    pub step_id: String,
    /// For an item of a `forEach`: the name of the step in the workflow file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each_template: Option<String>,
    /// For an item of a `forEach`: its index, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each_index: Option<usize>,
}

impl StepRef {
    /// The name of the step in the workflow file.
    pub fn template(&self) -> &str {
        self.for_each_template.as_deref().unwrap_or(&self.step_id)
    }
}

/// A job, as the event `started` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartedJob {
    /// The name of the job.
    pub id: String,
    /// The number of its steps in the workflow file; a step with `forEach` counts once.
    pub step_count: usize,
    /// The names of the jobs that it depends on.
    pub depends_on: Vec<String>,
}

/// A data version that a step wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataHandle {
    /// The name of the data.
    pub name: String,
    /// The number of the version, from 1.
    pub version: u32,
}

/// How a job ended that was not skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobEnd {
    /// Every step succeeded, was skipped, or was allowed to fail.
    Succeeded,
    /// A step failed that was not allowed to.
    Failed,
}

macro_rules! warning_codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What a warning is about. Scripts compare it; it never changes for the same condition.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum WarningCode {
            $($(#[$doc])* $variant,)*
            /// A condition that this version does not know.
            #[serde(other)]
            Other,
        }

        impl WarningCode {
            /// All codes that this version knows.
            pub const ALL: &[WarningCode] = &[$(WarningCode::$variant,)*];

            /// The text of the code, in snake case.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(WarningCode::$variant => $text,)*
                    WarningCode::Other => "other",
                }
            }

            /// The code with this text; [`WarningCode::Other`] for one that this version does not know.
            pub fn parse(text: &str) -> WarningCode {
                match text {
                    $($text => WarningCode::$variant,)*
                    _ => WarningCode::Other,
                }
            }
        }
    };
}

warning_codes! {
    /// A definition reads an environment variable, so its results depend on the machine.
    EnvVarUsage = "env_var_usage",
    /// The evaluated copy of the workflow could not be written.
    EvaluatedCopy = "evaluated_copy",
    /// A line could not be written to the log of the run. Reported once for each run.
    LogIncomplete = "log_incomplete",
    /// The environment variable that limits concurrent steps has an invalid value.
    MaxConcurrentSteps = "max_concurrent_steps",
    /// The code of a step could not be loaded when the run pinned its versions.
    PinFailed = "pin_failed",
    /// A report failed. The run ends as it would without the report.
    ReportFailed = "report_failed",
    /// Other processes do not see a method run, so none of them can cancel it.
    RunNotAnnounced = "run_not_announced",
    /// The record of the run could not be written. The journal has everything.
    RunRecord = "run_record",
    /// The index of runs could not be updated. The next listing rebuilds it.
    RunsIndex = "runs_index",
    /// A result does not match the schema that its method declares.
    SchemaValidationWarning = "schema_validation_warning",
    /// A secret could not be read again, so its last known value is used.
    SecretNotRefreshed = "secret_not_refreshed",
    /// An input that the workflow does not declare.
    UndeclaredInput = "undeclared_input",
    /// A type names a report that no extension provides.
    UnknownReport = "unknown_report",
    /// A vault reference stands inside single quotes of a shell command.
    VaultSingleQuote = "vault_single_quote",
    /// The workflow file was edited after the run started.
    WorkflowEdited = "workflow_edited",
}

/// Something that happened in a workflow run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum WorkflowEvent {
    /// The run started, or resumed.
    Started {
        /// The id of the run.
        run_id: String,
        /// The name of the workflow.
        workflow_name: String,
        /// The path of the log of the run.
        log_path: String,
        /// The jobs of the workflow, in the order of its file.
        jobs: Vec<StartedJob>,
        /// The run started earlier and resumes now.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
    },
    /// A job started.
    JobStarted {
        /// The name of the job.
        job_id: String,
    },
    /// Every step of a job has ended.
    JobCompleted {
        /// The name of the job.
        job_id: String,
        /// How the job ended.
        status: JobEnd,
        /// Milliseconds since the job started in this process.
        duration_ms: u64,
    },
    /// A job and all its steps were skipped.
    JobSkipped {
        /// The name of the job.
        job_id: String,
        /// Why the job was skipped.
        reason: SkipReason,
    },
    /// A step started, or started another attempt.
    StepStarted {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The number of the attempt. Absent for the first.
        #[serde(default = "first_attempt", skip_serializing_if = "is_first_attempt")]
        attempt: u32,
    },
    /// A step with `forEach` expanded to its items.
    StepExpanded {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The number of items.
        items: usize,
    },
    /// An attempt failed, and the step retries.
    StepRetrying {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The number of the attempt that failed, from 1.
        attempt: u32,
        /// Why it failed.
        error: String,
        /// Milliseconds until the next attempt.
        pause_ms: u64,
    },
    /// A step succeeded.
    StepCompleted {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The data versions that the step wrote.
        data_handles: Vec<DataHandle>,
        /// Milliseconds since the attempt started.
        duration_ms: u64,
    },
    /// A step failed.
    StepFailed {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// Why it failed.
        error: String,
        /// The workflow allows the failure, so the job does not fail because of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        allowed_failure: bool,
        /// Milliseconds since the attempt started.
        duration_ms: u64,
    },
    /// A step was skipped.
    StepSkipped {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// Why the step was skipped.
        reason: SkipReason,
    },
    /// An assert was evaluated.
    AssertResult {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The result.
        #[serde(flatten)]
        result: AssertResult,
    },
    /// A step waits for an approval.
    ApprovalRequested {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The id of the run.
        run_id: String,
        /// The question.
        prompt: String,
        /// Milliseconds until the request expires. Absent when it does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
    },
    /// A user approved or rejected a step.
    ApprovalDecided {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// Whether the step was approved.
        approved: bool,
    },
    /// A method printed a line.
    MethodOutput {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// `stdout` or `stderr`.
        stream: String,
        /// The line, without its line break.
        line: String,
    },
    /// The model and the method of a step are known.
    ModelResolved {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The name of the definition.
        model_name: String,
        /// The type of the model.
        model_type: String,
        /// The method.
        method_name: String,
    },
    /// A method started, after its pre-flight checks.
    MethodExecuting {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The method.
        method_name: String,
    },
    /// A method wrote a data version.
    DataArtifactSaved {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The name of the data.
        name: String,
        /// The number of the version, from 1.
        version: u32,
    },
    /// A step created the definition that it runs.
    DefinitionCreated {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The name of the definition.
        name: String,
        /// The path of the definition.
        path: String,
    },
    /// A step changed the global arguments of its definition.
    GlobalArgumentsUpdated {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The name of the definition.
        name: String,
    },
    /// The definition was upgraded to a newer version of its type.
    DefinitionUpgraded {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The name of the definition.
        name: String,
        /// The version that the definition has now.
        to_version: String,
    },
    /// An event that the extension itself emitted.
    MethodEvent {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// The event, as the extension emitted it.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        event: Value,
    },
    /// A condition that does not end the run.
    Warning {
        /// The step. Absent for a warning about the run itself.
        #[serde(flatten)]
        step: Option<StepRef>,
        /// What the warning is about.
        code: WarningCode,
        /// The warning.
        message: String,
    },
    /// Something happened in the nested run of a step.
    Nested {
        /// The step.
        #[serde(flatten)]
        step: StepRef,
        /// What happened there.
        event: Box<WorkflowEvent>,
    },
    /// The run waits for an approval. Its record is on disk.
    Suspended {
        /// The id of the run.
        run_id: String,
    },
    /// The run ended. Its record is on disk.
    Completed {
        /// The id of the run.
        run_id: String,
        /// How the run ended.
        status: RunStatus,
        /// Milliseconds from the start of the run to its end.
        duration_ms: u64,
    },
}

fn first_attempt() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn is_first_attempt(attempt: &u32) -> bool {
    *attempt <= 1
}

impl WorkflowEvent {
    /// The step that the event is about.
    pub fn step(&self) -> Option<&StepRef> {
        match self {
            WorkflowEvent::StepStarted { step, .. }
            | WorkflowEvent::StepExpanded { step, .. }
            | WorkflowEvent::StepRetrying { step, .. }
            | WorkflowEvent::StepCompleted { step, .. }
            | WorkflowEvent::StepFailed { step, .. }
            | WorkflowEvent::StepSkipped { step, .. }
            | WorkflowEvent::AssertResult { step, .. }
            | WorkflowEvent::ApprovalRequested { step, .. }
            | WorkflowEvent::ApprovalDecided { step, .. }
            | WorkflowEvent::MethodOutput { step, .. }
            | WorkflowEvent::ModelResolved { step, .. }
            | WorkflowEvent::MethodExecuting { step, .. }
            | WorkflowEvent::DataArtifactSaved { step, .. }
            | WorkflowEvent::DefinitionCreated { step, .. }
            | WorkflowEvent::GlobalArgumentsUpdated { step, .. }
            | WorkflowEvent::DefinitionUpgraded { step, .. }
            | WorkflowEvent::MethodEvent { step, .. }
            | WorkflowEvent::Nested { step, .. } => Some(step),
            WorkflowEvent::Warning { step, .. } => step.as_ref(),
            WorkflowEvent::Started { .. }
            | WorkflowEvent::JobStarted { .. }
            | WorkflowEvent::JobCompleted { .. }
            | WorkflowEvent::JobSkipped { .. }
            | WorkflowEvent::Suspended { .. }
            | WorkflowEvent::Completed { .. } => None,
        }
    }
}
