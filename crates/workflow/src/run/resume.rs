//! Resuming a run: after an approval, after a crash, or from a step on after a failure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use marsh_api::event::EventSink;
use marsh_api::workflow::event::{WarningCode, WorkflowEvent};
use marsh_host_client::CancelToken;
use marsh_model::run::reports::ReportSelection;
use marsh_model::{CheckSelection, Driver};
use marsh_types::Digest;
use serde_json::{Map, Value};

use super::permits::Permits;
use super::start::{checked_inputs, outline, refuse_masked};
use super::{Nesting, WorkflowRunRequest};
use crate::Workflows;
use crate::error::WorkflowError;
use crate::fold::Recorder;
use crate::journal::{Fact, Line, Started, StepKey};
use crate::machine::{Machine, Phase, Plan};
use crate::outcome::WorkflowOutcome;
use crate::record::{NodeStatus, RunStatus};
use crate::runs::OwnedRun;
use crate::schema::Workflow;
use crate::store::StoredWorkflow;

/// Which run to continue, and how.
#[derive(Debug)]
pub struct ResumeRequest<'a> {
    /// The workflow, by name or id.
    pub workflow: &'a str,
    /// The run, by id or the start of it. Default: the only one that can be resumed.
    pub run: Option<&'a str>,
    /// Do this step again, and all that follows from it.
    pub from: Option<&'a str>,
    /// Added to the inputs of the run, or replacing some.
    pub inputs: Map<String, Value>,
    /// The pre-flight checks to run.
    pub checks: CheckSelection,
    /// How long a step may take.
    pub deadline_per_step: Duration,
    /// Cancels the run.
    pub cancel: &'a CancelToken,
    /// Where the rest of the steps run.
    pub driver: Driver,
    /// The reports to run.
    pub reports: ReportSelection,
}

/// The start of a run as its journal has it.
pub(crate) fn started(lines: &[Line]) -> Option<&Started> {
    lines.first().and_then(|line| match &line.fact {
        Fact::Started(started) => Some(&**started),
        _ => None,
    })
}

