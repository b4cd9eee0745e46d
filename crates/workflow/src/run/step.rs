//! What a step does. Called on a thread of the step's own; everything here may be slow.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use marsh_api::workflow::event::StepRef;
use serde::Serialize;
use serde_json::Value;

use super::call::Calls;
use super::steps::{During, StepResult, Steps};
use crate::error::WorkflowError;
use crate::journal::{AssertResult, Fact, Item, StepEnd, StepKey};
use crate::schema::{FailureKind, ForEach, Severity, Step, Task};
use crate::scope::StepScope;

impl<'a> Steps<'a> {
    pub(super) fn step(&self, key: &StepKey) -> Option<&'a Step> {
        let (job, step) = self.plan.step(&key.job, &key.step)?;
        Some(&self.workflow.jobs[job].steps[step])
    }

    /// Where the step is in the file.
    fn path(&self, key: &StepKey) -> String {
        let at = self.plan.step(&key.job, &key.step);
        at.map_or_else(String::new, |(job, step)| format!("jobs.{job}.steps.{step}"))
    }

    pub fn timeout(&self, key: &StepKey) -> Option<Duration> {
        self.step(key)?.timeout
    }

    pub fn job_timeouts(&self) -> impl Iterator<Item = (String, Duration)> + use<'a> {
        self.workflow.jobs.iter().filter_map(|job| Some((job.name.clone(), job.timeout?)))
    }

    /// The pause before the next try, if there is one.
    pub fn retry_pause(&self, key: &StepKey, tried: u32, kind: FailureKind) -> Option<Duration> {
        let retry = self.step(key)?.retry.as_ref()?;
        retry.wants(tried, kind).then(|| retry.pause(tried, random()))
    }

    /// Whether a failure of this kind counts as none. What was interrupted did not fail in a way that its author could
    /// have allowed for, and a guard or an assert that cannot be evaluated is a mistake in the workflow.
    pub fn allows(&self, key: &StepKey, kind: FailureKind) -> bool {
        !matches!(kind, FailureKind::Cancelled | FailureKind::Expression)
            && self.step(key).is_some_and(|step| step.allow_failure)
    }

    pub fn set_items(&self, key: &StepKey, items: &[Item]) {
        if let Some(position) = self.plan.step(&key.job, &key.step) {
            let mut known = self.items.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(position, Arc::new(items.to_vec()));
        }
    }

    pub fn item(&self, key: &StepKey) -> Option<Item> {
        let position = self.plan.step(&key.job, &key.step)?;
        let known = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&position)?.get(key.item?).cloned()
    }

    /// The facts about types that were pinned since the last call.
    pub fn new_pins(&self) -> Result<Vec<Fact>, WorkflowError> {
        self.pins.take_new().iter().map(|pin| pin_fact(pin.type_name.to_string(), pin)).collect()
    }

    pub fn execute(
        &self,
        key: &StepKey,
        at: &StepRef,
        item: Option<&Item>,
        during: &During<'_>,
    ) -> StepResult {
        let cancel = during.cancel;
        let Some(step) = self.step(key) else {
            return StepResult::failed(FailureKind::Invalid, "the workflow has no such step");
        };
        let path = self.path(key);
        let scope = match (&step.for_each, item) {
            (Some(each), Some(item)) => self.expander.with_item(&path, &each.item, &item.value),
            (Some(each), None) => return self.expand(step, each, &path),
            (None, _) => self.expander.step(&path),
        };
        let guard = step.guard.as_ref().map(|guard| {
            let calls = Calls::new(self, step, at, "guard", during);
            scope.truth(guard, "guard", &calls)
        });
        match guard {
            None | Some(Ok(false)) => {}
            Some(Ok(true)) => return StepResult::Guarded,
            Some(Err(error)) => return StepResult::failed(FailureKind::Expression, error),
        }
        match &step.task {
            Task::ModelMethod(task) => match self.permits.take(cancel) {
                Some(_permit) => self.method(step, task, at, &scope, during),
                None => StepResult::failed(FailureKind::Cancelled, cancel.reason().unwrap_or_default()),
            },
            Task::Assert { expr, message, severity } => {
                let outcome = scope.raw(expr, "expr", &Calls::new(self, step, at, "assert", during));
                self.assert(&scope, outcome, expr, message, *severity)
            }
            Task::ManualApproval { prompt, timeout } => match scope.text(prompt, "prompt") {
                Ok(prompt) => {
                    // A part of a millisecond is one.
                    let timeout_ms = timeout.map(|seconds| (seconds * 1000.0).ceil() as u64);
                    StepResult::Asked { prompt, timeout_ms }
                }
                Err(error) => StepResult::failed(FailureKind::Invalid, error),
            },
            Task::Workflow { workflow_id_or_name, inputs } => {
                self.nested(workflow_id_or_name, inputs.as_ref(), key, at, &scope, during)
            }
        }
    }

    /// The items of a `forEach`, named.
    fn expand(&self, step: &Step, each: &ForEach, path: &str) -> StepResult {
        let value = match self.expander.step(path).value(&Value::from(each.items.as_str()), "forEach.in") {
            Ok(value) => value,
            Err(error) => return StepResult::failed(FailureKind::Invalid, error),
        };
        let named =
            |value: &Value| self.expander.with_item(path, &each.item, value).text(&step.name, "name").ok();
        match for_each_items(step, each, value, named) {
            Ok(items) => StepResult::Expanded(items),
            Err(error) => StepResult::failed(FailureKind::Invalid, error),
        }
    }

    fn assert(
        &self,
        scope: &StepScope<'_>,
        outcome: Result<bool, String>,
        expr: &str,
        message: &str,
        severity: Severity,
    ) -> StepResult {
        let message = scope.lenient_text(message);
        let (passed, error) = match outcome {
            Ok(passed) => (passed, None),
            Err(error) => (false, Some(error)),
        };
        let assert = AssertResult {
            passed,
            expr: expr.to_owned(),
            message: message.clone(),
            severity,
            error: error.clone(),
        };
        let mut end = match (passed, error) {
            (true, _) => StepEnd::default(),
            // An assert that cannot be evaluated always fails.
            (false, Some(error)) => StepEnd::failed(FailureKind::Expression, error),
            (false, None) => StepEnd::failed(FailureKind::Assert, format!("assert failed: {message}")),
        };
        end.allowed = end.kind == Some(FailureKind::Assert) && severity < self.fail_on;
        end.assert = Some(assert);
        StepResult::Ended { end: Box::new(end), views: None }
    }
}

