//! What the server does, without saying how it was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use marsh_extension::Loader;
use marsh_extension::kinds::CallOptions;
use marsh_host::CancelToken;
use marsh_model::run::reports::{ReportOutcome, ReportSelection};
use marsh_model::{
    CheckSelection, Models, Observer, RunEvent, RunOutcome, RunRequest, RunStatus, Target, Trigger,
};
use marsh_repo::{Environment, Repo};
use marsh_types::time::iso_millis;
use marsh_types::{ErrorCode, TypeName};
use marsh_workflow::{
    ResumeRequest, WorkflowError, WorkflowEvent, WorkflowObserver, WorkflowOutcome, WorkflowRunRequest,
    Workflows,
};
use serde_json::{Map, Value, json};

use crate::error::Failure;
use crate::protocol::{CallParams, EvictParams, ResumeParams, WorkflowParams};
use crate::reload::Reloader;
use crate::tally::Tally;

/// Opens the repository as it is now: its marker may have changed since the last time.
pub type Open = Box<dyn Fn() -> Result<Opened, Failure> + Send + Sync>;

#[derive(Debug)]
pub struct Opened {
    pub repo: Repo,
    pub env: Environment,
}

pub struct ServiceOptions {
    pub open: Open,
    pub loader: Arc<Loader>,
    /// The document of a method run, the same that commands print.
    pub method_json: fn(&RunOutcome) -> Value,
    /// Its member `reports`: those that followed the run.
    pub reports_json: fn(&[ReportOutcome]) -> Value,
    pub default_timeout: Duration,
    pub initiated_by: Option<String>,
    pub version: String,
}

pub struct Service {
    pub(crate) options: ServiceOptions,
    pub(crate) tally: Arc<Tally>,
    pub(crate) reloader: Reloader,
    pub(crate) started_at: String,
    pub(crate) in_flight: Arc<AtomicUsize>,
    pub(crate) watching: std::sync::atomic::AtomicBool,
    pub(crate) reloads: AtomicU64,
}

/// Receives what happens while a request runs.
pub type Events<'a> = &'a (dyn Fn(Value) + Sync);

impl Service {
    pub fn new(options: ServiceOptions) -> Service {
        Service {
            options,
            tally: Arc::default(),
            reloader: Reloader::default(),
            started_at: iso_millis(jiff::Timestamp::now()),
            in_flight: Arc::default(),
            watching: std::sync::atomic::AtomicBool::new(false),
            reloads: AtomicU64::new(0),
        }
    }

    pub fn loader(&self) -> &Arc<Loader> {
        &self.options.loader
    }

    /// What one command would work on: data that live as long as a run do so here too.
    pub(crate) fn models(&self) -> Result<Models, Failure> {
        let opened = (self.options.open)()?;
        Ok(Models::new(opened.repo, opened.env, Arc::clone(&self.options.loader)))
    }

    fn timeout(&self, given: Option<u64>) -> Duration {
        given.map_or(self.options.default_timeout, Duration::from_millis)
    }

    /// Runs a method. `Err`: it did not run, or was not successful; then the document of the run is in the details.
    pub fn call(
        &self,
        params: CallParams,
        cancel: &CancelToken,
        events: Events<'_>,
    ) -> Result<Value, Failure> {
        let models = self.models()?;
        let tell = |event| events(shown(&models, event));
        self.run(&models, params, cancel, &tell)
            .map(|document| shown(&models, document))
            .map_err(|failure| failure.map(|value| shown(&models, value)))
    }