impl Workflows<'_> {
    /// Goes on with a run.
    pub fn resume(
        &self,
        request: &ResumeRequest<'_>,
        observer: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowOutcome, WorkflowError> {
        let stored = self.store.find(request.workflow)?;
        let run_id = self.run_to_resume(stored.workflow(), request.run, request.from.is_some())?;
        let mut owned = self.runs.own(&stored.workflow().id, &run_id)?;
        let lines = owned.lines().ok_or_else(|| WorkflowError::NoJournal { run: run_id.clone() })?;
        let stored = self.file_of_run(stored, &lines)?;
        self.check(&stored)?;
        let workflow = stored.workflow();
        let begun = started(&lines).ok_or_else(|| WorkflowError::NoJournal { run: run_id.clone() })?.clone();
        let status = Recorder::of(&lines).map(|recorder| recorder.head().status);
        let lines = match request.from {
            Some(from) => self.reset(workflow, &mut owned, lines, from, status)?,
            None => {
                if let Some(ended @ (RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled)) =
                    status
                {
                    return Err(WorkflowError::NotResumable { run: run_id, status: ended });
                }
                lines
            }
        };
        let max = self.step_limit(observer);
        let run = WorkflowRunRequest {
            name_or_id: request.workflow,
            run_id: None,
            last_evaluated: begun.evaluated,
            inputs: request.inputs.clone(),
            tags: begun.run_tags.clone(),
            checks: request.checks.clone(),
            deadline_per_step: request.deadline_per_step,
            cancel: request.cancel,
            initiated_by: begun.initiated_by.clone(),
            fail_on: begun.fail_on,
            trigger_source: "manual",
            driver: request.driver.clone(),
            reports: request.reports.clone(),
        };
        let nesting =
            Nesting { run_id, ancestors: begun.ancestors.clone(), permits: Arc::new(Permits::new(max)) };
        self.go_on(&stored, owned, lines, &run, nesting, observer)
    }

    /// From what a journal tells, with the file as it is now.
    pub(crate) fn go_on(
        &self,
        stored: &StoredWorkflow,
        owned: OwnedRun,
        lines: Vec<Line>,
        request: &WorkflowRunRequest<'_>,
        nesting: Nesting,
        observer: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowOutcome, WorkflowError> {
        let workflow = stored.workflow();
        let recorder =
            Recorder::of(&lines).ok_or_else(|| WorkflowError::NoJournal { run: nesting.run_id.clone() })?;
        let begun =
            started(&lines).ok_or_else(|| WorkflowError::NoJournal { run: nesting.run_id.clone() })?;
        if matches!(recorder.head().status, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled) {
            // A nested run that had ended when its parent was stopped.
            let record = recorder.record();
            let path = self.runs.write(&record, marsh_fs::Durability::Synced)?;
            return Ok(WorkflowOutcome::of_record(record, path));
        }
        // A nested run has its inputs already; what is given anew to a run is checked with the rest.
        let added = if nesting.ancestors.is_empty() { request.inputs.clone() } else { Map::new() };
        let mut inputs = recorder.head().inputs.clone().unwrap_or_default();
        marsh_model::inputs::merge(&mut inputs, added.clone());
        self.models.track_sensitive_inputs(workflow.inputs.as_ref(), &added);
        let inputs = checked_inputs(workflow, inputs)?;
        refuse_masked(workflow, &inputs)?;
        let changed: Map<String, Value> =
            added.keys().filter_map(|key| Some((key.clone(), inputs.get(key)?.clone()))).collect();
        let sha256 = Digest::of(stored.text.as_bytes()).to_hex();
        let known = lines.iter().rev().find_map(|line| match &line.fact {
            Fact::Resumed { workflow_sha256, .. } => Some(workflow_sha256),
            _ => None,
        });
        let is_edited = *known.unwrap_or(&begun.workflow_sha256) != sha256;
        if is_edited {
            let message = format!(
                "the file of `{}` was edited since the run started; what was done stays, the rest runs as the file says now",
                workflow.name
            );
            observer.event(WorkflowEvent::Warning { step: None, code: WarningCode::WorkflowEdited, message });
        }
        let first = Fact::Resumed {
            pid: std::process::id(),
            inputs: changed,
            workflow_sha256: sha256,
            outline: is_edited.then(|| outline(workflow)),
        };
        self.drive(stored, owned, &lines, first, inputs, request, nesting, observer)
    }

    /// The run that is meant: the named one, else the only one that waits or was left by a crash; with `from`, the last
    /// one that failed.
    fn run_to_resume(
        &self,
        workflow: &Workflow,
        run: Option<&str>,
        from: bool,
    ) -> Result<String, WorkflowError> {
        if let Some(run) = run {
            let stored = self.runs.find(run)?;
            if !stored.record.workflow_id.eq_ignore_ascii_case(&workflow.id) {
                return Err(WorkflowError::RunNotFound { id: run.to_owned() });
            }
            return Ok(stored.record.id);
        }
        let mut matching = Vec::new();
        for summary in self.runs.list(Some(&workflow.id))? {
            let fits = if from {
                matches!(summary.entry.status, RunStatus::Failed | RunStatus::Cancelled)
            } else {
                matches!(summary.entry.status, RunStatus::Suspended)
                    || (summary.entry.status == RunStatus::Running
                        && !self.runs.is_owned(&workflow.id, &summary.run_id))
            };
            if fits {
                matching.push(summary.run_id);
            }
        }
        match matching.as_slice() {
            [] => Err(WorkflowError::NothingToResume { workflow: workflow.name.clone(), from }),
            [newest, ..] if from => Ok(newest.clone()),
            [only] => Ok(only.clone()),
            _ => Err(WorkflowError::SeveralRuns { workflow: workflow.name.clone(), runs: matching }),
        }
    }

    /// Notes in the journal that a step and what follows from it are to be done again, and returns the longer journal.
    fn reset(
        &self,
        workflow: &Workflow,
        owned: &mut OwnedRun,
        lines: Vec<Line>,
        from: &str,
        status: Option<RunStatus>,
    ) -> Result<Vec<Line>, WorkflowError> {
        match status {
            Some(RunStatus::Failed | RunStatus::Cancelled) => {}
            Some(status) => return Err(WorkflowError::NotFailed { status }),
            None => return Err(WorkflowError::NotFailed { status: RunStatus::Pending }),
        }
        let keys = steps_named(workflow, &lines, from)?;
        let (steps, jobs) = downstream(workflow, &keys);
        owned.append(Fact::Reset { steps, jobs })?;
        Ok(owned.lines().unwrap_or(lines))
    }

    /// Notes the facts that follow without running a step, after an approval or a rejection by a process that does not run the
    /// workflow. Returns the status that the run then has.
    pub(crate) fn settle_quietly(
        &self,
        stored: &StoredWorkflow,
        owned: &mut OwnedRun,
    ) -> Result<RunStatus, WorkflowError> {
        let no_journal = || WorkflowError::NoJournal { run: owned.run_id().to_owned() };
        let lines = owned.lines().ok_or_else(no_journal)?;
        let stored = self.file_of_run(stored.clone(), &lines)?;
        let plan = Plan::of(stored.workflow(), None);
        let mut machine = Machine::new(&plan);
        lines.iter().for_each(|line| machine.apply(&line.fact));
        for fact in machine.decide(false) {
            owned.append(fact)?;
        }
        if machine.is_done() {
            let reason = machine.cut_short().map(str::to_owned);
            owned.append(Fact::Ended { status: machine.status(), reason })?;
        } else if machine.keys_in(Phase::Running).is_empty() {
            owned.append(Fact::Suspended)?;
        }
        let lines = owned.lines().unwrap_or_default();
        let record = Recorder::of(&lines).map(|recorder| recorder.record());
        let record =
            record.ok_or_else(|| WorkflowError::NoJournal { run: stored.workflow().name.clone() })?;
        self.runs.write(&record, marsh_fs::Durability::Synced)?;
        self.runs.update_index(&record)?;
        Ok(record.status)
    }
}

/// The steps of this name: in the file, or as an item of a `forEach` is called.
fn steps_named(workflow: &Workflow, lines: &[Line], name: &str) -> Result<Vec<StepKey>, WorkflowError> {
    let (wanted_job, wanted) = match name.split_once('/') {
        Some((job, step)) if workflow.jobs.iter().any(|known| known.name == job) => (Some(job), step),
        _ => (None, name),
    };
    let mut found = Vec::new();
    for job in workflow.jobs.iter().filter(|job| wanted_job.is_none_or(|wanted| job.name == wanted)) {
        for step in &job.steps {
            let is_item = lines.iter().any(|line| {
                matches!(&line.fact, Fact::Expanded { job: of, step: template, items }
                    if *of == job.name && *template == step.name && items.iter().any(|item| item.name == wanted))
            });
            if step.name == wanted || is_item {
                found.push(StepKey { job: job.name.clone(), step: step.name.clone(), item: None });
            }
        }
    }
    match found.as_slice() {
        [] => {
            let known = workflow.jobs.iter().flat_map(|job| job.steps.iter().map(|step| step.name.clone()));
            Err(WorkflowError::NoSuchStep { step: name.to_owned(), known: known.collect() })
        }
        [_] => Ok(found),
        _ => {
            let keys = found.iter().map(ToString::to_string).collect();
            Err(WorkflowError::AmbiguousStep { step: name.to_owned(), keys })
        }
    }
}

/// A step, the steps of its job that depend on it, and the jobs that depend on that job with all of their steps. Jobs
/// whose steps are done again are open again.
fn downstream(workflow: &Workflow, from: &[StepKey]) -> (Vec<StepKey>, Vec<String>) {
    let mut steps: BTreeSet<StepKey> = from.iter().cloned().collect();
    let mut jobs: BTreeSet<String> = from.iter().map(|key| key.job.clone()).collect();
    loop {
        let before = (steps.len(), jobs.len());
        for job in &workflow.jobs {
            for step in &job.steps {
                let key = |step: &str| StepKey { job: job.name.clone(), step: step.to_owned(), item: None };
                if step.depends_on.iter().any(|entry| steps.contains(&key(&entry.step))) {
                    steps.insert(key(&step.name));
                }
            }
            if job.depends_on.iter().any(|entry| jobs.contains(&entry.job)) {
                jobs.insert(job.name.clone());
                let all = job.steps.iter();
                steps.extend(all.map(|step| StepKey {
                    job: job.name.clone(),
                    step: step.name.clone(),
                    item: None,
                }));
            }
        }
        if before == (steps.len(), jobs.len()) {
            return (steps.into_iter().collect(), jobs.into_iter().collect());
        }
    }
}

/// Whether a step waits for an approval.
pub(crate) fn waits(status: NodeStatus) -> bool {
    status == NodeStatus::WaitingApproval
}
