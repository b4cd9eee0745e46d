//! Starting a run, and running it to its end or to an approval.

use std::path::Path;
use std::sync::{Arc, Mutex};

use marsh_api::event::EventSink;
use marsh_api::workflow::event::{StartedJob, WarningCode, WorkflowEvent};
use marsh_extension::Pin;
use marsh_model::inputs::InputSchema;
use marsh_model::run::reports::Summaries;
use marsh_model::{Pins, RunInputs};
use marsh_repo::env::MAX_CONCURRENT_STEPS;
use marsh_types::Digest;
use serde_json::{Map, Value, json};

use super::called_with::CalledWith;
use super::log::WorkflowLog;
use super::owner_request::OwnerInbox;
use super::permits::Permits;
use super::scheduler::{Rest, Scheduler};
use super::state::RunState;
use super::steps::{Items, Steps};
use super::{Nesting, WorkflowRunRequest};
use crate::Workflows;
use crate::error::WorkflowError;
use crate::journal::{Fact, JobOutline, Line, Started};
use crate::machine::{Plan, STEPS_AT_ONCE};
use crate::outcome::WorkflowOutcome;
use crate::runs::OwnedRun;
use crate::schema::Workflow;
use crate::scope::{Expander, RunFacts};
use crate::store::StoredWorkflow;
use crate::validate;

