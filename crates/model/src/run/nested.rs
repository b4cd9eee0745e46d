//! `context.runModel`: a method that runs a method of another model, and waits for it.
//!
//! The nested run is a run like others: it has a record that names its caller, checks, arguments that are evaluated, and the
//! tags of the run that it belongs to. What fails in it is a result for the calling code, and no error of its run.
//!
//! Bounds, for each run that a command or a step starts: [`MAX_DEPTH`] levels, [`MAX_CALLS`] nested runs, and no method that
//! is already running further up. Code of an installed extension may run its own types, built-in types, types of the
//! repository, and types of its collective or of its manifest's dependencies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use marsh_host_client::protocol::RunModel;
use marsh_types::TypeName;
use serde_json::{Map, Value, json};

use super::context::{RunContext, handle};
use super::{Observer, RunEvent, RunOutcome, RunRequest, Target};
use crate::definition::Stored;
use crate::direct;
use crate::error::ModelError;
use crate::types::TypeCode;

/// Nested runs within each other.
const MAX_DEPTH: usize = 10;

/// Nested runs of one run, at all levels together.
const MAX_CALLS: usize = 100;

/// What a nested run knows of the run that asked for it.
#[derive(Debug)]
pub struct Caller {
    /// `type::method` of every run above, outermost first.
    chain: Vec<String>,
    /// How many nested runs the outermost run has asked for.
    calls: Arc<AtomicUsize>,
    /// The record of the run that asked.
    output_id: String,
    /// The extension of the code that asked, if it is known.
    extension: Option<String>,
    /// Global arguments of this call alone.
    globals: Map<String, Value>,
}

impl Caller {
    pub(super) fn output_id(&self) -> &str {
        &self.output_id
    }

    pub(super) fn extension(&self) -> Option<&str> {
        self.extension.as_deref()
    }

    pub(super) fn globals(&self) -> &Map<String, Value> {
        &self.globals
    }

    pub(super) fn calls(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.calls)
    }
}

/// Passes on what a nested run prints, warns of and stores. That it begins and ends is its caller's business.
struct NestedObserver<'a>(&'a dyn Observer);

impl Observer for NestedObserver<'_> {
    fn event(&self, event: &RunEvent) {
        if !matches!(event, RunEvent::Resolved { .. } | RunEvent::Executing { .. }) {
            self.0.event(event);
        }
    }
}

