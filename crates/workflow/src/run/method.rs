//! A step that runs a method of a model.

use std::collections::HashSet;
use std::sync::Arc;

use marsh_api::workflow::event::{StepRef, WarningCode, WorkflowEvent};
use marsh_model::direct::{self, Routed};
use marsh_model::{
    ModelError, Observer, OutputOverride, Pins, RunEvent, RunOutcome, RunRequest, Target, Trigger,
    WorkflowTrigger,
};
use marsh_types::{Explain, RetryClass, TypeName};
use serde_json::{Map, Value};

use super::steps::{During, StepResult, Steps};
use crate::event;
use crate::journal::{Output, StepCode, StepEnd};
use crate::record::DataArtifact;
use crate::schema::{CodePolicy, FailureKind, ModelMethod, ModelTarget, Step, Task};
use crate::scope::StepScope;

/// Why a step never came to run its method.
struct Refused {
    message: String,
    kind: FailureKind,
}

/// What a method run of a step is asked for.
pub(super) struct Asked {
    pub target: Target,
    pub method: String,
    pub inputs: Map<String, Value>,
    pub output_overrides: Vec<OutputOverride>,
}

impl From<String> for Refused {
    fn from(message: String) -> Refused {
        Refused { message, kind: FailureKind::Invalid }
    }
}

fn with_hint(error: &impl Explain) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// What a model error is to `retry.on`.
fn kind_of(error: &ModelError) -> FailureKind {
    match error.retry_class() {
        RetryClass::Transient => FailureKind::Error,
        RetryClass::Timeout => FailureKind::Timeout,
        RetryClass::Crash => FailureKind::Crash,
        // Another attempt needs as much memory, so it fails the same way.
        RetryClass::OutOfMemory | RetryClass::Permanent => FailureKind::Invalid,
        RetryClass::Cancelled => FailureKind::Cancelled,
    }
}

fn finished(outcome: RunOutcome) -> StepResult {
    let output = Output::ModelMethod {
        model: outcome.model_name,
        method: outcome.method,
        output_id: outcome.output_id.clone(),
        code: StepCode {
            type_name: outcome.model_type,
            type_version: outcome.type_version,
            fingerprint: outcome.fingerprint,
            sha256: outcome.code_sha256,
        },
        artifacts: outcome
            .artifacts
            .iter()
            .map(|view| DataArtifact {
                data_id: view.metadata.id.clone(),
                name: view.metadata.name.clone(),
                version: view.metadata.version,
                tags: view.metadata.tags.clone(),
            })
            .collect(),
    };
    let end = StepEnd {
        error: outcome.error.as_ref().map(ToString::to_string),
        kind: outcome.error.as_ref().map(kind_of),
        output: Some(output),
        ..StepEnd::default()
    };
    StepResult::Ended { end: Box::new(end), views: Some((outcome.output_id, outcome.artifacts)) }
}

