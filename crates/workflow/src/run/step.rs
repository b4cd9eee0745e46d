//! What a step does: a method of a model.

use std::time::Duration;

use marsh_host::CancelToken;
use marsh_model::direct::{self, Routed};
use marsh_model::run::ArtifactView;
use marsh_model::{
    CheckSelection, Models, Observer, RunEvent, RunOutcome, RunRequest, Target, Trigger, WorkflowTrigger,
};
use marsh_types::{Explain, TypeName};
use serde_json::{Map, Value};

use super::log::WorkflowLog;
use super::schedule::{Finished, StepExecutor};
use crate::event::{WorkflowEvent, WorkflowObserver};
use crate::record::StepCode;
use crate::schema::{ModelMethod, ModelTarget, Task, Workflow};
use crate::scope::Expander;

/// What a method run left behind, whether or not it succeeded.
#[derive(Debug)]
pub(crate) struct Ran {
    pub model: String,
    pub method: String,
    pub output_id: String,
    pub artifacts: Vec<ArtifactView>,
    pub code: StepCode,
}

/// Runs the steps of one run.
#[derive(Clone, Copy)]
pub(super) struct ModelSteps<'a> {
    pub models: &'a Models,
    pub workflow: &'a Workflow,
    pub run_id: &'a str,
    pub inputs: &'a Map<String, Value>,
    /// The workflow's own tags; those of the command line win over them.
    pub workflow_tags: &'a [(String, String)],
    pub tags: &'a [(String, String)],
    pub checks: &'a CheckSelection,
    pub deadline: Duration,
    pub cancel: &'a CancelToken,
    pub initiated_by: Option<&'a str>,
    pub expander: &'a Expander,
    pub log: &'a WorkflowLog,
    pub observer: &'a dyn WorkflowObserver,
}

impl StepExecutor for ModelSteps<'_> {
    type Output = Ran;

    fn execute(&self, job: usize, step: usize) -> Finished<Ran> {
        let (job, step) = (&self.workflow.jobs[job].name, &self.workflow.jobs[job].steps[step]);
        let Task::ModelMethod(task) = &step.task else {
            // `Workflows::run` refuses such workflows before anything runs.
            return self.failure(format!("the task type `{}` is not supported", step.task.type_name()));
        };
        let outcome = self.request(task, job, &step.name).and_then(|request| {
            let observer = StepObserver { run: self, job, step: &step.name };
            self.models
                .run(&request, &observer)
                .map_err(|error| Refused { interrupted: error.is_cancelled(), message: with_hint(&error) })
        });
        match outcome {
            Ok(outcome) => finished(outcome),
            Err(refused) => {
                Finished { output: None, interrupted: refused.interrupted, error: Some(refused.message) }
            }
        }
    }
}

/// Why a step never came to run its method.
struct Refused {
    message: String,
    interrupted: bool,
}

impl From<String> for Refused {
    fn from(message: String) -> Refused {
        Refused { message, interrupted: false }
    }
}

fn with_hint(error: &impl Explain) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

fn finished(outcome: RunOutcome) -> Finished<Ran> {
    let error = outcome.error.as_ref().map(ToString::to_string);
    let interrupted = outcome.error.as_ref().is_some_and(marsh_model::ModelError::is_cancelled);
    let ran = Ran {
        model: outcome.model_name,
        method: outcome.method,
        output_id: outcome.output_id,
        artifacts: outcome.artifacts,
        code: StepCode {
            type_name: outcome.model_type,
            type_version: outcome.type_version,
            fingerprint: outcome.fingerprint,
            sha256: outcome.code_sha256,
        },
    };
    Finished { output: Some(ran), error, interrupted }
}

impl<'a> ModelSteps<'a> {
    fn failure(&self, message: String) -> Finished<Ran> {
        Finished { output: None, error: Some(message), interrupted: false }
    }

    fn request(&self, task: &ModelMethod, job: &str, step: &str) -> Result<RunRequest<'a>, Refused> {
        let method = self.expander.text(&task.method_name, "methodName")?;
        let (target, inputs) = self.target(task, &method)?;
        let mut tags = self.workflow_tags.to_vec();
        if let Some(initiated_by) = self.initiated_by {
            tags.push(("initiatedBy".to_owned(), initiated_by.to_owned()));
        }
        Ok(RunRequest {
            target,
            method,
            inputs,
            tags: self.tags.to_vec(),
            checks: self.checks.clone(),
            deadline: self.deadline,
            cancel: self.cancel,
            trigger: Trigger::Workflow(Box::new(WorkflowTrigger {
                workflow_id: self.workflow.id.clone(),
                workflow_run_id: self.run_id.to_owned(),
                workflow_name: self.workflow.name.clone(),
                job: job.to_owned(),
                step: step.to_owned(),
                inputs: self.inputs.clone(),
                tags,
            })),
            last_evaluated: false,
            initiated_by: self.initiated_by.map(str::to_owned),
        })
    }

    fn target(&self, task: &ModelMethod, method: &str) -> Result<(Target, Map<String, Value>), Refused> {
        let inputs = || self.expander.map(task.inputs.as_ref(), "inputs");
        match &task.target {
            ModelTarget::Definition { model_id_or_name } => {
                let name = self.expander.text(model_id_or_name, "modelIdOrName")?;
                Ok((Target::Definition(name), inputs()?))
            }
            ModelTarget::Direct { model_type, model_name, global_args } => {
                let raw = self.expander.text(model_type, "modelType")?;
                let type_name = TypeName::parse(&raw).map_err(|error| error.to_string())?;
                let name = self.expander.text(model_name, "modelName")?;
                let (global_arguments, inputs) = match global_args {
                    Some(written) => (self.expander.map_for_definition(written, "globalArgs")?, inputs()?),
                    None => {
                        let routed = self.routed(task, &type_name, method)?;
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
    fn routed(&self, task: &ModelMethod, type_name: &TypeName, method: &str) -> Result<Routed, Refused> {
        let refused = |error: marsh_model::ModelError| Refused {
            interrupted: error.is_cancelled(),
            message: with_hint(&error),
        };
        let code = self.models.resolve_type(type_name).map_err(refused)?;
        let written = match &task.inputs {
            None => Map::new(),
            Some(Value::Object(written)) => written.clone(),
            Some(expression) => {
                // Nothing in the result was written by the author, so nothing in it may be an expression.
                let expanded = self.expander.map(Some(expression), "inputs")?;
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
        let global = self.expander.map_for_definition(&Value::Object(routed.global), "inputs")?;
        let inputs = self.expander.map(Some(&Value::Object(routed.method)), "inputs")?;
        Ok(Routed { global, method: inputs })
    }
}

/// Passes on what a method run tells, with the names of its step.
struct StepObserver<'a> {
    run: &'a ModelSteps<'a>,
    job: &'a str,
    step: &'a str,
}

impl Observer for StepObserver<'_> {
    fn event(&self, event: &RunEvent) {
        let (job, step) = (self.job.to_owned(), self.step.to_owned());
        let event = match event {
            RunEvent::Output { stream, line } => {
                let level = if stream == "stderr" { "ERR" } else { "INF" };
                self.run.log.step_line(level, self.job, self.step, line);
                WorkflowEvent::Output { job, step, stream: stream.clone(), line: line.clone() }
            }
            RunEvent::Warning { code, message } => {
                self.run.log.step_line("WRN", self.job, self.step, message);
                WorkflowEvent::Warning { job: Some(job), step: Some(step), code, message: message.clone() }
            }
            other => WorkflowEvent::Method { job, step, event: other.clone() },
        };
        self.run.observer.event(&event);
    }
}
