//! The state of an open run: its journal, and the machine and the record that are folded from it. Its owner holds the lock of
//! the run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use marsh_api::event::EventSink;
use marsh_api::workflow::event::{DataHandle, JobEnd, StepRef, WarningCode, WorkflowEvent};
use marsh_fs::{Durability, LockFile};
use marsh_types::time::iso_millis;

use super::log::WorkflowLog;
use super::record_writer::RecordWriter;
use crate::error::WorkflowError;
use crate::fold::Recorder;
use crate::journal::{Fact, Journal, Line, OnDisk, Output, StepEnd, StepKey};
use crate::machine::{Machine, Plan};
use crate::record::{RunRecord, RunStatus};
use crate::runs::RunStore;

/// A record of this many steps is written at once, ahead of what starts; a larger one follows the journal ([`RecordWriter`]), at
/// the latest when the scheduler reads its inbox.
const SMALL_RECORD: usize = 50;

pub(crate) struct RunState<'a> {
    pub machine: Machine<'a>,
    pub recorder: Recorder,
    journal: Journal,
    /// Declared before the lock, so that it ends before another process can take the run.
    record_writer: Option<RecordWriter>,
    /// Freed with the process, however it ends.
    _lock: LockFile,
    runs: &'a RunStore,
    log: &'a WorkflowLog,
    observer: &'a dyn EventSink<WorkflowEvent>,
    record_failed: bool,
    /// Facts were noted since.
    behind: bool,
    /// Facts that must be on disk before code runs that follows from them.
    heavy: bool,
    started: HashMap<StepKey, Instant>,
    job_started: HashMap<String, Instant>,
    begun: Instant,
}