impl Steps<'_> {
    pub(super) fn method(
        &self,
        step: &Step,
        task: &ModelMethod,
        at: &StepRef,
        scope: &StepScope<'_>,
        during: &During<'_>,
    ) -> StepResult {
        let outcome = self.request(step, task, at, scope, during).and_then(|request| {
            let observer = StepObserver { run: self, at };
            let outcome = self
                .models
                .run(&request, &observer)
                .map_err(|error| Refused { kind: kind_of(&error), message: with_hint(&error) })?;
            self.report_on_step(at, &outcome, &observer);
            Ok(outcome)
        });
        match outcome {
            Ok(outcome) => finished(outcome),
            Err(refused) => StepResult::failed(refused.kind, refused.message),
        }
    }

    /// The pins of the run, for a step that stays on them.
    fn pins_of(&self, step: &Step) -> Option<&Pins> {
        let policy = step.code.or(self.workflow.code).unwrap_or_default();
        (policy == CodePolicy::Pinned).then_some(&self.pins)
    }

    /// Pins the code of all steps that stay on the code that the run started with, as far as the file names it: a name with
    /// an expression is known when its step starts. What cannot be pinned now is reported, and pinned by its step.
    pub(super) fn pin_all(&self) {
        let mut reported = HashSet::new();
        for (job, step) in
            self.workflow.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step)))
        {
            let (Task::ModelMethod(task), Some(pins)) = (&step.task, self.pins_of(step)) else { continue };
            let Err(error) = self.pin(task, pins) else { continue };
            let message = format!(
                "the code could not be pinned when the run started: {}; the step pins it when it starts",
                with_hint(&error)
            );
            if reported.insert(message.clone()) {
                self.log.step_line("WRN", &job.name, &step.name, &message);
                let step = StepRef {
                    job_id: job.name.clone(),
                    step_id: step.name.clone(),
                    for_each_template: None,
                    for_each_index: None,
                };
                let code = WarningCode::PinFailed;
                self.observer.event(WorkflowEvent::Warning { step: Some(step), code, message });
            }
        }
    }

    fn pin(&self, task: &ModelMethod, pins: &Pins) -> Result<(), ModelError> {
        let name = task.target.type_or_definition();
        if marsh_expr::contains_expression(&Value::from(name)) {
            return Ok(());
        }
        let type_name = match &task.target {
            ModelTarget::Definition { .. } => self.models.definitions.find(name)?.type_name,
            ModelTarget::Direct { .. } => TypeName::parse(name)?,
        };
        self.models.code(&type_name, Some(pins)).map(|_| ())
    }

    fn request<'r>(
        &'r self,
        step: &Step,
        task: &ModelMethod,
        at: &StepRef,
        scope: &StepScope<'_>,
        during: &During<'r>,
    ) -> Result<RunRequest<'r>, Refused> {
        let method = scope.text(&task.method_name, "methodName")?;
        let pins = self.pins_of(step);
        let (target, inputs) = self.target(task, &method, scope, pins)?;
        let output_overrides = self.overrides(step, &inputs, scope)?;
        Ok(self.run_request(step, Asked { target, method, inputs, output_overrides }, at, during))
    }

    /// The request as every method run of this run has it.
    pub(super) fn run_request<'r>(
        &'r self,
        step: &Step,
        asked: Asked,
        at: &StepRef,
        during: &During<'r>,
    ) -> RunRequest<'r> {
        let mut tags = self.workflow_tags.clone();
        if let Some(initiated_by) = &self.initiated_by {
            tags.push(("initiatedBy".to_owned(), initiated_by.to_owned()));
        }
        RunRequest {
            target: asked.target,
            method: asked.method,
            inputs: asked.inputs,
            tags: self.tags.clone(),
            checks: self.checks.clone(),
            deadline: self.deadline,
            cancel: during.cancel,
            trigger: Trigger::Workflow(Box::new(WorkflowTrigger {
                workflow_id: self.workflow.id.clone(),
                workflow_run_id: self.run_id.to_owned(),
                workflow_name: self.workflow.name.clone(),
                job: at.job_id.clone(),
                step: at.step_id.clone(),
                inputs: Arc::clone(&self.inputs),
                tags,
            })),
            last_evaluated: false,
            initiated_by: self.initiated_by.clone(),
            pins: self.pins_of(step),
            output_overrides: asked.output_overrides,
            driver: self.driver.clone(),
            gate: Some(during.on_disk),
            caller: None,
        }
    }

    fn target(
        &self,
        task: &ModelMethod,
        method: &str,
        scope: &StepScope<'_>,
        pins: Option<&Pins>,
    ) -> Result<(Target, Map<String, Value>), Refused> {
        let inputs = || scope.map(task.inputs.as_ref(), "inputs");
        match &task.target {
            ModelTarget::Definition { model_id_or_name } => {
                let name = scope.text(model_id_or_name, "modelIdOrName")?;
                Ok((Target::Definition(name), inputs()?))
            }
            ModelTarget::Direct { model_type, model_name, global_args } => {
                let raw = scope.text(model_type, "modelType")?;
                let type_name = TypeName::parse(&raw).map_err(|error| error.to_string())?;
                let name = scope.text(model_name, "modelName")?;
                let (global_arguments, inputs) = match global_args {
                    Some(written) => (scope.map_for_definition(written, "globalArgs")?, inputs()?),
                    None => {
                        let routed = self.routed(task, &type_name, method, scope, pins)?;
                        (routed.global, routed.method)
                    }
                };
                let global_arguments = Some(global_arguments);
                Ok((Target::Direct { type_name, name, global_arguments }, inputs))
            }
        }
    }

    /// Inputs that are global arguments of the type become part of a definition, and are expanded accordingly. Routing
    /// happens here, by key, because afterwards it could not be told what was an expression and what is its result.
    fn routed(
        &self,
        task: &ModelMethod,
        type_name: &TypeName,
        method: &str,
        scope: &StepScope<'_>,
        pins: Option<&Pins>,
    ) -> Result<Routed, Refused> {
        let refused = |error: ModelError| Refused { kind: kind_of(&error), message: with_hint(&error) };
        let code = self.models.code(type_name, pins).map_err(refused)?;
        let written = match &task.inputs {
            None => Map::new(),
            Some(Value::Object(written)) => written.clone(),
            Some(expression) => {
                // Nothing in the result was written by the author, so nothing in it may be an expression.
                let expanded = scope.map(Some(expression), "inputs")?;
                let routed = direct::route(&code, method, &expanded, None).map_err(refused)?;
                if marsh_expr::contains_expression(&Value::Object(routed.global.clone())) {
                    let message = "inputs: the result contains `${{`, and the definition that it goes into would \
                                   evaluate it; refused";
                    return Err(message.to_owned().into());
                }
                return Ok(routed);
            }
        };
        let routed = direct::route(&code, method, &written, None).map_err(refused)?;
        let global = scope.map_for_definition(&Value::Object(routed.global), "inputs")?;
        let inputs = scope.map(Some(&Value::Object(routed.method)), "inputs")?;
        Ok(Routed { global, method: inputs })
    }

    /// The overrides of a step. `vary` names inputs, of the step or of the run, whose values tell variants apart.
    fn overrides(
        &self,
        step: &Step,
        inputs: &Map<String, Value>,
        scope: &StepScope<'_>,
    ) -> Result<Vec<OutputOverride>, Refused> {
        let mut overrides = Vec::new();
        for (index, written) in step.data_output_overrides.iter().enumerate() {
            let place = format!("dataOutputOverrides[{index}]");
            let mut words = Vec::new();
            for key in &written.vary {
                let value = inputs.get(key).or_else(|| self.inputs.values.get(key));
                let value = value.ok_or_else(|| format!("{place}.vary: there is no input `{key}`"))?;
                words.push(variant(value).map_err(|error| format!("{place}.vary: `{key}` {error}"))?);
            }
            let text = |value: &Option<Value>, key: &str| match value {
                None => Ok(None),
                Some(value) => scope.value(value, &format!("{place}.{key}")).map(Some),
            };
            let tags = scope.map(written.tags.as_ref(), &format!("{place}.tags"))?;
            overrides.push(OutputOverride {
                spec: written.spec_name.clone(),
                lifetime: text(&written.lifetime, "lifetime")?.map(|value| marsh_expr::to_text(&value)),
                garbage_collection: text(&written.garbage_collection, "garbageCollection")?,
                tags: tags.into_iter().map(|(key, value)| (key, marsh_expr::to_text(&value))).collect(),
                suffix: (!words.is_empty()).then(|| words.join("-")),
                vault: written.vault_name.clone(),
            });
        }
        Ok(overrides)
    }
}

