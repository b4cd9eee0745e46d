//! What the steps of one run share, and what an attempt of a step gets and gives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use marsh_api::event::EventSink;
use marsh_api::workflow::event::WorkflowEvent;
use marsh_host_client::CancelToken;
use marsh_model::run::ArtifactView;
use marsh_model::run::reports::{ReportSelection, Summaries};
use marsh_model::{CheckSelection, Driver, Models, Pins, RunInputs};

use super::called_with::CalledWith;
use super::log::WorkflowLog;
use super::permits::Permits;
use crate::Workflows;
use crate::journal::{Item, OnDisk, StepEnd};
use crate::machine::Plan;
use crate::schema::{FailureKind, Severity, Workflow};
use crate::scope::Expander;

/// The result of one attempt of a step.
#[derive(Debug)]
pub(super) enum StepResult {
    Ended {
        end: Box<StepEnd>,
        /// The record of the method run, and its results with content.
        views: Option<(String, Vec<ArtifactView>)>,
    },
    Guarded,
    Expanded(Vec<Item>),
    Asked {
        prompt: String,
        timeout_ms: Option<u64>,
    },
    /// The nested run of the step waits for an approval.
    Waits {
        run_id: String,
    },
}

/// The circumstances of one attempt of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct During<'a> {
    pub attempt: u32,
    pub cancel: &'a CancelToken,
    /// The facts that it follows from: its code waits for them.
    pub on_disk: &'a OnDisk,
}

impl StepResult {
    pub fn failed(kind: FailureKind, error: impl Into<String>) -> StepResult {
        StepResult::Ended { end: Box::new(StepEnd::failed(kind, error)), views: None }
    }
}

/// The items of steps with `forEach`, by job and step.
pub(super) type Items = HashMap<(usize, usize), Arc<Vec<Item>>>;

/// Everything that the steps of one run share.
pub(super) struct Steps<'a> {
    pub workflows: &'a Workflows<'a>,
    pub summaries: Summaries,
    pub models: &'a Models,
    pub workflow: &'a Workflow,
    pub plan: &'a Plan,
    pub run_id: &'a str,
    pub inputs: Arc<RunInputs>,
    /// The workflow's own tags; those of the command line win over them.
    pub workflow_tags: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    pub checks: &'a CheckSelection,
    pub deadline: Duration,
    pub initiated_by: Option<String>,
    pub fail_on: Severity,
    pub driver: &'a Driver,
    pub reports: &'a ReportSelection,
    /// Ends the run, and what follows it.
    pub cancel: &'a CancelToken,
    pub called_with: CalledWith,
    pub expander: &'a Expander,
    pub log: &'a WorkflowLog,
    pub observer: &'a dyn EventSink<WorkflowEvent>,
    pub pins: Pins,
    pub permits: Arc<Permits>,
    /// The workflows around this one, by name, and this one.
    pub ancestors: Vec<String>,
    pub items: Mutex<Items>,
}
