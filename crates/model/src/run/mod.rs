//! One method run, from target to record.

mod context;
mod elsewhere;
mod evaluate;
mod log;
mod outcome;
mod overrides;
pub mod reports;
mod requests;
mod secrets;
mod shell_run;
mod tombstone;

use std::sync::Arc;
use std::time::{Duration, Instant};

use marsh_data::{OutputError, OutputRecord, OutputStatus, Provenance, TriggeredBy};
use marsh_host_client::CancelToken;
use marsh_host_client::protocol::{RunChecks, RunDefinition, RunParams};
use marsh_types::TypeName;
use marsh_types::time::iso_millis;
use serde_json::{Map, Value, json};

pub use outcome::{ArtifactView, RunOutcome, RunStatus};
pub use overrides::OutputOverride;

use crate::definition::Stored;
use crate::driver::Driver;
use crate::error::ModelError;
use crate::types::TypeCode;
use crate::{Models, Pins, direct};
use context::RunContext;
use evaluate::Evaluated;

/// What to run a method on.
#[derive(Debug, Clone)]
pub enum Target {
    /// A definition, by name or id.
    Definition(String),
    /// A type and the name of a definition that is made if there is none.
    Direct { type_name: TypeName, name: String, global_arguments: Option<Map<String, Value>> },
}

/// Which pre-flight checks run.
#[derive(Debug, Clone, Default)]
pub struct CheckSelection {
    pub skip_all: bool,
    pub skip_names: Vec<String>,
    pub skip_labels: Vec<String>,
}

/// Who asked for the run.
#[derive(Debug, Clone)]
pub enum Trigger {
    Manual,
    Workflow(Box<WorkflowTrigger>),
}

#[derive(Debug, Clone)]
pub struct WorkflowTrigger {
    pub workflow_id: String,
    pub workflow_run_id: String,
    pub workflow_name: String,
    pub job: String,
    pub step: String,
    /// The inputs of the workflow run; a definition's `inputs` see them below the step's own.
    pub inputs: Arc<RunInputs>,
    pub tags: Vec<(String, String)>,
}

/// The inputs of a workflow run, which all its steps share: there may be thousands of both.
#[derive(Debug)]
pub struct RunInputs {
    pub values: Map<String, Value>,
    /// The same, for expressions.
    pub terms: Vec<(String, marsh_expr::Value)>,
}

impl RunInputs {
    pub fn new(values: Map<String, Value>) -> Result<RunInputs, marsh_expr::TooDeep> {
        let terms = values
            .iter()
            .map(|(key, value)| Ok((key.clone(), marsh_expr::Value::from_json(value)?)))
            .collect::<Result<_, _>>()?;
        Ok(RunInputs { values, terms })
    }

    /// The variable `inputs`.
    pub fn variable(&self) -> Result<marsh_expr::Value, marsh_expr::TooDeep> {
        marsh_expr::Value::map(self.terms.iter().map(|(key, term)| (key.as_str(), term.clone())))
    }
}

#[derive(Debug)]
pub struct RunRequest<'a> {
    pub target: Target,
    pub method: String,
    pub inputs: Map<String, Value>,
    /// Tags for everything the run writes.
    pub tags: Vec<(String, String)>,
    pub checks: CheckSelection,
    pub deadline: Duration,
    pub cancel: &'a CancelToken,
    pub trigger: Trigger,
    pub last_evaluated: bool,
    pub initiated_by: Option<String>,
    /// Types that stay on the code that they had.
    pub pins: Option<&'a Pins>,
    pub output_overrides: Vec<OutputOverride>,
    pub driver: Driver,
    /// What has to be so before the method's code runs; all that can be done before is done meanwhile.
    pub gate: Option<&'a dyn Gate>,
}

/// Waits for what a run of code has to follow.
pub trait Gate: std::fmt::Debug + Sync {
    /// `Err`: the code must not run.
    fn pass(&self) -> Result<(), String>;
}

/// What happens while a method runs.
#[derive(Debug, Clone)]
pub enum RunEvent {
    Resolved {
        model: String,
        type_name: TypeName,
        method: String,
    },
    DefinitionCreated {
        name: String,
        path: std::path::PathBuf,
    },
    GlobalArgumentsUpdated {
        name: String,
    },
    Upgraded {
        name: String,
        to_version: String,
    },
    Warning {
        code: &'static str,
        message: String,
    },
    Executing {
        method: String,
        checks: Vec<String>,
    },
    Output {
        stream: String,
        line: String,
    },
    Saved {
        name: String,
        version: u32,
    },
    /// An event of the extension's own.
    Extension(Value),
}

/// Receives events as they happen, possibly from several runs at once.
pub trait Observer: Sync {
    fn event(&self, event: &RunEvent);
}

/// Drops everything.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &RunEvent) {}
}

impl Models {
    /// Runs a method. `Err`: it never started. A run that started has an outcome, whatever it ended with.
    pub fn run(&self, request: &RunRequest<'_>, observer: &dyn Observer) -> Result<RunOutcome, ModelError> {
        let (stored, code, inputs) = self.target(request, observer)?;
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
        let evaluated = self.evaluate(&stored, &code, request, inputs, observer)?;
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
                // Before a definition is made for a run that cannot start.
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
        let context = RunContext::new(self, stored, code, request, &log, observer);
        if !matches!(request.driver, Driver::Raw) {
            context.log_line("INF", &format!("driver {}", request.driver.name()));
        }
        // It is written once, at the end: meanwhile a workflow's own record shows what is running, and a single run is its
        // own witness.
        let mut record = self.new_record(stored, code, request, &started_at);
        if let Some(gate) = request.gate {
            gate.pass().map_err(|reason| ModelError::Held { method: request.method.clone(), reason })?;
        }
        let executed = match code.module(&request.method) {
            None => context.run_shell(&evaluated.method_arguments, request.deadline, request.cancel),
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
                context.bury()?;
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
        record.log_file = log.written().map(|path| self.repo.layout.display(path).display().to_string());
        let record_path = self.outputs.write(&code.type_name, &record)?;
        self.collect_after_run(&code.type_name, &definition.id, &artifacts)?;
        // File data are on disk by now; one directory sync makes the names durable, as journals keep the order of what
        // came before. A workflow does this once for all its steps.
        if matches!(request.trigger, Trigger::Manual)
            && let Some(dir) = record_path.parent()
        {
            marsh_fs::sync_dir(dir)?;
        }
        Ok(RunOutcome::new(self, stored, code, request, evaluated, record, artifacts, result.err()))
    }

    fn new_record(
        &self,
        stored: &Stored,
        code: &TypeCode,
        request: &RunRequest<'_>,
        started_at: &str,
    ) -> OutputRecord {
        let workflow = match &request.trigger {
            Trigger::Workflow(workflow) => Some(workflow),
            Trigger::Manual => None,
        };
        OutputRecord {
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
                definition_hash: stored.definition.hash(),
                model_version: code.description.version.clone(),
                triggered_by: if workflow.is_some() { TriggeredBy::Workflow } else { TriggeredBy::Manual },
                workflow_id: workflow.map(|workflow| workflow.workflow_id.clone()),
                workflow_run_id: workflow.map(|workflow| workflow.workflow_run_id.clone()),
                step_name: workflow.map(|workflow| workflow.step.clone()),
                parent_output_id: None,
                caller_extension: None,
                initiated_by: request.initiated_by.clone(),
                bundle_fingerprint: code.module(&request.method).map(|loaded| loaded.fingerprint.clone()),
            },
            artifacts: None,
            log_file: None,
            pid: Some(std::process::id()),
        }
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
