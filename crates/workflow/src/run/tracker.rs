//! Keeps the record of a run while it goes on. The only writer of the record, on the scheduler's thread.

use std::path::PathBuf;

use marsh_fs::Durability;
use marsh_types::time::iso_millis;
use serde_json::{Map, Value, json};

use super::log::WorkflowLog;
use super::schedule::{Change, Finished, Progress};
use super::step::Ran;
use crate::error::WorkflowError;
use crate::event::{SavedArtifact, WorkflowEvent, WorkflowObserver};
use crate::record::{DataArtifact, JobRecord, NodeStatus, RunRecord, RunStatus, SkipReason, StepRecord};
use crate::runs::RunStore;

pub(super) struct Tracker<'a> {
    pub record: RunRecord,
    pub ran: Vec<Vec<Option<Ran>>>,
    runs: &'a RunStore,
    observer: &'a dyn WorkflowObserver,
    log: &'a WorkflowLog,
    dirty: bool,
    write_failed: bool,
}

fn now() -> String {
    iso_millis(jiff::Timestamp::now())
}

impl<'a> Tracker<'a> {
    pub fn new(
        record: RunRecord,
        runs: &'a RunStore,
        observer: &'a dyn WorkflowObserver,
        log: &'a WorkflowLog,
    ) -> Tracker<'a> {
        let ran = record.jobs.iter().map(|job| job.steps.iter().map(|_| None).collect()).collect();
        Tracker { record, ran, runs, observer, log, dirty: false, write_failed: false }
    }

    /// Ends the run: the last state of the record, durable.
    pub fn end(&mut self, cancelled: Option<String>) -> Result<PathBuf, WorkflowError> {
        let record = &mut self.record;
        record.status = match &cancelled {
            Some(_) => RunStatus::Cancelled,
            None if record
                .jobs
                .iter()
                .all(|job| matches!(job.status, NodeStatus::Succeeded | NodeStatus::Skipped)) =>
            {
                RunStatus::Succeeded
            }
            None => RunStatus::Failed,
        };
        if let Some(reason) = &cancelled {
            record.tags.set("cancel_reason", reason.as_str());
        }
        record.completed_at = Some(now());
        record.count_progress();
        let path = self.runs.write(record, Durability::Synced)?;
        // File data are on disk; this makes the names durable, those of the steps' results included, as journals keep the
        // order of what came before.
        marsh_fs::sync_dir(&self.runs.dir(&record.workflow_id))?;
        self.update_index();
        let level = if self.record.status == RunStatus::Succeeded { "INF" } else { "ERR" };
        let reason = cancelled.map(|reason| format!(": {reason}")).unwrap_or_default();
        self.log.line(level, &format!("run {} {}{reason}", self.record.id, self.record.status.as_str()));
        Ok(path)
    }

    pub fn update_index(&self) {
        if let Err(error) = self.runs.update_index(&self.record) {
            self.warn(
                "runs_index",
                format!("the index of runs could not be updated and will be made again: {error}"),
            );
        }
    }

    pub fn warn(&self, code: &'static str, message: String) {
        self.log.line("WRN", &message);
        self.observer.event(&WorkflowEvent::Warning { job: None, step: None, code, message });
    }

    fn job(&mut self, job: usize) -> &mut JobRecord {
        &mut self.record.jobs[job]
    }

    fn step(&mut self, job: usize, step: usize) -> &mut StepRecord {
        &mut self.record.jobs[job].steps[step]
    }

    fn names(&self, job: usize, step: usize) -> (String, String) {
        let job = &self.record.jobs[job];
        (job.job_name.clone(), job.steps[step].step_name.clone())
    }

    fn step_ended(&mut self, job: usize, step: usize, finished: Finished<Ran>, allowed: bool) {
        let (job_name, step_name) = self.names(job, step);
        let record = self.step(job, step);
        record.completed_at = Some(now());
        record.status = if finished.error.is_some() { NodeStatus::Failed } else { NodeStatus::Succeeded };
        record.error = finished.error.clone();
        record.allowed_failure = allowed.then_some(true);
        let mut artifacts = Vec::new();
        if let Some(ran) = &finished.output {
            record.output = Some(output(ran));
            record.data_artifacts = data_artifacts(ran);
            record.code = Some(ran.code.clone());
            artifacts = ran
                .artifacts
                .iter()
                .map(|view| SavedArtifact {
                    name: view.metadata.name.clone(),
                    version: view.metadata.version,
                })
                .collect();
        }
        let duration_ms = record.duration_ms().unwrap_or(0);
        self.ran[job][step] = finished.output;
        let event = match finished.error {
            None => {
                self.log.step_line("INF", &job_name, &step_name, "succeeded");
                WorkflowEvent::StepCompleted { job: job_name, step: step_name, artifacts, duration_ms }
            }
            Some(error) => {
                let (level, word) = if allowed { ("WRN", "failed (allowed)") } else { ("ERR", "failed") };
                self.log.step_line(level, &job_name, &step_name, &format!("{word}: {error}"));
                // The first one is what went wrong; others may follow from it. A step that was stopped is not why.
                if !allowed && !finished.interrupted && self.record.failed_step.is_none() {
                    self.record.failed_step = Some(step_name.clone());
                    self.record.failure_reason = Some(error.clone());
                }
                WorkflowEvent::StepFailed { job: job_name, step: step_name, error, allowed, duration_ms }
            }
        };
        self.observer.event(&event);
    }
}

