//! `model.method(model, method[, inputs])` in guards and asserts: a method run of its own, under the name of its step.

use marsh_api::workflow::event::StepRef;
use marsh_expr::{Looked, LookupError, MethodSource, Value as Term};
use marsh_model::{ModelError, Target};
use marsh_types::{Explain as _, TypeName};
use serde_json::{Map, Value};

use super::method::{Asked, StepObserver};
use super::steps::{During, Steps};
use crate::schema::Step;

pub(super) struct Calls<'a> {
    steps: &'a Steps<'a>,
    step: &'a Step,
    at: StepRef,
    during: &'a During<'a>,
}

impl<'a> Calls<'a> {
    /// `condition`: `guard` or `assert`. What the method writes says that it came from there.
    pub fn new(
        steps: &'a Steps<'a>,
        step: &'a Step,
        at: &StepRef,
        condition: &str,
        during: &'a During<'a>,
    ) -> Calls<'a> {
        let at = StepRef { step_id: format!("__{condition}_{}", at.step_id), ..at.clone() };
        Calls { steps, step, at, during }
    }
}

impl MethodSource for Calls<'_> {
    /// The content of the first resource that the method wrote; null if it wrote none.
    fn call(&self, model: &str, method: &str, inputs: Option<&Term>) -> Looked<Term> {
        let failed = |error: &ModelError| {
            let message = format!("`{method}` of `{model}`: {error}");
            let lookup = LookupError::failed(error.code(), message);
            match error.hint() {
                Some(hint) => lookup.with_hint(hint),
                None => lookup,
            }
        };
        let inputs = match inputs.map(Term::to_json).transpose() {
            Ok(Some(Value::Object(inputs))) => inputs,
            Ok(_) => Map::new(),
            Err(error) => return Err(LookupError::failed(error.code(), error.to_string())),
        };
        let Some(_permit) = self.steps.permits.take(self.during.cancel) else {
            return Err(LookupError::failed(
                marsh_types::ErrorCode::Cancelled,
                self.during.cancel.reason().unwrap_or_default(),
            ));
        };
        let asked = Asked {
            target: Target::Definition(model.to_owned()),
            method: method.to_owned(),
            inputs,
            output_overrides: Vec::new(),
        };
        let request = self.steps.run_request(self.step, asked, &self.at, self.during);
        let observer = StepObserver { run: self.steps, at: &self.at };
        let outcome = self.steps.models.run(&request, &observer).map_err(|error| failed(&error))?;
        if let Some(error) = &outcome.error {
            return Err(failed(error));
        }
        let first = outcome.artifacts.iter().find(|view| view.metadata.tags.get("type") != Some("file"));
        let Some(first) = first else { return Ok(Term::NULL) };
        let type_name = TypeName::parse(&outcome.model_type).map_err(|error| failed(&error.into()))?;
        self.steps.models.stored_data().content_term(&type_name, &outcome.model_id, &first.metadata)
    }
}
