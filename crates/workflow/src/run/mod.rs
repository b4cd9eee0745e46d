//! One run of a workflow, from its file to its record.
//!
//! * Nothing runs of a workflow that is not valid, uses what this version cannot run, or lacks an input
//!   (`tests/it/refuse.rs`).
//! * The record is on disk before the first step starts, shows a step as running before it runs, and is written by one
//!   thread (`tracker`). A record that says `running` whose process is gone was left by a crash.

mod log;
mod plan;
mod schedule;
#[cfg(test)]
mod schedule_tests;
mod step;
mod tracker;

use std::time::Duration;

use marsh_fs::Durability;
use marsh_host::CancelToken;
use marsh_model::CheckSelection;
use marsh_model::inputs::InputSchema;
use marsh_repo::env::MAX_CONCURRENT_STEPS;
use marsh_types::time::iso_millis;
use serde_json::{Map, Value, json};

pub(crate) use step::Ran;

use crate::Workflows;
use crate::error::WorkflowError;
use crate::event::{StartedJob, WorkflowEvent, WorkflowObserver};
use crate::outcome::WorkflowOutcome;
use crate::record::{JobRecord, NodeStatus, RunRecord, RunStatus, StepRecord};
use crate::schema::Workflow;
use crate::scope::{Expander, RunFacts};
use crate::validate;
use log::WorkflowLog;
use plan::Plan;
use step::ModelSteps;
use tracker::Tracker;

#[derive(Debug)]
pub struct WorkflowRunRequest<'a> {
    pub name_or_id: &'a str,
    pub inputs: Map<String, Value>,
    /// On the run, and on everything that its steps write.
    pub tags: Vec<(String, String)>,
    pub checks: CheckSelection,
    pub deadline_per_step: Duration,
    /// Ends the run; a limit on the whole run is a cancellation, too.
    pub cancel: &'a CancelToken,
    pub initiated_by: Option<String>,
}

impl Workflows<'_> {
    /// Runs a workflow. `Err`: it never started, or its end could not be recorded. A run that started has an outcome,
    /// whatever it ended with.
    pub fn run(
        &self,
        request: &WorkflowRunRequest<'_>,
        observer: &dyn WorkflowObserver,
    ) -> Result<WorkflowOutcome, WorkflowError> {
        let stored = self.store.find(request.name_or_id)?;
        let workflow = stored.workflow();
        validate::check_graph(&stored)?;
        let features = validate::unsupported(&stored.parsed);
        if !features.is_empty() {
            return Err(WorkflowError::Unsupported { workflow: workflow.name.clone(), features });
        }
        self.models.track_sensitive_inputs(workflow.inputs.as_ref(), &request.inputs);
        let inputs = checked_inputs(workflow, request.inputs.clone())?;
        let run_id = uuid::Uuid::new_v4().to_string();
        let runs = &self.runs;
        marsh_fs::create_dir_all(&runs.dir(&workflow.id))?;
        let log_path = runs.log_path(&workflow.id, &run_id);
        let log = WorkflowLog::create(&log_path, &workflow.name, self.models.secrets.clone())?;
        let log_file = self.models.repo.layout.display(&log_path).display().to_string();
        let record = new_record(workflow, request, &inputs, &run_id, log_file);
        let started_at = record.started_at.clone().unwrap_or_default();
        let tags = json!(record.tags);
        runs.write(&record, Durability::Atomic)?;
        let mut tracker = Tracker::new(record, runs, observer, &log);
        tracker.update_index();
        log.line("INF", &format!("run {run_id} started"));
        observer.event(&WorkflowEvent::Started {
            run_id: run_id.clone(),
            workflow: workflow.name.clone(),
            jobs: workflow.jobs.iter().map(started_job).collect(),
            log_path,
        });
        let max_steps = match self.max_steps() {
            Ok(max_steps) => max_steps,
            Err(message) => {
                tracker.warn("max_concurrent_steps", message);
                None
            }
        };
        for message in undeclared_inputs(workflow, &inputs) {
            tracker.warn("undeclared_input", message);
        }
        let facts = RunFacts {
            run_id: &run_id,
            workflow_id: &workflow.id,
            workflow_name: &workflow.name,
            started_at: &started_at,
            tags,
            inputs: &inputs,
        };
        let expander = Expander::new(&facts, &self.models.env, self.models.secret_access());
        let workflow_tags: Vec<(String, String)> =
            workflow.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let steps = ModelSteps {
            models: self.models,
            workflow,
            run_id: &run_id,
            inputs: &inputs,
            workflow_tags: &workflow_tags,
            tags: &request.tags,
            checks: &request.checks,
            deadline: request.deadline_per_step,
            cancel: request.cancel,
            initiated_by: request.initiated_by.as_deref(),
            expander: &expander,
            log: &log,
            observer,
        };
        let plan = Plan::of(workflow, max_steps);
        let cancelled = schedule::run(&plan, &steps, request.cancel, &mut tracker);
        let path = tracker.end(cancelled)?;
        let Tracker { record, ran, .. } = tracker;
        let outcome = WorkflowOutcome::new(record, path, ran);
        observer.event(&WorkflowEvent::Completed {
            run_id,
            status: outcome.status,
            duration_ms: outcome.duration_ms,
        });
        Ok(outcome)
    }

    /// How many steps may run at once, as the environment says; 0 and nothing mean any number.
    fn max_steps(&self) -> Result<Option<usize>, String> {
        let Some(text) = self.models.env.get(MAX_CONCURRENT_STEPS) else { return Ok(None) };
        match text.trim().parse::<usize>() {
            Ok(0) => Ok(None),
            Ok(max) => Ok(Some(max)),
            Err(_) => {
                Err(format!("{} is `{text}`, which is no number; it is ignored", MAX_CONCURRENT_STEPS.name))
            }
        }
    }
}

