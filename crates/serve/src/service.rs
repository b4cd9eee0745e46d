//! What the server does, without saying how it was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use marsh_api::ErrorReport;
use marsh_api::event::{EventSink, MethodEvent};
use marsh_api::model::{FailedRun, MethodRun, MethodRunStatus};
use marsh_api::workflow::event::WorkflowEvent;
use marsh_api::workflow::{RunStatus, Severity, WorkflowRun};
use marsh_app::{
    AppError, CancelToken, MethodRunRequest, MethodTarget, ReportSelection, RunInitiator, RunOptions, Server,
    Session, TriggerRequest, WorkflowResumeRequest, WorkflowRunRequest, WorkflowRunResult, Write,
};
use marsh_extension::Loader;
use marsh_types::time::iso_millis;
use marsh_types::{ErrorCode, TypeName};
use serde::Serialize;
use serde_json::Value;

use crate::call_counters::CallCounters;
use crate::protocol::{CallParams, EvictParams, ResumeParams, WorkflowParams};
use crate::reload::Reloader;

/// What every connection and every trigger asks.
pub struct Service {
    pub(crate) server: Server,
    pub(crate) counters: Arc<CallCounters>,
    pub(crate) reloader: Reloader,
    pub(crate) started_at: String,
    pub(crate) in_flight: Arc<AtomicUsize>,
    pub(crate) watching: AtomicBool,
    pub(crate) reloads: AtomicU64,
}

/// How a run ended that a trigger started. It holds no secret.
#[derive(Debug)]
pub(crate) struct TriggeredRun {
    pub status: RunStatus,
    pub failure_reason: Option<String>,
}

/// Receives what happens while a request runs.
pub type Events<'a> = &'a (dyn Fn(Value) + Sync);

impl Service {
    /// The service of that server.
    pub fn new(server: Server) -> Service {
        Service {
            server,
            counters: Arc::default(),
            reloader: Reloader::default(),
            started_at: iso_millis(jiff::Timestamp::now()),
            in_flight: Arc::default(),
            watching: AtomicBool::new(false),
            reloads: AtomicU64::new(0),
        }
    }

    /// The loader that all requests share.
    pub fn loader(&self) -> &Arc<Loader> {
        self.server.loader()
    }

    /// The session of one request.
    pub(crate) fn session(&self) -> Result<Session, ErrorReport> {
        self.server.session().map_err(|error| error.report())
    }

    /// Runs a method. `Err`: it did not run, or was not successful; then the document of the run is in the details.
    pub fn call(
        &self,
        params: CallParams,
        cancel: &CancelToken,
        events: Events<'_>,
    ) -> Result<Value, ErrorReport> {
        let session = self.session()?;
        let target = match params.name {
            None => MethodTarget::Definition(params.target),
            Some(name) => MethodTarget::Type {
                type_name: type_name(&params.target)?.to_string(),
                name,
                global_arguments: params.global_arguments,
            },
        };
        let request = MethodRunRequest {
            target,
            method: params.method,
            inputs: params.inputs,
            options: options(params.tags, params.skip_checks, params.timeout_ms, cancel),
            last_evaluated: false,
            reports: ReportSelection::default(),
        };
        let sink = RequestEvents {
            counters: &self.counters,
            session: &session,
            events: params.events.then_some(events),
        };
        let run = write(&session, |write| write.run_method(&request, &sink)).map_err(|error| error.report());
        match run.and_then(|run| self.method_answer(run)) {
            Ok(document) => Ok(session.mask(document)),
            Err(failure) => Err(failure.map_texts(|value| session.mask(value))),
        }
    }

    fn method_answer(&self, run: MethodRun) -> Result<Value, ErrorReport> {
        if run.status == MethodRunStatus::Succeeded {
            let failed = run.reports.iter().flatten().find(|(_, report)| !report.success);
            let failed = failed.map(|(name, _)| format!("the report `{name}` failed"));
            return match failed {
                None => to_value(&run),
                Some(message) => Err(with_run(ErrorReport::new(ErrorCode::ReportFailed, message), run)),
            };
        }
        if let Ok(type_name) = TypeName::parse(&run.model_type) {
            self.counters.call_failed(&type_name);
        }
        let report = run.error.clone();
        let report = report.unwrap_or_else(|| ErrorReport::new(ErrorCode::Failed, "the run failed"));
        Err(with_run(report, run))
    }

