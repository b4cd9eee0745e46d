//! Method runs, from target to record.

mod callback_error;
mod checks;
mod context;
mod elsewhere;
mod evaluate;
mod file_writer;
mod log;
mod nested;
mod outcome;
mod overrides;
pub mod reports;
mod requests;
mod secrets;
mod shell_run;
mod tombstone;
mod vaults;

use std::sync::Arc;
use std::time::{Duration, Instant};

use marsh_data::{OutputError, OutputRecord, OutputStatus, Provenance, TriggeredBy};
use marsh_host_client::CancelToken;
use marsh_host_client::protocol::{RunChecks, RunDefinition, RunParams};
use marsh_types::TypeName;
use marsh_types::time::iso_millis;
use serde_json::{Map, Value, json};

pub use evaluate::EvaluatedCopy;
pub use nested::Caller;
pub use outcome::{ArtifactView, RunOutcome, RunStatus};
pub use overrides::OutputOverride;

pub use crate::observer::{Observer, RunEvent, Silent};

pub use crate::check_filter::CheckFilter;
use crate::definition::Stored;
use crate::driver::Driver;
use crate::error::ModelError;
use crate::running::{Announced, RunningRun};
use crate::types::TypeCode;
use crate::{Models, Pins, direct, running};
use context::RunContext;
use evaluate::Evaluated;

/// The target of a method run.
#[derive(Debug, Clone)]
pub enum Target {
    /// A definition, by name or id.
    Definition(String),
    /// A type. The run creates a definition if there is none.
    Direct {
        /// The type.
        type_name: TypeName,
        /// The name of the definition.
        name: String,
        /// Its global arguments, if they are not taken from the inputs.
        global_arguments: Option<Map<String, Value>>,
    },
}

/// Selects pre-flight checks.
#[derive(Debug, Clone, Default)]
pub struct CheckSelection {
    /// Skip all checks, except those that the definition requires.
    pub skip_all: bool,
    /// Skip checks with these names.
    pub skip_names: Vec<String>,
    /// Skip checks with these labels.
    pub skip_labels: Vec<String>,
}

/// Who asked for the run.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// A command.
    Manual,
    /// A step of a workflow.
    Workflow(Box<WorkflowTrigger>),
}

/// The workflow step that asked for a run.
#[derive(Debug, Clone)]
pub struct WorkflowTrigger {
    /// The id of the workflow.
    pub workflow_id: String,
    /// The id of the workflow run.
    pub workflow_run_id: String,
    /// The name of the workflow.
    pub workflow_name: String,
    /// The name of the job.
    pub job: String,
    /// The name of the step.
    pub step: String,
    /// The inputs of the workflow run. The step's own inputs win over them.
    pub inputs: Arc<RunInputs>,
    /// Tags of the workflow.
    pub tags: Vec<(String, String)>,
}

/// The inputs of a workflow run. All its steps share them: there may be thousands of both.
#[derive(Debug)]
pub struct RunInputs {
    /// The inputs as JSON.
    pub values: Map<String, Value>,
    /// The inputs for expressions.
    pub terms: Vec<(String, marsh_expr::Value)>,
}

impl RunInputs {
    /// Prepares inputs for expressions.
    ///
    /// # Errors
    ///
    /// A value is nested too deeply.
    pub fn new(values: Map<String, Value>) -> Result<RunInputs, marsh_expr::TooDeep> {
        let terms = values
            .iter()
            .map(|(key, value)| Ok((key.clone(), marsh_expr::Value::from_json(value)?)))
            .collect::<Result<_, _>>()?;
        Ok(RunInputs { values, terms })
    }

    /// The variable `inputs` of expressions.
    ///
    /// # Errors
    ///
    /// A value is nested too deeply.
    pub fn variable(&self) -> Result<marsh_expr::Value, marsh_expr::TooDeep> {
        marsh_expr::Value::map(self.terms.iter().map(|(key, term)| (key.as_str(), term.clone())))
    }
}

/// A request to run a method.
#[derive(Debug)]
pub struct RunRequest<'a> {
    /// The definition or type.
    pub target: Target,
    /// The method.
    pub method: String,
    /// The inputs.
    pub inputs: Map<String, Value>,
    /// Tags of everything that the run writes.
    pub tags: Vec<(String, String)>,
    /// The pre-flight checks that run.
    pub checks: CheckSelection,
    /// How long the method may run.
    pub deadline: Duration,
    /// Cancels the run.
    pub cancel: &'a CancelToken,
    /// Who asked for the run.
    pub trigger: Trigger,
    /// Use the evaluated copy of the definition that an earlier run wrote.
    pub last_evaluated: bool,
    /// The user, for provenance.
    pub initiated_by: Option<String>,
    /// The pinned code of types.
    pub pins: Option<&'a Pins>,
    /// Overrides of outputs.
    pub output_overrides: Vec<OutputOverride>,
    /// Where the method runs.
    pub driver: Driver,
    /// Holds back the method's code. Everything before it happens meanwhile.
    pub gate: Option<&'a dyn Gate>,
    /// The run whose code asked for this one.
    pub caller: Option<&'a Caller>,
}

