//! The evaluated copy of a workflow: its file with the inputs of a run put in, for `workflow evaluate` and
//! `workflow run --last-evaluated`.
//!
//! * What a run finds out at the start of a step stays as written: data, models, files, vaults, the environment, the run
//!   itself. So do guards and asserts, which are expressions by themselves; the copy has the inputs as defaults, so that they
//!   mean the same there (`copy_runs_as_the_workflow_did`).
//! * Text that came out of an expression is never read as one, and no secret becomes part of the file: an expression with
//!   such a value stays as written (`copy_holds_neither_secrets_nor_expressions_of_users`).
//! * A `forEach` becomes steps where that means the same ([`unroll`]).

use std::path::PathBuf;

use marsh_expr::{Cel, Mode, Variables, expand, expressions, references};
use marsh_model::inputs::InputSchema;
use marsh_model::{RunInputs, SecretAccess};
use serde_json::{Map, Value, json};

use crate::Workflows;
use crate::error::WorkflowError;
use crate::journal::{Fact, Line};
use crate::schema::{Job, Step, Workflow};
use crate::store::StoredWorkflow;

mod unroll;

/// An evaluated copy that was written.
#[derive(Debug)]
pub struct EvaluatedWorkflow {
    /// The file.
    pub path: PathBuf,
    /// The workflow in it.
    pub workflow: Workflow,
    /// Whether any expression was replaced by its value.
    pub had_expressions: bool,
    /// Whether a `forEach` was replaced by its steps.
    pub for_each_expanded: bool,
}

impl EvaluatedWorkflow {
    /// The jobs, with everything that the file says about them.
    ///
    /// # Errors
    ///
    /// A part of the file has no form in JSON.
    pub fn jobs(&self) -> Result<Vec<Map<String, Value>>, WorkflowError> {
        let jobs = serde_json::to_value(&self.workflow.jobs).map_err(|source| self.unwritable(source))?;
        serde_json::from_value(jobs).map_err(|source| self.unwritable(source))
    }

    fn unwritable(&self, source: serde_json::Error) -> WorkflowError {
        WorkflowError::Unwritable { name: self.workflow.name.clone(), source }
    }
}

/// What an expression of the copy can name.
pub(super) struct Known<'a> {
    scope: Variables,
    roots: Vec<&'a str>,
    access: &'a SecretAccess,
}

impl Known<'_> {
    /// A text with the values of its expressions. It stays as written if one has no value yet, or a value that must not be in
    /// the file.
    fn text(&self, text: &str) -> Value {
        let written = Value::from(text);
        let stays = |expression: &str| {
            expression.contains("vault.get(")
                || !references(expression).iter().all(|root| self.roots.contains(&root.as_str()))
        };
        let Ok(expanded) = expand(&written, &Cel::default(), &self.scope, Mode::Strict, stays) else {
            return written;
        };
        let mut kept = expressions(&written);
        kept.retain(|(_, expression)| stays(expression));
        let found = expressions(&expanded.value);
        let is_same = found.iter().map(|(_, text)| text).eq(kept.iter().map(|(_, text)| text));
        if !is_same || self.access.is_secret(&expanded.value) { written } else { expanded.value }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => {
                map.iter().map(|(key, item)| (key.clone(), self.value(item))).collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    /// The task of a step. Its texts stay texts, and its maps maps.
    fn task(&self, task: &Value) -> Value {
        let Value::Object(task) = task else { return task.clone() };
        let field = |key: &str, value: &Value| match (key, self.value(value)) {
            ("expr", _) => value.clone(),
            ("inputs" | "globalArgs", found @ Value::Object(_)) => found,
            ("inputs" | "globalArgs", _) => value.clone(),
            (_, Value::String(text)) if text.trim().is_empty() => value.clone(),
            (_, found @ Value::String(_)) => found,
            _ => value.clone(),
        };
        task.iter().map(|(key, value)| (key.clone(), field(key, value))).collect::<Map<_, _>>().into()
    }
}

/// A copy that is being made.
struct Copy<'a> {
    inputs: &'a RunInputs,
    access: SecretAccess,
    unrolls: bool,
    evaluated: bool,
    expanded: bool,
}

