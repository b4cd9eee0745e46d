//! The arguments of the steps of one run, for its reports.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use marsh_api::workflow::event::StepRef;
use marsh_model::RunOutcome;
use serde_json::{Map, Value};

/// With what the steps of this process were called, by job and step: records do not keep it.
#[derive(Debug, Default)]
pub(super) struct CalledWith {
    by_step: Mutex<HashMap<(String, String), Arguments>>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Arguments {
    pub global: Map<String, Value>,
    pub method: Map<String, Value>,
}

impl CalledWith {
    pub(super) fn keep(&self, at: &StepRef, outcome: &RunOutcome) {
        let arguments =
            Arguments { global: outcome.global_arguments.clone(), method: outcome.method_arguments.clone() };
        let mut known = self.by_step.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((at.job_id.clone(), at.step_id.clone()), arguments);
    }

    pub(super) fn of(&self, job: &str, step: &str) -> Arguments {
        let known = self.by_step.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(job.to_owned(), step.to_owned())).cloned().unwrap_or_default()
    }
}
