//! Workflows: their files, their runs, and what users decide about runs.

mod activity;
mod approval;
mod data;
mod evaluate;
mod file;
mod history;
mod run;
mod trigger;
mod trigger_entry;

use marsh_workflow::Workflows;

use crate::session::Read;

pub use approval::{ApprovalRequest, CancelRequest, OpenRuns};
pub use data::WorkflowDataRequest;
pub use file::{JobOutline, StepOutline, WorkflowEdit, WorkflowView, workflow_schemas};
pub use history::{RunSearch, RunView, duration_ms};
pub use marsh_workflow::GraphFormat;
pub use run::{
    RunInitiator, StepData, WorkflowResumeRequest, WorkflowRunRequest, WorkflowRunResult, WorkflowRuns,
};
pub use trigger::{FilesStamp, TriggerRequest, TriggerSource, WorkflowSchedule};
pub use trigger_entry::TriggerChange;

impl<'a> Read<'a> {
    pub(crate) fn workflows(&self) -> Workflows<'a> {
        Workflows::new(self.models())
    }
}