/// A value as part of a name.
fn variant(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::Object(map) => {
            let named = ["key", "name", "id"].iter().find_map(|key| map.get(*key));
            match named.filter(|value| !value.is_object() && !value.is_array()) {
                Some(value) => marsh_expr::to_text(value),
                None => value.to_string(),
            }
        }
        Value::Array(_) => value.to_string(),
        scalar => marsh_expr::to_text(scalar),
    };
    if (value.is_object() || value.is_array()) && text.len() > 64 {
        return Err("is too large to be part of a name; give it a `key`, `name` or `id`".into());
    }
    let text = text.replace(['/', '\\'], "--").replace("..", "--");
    if text.is_empty() { Err("is empty".into()) } else { Ok(text) }
}

/// Passes on what a method run tells, with the name of its step.
pub(super) struct StepObserver<'a> {
    pub run: &'a Steps<'a>,
    pub at: &'a StepRef,
}

impl Observer for StepObserver<'_> {
    fn event(&self, event: &RunEvent) {
        let StepRef { job_id, step_id, .. } = self.at;
        match event {
            RunEvent::Output { stream, line } => {
                let level = if stream == "stderr" { "ERR" } else { "INF" };
                self.run.log.step_line(level, job_id, step_id, line);
            }
            RunEvent::Warning { message, .. } => self.run.log.step_line("WRN", job_id, step_id, message),
            _ => {}
        }
        self.run.observer.event(event::of_method(self.at.clone(), event));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use marsh_model::ModelError;
    use marsh_types::RetryClass;
    use marsh_vault::VaultError;
    use serde_json::json;

    use super::{kind_of, variant};
    use crate::schema::{Backoff, FailureKind, Retry};

    /// `retry: 3`, which retries after every kind of failure that can be retried.
    fn retries(class: RetryClass) -> bool {
        let on = vec![FailureKind::Error, FailureKind::Timeout, FailureKind::Crash];
        let pause = Duration::from_secs(1);
        let backoff = Backoff { initial: pause, factor: 1.0, max: pause };
        let retry = Retry { attempts: 3, backoff, jitter: 0.0, on };
        let error = VaultError::Provider {
            vault: "main".into(),
            message: "failed".into(),
            details: None,
            retry: class,
        };
        retry.wants(1, kind_of(&ModelError::from(error)))
    }

    #[test]
    fn vault_call_that_runs_out_of_memory_is_not_retried() {
        assert!(!retries(RetryClass::OutOfMemory));
        assert!(!retries(RetryClass::Permanent));
        assert!(!retries(RetryClass::Cancelled));
    }

    #[test]
    fn vault_call_that_fails_for_a_passing_reason_is_retried() {
        for class in [RetryClass::Transient, RetryClass::Timeout, RetryClass::Crash] {
            assert!(retries(class), "{class:?}");
        }
    }

    #[test]
    fn values_become_parts_of_names() {
        for (value, expected) in [
            (json!("eu-west-1"), "eu-west-1"),
            (json!(3), "3"),
            (json!(true), "true"),
            (json!("a/b\\c..d"), "a--b--c--d"),
            (json!({"id": 1, "name": "box"}), "box"),
            (json!({"key": "k", "value": {}}), "k"),
            (json!({"a": 1}), "{\"a\":1}"),
        ] {
            assert_eq!(variant(&value).unwrap(), expected);
        }
        assert!(variant(&json!({"long": "x".repeat(80)})).is_err());
        assert!(variant(&json!("")).is_err());
    }
}
