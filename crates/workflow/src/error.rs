//! Why a workflow command failed.

use std::path::PathBuf;

use marsh_model::{Issue, ModelError};
use marsh_types::yaml::YamlWriteError;
use marsh_types::{ErrorCode, Explain, NameError, near};
use serde_json::{Value, json};

use crate::record::RunStatus;
use crate::schema::Problem;

#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
pub enum WorkflowError {
    #[error("unknown workflow `{name}`")]
    NotFound { name: String, known: Vec<String> },
    #[error("{path}: {summary}", path = path.display(), summary = summary(problems))]
    Load { path: PathBuf, problems: Vec<Problem> },
    /// The file is well-formed, but its parts contradict each other.
    #[error("invalid workflow `{name}`: {summary}", summary = summary(problems))]
    Invalid { name: String, path: PathBuf, problems: Vec<Problem> },
    #[error("workflow `{name}` already exists: {path}", path = path.display())]
    AlreadyExists { name: String, path: PathBuf },
    #[error("the workflow `{name}` belongs to an extension: {path}", path = path.display())]
    ReadOnly { name: String, path: PathBuf },
    #[error("the id of a workflow cannot change: expected `{stored}`, found `{edited}`")]
    IdChanged { stored: String, edited: String },
    #[error("invalid inputs of workflow `{workflow}`: {summary}", summary = issue_summary(issues))]
    Inputs { workflow: String, issues: Vec<Issue> },
    #[error("workflow `{workflow}` uses features that this version does not support: {summary}", summary = features_summary(features))]
    Unsupported { workflow: String, features: Vec<Unsupported> },
    /// The inputs of a trigger cannot be evaluated.
    #[error("the trigger of workflow `{workflow}`: {message}")]
    Trigger { workflow: String, message: String },
    #[error("`{name}` has no evaluated copy: it was never run or evaluated")]
    NotEvaluated { name: String },
    #[error("cannot write a part of workflow `{name}` as JSON: {source}")]
    Unwritable { name: String, source: serde_json::Error },
    #[error("unknown workflow run `{id}`")]
    RunNotFound { id: String },
    #[error("`{prefix}` is too short for the id of a run: expected three or more digits")]
    PrefixTooShort { prefix: String },
    #[error("`{prefix}` matches several runs: {list}", list = matches.join(", "))]
    AmbiguousRun { prefix: String, matches: Vec<String> },
    #[error("{path} is damaged: {message}", path = path.display())]
    DamagedRun { path: PathBuf, message: String },
    #[error("workflows run each other in a cycle: {}", chain.join(" -> "))]
    NestedCycle { chain: Vec<String> },
    #[error("another process runs {run}")]
    Owned { run: String },
    #[error("the process that runs {run} does not answer")]
    OwnerSilent { run: String },
    #[error("run {run} cannot be resumed: it has no journal")]
    NoJournal { run: String },
    #[error("run {run} is {status}", status = status.as_str())]
    NotResumable { run: String, status: RunStatus },
    #[error("run {run} is already {status}", status = status.as_str())]
    NotRunning { run: String, status: RunStatus },
    #[error("only a failed or cancelled run can repeat steps; this run is {status}", status = status.as_str())]
    NotFailed { status: RunStatus },
    #[error("no run of `{workflow}` {}", if *from { "failed" } else { "waits to be resumed" })]
    NothingToResume { workflow: String, from: bool },
    #[error("no run of `{workflow}` waits for an approval")]
    NothingWaits { workflow: String },
    #[error("several runs of `{workflow}` match: {list}", list = runs.join(", "))]
    SeveralRuns { workflow: String, runs: Vec<String> },
    #[error("`{step}` of run {run} does not wait for an approval")]
    NotWaiting { run: String, step: String, known: Vec<String> },
    #[error("the approval of `{step}` expired at {at}")]
    ApprovalExpired { step: String, at: String },
    #[error("unknown step `{step}`")]
    NoSuchStep { step: String, known: Vec<String> },
    #[error("several steps are named `{step}`: {list}", list = keys.join(", "))]
    AmbiguousStep { step: String, keys: Vec<String> },
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("`{workflow}` was never run")]
    NeverRun { workflow: String },
    /// Of a workflow that is named in place of a run.
    #[error("the workflow `{workflow}` was never run")]
    NoRunOf { workflow: String },
    #[error("unknown run or workflow `{name}`")]
    NoRunOrWorkflow { name: String },
    #[error("{} runs are open: {list}", runs.len(), list = runs.join(", "))]
    SeveralOpen { runs: Vec<String> },
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error(transparent)]
    Lock(#[from] marsh_fs::LockError),
    #[error(transparent)]
    YamlWrite(#[from] YamlWriteError),
    #[error("the record of a run cannot be masked: {0}")]
    Mask(#[from] serde_json::Error),
    #[error("cannot record the pinned version of `{type_name}`: {source}")]
    Pin { type_name: String, source: serde_json::Error },
    #[error("cannot read {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// A feature of the format that this version does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// As the file spells it: `forEach`, `guard`, `assert`, `manual_approval`, …
    pub feature: &'static str,
    /// `<job>/<step>`, the job, or nothing for the workflow itself.
    pub place: String,
    /// The problem, with its place.
    pub problem: Problem,
}

fn summary(problems: &[Problem]) -> String {
    match problems {
        [] => "the file is invalid".to_owned(),
        [one] => one.to_string(),
        [first, ..] => format!("{first} (and {} more)", problems.len() - 1),
    }
}

fn issue_summary(issues: &[Issue]) -> String {
    let lines: Vec<String> = issues
        .iter()
        .map(|issue| {
            if issue.field.is_empty() {
                issue.message.clone()
            } else {
                format!("`{}`: {}", issue.field, issue.message)
            }
        })
        .collect();
    lines.join("; ")
}

fn features_summary(features: &[Unsupported]) -> String {
    let lines: Vec<String> = features
        .iter()
        .map(|unsupported| {
            if unsupported.place.is_empty() {
                format!("`{}`", unsupported.feature)
            } else {
                format!("`{}` in `{}`", unsupported.feature, unsupported.place)
            }
        })
        .collect();
    lines.join(", ")
}

impl WorkflowError {
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> WorkflowError {
        WorkflowError::Io { path: path.to_owned(), source }
    }
}

impl Explain for WorkflowError {
    fn code(&self) -> ErrorCode {
        match self {
            WorkflowError::NotFound { .. } => ErrorCode::WorkflowNotFound,
            WorkflowError::Load { .. } => ErrorCode::WorkflowLoadFailed,
            WorkflowError::Invalid { .. } | WorkflowError::IdChanged { .. } => ErrorCode::ValidationFailed,
            WorkflowError::AlreadyExists { .. } => ErrorCode::AlreadyExists,
            WorkflowError::ReadOnly { .. } => ErrorCode::ReadOnly,
            WorkflowError::Inputs { .. } => ErrorCode::InputValidationFailed,
            WorkflowError::Trigger { .. } => ErrorCode::TriggerFailed,
            WorkflowError::Unsupported { .. } => ErrorCode::Unsupported,
            WorkflowError::NotEvaluated { .. } => ErrorCode::NoEvaluatedDefinition,
            WorkflowError::RunNotFound { .. } => ErrorCode::NotFound,
            WorkflowError::PrefixTooShort { .. } => ErrorCode::PrefixTooShort,
            WorkflowError::AmbiguousRun { .. } => ErrorCode::AmbiguousId,
            WorkflowError::DamagedRun { .. } => ErrorCode::Damaged,
            WorkflowError::NestedCycle { .. } => ErrorCode::NestedCycle,
            WorkflowError::Owned { .. } => ErrorCode::RunOwned,
            WorkflowError::OwnerSilent { .. } => ErrorCode::OwnerSilent,
            WorkflowError::NoJournal { .. }
            | WorkflowError::NotResumable { .. }
            | WorkflowError::NotFailed { .. }
            | WorkflowError::NothingToResume { .. } => ErrorCode::WorkflowResumeFailed,
            WorkflowError::NotRunning { .. } => ErrorCode::NotRunning,
            WorkflowError::NothingWaits { .. } | WorkflowError::NotWaiting { .. } => ErrorCode::NotWaiting,
            WorkflowError::SeveralRuns { .. } => ErrorCode::SeveralRuns,
            WorkflowError::ApprovalExpired { .. } => ErrorCode::ApprovalExpired,
            WorkflowError::NoSuchStep { .. } => ErrorCode::StepNotFound,
            WorkflowError::AmbiguousStep { .. } => ErrorCode::AmbiguousStep,
            WorkflowError::Name(_) => ErrorCode::InvalidName,
            WorkflowError::Model(error) => error.code(),
            WorkflowError::NeverRun { .. } => ErrorCode::RunNotFound,
            WorkflowError::NoRunOf { .. } | WorkflowError::NoRunOrWorkflow { .. } => ErrorCode::NotFound,
            WorkflowError::SeveralOpen { .. } => ErrorCode::Usage,
            WorkflowError::Lock(error) => error.code(),
            WorkflowError::Fs(_)
            | WorkflowError::YamlWrite(_)
            | WorkflowError::Mask(_)
            | WorkflowError::Pin { .. }
            | WorkflowError::Unwritable { .. }
            | WorkflowError::Io { .. } => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            WorkflowError::NotFound { name, known } => {
                near::did_you_mean(name, known.iter().map(String::as_str)).or_else(|| {
                    Some(if known.is_empty() {
                        "`marsh workflow create <name>` creates one".into()
                    } else {
                        "`marsh workflow search` lists all workflows".into()
                    })
                })
            }
            WorkflowError::IdChanged { .. } => {
                Some("runs are stored under the id; change the name instead".into())
            }
            WorkflowError::ReadOnly { .. } => {
                Some("copy it into `workflows/` under another name and id, and change the copy".into())
            }
            WorkflowError::NotEvaluated { name } => {
                Some(format!("`marsh workflow evaluate {name}` writes one"))
            }
            WorkflowError::AmbiguousRun { .. } => Some("add more digits".into()),
            WorkflowError::Owned { run } => Some(format!("`marsh workflow cancel --run {run}` ends it")),
            WorkflowError::NotResumable { status: RunStatus::Failed | RunStatus::Cancelled, .. } => {
                Some("`--from <step>` repeats a step and every step after it".into())
            }
            WorkflowError::SeveralOpen { .. } => {
                Some("name one with `--run`, or cancel all with `--all`".into())
            }
            WorkflowError::NoJournal { .. }
            | WorkflowError::NothingToResume { .. }
            | WorkflowError::NoRunOrWorkflow { .. } => {
                Some("`marsh workflow history search` lists all runs".into())
            }
            WorkflowError::NothingWaits { .. } => {
                Some("`marsh workflow approvals` lists steps that wait".into())
            }
            WorkflowError::SeveralRuns { .. } => Some("name one with `--run`".into()),
            WorkflowError::NotWaiting { step, known, .. } => {
                near::did_you_mean(step, known.iter().map(String::as_str))
                    .or_else(|| (!known.is_empty()).then(|| format!("steps that wait: {}", known.join(", "))))
            }
            WorkflowError::NoSuchStep { step, known } => {
                near::did_you_mean(step, known.iter().map(String::as_str))
            }
            WorkflowError::AmbiguousStep { .. } => Some("write it as `<job>/<step>`".into()),
            WorkflowError::Model(error) => error.hint(),
            _ => None,
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            WorkflowError::NotFound { name, known } => {
                Some(json!({ "near": near::nearest(name, known.iter().map(String::as_str)) }))
            }
            WorkflowError::Load { path, problems } | WorkflowError::Invalid { path, problems, .. } => {
                let mut details = json!({ "file": path, "problems": problems });
                // The first place at the top level, where other errors have theirs.
                if let (Some(first), Some(map)) = (problems.first(), details.as_object_mut()) {
                    map.insert("line".into(), json!(first.line));
                    map.insert("column".into(), json!(first.column));
                    map.insert("sourceLine".into(), json!(first.source_line));
                }
                Some(details)
            }
            WorkflowError::Inputs { issues, .. } => Some(json!({
                "issues": issues.iter().map(|i| json!({"field": i.field, "message": i.message})).collect::<Vec<_>>(),
            })),
            WorkflowError::Unsupported { features, .. } => Some(json!({
                "features": features
                    .iter()
                    .map(|f| json!({"feature": f.feature, "place": f.place, "line": f.problem.line, "column": f.problem.column}))
                    .collect::<Vec<_>>(),
            })),
            WorkflowError::AmbiguousRun { matches, .. } => Some(json!({ "matches": matches })),
            WorkflowError::Model(error) => error.details(),
            _ => None,
        }
    }
}