/// A condition for running code, for example that a journal is on disk.
pub trait Gate: std::fmt::Debug + Sync {
    /// Waits for the condition.
    ///
    /// # Errors
    ///
    /// The code must not run, for this reason.
    fn pass(&self) -> Result<(), String>;
}

impl Models {
    /// Runs a method. A run that started has an outcome, even if the method failed.
    ///
    /// # Errors
    ///
    /// The run did not start, or its record cannot be written.
    pub fn run(&self, request: &RunRequest<'_>, observer: &dyn Observer) -> Result<RunOutcome, ModelError> {
        let span = tracing::info_span!("method_run", model = tracing::field::Empty, method = request.method);
        let _span = span.enter();
        let (stored, code, inputs) = self.target(request, observer)?;
        span.record("model", stored.definition.name.as_str());
        let method = code.method(&request.method)?;
        elsewhere::refuse_driver(&code, request)?;
        observer.event(&RunEvent::Resolved {
            model: stored.definition.name.clone(),
            type_name: code.type_name.clone(),
            method: request.method.clone(),
        });
        if matches!(method.kind.as_deref(), Some("read" | "update")) {
            self.refuse_deleted(&stored, &code)?;
        }
        let mut evaluated = self.evaluate(&stored, &code, request, inputs, observer)?;
        if let Some(caller) = request.caller {
            evaluated.override_globals(caller.globals());
        }
        self.run_evaluated(&stored, &code, request, &evaluated, observer)
    }

    fn target(
        &self,
        request: &RunRequest<'_>,
        observer: &dyn Observer,
    ) -> Result<(Stored, TypeCode, Map<String, Value>), ModelError> {
        match &request.target {
            Target::Definition(name) => {
                let stored = self.definitions.find(name)?;
                let code = self.code(&stored.type_name, request.pins)?;
                self.require_vault(&code, &request.method)?;
                self.track_sensitive(&code, &request.method, &[&request.inputs]);
                Ok((stored, code, request.inputs.clone()))
            }
            Target::Direct { type_name, name, global_arguments } => {
                let code = self.code(type_name, request.pins)?;
                // Before the run creates a definition: it may be unable to start.
                self.require_vault(&code, &request.method)?;
                self.track_sensitive(&code, &request.method, &[&request.inputs]);
                let routed =
                    direct::route(&code, &request.method, &request.inputs, global_arguments.as_ref())?;
                let stored = self.direct_definition(&code, name, &routed, observer)?;
                Ok((stored, code, routed.method))
            }
        }
    }

