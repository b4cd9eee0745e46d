//! Workflows: jobs and steps over model methods, and the records of their runs.
//!
//! Invariants:
//! * A workflow file is a [`schema::Workflow`] or a list of what is wrong with it, each with line and column
//!   (`tests/it/schema.rs`).
//! * A step starts when what it depends on is decided, and a failed step stops nothing by itself: conditions alone say
//!   what follows (`machine`, a pure state machine, and its tests).
//! * The state of a run is the fold of its journal, and one process owns it (`journal`).
//! * Nothing runs of a workflow that is not valid or uses what this version cannot run (`tests/it/refuse.rs`).
//! * One thread writes the record of a run; it is on disk before the first step and durable when the run is reported as
//!   done, and refers to results instead of copying them (`tests/it/run.rs`).
//! * Text that came out of an expression is never read as one (`scope.rs`).
//! * This crate writes to no terminal and reads no environment; both come from the caller.

#![warn(missing_docs)]

mod document;
mod draw;
mod error;
mod evaluate;
mod event;
mod expressions;
mod fold;
mod graph;
mod index;
pub mod journal;
mod junit;
mod machine;
mod masked;
mod outcome;
mod query;
pub mod record;
mod run;
mod run_file;
mod runs;
pub mod schema;
mod scope;
mod store;
mod supplied;
mod trigger;
mod validate;

use marsh_model::Models;

pub use draw::{GraphFormat, draw};
pub use error::{Unsupported, WorkflowError};
pub use evaluate::EvaluatedWorkflow;
pub use index::IndexEntry;
pub use journal::SkipReason;
pub use junit::junit;
pub use marsh_api::workflow::event::{StepRef, WorkflowEvent};
pub use outcome::{JobOutcome, StepOutcome, WorkflowOutcome};
pub use query::{OpenRuns, RunFilter, explained};
pub use record::{NodeStatus, RunRecord, RunStatus};
pub use run::{Approved, PendingApproval, ResumeRequest, WorkflowRunRequest};
pub use runs::{RunStore, RunSummary, StoredRun};
pub use store::{BrokenWorkflow, Deleted, Stamp, StoredWorkflow, WorkflowListing, WorkflowStore};
pub use validate::{ValidationCheck, ValidationReport};

/// Everything that commands about workflows work on.
#[derive(Debug)]
pub struct Workflows<'a> {
    models: &'a Models,
    store: WorkflowStore,
    runs: RunStore,
}

impl<'a> Workflows<'a> {
    /// Workflows over the models of a repository.
    pub fn new(models: &'a Models) -> Workflows<'a> {
        let layout = &models.repo.layout;
        Workflows {
            models,
            store: WorkflowStore::new(layout.clone()),
            runs: RunStore::new(layout.clone()).with_secrets(models.secrets.clone()),
        }
    }

    /// The workflow files.
    pub fn store(&self) -> &WorkflowStore {
        &self.store
    }

    /// The records of runs.
    pub fn run_store(&self) -> &RunStore {
        &self.runs
    }

    /// Form, references, cycles, models, methods and literal inputs.
    pub fn validate(&self, stored: &StoredWorkflow) -> ValidationReport {
        validate::validate(self.models, stored)
    }

    /// The runs of a workflow (by name or id), or of all, newest first. A workflow that is gone has no name any more,
    /// but its id still finds its runs.
    pub fn runs(&self, workflow: Option<&str>) -> Result<Vec<RunSummary>, WorkflowError> {
        let Some(workflow) = workflow else { return self.runs.list(None) };
        match self.store.find(workflow) {
            Ok(stored) => self.runs.list(Some(&stored.workflow().id)),
            Err(error) => {
                let runs = self.runs.list(Some(workflow))?;
                if runs.is_empty() { Err(error) } else { Ok(runs) }
            }
        }
    }

    /// A run, by its id or three or more of its first digits.
    pub fn run_record(&self, id_or_prefix: &str) -> Result<StoredRun, WorkflowError> {
        self.runs.find(id_or_prefix)
    }
}