impl Workflows<'_> {
    /// Runs a workflow. `Err`: it never started, or its end could not be recorded. A run that started has an outcome,
    /// whatever it ended with.
    pub fn run(
        &self,
        request: &WorkflowRunRequest<'_>,
        observer: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowOutcome, WorkflowError> {
        let nesting = Nesting {
            run_id: request.run_id.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned),
            ancestors: Vec::new(),
            permits: Arc::new(Permits::new(self.step_limit(observer))),
        };
        self.run_nested(request, nesting, observer)
    }

    /// A run inside another one, started or, if there is one of that id, gone on with.
    pub(crate) fn run_nested(
        &self,
        request: &WorkflowRunRequest<'_>,
        nesting: Nesting,
        observer: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowOutcome, WorkflowError> {
        let mut stored = self.store.find(request.name_or_id)?;
        if request.last_evaluated {
            stored = self.evaluated_copy(stored)?;
        }
        self.check(&stored)?;
        let workflow = stored.workflow();
        if nesting.ancestors.contains(&workflow.name) {
            let mut chain = nesting.ancestors.clone();
            chain.push(workflow.name.clone());
            return Err(WorkflowError::NestedCycle { chain });
        }
        if !self.runs.journal(&workflow.id, &nesting.run_id)?.is_empty() {
            let owned = self.runs.own(&workflow.id, &nesting.run_id)?;
            let lines =
                owned.lines().ok_or_else(|| WorkflowError::NoJournal { run: nesting.run_id.clone() })?;
            return self.go_on(&stored, owned, lines, request, nesting, observer);
        }
        self.models.track_sensitive_inputs(workflow.inputs.as_ref(), &request.inputs);
        let inputs = checked_inputs(workflow, request.inputs.clone())?;
        refuse_masked(workflow, &inputs)?;
        let is_whole = request.last_evaluated || !nesting.ancestors.is_empty();
        if !is_whole && !stored.parsed.expressions.texts().is_empty() {
            // A run needs no copy of itself.
            if let Err(error) = self.write_copy(workflow, inputs.clone(), false) {
                let code = WarningCode::EvaluatedCopy;
                let message = format!("`--last-evaluated` will not know this run: {error}");
                observer.event(WorkflowEvent::Warning { step: None, code, message });
            }
        }
        let owned = self.runs.own(&workflow.id, &nesting.run_id)?;
        let log_path = self.runs.log_path(&workflow.id, &nesting.run_id);
        let mut tags = workflow.tags.clone();
        tags.extend(request.tags.iter().cloned());
        let started = Started {
            run_id: nesting.run_id.clone(),
            workflow_id: workflow.id.clone(),
            workflow_name: workflow.name.clone(),
            workflow_sha256: Digest::of(stored.text.as_bytes()).to_hex(),
            inputs: inputs.clone(),
            tags,
            run_tags: request.tags.clone(),
            pid: std::process::id(),
            log_file: self.models.repo.layout.display(&log_path).display().to_string(),
            trigger_source: request.trigger_source.to_owned(),
            initiated_by: request.initiated_by.clone(),
            fail_on: request.fail_on,
            ancestors: nesting.ancestors.clone(),
            evaluated: request.last_evaluated,
            outline: outline(workflow),
        };
        let first = Fact::Started(Box::new(started));
        self.drive(&stored, owned, &[], first, inputs, request, nesting, observer)
    }

    /// What must hold before anything runs.
    pub(crate) fn check(&self, stored: &StoredWorkflow) -> Result<(), WorkflowError> {
        validate::check_whole(stored)?;
        let features = validate::unsupported(&stored.parsed);
        if features.is_empty() {
            return Ok(());
        }
        Err(WorkflowError::Unsupported { workflow: stored.workflow().name.clone(), features })
    }

    /// From the facts that are known and one more to the rest of the run.
    #[expect(clippy::too_many_arguments, reason = "everything that a run consists of comes together here")]
    pub(crate) fn drive(
        &self,
        stored: &StoredWorkflow,
        owned: OwnedRun,
        lines: &[Line],
        first: Fact,
        inputs: Map<String, Value>,
        request: &WorkflowRunRequest<'_>,
        nesting: Nesting,
        observer: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowOutcome, WorkflowError> {
        let workflow = stored.workflow();
        let inputs = RunInputs::new(inputs).map_err(|error| WorkflowError::Inputs {
            workflow: workflow.name.clone(),
            issues: vec![marsh_model::Issue::new("", error.to_string())],
        })?;
        let inputs = Arc::new(inputs);
        let run_id = nesting.run_id.as_str();
        let log_path = self.runs.log_path(&workflow.id, run_id);
        let log = WorkflowLog::open(&log_path, &workflow.name, self.models.secrets.clone())?;
        let plan = Plan::of(workflow, Some(nesting.permits.max().unwrap_or(STEPS_AT_ONCE)));
        let inbox = OwnerInbox::open(self.runs.requests_path(&workflow.id, run_id));
        let mut state = RunState::new(&plan, lines, owned.into_parts(), &self.runs, &log, observer);
        let is_new = matches!(first, Fact::Started(_));
        state.tell(first)?;
        let head = state.recorder.record();
        // The index is believed of runs that have ended, so it hears first that one goes on; of a new one when it has a record.
        if !is_new {
            state.update_index(&head);
        }
        state.settle()?;
        if is_new {
            state.update_index(&head);
        }
        log.line("INF", &format!("run {run_id} {}", if is_new { "started" } else { "resumed" }));
        observer.event(WorkflowEvent::Started {
            run_id: run_id.to_owned(),
            workflow_name: workflow.name.clone(),
            log_path: log_path.display().to_string(),
            jobs: workflow.jobs.iter().map(started_job).collect(),
            resumed: !is_new,
        });
        for message in undeclared_inputs(workflow, &inputs.values) {
            state.warn(WarningCode::UndeclaredInput, message);
        }
        let started_at = head.started_at.clone().unwrap_or_default();
        let facts = RunFacts {
            run_id,
            workflow_id: &workflow.id,
            workflow_name: &workflow.name,
            started_at: &started_at,
            tags: json!(head.tags),
            inputs: &inputs,
        };
        let expander =
            Expander::new(&facts, &self.models.env, self.models.secret_access(), self.models.stored_data())
                .in_file(
                    self.models.repo.layout.display(&stored.path).display().to_string(),
                    Arc::clone(&stored.parsed.expressions),
                );
        let mut ancestors = nesting.ancestors.clone();
        ancestors.push(workflow.name.clone());
        let steps = Steps {
            workflows: self,
            summaries: Summaries::new(self.models.data.clone()),
            models: self.models,
            workflow,
            plan: &plan,
            run_id,
            inputs: Arc::clone(&inputs),
            workflow_tags: workflow
                .tags
                .iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            tags: request.tags.clone(),
            checks: &request.checks,
            deadline: request.deadline_per_step,
            initiated_by: request.initiated_by.clone(),
            fail_on: request.fail_on,
            driver: &request.driver,
            reports: &request.reports,
            cancel: request.cancel,
            called_with: CalledWith::default(),
            expander: &expander,
            log: &log,
            observer,
            pins: Pins::of(pinned(lines, &self.runs.journal_path(&workflow.id, run_id))?),
            permits: Arc::clone(&nesting.permits),
            ancestors,
            items: Mutex::new(items(&plan, lines)),
        };
        steps.pin_all();
        for pin in steps.new_pins()? {
            state.tell(pin)?;
        }
        let mut scheduler = Scheduler::new(&mut state, &steps, request.cancel, inbox);
        let rest = scheduler.run();
        steps.finish_summaries();
        let rest = rest?;
        let views = std::mem::take(&mut scheduler.views);
        let last = match rest {
            Rest::Suspended => Fact::Suspended,
            Rest::Done => Fact::Ended {
                status: state.machine.status(),
                reason: state.machine.cut_short().map(str::to_owned),
            },
        };
        let (record, path) = state.close(last)?;
        let reports = steps.report_on_run(&record);
        Ok(WorkflowOutcome { reports, ..WorkflowOutcome::new(record, path, views) })
    }

    /// The number of steps that may run at once, from the environment; `None` for no limit. An invalid value is reported and
    /// counts as no limit.
    pub(crate) fn step_limit(&self, observer: &dyn EventSink<WorkflowEvent>) -> Option<usize> {
        let text = self.models.env.get(MAX_CONCURRENT_STEPS)?;
        match text.trim().parse::<usize>() {
            Ok(0) => None,
            Ok(max) => Some(max),
            Err(_) => {
                let message =
                    format!("{} is ignored: expected a number, found `{text}`", MAX_CONCURRENT_STEPS.name);
                let code = WarningCode::MaxConcurrentSteps;
                observer.event(WorkflowEvent::Warning { step: None, code, message });
                None
            }
        }
    }
}

/// The names of a workflow's jobs and steps.
pub(super) fn outline(workflow: &Workflow) -> Vec<JobOutline> {
    let job = |job: &crate::schema::Job| JobOutline {
        name: job.name.clone(),
        steps: job.steps.iter().map(|step| step.name.clone()).collect(),
    };
    workflow.jobs.iter().map(job).collect()
}

/// The pins that a journal holds. A run that is pinned must not continue on other code, so an unreadable pin is an error.
fn pinned(lines: &[Line], journal: &Path) -> Result<Vec<Pin>, WorkflowError> {
    let mut pins = Vec::new();
    for line in lines {
        if let Fact::Pinned { type_name, code } = &line.fact {
            let pin = serde_json::from_value(code.clone()).map_err(|error| WorkflowError::DamagedRun {
                path: journal.to_owned(),
                message: format!("invalid pin of type `{type_name}`: {error}"),
            })?;
            pins.push(pin);
        }
    }
    Ok(pins)
}

/// The items that a journal tells.
fn items(plan: &Plan, lines: &[Line]) -> Items {
    let mut found = Items::new();
    for line in lines {
        if let Fact::Expanded { job, step, items } = &line.fact
            && let Some(key) = plan.step(job, step)
        {
            found.insert(key, Arc::new(items.clone()));
        }
    }
    found
}

/// The inputs with defaults filled in and text made what the schema wants.
pub(super) fn checked_inputs(
    workflow: &Workflow,
    mut inputs: Map<String, Value>,
) -> Result<Map<String, Value>, WorkflowError> {
    let Some(schema) = workflow.inputs.as_ref().and_then(InputSchema::of) else { return Ok(inputs) };
    schema.fill(&mut inputs);
    let issues = schema.check(&inputs, |_| true);
    if issues.is_empty() {
        return Ok(inputs);
    }
    Err(WorkflowError::Inputs { workflow: workflow.name.clone(), issues })
}

/// A journal keeps no secrets, so a resume has to provide them again.
pub(super) fn refuse_masked(workflow: &Workflow, inputs: &Map<String, Value>) -> Result<(), WorkflowError> {
    let Some(schema) = workflow.inputs.as_ref().and_then(InputSchema::of) else { return Ok(()) };
    let masked =
        inputs.iter().filter(|(key, value)| schema.is_sensitive(key) && **value == json!(marsh_vault::MASK));
    let issues: Vec<marsh_model::Issue> = masked
        .map(|(key, _)| marsh_model::Issue::new(key.clone(), "is secret and was not stored; pass it again"))
        .collect();
    if issues.is_empty() {
        return Ok(());
    }
    Err(WorkflowError::Inputs { workflow: workflow.name.clone(), issues })
}

/// Warnings about inputs that the workflow does not declare. They are not errors: definitions can use them.
fn undeclared_inputs(workflow: &Workflow, inputs: &Map<String, Value>) -> Vec<String> {
    let schema = workflow.inputs.as_ref().and_then(InputSchema::of);
    let known: Vec<&str> =
        schema.iter().flat_map(|schema| schema.properties.keys().map(String::as_str)).collect();
    inputs
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
        .map(|key| {
            let near = marsh_types::near::did_you_mean(key, known.iter().copied());
            let near = near.map_or_else(String::new, |near| format!("; {near}"));
            format!("workflow `{}` does not declare the input `{key}`{near}", workflow.name)
        })
        .collect()
}

fn started_job(job: &crate::schema::Job) -> StartedJob {
    StartedJob {
        id: job.name.clone(),
        step_count: job.steps.len(),
        depends_on: job.depends_on.iter().map(|entry| entry.job.clone()).collect(),
    }
}