    /// Runs a workflow. A run that started has a document, whatever it ended with.
    pub fn workflow(
        &self,
        params: WorkflowParams,
        cancel: &CancelToken,
        events: Events<'_>,
    ) -> Result<Value, ErrorReport> {
        let request = WorkflowRunRequest {
            workflow: params.workflow,
            inputs: params.inputs,
            options: options(params.tags, params.skip_checks, params.timeout_ms, cancel),
            last_evaluated: false,
            fail_on: Severity::Low,
            initiator: RunInitiator::ServerRequest,
            reports: ReportSelection::default(),
        };
        let session = self.session()?;
        let events = params.events.then_some(events);
        let run = self.follow_run(&session, events, |write, sink| write.run_workflow(&request, sink))?;
        Ok(session.mask(to_value(&run)?))
    }

    /// Resumes a run of a workflow that waits, or whose process died.
    pub fn resume(
        &self,
        params: ResumeParams,
        cancel: &CancelToken,
        events: Events<'_>,
    ) -> Result<Value, ErrorReport> {
        let request = WorkflowResumeRequest {
            workflow: params.workflow,
            run: params.run,
            from: params.from,
            inputs: params.inputs,
            options: options(Vec::new(), params.skip_checks, params.timeout_ms, cancel),
            reports: ReportSelection::default(),
        };
        let session = self.session()?;
        let events = params.events.then_some(events);
        let run = self.follow_run(&session, events, |write, sink| write.resume_workflow(&request, sink))?;
        Ok(session.mask(to_value(&run)?))
    }

    /// Runs a workflow because its time has come or a webhook was called.
    /// `started` is called when the run is on disk.
    pub(crate) fn run_triggered(
        &self,
        request: &TriggerRequest,
        started: &(dyn Fn() + Sync),
    ) -> Result<TriggeredRun, ErrorReport> {
        let session = self.session()?;
        let run = self.follow_run(&session, None, |write, sink| {
            let sink = |event: WorkflowEvent| {
                if matches!(event, WorkflowEvent::Started { .. }) {
                    started();
                }
                sink.event(event);
            };
            write.run_triggered_workflow(request, &sink)
        })?;
        let reason = run.failure_reason.as_deref();
        Ok(TriggeredRun {
            status: run.status,
            failure_reason: reason.map(|reason| session.secrets().redact(reason).into_owned()),
        })
    }

    /// The document is not masked yet; an error is.
    fn follow_run(
        &self,
        session: &Session,
        events: Option<Events<'_>>,
        run: impl FnOnce(&Write<'_>, &dyn EventSink<WorkflowEvent>) -> Result<WorkflowRunResult, AppError>,
    ) -> Result<WorkflowRun, ErrorReport> {
        let sink = RequestEvents { counters: &self.counters, session, events };
        match write(session, |write| run(write, &sink)) {
            Ok(run) => Ok(run.document),
            Err(error) => Err(error.report().map_texts(|value| session.mask(value))),
        }
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

fn options(
    tags: Vec<(String, String)>,
    skip_checks: bool,
    timeout_ms: Option<u64>,
    cancel: &CancelToken,
) -> RunOptions {
    RunOptions {
        tags,
        skip_checks,
        timeout: timeout_ms.map(Duration::from_millis),
        cancel: Some(cancel.clone()),
        ..RunOptions::default()
    }
}

/// A change under the lock of the datastore, pushed.
fn write<T>(session: &Session, work: impl FnOnce(&Write<'_>) -> Result<T, AppError>) -> Result<T, AppError> {
    let changed = session.write(work)?;
    changed.pushed?;
    changed.value
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

/// Counts calls by type, and sends what happens to the client that asked for it, secrets masked.
struct RequestEvents<'a> {
    counters: &'a CallCounters,
    session: &'a Session,
    events: Option<Events<'a>>,
}

impl RequestEvents<'_> {
    fn count(&self, model_type: &str) {
        if let Ok(type_name) = TypeName::parse(model_type) {
            self.counters.called(&type_name);
        }
    }

    fn send(&self, event: &impl Serialize) {
        let Some(events) = self.events else { return };
        match to_value(event) {
            Ok(event) => events(self.session.mask(event)),
            Err(error) => tracing::warn!(error = error.message, "cannot send an event"),
        }
    }
}

impl EventSink<MethodEvent> for RequestEvents<'_> {
    fn event(&self, event: MethodEvent) {
        if let MethodEvent::ModelResolved { model_type, .. } = &event {
            self.count(model_type);
        }
        self.send(&event);
    }
}

impl EventSink<WorkflowEvent> for RequestEvents<'_> {
    fn event(&self, event: WorkflowEvent) {
        let mut inner = &event;
        while let WorkflowEvent::Nested { event, .. } = inner {
            inner = event;
        }
        if let WorkflowEvent::ModelResolved { model_type, .. } = inner {
            self.count(model_type);
        }
        self.send(&event);
    }
}