    fn run_evaluated(
        &self,
        stored: &Stored,
        code: &TypeCode,
        request: &RunRequest<'_>,
        evaluated: &Evaluated,
        observer: &dyn Observer,
    ) -> Result<RunOutcome, ModelError> {
        let started_at = iso_millis(jiff::Timestamp::now());
        let started = Instant::now();
        let definition = &stored.definition;
        let log_path =
            self.outputs.log_path(&code.type_name, &request.method, &definition.id, &started_at)?;
        let log = log::RunLog::new(log_path, &definition.name, &request.method, self.secrets.clone());
        // Written once, at the end. Until then, the record of the workflow shows what is running.
        let mut record = self.new_record(stored, code, request, &started_at)?;
        let context = RunContext::new(self, stored, code, request, &log, observer).of_record(&record.id);
        if !matches!(request.driver, Driver::Raw) {
            context.log_line("INF", &format!("driver {}", request.driver.name()));
        }
        let own = context.cancel.clone();
        let _cancelled_with_request = request.cancel.on_cancel(move |reason| own.cancel(reason));
        let _announced = self.announce(&record, &context);
        if let Some(gate) = request.gate {
            gate.pass().map_err(|reason| ModelError::Held { method: request.method.clone(), reason })?;
        }
        let executed = match code.module(&request.method) {
            None => context.run_shell(&evaluated.method_arguments, request.deadline),
            Some(loaded) => {
                let params = self.call_params(stored, code, request, evaluated);
                self.execute(loaded, params, request, &context)
            }
        };
        let executed = executed.and_then(|value| {
            context.check_sound()?;
            Ok(value)
        });
        let executed = executed.map_err(|error| error.redacted(&self.secrets));
        let result = executed.and_then(|value| {
            if code.method(&request.method)?.kind.as_deref() == Some("delete") {
                context.add_tombstones()?;
            }
            Ok(value)
        });
        if result.is_err() && code.method(&request.method).is_ok_and(|method| method.rollback_on_failure) {
            context.roll_back()?;
        }
        let artifacts = context.artifacts(result.as_deref().unwrap_or_default());
        record.completed_at = Some(iso_millis(jiff::Timestamp::now()));
        record.duration_ms = Some(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
        record.status = match &result {
            Ok(_) => OutputStatus::Succeeded,
            Err(error) if error.is_cancelled() => OutputStatus::Cancelled,
            Err(_) => OutputStatus::Failed,
        };
        record.error = result.as_ref().err().map(|error| OutputError {
            message: error.to_string(),
            stack: error.call_error().and_then(|call| call.stack.clone()),
        });
        record.artifacts = outcome::record_artifacts(&artifacts);
        if let Some(error) = &record.error {
            context.log_line("ERR", &error.message);
        }
        if let Some(message) = log.missing() {
            observer.event(&RunEvent::Warning { code: "log_incomplete", message });
        }
        record.log_file = log.written().map(|path| self.repo.layout.display(path).display().to_string());
        let record_path = self.outputs.write(&code.type_name, &record)?;
        self.collect_after_run(&code.type_name, &definition.id, &artifacts)?;
        // File data are on disk by now. One directory sync makes the names durable, as journals keep the order of earlier
        // changes. A workflow does this once for all its steps.
        if matches!(request.trigger, Trigger::Manual)
            && let Some(dir) = record_path.parent()
        {
            marsh_fs::sync_dir(dir)?;
        }
        let error = result.err();
        let ended = outcome::EndedRun { stored, code, request, evaluated, record, artifacts, error };
        Ok(ended.outcome(self, observer))
    }

    /// Tells other processes that the run is going on. It goes on also when that fails.
    fn announce(&self, record: &OutputRecord, context: &RunContext<'_>) -> Option<Announced<'_>> {
        let run = RunningRun {
            model_name: context.stored.definition.name.clone(),
            model_type: context.code.type_name.to_string(),
            hostname: running::hostname(),
            record: record.clone(),
        };
        match self.running.announce(run, &context.cancel) {
            Ok(announced) => Some(announced),
            Err(error) => {
                context.warn(
                    "run_not_announced",
                    &format!("`marsh model cancel` cannot reach this run: {error}"),
                );
                None
            }
        }
    }

    fn new_record(
        &self,
        stored: &Stored,
        code: &TypeCode,
        request: &RunRequest<'_>,
        started_at: &str,
    ) -> Result<OutputRecord, ModelError> {
        let workflow = match &request.trigger {
            Trigger::Workflow(workflow) => Some(workflow),
            Trigger::Manual => None,
        };
        Ok(OutputRecord {
            id: uuid::Uuid::new_v4().to_string(),
            definition_id: stored.definition.id.clone(),
            method_name: request.method.clone(),
            status: OutputStatus::Running,
            started_at: started_at.to_owned(),
            completed_at: None,
            duration_ms: None,
            error: None,
            retry_count: 0,
            provenance: Provenance {
                definition_hash: stored.definition.hash(&stored.path)?,
                model_version: code.description.version.clone(),
                triggered_by: match (request.caller, workflow) {
                    (Some(_), _) => TriggeredBy::Model,
                    (None, Some(_)) => TriggeredBy::Workflow,
                    (None, None) => TriggeredBy::Manual,
                },
                workflow_id: workflow.map(|workflow| workflow.workflow_id.clone()),
                workflow_run_id: workflow.map(|workflow| workflow.workflow_run_id.clone()),
                step_name: workflow.map(|workflow| workflow.step.clone()),
                parent_output_id: request.caller.map(|caller| caller.output_id().to_owned()),
                caller_extension: request.caller.and_then(Caller::extension).map(str::to_owned),
                initiated_by: request.initiated_by.clone(),
                bundle_fingerprint: code.module(&request.method).map(|loaded| loaded.fingerprint.clone()),
                engine: code.module(&request.method).and_then(|loaded| loaded.module.engine.other_name()),
            },
            artifacts: None,
            log_file: None,
            pid: Some(std::process::id()),
        })
    }

    fn call_params(
        &self,
        stored: &Stored,
        code: &TypeCode,
        request: &RunRequest<'_>,
        evaluated: &Evaluated,
    ) -> RunParams {
        let definition = &stored.definition;
        let rules = definition.checks.clone().unwrap_or_default();
        RunParams {
            method: request.method.clone(),
            r#type: code.type_name.to_string(),
            definition: RunDefinition {
                id: definition.id.clone(),
                name: definition.name.clone(),
                version: json!(definition.version),
                tags: json!(definition.tags),
                type_version: definition.type_version.as_ref().map(ToString::to_string),
            },
            global_arguments: secrets::revealed(&self.secrets, &evaluated.global_arguments),
            stored_global_arguments: json!(definition.global_arguments),
            unresolved_globals: json!(evaluated.unresolved_globals),
            method_arguments: secrets::revealed(&self.secrets, &evaluated.method_arguments),
            unresolved_method_arguments: json!(evaluated.method_arguments),
            checks: RunChecks {
                require: rules.require,
                skip: rules.skip,
                skip_all: request.checks.skip_all,
                skip_names: request.checks.skip_names.clone(),
                skip_labels: request.checks.skip_labels.clone(),
            },
            repo_dir: request.driver.sees_repository().then(|| self.repo.layout.root().to_owned()),
        }
    }
}
