//! Workflows and their runs: the documents of `marsh workflow …` and `marsh summarise`, and the words that they share with
//! the journal and the records of runs.
//!
//! The functions that make these documents are in `crates/workflow/src/document.rs`; its tests hold the exact form.

mod approval;
mod definition;
pub mod event;
mod history;
mod run;
mod summary;
mod validation;
mod words;

pub use approval::{CancelledRun, CancelledRuns, DecidedApproval, PendingApproval, PendingApprovals};
pub use definition::{
    CreatedWorkflow, DeletedWorkflow, EditStatus, EditedWorkflow, WorkflowDetails, WorkflowGraph,
    WorkflowJob, WorkflowJobDependency, WorkflowList, WorkflowListEntry, WorkflowStep,
    WorkflowStepDependency, WorkflowTrigger,
};
pub use history::{
    DataArtifact, JobRecord, RunList, RunListEntry, RunLog, RunRecord, StepProgress, StepRecord,
};
pub use run::{
    ApprovalRequired, WorkflowRun, WorkflowRunArtifact, WorkflowRunDocument, WorkflowRunItem, WorkflowRunJob,
    WorkflowRunStep,
};
pub use summary::{ActivitySummary, FailedRun, WorkflowActivity};
pub use validation::{FilePosition, ValidationCheck, WorkflowValidation, WorkflowValidations};
pub use words::{
    ApprovalDecision, AssertResult, CodePolicy, NodeStatus, Object, RunStatus, Severity, SkipReason, StepCode,
};