    fn run(
        &self,
        models: &Models,
        params: CallParams,
        cancel: &CancelToken,
        events: Events<'_>,
    ) -> Result<Value, Failure> {
        let target = match params.name {
            None => Target::Definition(params.target.clone()),
            Some(name) => Target::Direct {
                type_name: type_name(&params.target)?,
                name,
                global_arguments: params.global_arguments,
            },
        };
        let request = RunRequest {
            target,
            method: params.method,
            inputs: params.inputs,
            tags: params.tags,
            checks: CheckSelection { skip_all: params.skip_checks, ..CheckSelection::default() },
            deadline: self.timeout(params.timeout_ms),
            cancel,
            trigger: Trigger::Manual,
            last_evaluated: false,
            initiated_by: self.options.initiated_by.clone(),
            pins: None,
            output_overrides: Vec::new(),
            driver: marsh_model::Driver::Raw,
            gate: None,
        };
        let observer = Counting { tally: &self.tally, tell: params.events.then_some(events) };
        let outcome = models.run(&request, &observer).map_err(|error| Failure::of(&error))?;
        let mut document = (self.options.method_json)(&outcome);
        let reports = self.reports(models, &outcome, cancel, &observer)?;
        if !reports.is_empty() {
            document["reports"] = (self.options.reports_json)(&reports);
        }
        if outcome.status == RunStatus::Succeeded {
            return match reports.iter().find(|report| report.result.is_err()) {
                None => Ok(document),
                Some(report) => Err(Failure {
                    details: Some(json!({ "run": document })),
                    ..Failure::new(ErrorCode::ReportFailed, format!("the report `{}` failed", report.name))
                }),
            };
        }
        if let Ok(type_name) = TypeName::parse(&outcome.model_type) {
            self.tally.call_failed(&type_name);
        }
        Err(match &outcome.error {
            Some(error) => Failure { details: Some(json!({ "run": document })), ..Failure::of(error) },
            None => Failure {
                details: Some(json!({ "run": document })),
                ..Failure::new(ErrorCode::Failed, "the run failed")
            },
        })
    }

    /// The reports that follow a run, as after a command; a run that was cancelled has none.
    fn reports(
        &self,
        models: &Models,
        outcome: &RunOutcome,
        cancel: &CancelToken,
        observer: &dyn Observer,
    ) -> Result<Vec<ReportOutcome>, Failure> {
        if outcome.status == RunStatus::Cancelled {
            return Ok(Vec::new());
        }
        let options = CallOptions { cancel: cancel.clone(), ..CallOptions::default() };
        models
            .report_on(outcome, &ReportSelection::default(), &options, observer)
            .map_err(|error| Failure::of(&error))
    }

    /// Runs a workflow. A run that started has a document, whatever it ended with.
    pub fn workflow(
        &self,
        params: WorkflowParams,
        cancel: &CancelToken,
        events: Events<'_>,
    ) -> Result<Value, Failure> {
        let inputs = params.inputs;
        self.follow_run(params.events.then_some(events), |workflows, observer| {
            let request = WorkflowRunRequest {
                name_or_id: &params.workflow,
                inputs,
                tags: params.tags,
                checks: CheckSelection { skip_all: params.skip_checks, ..CheckSelection::default() },
                deadline_per_step: self.timeout(params.timeout_ms),
                cancel,
                initiated_by: self.options.initiated_by.clone(),
                fail_on: marsh_workflow::schema::Severity::Low,
                trigger_source: "serve",
                driver: marsh_model::Driver::Raw,
                reports: ReportSelection::default(),
            };
            workflows.run(&request, observer)
        })
    }

    /// Goes on with a run of a workflow that waits, or that a process left in its middle.
    pub fn resume(
        &self,
        params: ResumeParams,
        cancel: &CancelToken,
        events: Events<'_>,
    ) -> Result<Value, Failure> {
        let inputs = params.inputs;
        self.follow_run(params.events.then_some(events), |workflows, observer| {
            let request = ResumeRequest {
                workflow: &params.workflow,
                run: params.run.as_deref(),
                from: params.from.as_deref(),
                inputs,
                checks: CheckSelection { skip_all: params.skip_checks, ..CheckSelection::default() },
                deadline_per_step: self.timeout(params.timeout_ms),
                cancel,
                driver: marsh_model::Driver::Raw,
                reports: ReportSelection::default(),
            };
            workflows.resume(&request, observer)
        })
    }