impl Workflows<'_> {
    /// Writes the evaluated copy of a workflow. Inputs can be missing: expressions that use them stay as written.
    ///
    /// # Errors
    ///
    /// The workflow or an input is invalid, or the copy cannot be written.
    pub fn evaluate(
        &self,
        stored: &StoredWorkflow,
        mut inputs: Map<String, Value>,
    ) -> Result<EvaluatedWorkflow, WorkflowError> {
        self.check(stored)?;
        let workflow = stored.workflow();
        self.models.track_sensitive_inputs(workflow.inputs.as_ref(), &inputs);
        if !inputs.is_empty()
            && let Some(schema) = workflow.inputs.as_ref().and_then(InputSchema::of)
        {
            schema.fill(&mut inputs);
            let issues = schema.check(&inputs, |_| false);
            if !issues.is_empty() {
                return Err(WorkflowError::Inputs { workflow: workflow.name.clone(), issues });
            }
        }
        self.write_copy(workflow, inputs, true)
    }

    /// The copy that the last evaluation or run wrote. A workflow without expressions is its own copy.
    pub(crate) fn evaluated_copy(&self, stored: StoredWorkflow) -> Result<StoredWorkflow, WorkflowError> {
        if stored.parsed.expressions.texts().is_empty() {
            return Ok(stored);
        }
        match self.store.evaluated(stored.workflow())? {
            // One of that name that is gone may have left its copy.
            Some(copy) if copy.workflow().id.eq_ignore_ascii_case(&stored.workflow().id) => Ok(copy),
            _ => Err(WorkflowError::NotEvaluated { name: stored.workflow().name.clone() }),
        }
    }

    /// The file that a run goes on with: the workflow, or the copy that the run began with.
    pub(crate) fn file_of_run(
        &self,
        stored: StoredWorkflow,
        lines: &[Line],
    ) -> Result<StoredWorkflow, WorkflowError> {
        let is_of_copy =
            lines.iter().any(|line| matches!(&line.fact, Fact::Started(started) if started.evaluated));
        if is_of_copy { self.evaluated_copy(stored) } else { Ok(stored) }
    }

    /// `inputs`: checked, with defaults. `unrolls`: whether a `forEach` becomes steps.
    pub(crate) fn write_copy(
        &self,
        workflow: &Workflow,
        inputs: Map<String, Value>,
        unrolls: bool,
    ) -> Result<EvaluatedWorkflow, WorkflowError> {
        let unwritable = |source| WorkflowError::Unwritable { name: workflow.name.clone(), source };
        let inputs = RunInputs::new(inputs).map_err(|error| WorkflowError::Inputs {
            workflow: workflow.name.clone(),
            issues: vec![marsh_model::Issue::new("", error.to_string())],
        })?;
        let access = self.models.secret_access();
        let mut copy = Copy { inputs: &inputs, access, unrolls, evaluated: false, expanded: false };
        let jobs = workflow.jobs.iter().map(|job| copy.job(job)).collect::<Result<Vec<_>, _>>();
        let jobs = jobs.map_err(unwritable)?;
        let mut document = serde_json::to_value(workflow).map_err(unwritable)?;
        document["jobs"] = Value::Array(jobs);
        if let Some(declared) = copy.declared_inputs(workflow.inputs.as_ref()) {
            document["inputs"] = declared;
        }
        let written = self.store.save_evaluated(workflow, &document)?;
        Ok(EvaluatedWorkflow {
            path: written.path,
            workflow: written.parsed.workflow,
            had_expressions: copy.evaluated,
            for_each_expanded: copy.expanded,
        })
    }
}

impl Copy<'_> {
    fn known(&self) -> Known<'_> {
        let mut scope = Variables::new();
        scope.set_made("inputs", self.inputs.variable());
        Known { scope, roots: vec!["inputs"], access: &self.access }
    }

    /// With an item of a `forEach`.
    fn known_with(&self, item: &str, value: &Value) -> Known<'_> {
        let mut known = self.known();
        known.scope.set("self", json!({ item: value }));
        known.roots.push("self");
        known
    }

    fn job(&mut self, job: &Job) -> Result<Value, serde_json::Error> {
        let mut document = serde_json::to_value(job)?;
        let mut steps = Vec::with_capacity(job.steps.len());
        let mut replaced = Map::new();
        for step in &job.steps {
            match self.unroll(job, step)? {
                Some(unrolled) => {
                    self.expanded = true;
                    self.evaluated = true;
                    let names = unrolled.iter().map(|step| step["name"].clone()).collect();
                    replaced.insert(step.name.clone(), names);
                    steps.extend(unrolled);
                }
                None => steps.push(self.step(step)?),
            }
        }
        for step in &mut steps {
            unroll::rename_dependencies(step, &replaced);
        }
        document["steps"] = Value::Array(steps);
        Ok(document)
    }

    fn step(&mut self, step: &Step) -> Result<Value, serde_json::Error> {
        let mut document = serde_json::to_value(step)?;
        // What depends on the item has no value yet, as `self` is not known here.
        let task = self.known().task(&document["task"]);
        self.evaluated |= task != document["task"];
        document["task"] = task;
        Ok(document)
    }

    /// The declaration of the inputs with the known ones as defaults, secrets left out.
    fn declared_inputs(&self, declared: Option<&Value>) -> Option<Value> {
        let schema = declared.and_then(InputSchema::of);
        let is_sensitive = |key: &str| schema.as_ref().is_some_and(|schema| schema.is_sensitive(key));
        let known = self.inputs.values.iter();
        let known = known.filter(|(key, value)| !is_sensitive(key) && !self.access.is_secret(value));
        let mut declared = match declared {
            Some(Value::Object(map)) => map.clone(),
            _ => Map::new(),
        };
        let properties = match declared.get_mut("properties") {
            Some(Value::Object(properties)) => properties,
            _ => &mut declared,
        };
        for (key, value) in known {
            match properties.get_mut(key) {
                Some(Value::Object(schema)) => schema.insert("default".to_owned(), value.clone()),
                _ => properties.insert(key.clone(), json!({ "default": value })),
            };
        }
        (!declared.is_empty()).then_some(Value::Object(declared))
    }
}