impl Progress<Ran> for Tracker<'_> {
    fn change(&mut self, change: Change<Ran>) {
        self.dirty = true;
        let event = match change {
            Change::JobStarted(job) => {
                let record = self.job(job);
                record.status = NodeStatus::Running;
                record.started_at = Some(now());
                WorkflowEvent::JobStarted { job: record.job_name.clone() }
            }
            Change::JobEnded { job, succeeded } => {
                let record = self.job(job);
                record.status = if succeeded { NodeStatus::Succeeded } else { NodeStatus::Failed };
                record.completed_at = Some(now());
                let duration_ms = record.duration_ms().unwrap_or(0);
                WorkflowEvent::JobCompleted { job: record.job_name.clone(), succeeded, duration_ms }
            }
            Change::JobSkipped { job, reason } => {
                let record = self.job(job);
                record.status = NodeStatus::Skipped;
                let job = record.job_name.clone();
                self.log.line("INF", &format!("job {job} skipped ({})", word(reason)));
                WorkflowEvent::JobSkipped { job, reason }
            }
            Change::StepStarted { job, step } => {
                let (job_name, step_name) = self.names(job, step);
                let record = self.step(job, step);
                record.status = NodeStatus::Running;
                record.started_at = Some(now());
                self.log.step_line("INF", &job_name, &step_name, "started");
                WorkflowEvent::StepStarted { job: job_name, step: step_name }
            }
            Change::StepSkipped { job, step, reason } => {
                let (job_name, step_name) = self.names(job, step);
                let record = self.step(job, step);
                record.status = NodeStatus::Skipped;
                record.skip_reason = Some(reason);
                self.log.step_line("INF", &job_name, &step_name, &format!("skipped ({})", word(reason)));
                WorkflowEvent::StepSkipped { job: job_name, step: step_name, reason }
            }
            Change::StepEnded { job, step, finished, allowed } => {
                return self.step_ended(job, step, finished, allowed);
            }
        };
        self.observer.event(&event);
    }

    fn settled(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        self.record.count_progress();
        if let Err(error) = self.runs.write(&self.record, Durability::Atomic)
            && !std::mem::replace(&mut self.write_failed, true)
        {
            // Work that is under way is not stopped for this; the end of the run fails if it lasts.
            self.warn("run_record", format!("the record of the run could not be written: {error}"));
        }
    }
}

fn word(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Dependency => "dependency",
        SkipReason::Cancelled => "cancelled",
    }
}

fn data_artifacts(ran: &Ran) -> Vec<DataArtifact> {
    let artifacts = ran.artifacts.iter().map(|view| DataArtifact {
        data_id: view.metadata.id.clone(),
        name: view.metadata.name.clone(),
        version: view.metadata.version,
        tags: view.metadata.tags.clone(),
    });
    artifacts.collect()
}

/// Names of results, by spec and instance, and nothing of their content: records stay small, and hold no secret.
fn output(ran: &Ran) -> Value {
    let mut resources = Map::new();
    let mut files = Map::new();
    for view in &ran.artifacts {
        let metadata = &view.metadata;
        let of_kind = if metadata.tags.get("type") == Some("file") { &mut files } else { &mut resources };
        let spec = metadata.tags.get("specName").unwrap_or(&metadata.name);
        let instances = of_kind.entry(spec).or_insert_with(|| json!({}));
        instances[&metadata.name] =
            json!({ "id": metadata.id, "name": metadata.name, "version": metadata.version });
    }
    json!({
        "type": "model_method",
        "model": ran.model,
        "method": ran.method,
        "outputId": ran.output_id,
        "resources": resources,
        "files": files,
    })
}