    fn follow_run(
        &self,
        events: Option<Events<'_>>,
        run: impl FnOnce(&Workflows<'_>, &dyn WorkflowObserver) -> Result<WorkflowOutcome, WorkflowError>,
    ) -> Result<Value, Failure> {
        let models = self.models()?;
        let tell = events.map(|events| |event| events(shown(&models, event)));
        let observer =
            Counting { tally: &self.tally, tell: tell.as_ref().map(|tell| -> Events<'_> { tell }) };
        let outcome = run(&Workflows::new(&models), &observer)
            .map_err(|error| Failure::of(&error).map(|value| shown(&models, value)))?;
        let mut document = serde_json::to_value(outcome.document()).map_err(|error| {
            Failure::new(ErrorCode::Internal, format!("the run has no JSON form: {error}"))
        })?;
        if !outcome.reports.is_empty() {
            document["reports"] = (self.options.reports_json)(&outcome.reports);
        }
        Ok(shown(&models, document))
    }

    /// Runs a workflow because its time has come or a webhook was called. `written` stands in the place of its own
    /// `trigger.inputs`.
    pub(crate) fn fire(
        &self,
        workflow: &str,
        source: &'static str,
        written: Option<&Map<String, Value>>,
        webhook: Option<&Value>,
        cancel: &CancelToken,
    ) -> Result<Value, Failure> {
        self.follow_run(None, |workflows, observer| {
            let stored = workflows.store().find(workflow)?;
            let request = WorkflowRunRequest {
                name_or_id: workflow,
                inputs: workflows.trigger_inputs(&stored, written, webhook)?,
                tags: Vec::new(),
                checks: CheckSelection::default(),
                deadline_per_step: self.timeout(None),
                cancel,
                initiated_by: Some(format!("trigger:{source}")),
                fail_on: marsh_workflow::schema::Severity::Low,
                trigger_source: source,
                driver: marsh_model::Driver::Raw,
                reports: ReportSelection::default(),
            };
            workflows.run(&request, observer)
        })
    }

    /// Lets go of the loaded code of a type, or of all, once no call uses it.
    pub fn evict(&self, params: &EvictParams) -> Result<usize, Failure> {
        let catalog = self.loader().catalog().map_err(|error| Failure::of(&error))?;
        let wanted = params.type_name.as_deref().map(type_name).transpose()?;
        let mut evicted = 0;
        for indexed in &catalog.types {
            let is_wanted = wanted.as_ref().is_none_or(|wanted| indexed.type_name == *wanted);
            evicted += usize::from(is_wanted && self.loader().evict(indexed.kind, &indexed.type_name));
        }
        Ok(evicted)
    }

    pub(crate) fn entered(&self) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(Arc::clone(&self.in_flight))
    }
}

/// What may leave the server: the secrets that entered a run are masked, as a command masks them when it prints.
fn shown(models: &Models, mut value: Value) -> Value {
    if !models.secrets.is_empty() {
        models.secrets.redact_value(&mut value);
    }
    value
}

/// A request that has not been answered.
pub struct InFlight(Arc<AtomicUsize>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) fn type_name(text: &str) -> Result<TypeName, Failure> {
    TypeName::parse(text).map_err(|error| Failure::new(ErrorCode::InvalidTypeName, error.to_string()))
}

/// Counts calls by type and passes on what happens.
struct Counting<'a> {
    tally: &'a Tally,
    tell: Option<Events<'a>>,
}

impl Counting<'_> {
    fn count(&self, event: &RunEvent) {
        if let RunEvent::Resolved { type_name, .. } = event {
            self.tally.called(type_name);
        }
    }
}

impl Observer for Counting<'_> {
    fn event(&self, event: &RunEvent) {
        self.count(event);
        if let (Some(tell), Some(event)) = (self.tell, method_event(event)) {
            tell(event);
        }
    }
}

impl WorkflowObserver for Counting<'_> {
    fn event(&self, event: &WorkflowEvent) {
        let mut inner = event;
        while let WorkflowEvent::Nested { event, .. } = inner {
            inner = event;
        }
        if let WorkflowEvent::ModelResolved { model_type, .. } = inner
            && let Ok(type_name) = TypeName::parse(model_type)
        {
            self.tally.called(&type_name);
        }
        if let Some(tell) = self.tell {
            match serde_json::to_value(event) {
                Ok(event) => tell(event),
                Err(error) => tracing::warn!(%error, "an event was not sent: it has no JSON form"),
            }
        }
    }
}

fn method_event(event: &RunEvent) -> Option<Value> {
    Some(match event {
        RunEvent::Resolved { model, type_name, method } => {
            json!({ "kind": "model_resolved", "modelName": model, "modelType": type_name, "methodName": method })
        }
        RunEvent::Output { stream, line } => {
            json!({ "kind": "method_output", "stream": stream, "line": line })
        }
        RunEvent::Saved { name, version } => {
            json!({ "kind": "data_artifact_saved", "name": name, "version": version })
        }
        RunEvent::Warning { code, message } => {
            json!({ "kind": "warning", "code": code, "message": message })
        }
        RunEvent::Executing { method, .. } => json!({ "kind": "method_executing", "methodName": method }),
        RunEvent::Extension(value) => json!({ "kind": "method_event", "event": value }),
        _ => return None,
    })
}