/// The items of a collection. `named` evaluates the name of the step for an item.
pub(crate) fn for_each_items(
    step: &Step,
    each: &ForEach,
    collection: Value,
    named: impl Fn(&Value) -> Option<String>,
) -> Result<Vec<Item>, String> {
    let values: Vec<(Value, String)> = match collection {
        Value::Array(values) => values
            .into_iter()
            .enumerate()
            .map(|(index, value)| {
                let word = match &value {
                    Value::Object(_) | Value::Array(_) | Value::Null => index.to_string(),
                    scalar => marsh_expr::to_text(scalar),
                };
                (value, word)
            })
            .collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (serde_json::json!({ "key": key, "value": value }), key))
            .collect(),
        other => {
            return Err(format!("forEach.in: expected a list or a map, found {other} from `{}`", each.items));
        }
    };
    let has_expression = marsh_expr::contains_expression(&Value::from(step.name.as_str()));
    let mut items = Vec::with_capacity(values.len());
    let mut names = std::collections::HashSet::new();
    for (index, (value, word)) in values.into_iter().enumerate() {
        let name = if has_expression {
            named(&value).unwrap_or_else(|| format!("{}-{index}", step.name))
        } else {
            format!("{}-{word}", step.name)
        };
        if !names.insert(name.clone()) {
            return Err(format!(
                "forEach: two items are named `{name}`; put something of `self.{}` that differs into the name of the step",
                each.item
            ));
        }
        items.push(Item { name, value });
    }
    Ok(items)
}

/// The fact that a type is pinned. A pin that cannot be written must not be taken for one that was.
fn pin_fact(type_name: String, pin: &impl Serialize) -> Result<Fact, WorkflowError> {
    match serde_json::to_value(pin) {
        Ok(code) => Ok(Fact::Pinned { type_name, code }),
        Err(source) => Err(WorkflowError::Pin { type_name, source }),
    }
}

/// From 0 up to 1, for jitter only.
fn random() -> f64 {
    let bits = uuid::Uuid::new_v4().as_u128() as u32;
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::pin_fact;
    use crate::error::WorkflowError;

    #[test]
    fn pin_that_cannot_be_serialized_is_an_error() {
        let map = std::collections::BTreeMap::from([(vec![1], 2)]);
        let error = pin_fact("@me/greeter".into(), &map).unwrap_err();
        assert!(matches!(&error, WorkflowError::Pin { type_name, .. } if type_name == "@me/greeter"));
        assert!(
            error.to_string().starts_with("cannot record the pinned version of `@me/greeter`: "),
            "{error}"
        );
    }
}