impl<'a> RunState<'a> {
    pub fn new(
        plan: &'a Plan,
        lines: &[Line],
        (journal, lock): (Journal, LockFile),
        runs: &'a RunStore,
        log: &'a WorkflowLog,
        observer: &'a dyn EventSink<WorkflowEvent>,
    ) -> RunState<'a> {
        let mut machine = Machine::new(plan);
        let mut recorder = Recorder::default();
        for line in lines {
            machine.apply(&line.fact);
            recorder.apply(line);
        }
        RunState {
            machine,
            recorder,
            journal,
            record_writer: None,
            _lock: lock,
            runs,
            log,
            observer,
            record_failed: false,
            behind: true,
            heavy: false,
            started: HashMap::new(),
            job_started: HashMap::new(),
            begun: Instant::now(),
        }
    }

    /// A fact from outside of the scheduler.
    pub fn tell(&mut self, fact: Fact) -> Result<(), WorkflowError> {
        self.machine.apply(&fact);
        self.note(fact)
    }

    /// What the scheduler decides, noted; the steps that are to start.
    pub fn decide(&mut self, may_start: bool) -> Result<Vec<(StepKey, u32)>, WorkflowError> {
        let mut starts = Vec::new();
        for fact in self.machine.decide(may_start) {
            if let Fact::StepStarted { key, attempt } = &fact {
                starts.push((key.clone(), *attempt));
            }
            self.note(fact)?;
        }
        Ok(starts)
    }

    fn note(&mut self, fact: Fact) -> Result<(), WorkflowError> {
        self.heavy |= !matches!(
            fact,
            Fact::StepStarted { .. }
                | Fact::JobStarted { .. }
                | Fact::JobEnded { .. }
                | Fact::JobSkipped { .. }
                | Fact::StepDue { .. }
        );
        self.behind = true;
        let line = Line { at: iso_millis(jiff::Timestamp::now()), fact };
        self.journal.add(&line)?;
        self.recorder.apply(&line);
        self.announce(&line.fact);
        Ok(())
    }

    /// Fails if what was noted cannot be made to last: then nothing that a step reports is to be believed.
    pub fn check(&self) -> Result<(), WorkflowError> {
        self.journal.check()
    }

    /// Writes everything that was noted, and brings the record up to date if that is due. Returns what code that runs from
    /// now on has to wait for.
    pub fn settle(&mut self) -> Result<OnDisk, WorkflowError> {
        if std::mem::take(&mut self.heavy) {
            self.journal.commit_soon()?;
        } else {
            self.journal.write()?;
        }
        if self.behind {
            self.write_record();
        }
        self.report_lost_lines();
        Ok(self.journal.on_disk())
    }

    fn write_record(&mut self) {
        let failed = if self.recorder.steps() <= SMALL_RECORD {
            self.behind = false;
            self.write_now()
        } else {
            self.write_soon()
        };
        if let Some(error) = failed
            && !std::mem::replace(&mut self.record_failed, true)
        {
            // The journal has it all; the end of the run fails if this lasts.
            self.warn(WarningCode::RunRecord, format!("the record of the run could not be written: {error}"));
        }
    }

    /// Has the record written, unless it is not yet time for that. Returns why the last write failed.
    fn write_soon(&mut self) -> Option<String> {
        if self.record_writer.is_none() {
            self.record_writer = RecordWriter::start(self.runs.clone()).ok();
        }
        let Some(record_writer) = &self.record_writer else {
            // No more threads: slower.
            self.behind = false;
            return self.write_now();
        };
        if record_writer.is_due() {
            record_writer.write(self.recorder.record());
            self.behind = false;
        }
        record_writer.failure()
    }

    fn write_now(&self) -> Option<String> {
        self.runs.write(&self.recorder.record(), Durability::Atomic).err().map(|error| error.to_string())
    }

    /// Writes the final record, at the end of the run or before it waits for an approval.
    pub fn close(&mut self, fact: Fact) -> Result<(RunRecord, PathBuf), WorkflowError> {
        let suspended = matches!(fact, Fact::Suspended);
        self.tell(fact)?;
        self.journal.commit()?;
        self.record_writer = None;
        let record = self.recorder.record();
        let path = self.runs.write(&record, Durability::Synced)?;
        self.behind = false;
        // File data are on disk; this makes the names durable, those of the steps' results included, as journals keep the
        // order of what came before.
        marsh_fs::sync_dir(&self.runs.dir(&record.workflow_id))?;
        self.update_index(&record);
        let level =
            if matches!(record.status, RunStatus::Failed | RunStatus::Cancelled) { "ERR" } else { "INF" };
        let reason = record.tags.get("cancel_reason").map(|reason| format!(": {reason}")).unwrap_or_default();
        self.log.line(level, &format!("run {} {}{reason}", record.id, record.status.as_str()));
        self.report_lost_lines();
        self.observer.event(if suspended {
            WorkflowEvent::Suspended { run_id: record.id.clone() }
        } else {
            let duration_ms = record.duration_ms().unwrap_or_else(|| millis(self.begun));
            WorkflowEvent::Completed { run_id: record.id.clone(), status: record.status, duration_ms }
        });
        Ok((record, path))
    }

    pub fn update_index(&self, record: &RunRecord) {
        if let Err(error) = self.runs.update_index(record) {
            self.warn(
                WarningCode::RunsIndex,
                format!("the index of runs could not be updated and will be made again: {error}"),
            );
        }
    }

    /// Reports once that the log has gaps.
    fn report_lost_lines(&self) {
        if let Some(error) = self.log.take_failure() {
            self.warn(WarningCode::LogIncomplete, format!("the log of the run is incomplete: {error}"));
        }
    }

    /// Writes a warning to the log only.
    pub fn log_warning(&self, message: &str) {
        self.log.line("WRN", message);
    }

    pub fn warn(&self, code: WarningCode, message: String) {
        self.log.line("WRN", &message);
        self.observer.event(WorkflowEvent::Warning { step: None, code, message });
    }

    /// The step as events and the log call it.
    pub fn step_ref(&self, key: &StepKey) -> StepRef {
        let name = self.recorder.step(key).map_or_else(|| key.step.clone(), |step| step.step_name.clone());
        StepRef {
            job_id: key.job.clone(),
            step_id: name,
            for_each_template: key.item.map(|_| key.step.clone()),
            for_each_index: key.item,
        }
    }

    fn announce(&mut self, fact: &Fact) {
        let event = match fact {
            Fact::JobStarted { job } => {
                self.job_started.insert(job.clone(), Instant::now());
                WorkflowEvent::JobStarted { job_id: job.clone() }
            }
            Fact::JobEnded { job, succeeded } => {
                let duration_ms = self.job_started.remove(job).map_or(0, millis);
                let status = if *succeeded { JobEnd::Succeeded } else { JobEnd::Failed };
                WorkflowEvent::JobCompleted { job_id: job.clone(), status, duration_ms }
            }
            Fact::JobSkipped { job, reason } => {
                self.log.line("INF", &format!("job {job} skipped ({})", reason.as_str()));
                WorkflowEvent::JobSkipped { job_id: job.clone(), reason: *reason }
            }
            Fact::StepStarted { key, attempt } => {
                self.started.insert(key.clone(), Instant::now());
                self.log_step("INF", key, "started");
                WorkflowEvent::StepStarted { step: self.step_ref(key), attempt: *attempt }
            }
            Fact::Expanded { job, step, items } => {
                let key = StepKey { job: job.clone(), step: step.clone(), item: None };
                self.started.remove(&key);
                self.log_step("INF", &key, &format!("{} items", items.len()));
                WorkflowEvent::StepExpanded { step: self.step_ref(&key), items: items.len() }
            }
            Fact::StepRetried { key, attempt, error, pause_ms, .. } => {
                let message = format!("try {attempt} failed, next in {pause_ms} ms: {error}");
                self.log_step("WRN", key, &message);
                let (step, error) = (self.step_ref(key), error.clone());
                WorkflowEvent::StepRetrying { step, attempt: *attempt, error, pause_ms: *pause_ms }
            }
            Fact::StepEnded { key, end } => return self.announce_end(key, end),
            Fact::StepSkipped { key, reason } => {
                self.started.remove(key);
                self.log_step("INF", key, &format!("skipped ({})", reason.as_str()));
                WorkflowEvent::StepSkipped { step: self.step_ref(key), reason: *reason }
            }
            Fact::ApprovalRequested { key, prompt, timeout_ms } => {
                self.log_step("INF", key, &format!("waits for an approval: {prompt}"));
                WorkflowEvent::ApprovalRequested {
                    step: self.step_ref(key),
                    run_id: self.recorder.head().id.clone(),
                    prompt: prompt.clone(),
                    timeout_ms: *timeout_ms,
                }
            }
            Fact::ApprovalDecided { key, decision } => {
                let word = if decision.approved { "approved" } else { "rejected" };
                self.log_step("INF", key, word);
                WorkflowEvent::ApprovalDecided { step: self.step_ref(key), approved: decision.approved }
            }
            Fact::JobTimedOut { job, error } => {
                return self.log.line("ERR", &format!("job {job}: {error}"));
            }
            Fact::Stopping { reason } => return self.log.line("WRN", &format!("stopping: {reason}")),
            _ => return,
        };
        self.observer.event(event);
    }

    fn log_step(&self, level: &str, key: &StepKey, message: &str) {
        self.log.step_line(level, &key.job, &self.step_ref(key).step_id, message);
    }

    fn announce_end(&mut self, key: &StepKey, end: &StepEnd) {
        let step = self.step_ref(key);
        let duration_ms = self.started.remove(key).map_or(0, millis);
        if let Some(result) = &end.assert {
            let result = result.clone();
            self.observer.event(WorkflowEvent::AssertResult { step: step.clone(), result });
        }
        let event = match &end.error {
            None => {
                self.log_step("INF", key, "succeeded");
                let data_handles = match &end.output {
                    Some(Output::ModelMethod { artifacts, .. }) => artifacts
                        .iter()
                        .map(|artifact| DataHandle { name: artifact.name.clone(), version: artifact.version })
                        .collect(),
                    _ => Vec::new(),
                };
                WorkflowEvent::StepCompleted { step, data_handles, duration_ms }
            }
            Some(error) => {
                let (level, word) = if end.allowed { ("WRN", "failed (allowed)") } else { ("ERR", "failed") };
                self.log_step(level, key, &format!("{word}: {error}"));
                let error = error.clone();
                WorkflowEvent::StepFailed { step, error, allowed_failure: end.allowed, duration_ms }
            }
        };
        self.observer.event(event);
    }
}

/// A run that ends with an error has a record all the same, so that it is found and can be resumed.
impl Drop for RunState<'_> {
    fn drop(&mut self) {
        self.record_writer = None;
        if self.behind
            && let Some(error) = self.write_now()
        {
            tracing::warn!(error, "the record of a run that ended with an error could not be written");
        }
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