impl RunContext<'_> {
    pub(super) fn run_nested(&self, wanted: RunModel) -> Value {
        match self.nested_outcome(wanted) {
            Ok(RunOutcome { error: None, artifacts, .. }) => {
                let resources: Vec<Value> = artifacts
                    .into_iter()
                    .map(|artifact| {
                        let mut handle = handle(&artifact.metadata);
                        handle["attributes"] = artifact.attributes.unwrap_or_else(|| json!({}));
                        handle
                    })
                    .collect();
                json!({ "ok": true, "resources": resources })
            }
            Ok(RunOutcome { error: Some(error), .. }) | Err(error) => {
                let error = error.redacted(&self.models.secrets);
                let mut said = json!({ "message": error.to_string() });
                if let Some(stack) = error.call_error().and_then(|call| call.stack.as_deref()) {
                    said["stack"] = json!(stack);
                }
                json!({ "ok": false, "error": said })
            }
        }
    }

    fn nested_outcome(&self, wanted: RunModel) -> Result<RunOutcome, ModelError> {
        let method = wanted.method.clone();
        let (stored, code, routed) = self.nested_target(&wanted)?;
        self.may_run(&code, &method)?;
        let chain = self.chain_to(&code.type_name, &method)?;
        self.models.track_sensitive(&code, &method, &[&routed.global]);
        let caller = Caller {
            chain,
            calls: Arc::clone(&self.nested_calls),
            output_id: self.output_id.clone(),
            extension: self.extension().map(str::to_owned),
            globals: routed.global,
        };
        let request = RunRequest {
            target: Target::Definition(stored.definition.id.clone()),
            method: method.clone(),
            inputs: routed.method,
            tags: self.request.tags.clone(),
            checks: self.request.checks.clone(),
            deadline: self.remaining(),
            cancel: &self.cancel,
            trigger: self.request.trigger.clone(),
            last_evaluated: false,
            initiated_by: self.request.initiated_by.clone(),
            pins: self.request.pins,
            output_overrides: Vec::new(),
            driver: self.request.driver.clone(),
            gate: None,
            caller: Some(&caller),
        };
        self.observe(RunEvent::Extension(json!({
            "type": "nested_model_invocation",
            "targetModelType": code.type_name, "targetMethod": method,
            "callerModelType": self.code.type_name, "callerMethod": self.request.method,
        })));
        let outer = self.observer();
        self.models.run(&request, &NestedObserver(outer))
    }

    /// What is left of the time of this run.
    fn remaining(&self) -> Duration {
        self.request.deadline.saturating_sub(self.started.elapsed())
    }

    fn nested_target(&self, wanted: &RunModel) -> Result<(Stored, TypeCode, direct::Routed), ModelError> {
        let none = Map::new();
        let arguments = wanted.arguments.as_ref().unwrap_or(&none);
        let pins = self.request.pins;
        let route = |code: &TypeCode| direct::route(code, &wanted.method, arguments, None);
        let (Some(model_type), None) = (&wanted.model_type, &wanted.definition) else {
            let stored = self.models.definitions.find(wanted.definition.as_deref().unwrap_or("undefined"))?;
            let code = self.models.code(&stored.type_name, pins)?;
            let routed = route(&code)?;
            return Ok((stored, code, routed));
        };
        let code = self.models.code(&TypeName::parse(model_type)?, pins)?;
        let mut routed = route(&code)?;
        let name = wanted.name.as_deref().unwrap_or("undefined");
        let stored = match self.models.definitions.find(name) {
            Ok(stored) if stored.type_name != code.type_name => {
                return Err(ModelError::TypeMismatch {
                    name: name.to_owned(),
                    found: stored.type_name,
                    wanted: code.type_name,
                });
            }
            Ok(stored) => stored,
            Err(ModelError::ModelNotFound { .. }) => {
                // The globals belong to the new definition, and not to this call alone.
                let globals = std::mem::take(&mut routed.global);
                let stored = self.models.create(&code, name, globals)?;
                self.observe(RunEvent::DefinitionCreated {
                    name: stored.definition.name.clone(),
                    path: stored.path.clone(),
                });
                stored
            }
            Err(error) => return Err(error),
        };
        Ok((stored, code, routed))
    }

    /// The chain with this run at its end, if the target may follow.
    fn chain_to(&self, target: &TypeName, method: &str) -> Result<Vec<String>, ModelError> {
        let above = self.request.caller.map(|caller| caller.chain.as_slice()).unwrap_or_default();
        let step = format!("{target}::{method}");
        let refused = |reason: String| ModelError::NestedRun { target: step.clone(), reason };
        if above.contains(&step) {
            return Err(refused(format!("it is running already: {} → {step}", above.join(" → "))));
        }
        if above.len() >= MAX_DEPTH {
            return Err(refused(format!("runs nest at most {MAX_DEPTH} levels deep")));
        }
        if self.nested_calls.fetch_add(1, Ordering::Relaxed) >= MAX_CALLS {
            return Err(refused(format!("a run has at most {MAX_CALLS} nested runs")));
        }
        let own = format!("{}::{}", self.code.type_name, self.request.method);
        Ok(above.iter().cloned().chain([own]).collect())
    }

    /// The installed extension that the running code belongs to.
    fn extension(&self) -> Option<&str> {
        self.code.module(&self.request.method)?.extension()
    }

    fn may_run(&self, target: &TypeCode, method: &str) -> Result<(), ModelError> {
        let refused = |reason: String| ModelError::NestedRun {
            target: format!("{}::{method}", target.type_name),
            reason,
        };
        let Some(caller) = self.code.module(&self.request.method) else { return Ok(()) };
        let Some(callee) = target.module(method) else { return Ok(()) };
        caller.may_call(callee).map_err(refused)
    }
}
