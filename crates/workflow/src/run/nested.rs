//! A step that runs another workflow.
//!
//! The nested run is a run like any other, with a journal and a record of its own. Its id follows from the step that it
//! belongs to, so that a parent which was killed finds the same nested run again and resumes it
//! (`a_nested_run_is_resumed_with_its_parent`).

use marsh_api::event::EventSink;
use marsh_api::workflow::event::{StepRef, WorkflowEvent};
use marsh_model::Gate as _;
use marsh_types::{Digest, Explain as _};
use serde_json::Value;

use super::steps::{During, StepResult, Steps};
use super::{Nesting, WorkflowRunRequest};
use crate::error::WorkflowError;
use crate::journal::{Output, StepEnd, StepKey};
use crate::record::RunStatus;
use crate::schema::FailureKind;
use crate::scope::StepScope;

/// How deep workflows may be nested.
pub(super) const MAX_DEPTH: usize = 10;

/// Passes on what happens in the nested run.
struct Inside<'a> {
    outer: &'a dyn EventSink<WorkflowEvent>,
    at: &'a StepRef,
}

impl EventSink<WorkflowEvent> for Inside<'_> {
    fn event(&self, event: WorkflowEvent) {
        self.outer.event(WorkflowEvent::Nested { step: self.at.clone(), event: Box::new(event) });
    }
}

/// The same for the same step of the same run.
fn child_id(run_id: &str, key: &StepKey, attempt: u32) -> String {
    let item = key.item.map_or_else(|| "None".to_owned(), |item| format!("Some({item})"));
    let text = format!("{run_id}\n{}\n{}\n{item}\n{attempt}", key.job, key.step);
    let hex = Digest::of(text.as_bytes()).to_hex();
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = pair.iter().fold(0, |value, digit| value << 4 | nibble(*digit));
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// The value of a hexadecimal digit in lower case.
fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.wrapping_sub(b'a').wrapping_add(10) & 15,
    }
}

impl Steps<'_> {
    pub(super) fn nested(
        &self,
        name: &str,
        inputs: Option<&Value>,
        key: &StepKey,
        at: &StepRef,
        scope: &StepScope<'_>,
        during: &During<'_>,
    ) -> StepResult {
        // It has a journal of its own, and code that waits for that one.
        if let Err(reason) = during.on_disk.pass() {
            return StepResult::failed(FailureKind::Error, reason);
        }
        let name = match scope.text(name, "workflowIdOrName") {
            Ok(name) => name,
            Err(error) => return StepResult::failed(FailureKind::Invalid, error),
        };
        let inputs = match scope.map(inputs, "inputs") {
            Ok(inputs) => inputs,
            Err(error) => return StepResult::failed(FailureKind::Invalid, error),
        };
        if self.ancestors.len() >= MAX_DEPTH {
            let error = format!("workflows are nested {MAX_DEPTH} deep: {}", self.ancestors.join(" -> "));
            return StepResult::failed(FailureKind::Invalid, error);
        }
        let run_id = child_id(self.run_id, key, during.attempt);
        let request = WorkflowRunRequest {
            name_or_id: &name,
            run_id: None,
            last_evaluated: false,
            inputs,
            tags: self.tags.clone(),
            checks: self.checks.clone(),
            deadline_per_step: self.deadline,
            cancel: during.cancel,
            initiated_by: self.initiated_by.clone(),
            fail_on: self.fail_on,
            trigger_source: "workflow",
            driver: self.driver.clone(),
            reports: self.reports.clone(),
        };
        let nesting = Nesting {
            run_id: run_id.clone(),
            ancestors: self.ancestors.clone(),
            permits: std::sync::Arc::clone(&self.permits),
        };
        let observer = Inside { outer: self.observer, at };
        match self.workflows.run_nested(&request, nesting, &observer) {
            Ok(outcome) if outcome.status == RunStatus::Suspended => StepResult::Waits { run_id },
            Ok(outcome) => {
                let (kind, error) = match outcome.status {
                    RunStatus::Succeeded => (None, None),
                    RunStatus::Cancelled => (Some(FailureKind::Cancelled), Some("was cancelled".to_owned())),
                    _ => {
                        let reason = outcome.record.failure_reason.clone();
                        let reason =
                            reason.map_or_else(|| "failed".to_owned(), |reason| format!("failed: {reason}"));
                        (Some(FailureKind::Error), Some(reason))
                    }
                };
                let workflow = outcome.record.workflow_name.clone();
                let output = Output::Workflow { workflow: workflow.clone(), run_id, status: outcome.status };
                let error = error.map(|error| format!("workflow `{workflow}` {error}"));
                {
                    let end = StepEnd { error, kind, output: Some(output), ..StepEnd::default() };
                    StepResult::Ended { end: Box::new(end), views: None }
                }
            }
            Err(error) => {
                let kind = match &error {
                    WorkflowError::Fs(_) | WorkflowError::Io { .. } | WorkflowError::Lock(_) => {
                        FailureKind::Error
                    }
                    _ => FailureKind::Invalid,
                };
                let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                StepResult::failed(kind, format!("{error}{hint}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::child_id;
    use crate::journal::StepKey;

    #[test]
    fn the_id_of_a_nested_run_follows_from_its_step() {
        let key = |item| StepKey { job: "a".into(), step: "b".into(), item };
        let id = child_id("r", &key(None), 1);
        assert!(uuid::Uuid::parse_str(&id).is_ok());
        assert_eq!(id, child_id("r", &key(None), 1));
        for other in
            [child_id("r", &key(Some(0)), 1), child_id("r", &key(None), 2), child_id("q", &key(None), 1)]
        {
            assert_ne!(id, other);
        }
    }
}
