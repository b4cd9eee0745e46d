//! One run of a workflow, from its file to its record.
//!
//! * Nothing runs of a workflow that is not valid, asks for a machine that is not this one, or lacks an input
//!   (`tests/it/refuse.rs`).
//! * The state of a run is its journal (`crate::journal`); one process owns it. Killed at any moment, the run is what its
//!   journal says, and [`Workflows::resume`] goes on from there (`tests/it/resume.rs`, and the binary's `workflow_kill.rs`).
//! * The record is derived from the journal: on disk before the first step starts, durable when the run is reported.

mod approve;
mod call;
mod called_with;
mod log;
mod method;
mod nested;
mod owner_request;
mod permits;
mod record_writer;
mod reports;
mod resume;
mod scheduler;
mod start;
mod state;
mod step;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use marsh_host_client::CancelToken;
use marsh_model::run::reports::ReportSelection;
use marsh_model::{CheckSelection, Driver};
use serde_json::{Map, Value};

pub(crate) use step::for_each_items;

pub use approve::{Approved, PendingApproval};
pub use resume::ResumeRequest;

use crate::schema::Severity;
use permits::Permits;

/// What to run, and how.
#[derive(Debug)]
pub struct WorkflowRunRequest<'a> {
    /// The workflow.
    pub name_or_id: &'a str,
    /// The id of the run; `None`: a new one. A run of this id that has begun is gone on with.
    pub run_id: Option<&'a str>,
    /// Runs the evaluated copy that the last evaluation or run wrote, in place of the file.
    pub last_evaluated: bool,
    /// The inputs that the caller gives.
    pub inputs: Map<String, Value>,
    /// On the run, and on everything that its steps write.
    pub tags: Vec<(String, String)>,
    /// The pre-flight checks to run.
    pub checks: CheckSelection,
    /// How long a step may take.
    pub deadline_per_step: Duration,
    /// Ends the run; a limit on the whole run is a cancellation, too.
    pub cancel: &'a CancelToken,
    /// Who starts the run.
    pub initiated_by: Option<String>,
    /// Failing asserts below this are allowed.
    pub fail_on: Severity,
    /// `manual`, `schedule`, `webhook`, `api` or `workflow`.
    pub trigger_source: &'static str,
    /// Where the methods of the steps run.
    pub driver: Driver,
    /// Which reports follow the run and its steps.
    pub reports: ReportSelection,
}

/// Where a nested run stands.
pub(crate) struct Nesting {
    pub run_id: String,
    pub ancestors: Vec<String>,
    pub permits: Arc<Permits>,
}
