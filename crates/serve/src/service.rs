//! What the server does, without saying how it was asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use marsh_api::model::{FailedRun, MethodRun};
use marsh_api::report::ReportResult;
use marsh_extension::Loader;
use marsh_extension::kinds::CallOptions;
use marsh_host_client::CancelToken;
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
use serde::Serialize;
use serde_json::{Map, Value};

use crate::protocol::{CallParams, EvictParams, ResumeParams, WorkflowParams};
use crate::reload::Reloader;
use crate::tally::Tally;
use marsh_api::ErrorReport;

/// Opens the repository as it is now: its marker may have changed since the last time.
pub type Open = Box<dyn Fn() -> Result<Opened, ErrorReport> + Send + Sync>;

#[derive(Debug)]
pub struct Opened {
    pub repo: Repo,
    pub env: Environment,
}

pub struct ServiceOptions {
    pub open: Open,
    pub loader: Arc<Loader>,
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
    pub(crate) fn models(&self) -> Result<Models, ErrorReport> {
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
    ) -> Result<Value, ErrorReport> {
        let models = self.models()?;
        let tell = |event| events(shown(&models, event));
        self.run(&models, params, cancel, &tell)
            .map(|document| shown(&models, document))
            .map_err(|failure| failure.map_texts(|value| shown(&models, value)))
    }

    fn run(
        &self,
        models: &Models,
        params: CallParams,
        cancel: &CancelToken,
        events: Events<'_>,
    ) -> Result<Value, ErrorReport> {
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
        let outcome = models.run(&request, &observer).map_err(|error| ErrorReport::of(&error))?;
        let mut document = marsh_app::method_run(&outcome);
        let reports = self.reports(models, &outcome, cancel, &observer)?;
        let failed = reports.iter().find(|report| report.result.is_err());
        let failed = failed.map(|report| format!("the report `{}` failed", report.name));
        document.reports = reports_of(&reports);
        if outcome.status == RunStatus::Succeeded {
            return match failed {
                None => to_value(&document),
                Some(message) => Err(with_run(ErrorReport::new(ErrorCode::ReportFailed, message), document)),
            };
        }
        if let Ok(type_name) = TypeName::parse(&outcome.model_type) {
            self.tally.call_failed(&type_name);
        }
        let report = match &outcome.error {
            Some(error) => ErrorReport::of(error),
            None => ErrorReport::new(ErrorCode::Failed, "the run failed"),
        };
        Err(with_run(report, document))
    }

    /// The reports that follow a run, as after a command; a run that was cancelled has none.
    fn reports(
        &self,
        models: &Models,
        outcome: &RunOutcome,
        cancel: &CancelToken,
        observer: &dyn Observer,
    ) -> Result<Vec<ReportOutcome>, ErrorReport> {
        if outcome.status == RunStatus::Cancelled {
            return Ok(Vec::new());
        }
        let options = CallOptions { cancel: cancel.clone(), ..CallOptions::default() };
        models
            .report_on(outcome, &ReportSelection::default(), &options, observer)
            .map_err(|error| ErrorReport::of(&error))
    }

    /// Runs a workflow. A run that started has a document, whatever it ended with.
    pub fn workflow(
        &self,
        params: WorkflowParams,
        cancel: &CancelToken,
        events: Events<'_>,
    ) -> Result<Value, ErrorReport> {
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
    ) -> Result<Value, ErrorReport> {
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
    ) -> Result<Value, ErrorReport> {
        let models = self.models()?;
        let tell = events.map(|events| |event| events(shown(&models, event)));
        let observer =
            Counting { tally: &self.tally, tell: tell.as_ref().map(|tell| -> Events<'_> { tell }) };
        let outcome = run(&Workflows::new(&models), &observer)
            .map_err(|error| ErrorReport::of(&error).map_texts(|value| shown(&models, value)))?;
        let mut document = to_value(&outcome.document())?;
        if !outcome.reports.is_empty() {
            document["reports"] = to_value(&reports_of(&outcome.reports))?;
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
    ) -> Result<Value, ErrorReport> {
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
    pub fn evict(&self, params: &EvictParams) -> Result<usize, ErrorReport> {
        let catalog = self.loader().catalog().map_err(|error| ErrorReport::of(&error))?;
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

/// The reports of a run, by name; `None` when there are none.
fn reports_of(reports: &[ReportOutcome]) -> Option<BTreeMap<String, ReportResult>> {
    let results = reports.iter().map(|report| (report.name.clone(), marsh_app::report_result(report)));
    (!reports.is_empty()).then(|| results.collect())
}

/// A document as the answer to a request.
pub(crate) fn to_value(document: &impl Serialize) -> Result<Value, ErrorReport> {
    serde_json::to_value(document).map_err(|error| ErrorReport::new(ErrorCode::Internal, error.to_string()))
}

/// The report of a run that was not successful; its details hold the run's document.
fn with_run(report: ErrorReport, run: MethodRun) -> ErrorReport {
    match to_value(&FailedRun { run }) {
        Ok(details) => ErrorReport { details: Some(details), ..report },
        Err(error) => error,
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

pub(crate) fn type_name(text: &str) -> Result<TypeName, ErrorReport> {
    TypeName::parse(text).map_err(|error| ErrorReport::new(ErrorCode::InvalidTypeName, error.to_string()))
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
        if let Some(tell) = self.tell {
            match to_value(&marsh_app::method_event(event)) {
                Ok(event) => tell(event),
                Err(error) => tracing::warn!(%error, "cannot send an event"),
            }
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