/// The inputs with defaults filled in and text made what the schema wants.
fn checked_inputs(
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

/// Inputs that the workflow does not declare. Definitions may still use them, so they are no error.
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
            format!("`{key}` is no declared input of `{}`{near}", workflow.name)
        })
        .collect()
}

fn started_job(job: &crate::schema::Job) -> StartedJob {
    StartedJob {
        name: job.name.clone(),
        steps: job.steps.len(),
        depends_on: job.depends_on.iter().map(|entry| entry.job.clone()).collect(),
    }
}

fn new_record(
    workflow: &Workflow,
    request: &WorkflowRunRequest<'_>,
    inputs: &Map<String, Value>,
    run_id: &str,
    log_file: String,
) -> RunRecord {
    let step = |step: &crate::schema::Step| StepRecord {
        step_name: step.name.clone(),
        status: NodeStatus::Pending,
        started_at: None,
        completed_at: None,
        error: None,
        output: None,
        data_artifacts: Vec::new(),
        allowed_failure: None,
        approval_decision: None,
        approval_prompt: None,
        assert_result: None,
        skip_reason: None,
        code: None,
    };
    let jobs = workflow.jobs.iter().map(|job| JobRecord {
        job_name: job.name.clone(),
        status: NodeStatus::Pending,
        started_at: None,
        completed_at: None,
        steps: job.steps.iter().map(step).collect(),
    });
    let mut tags = workflow.tags.clone();
    tags.extend(request.tags.iter().cloned());
    let mut record = RunRecord {
        id: run_id.to_owned(),
        workflow_id: workflow.id.clone(),
        workflow_name: workflow.name.clone(),
        status: RunStatus::Running,
        started_at: Some(iso_millis(jiff::Timestamp::now())),
        completed_at: None,
        jobs: jobs.collect(),
        tags,
        pid: Some(std::process::id()),
        log_file: Some(log_file),
        workflow_data_artifacts: None,
        inputs: Some(inputs.clone()),
        resume_inputs: None,
        initiated_by: request.initiated_by.clone(),
        instance_id: None,
        trigger_source: Some("manual".into()),
        failed_step: None,
        failure_reason: None,
        step_progress: None,
    };
    record.count_progress();
    record
}
