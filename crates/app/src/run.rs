//! Runs of methods and workflows: which there are, which lost their process, which are old; and cancelling methods.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use marsh_api::run::{
    CancelledMethodRun, CancelledMethodRuns, HistoryScope, MethodCancellation, RunDiagnosis, RunHistory,
    RunKind, RunsCollected, TrackedRun, TrackedStatus,
};
use marsh_api::workflow::RunStatus;
use marsh_data::{OutputError, OutputStatus, StoredOutput, TriggeredBy};
use marsh_model::{ModelError, RunningRun};
use marsh_types::TypeName;
use marsh_types::time::iso_system;
use marsh_workflow::RunSummary;

use crate::error::AppError;
use crate::session::{Read, Write};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const PROCESS_GONE: &str = "its process ended without a word";

/// Which method runs to cancel.
#[derive(Debug, Clone)]
pub struct CancelMethodsRequest {
    /// A definition by name or id, or a run by its id or the start of it; `None`: every run.
    pub target: Option<String>,
    /// Why, for the record; `None`: the user who cancels.
    pub reason: Option<String>,
}

/// Runs that may be deleted.
struct OldRuns {
    /// The id of each run and of its workflow.
    of_workflows: Vec<(String, String)>,
    of_methods: Vec<StoredOutput>,
}

fn status_of_output(status: OutputStatus) -> TrackedStatus {
    match status {
        OutputStatus::Pending | OutputStatus::Running => TrackedStatus::Running,
        OutputStatus::Succeeded => TrackedStatus::Completed,
        OutputStatus::Failed => TrackedStatus::Failed,
        OutputStatus::Cancelled => TrackedStatus::Cancelled,
    }
}

fn status_of_run(status: RunStatus) -> TrackedStatus {
    match status {
        RunStatus::Pending | RunStatus::Running => TrackedStatus::Running,
        RunStatus::Suspended => TrackedStatus::Suspended,
        RunStatus::Succeeded => TrackedStatus::Completed,
        RunStatus::Failed => TrackedStatus::Failed,
        RunStatus::Cancelled => TrackedStatus::Cancelled,
    }
}

fn method_row(run: &marsh_model::TrackedRun) -> TrackedRun {
    let RunningRun { model_name, model_type, hostname, record } = &run.run;
    TrackedRun {
        id: record.id.clone(),
        run_kind: RunKind::ModelMethod,
        model_name: Some(model_name.clone()),
        model_type: Some(model_type.clone()),
        method_name: Some(record.method_name.clone()),
        workflow_name: None,
        pid: record.pid,
        hostname: Some(hostname.clone()),
        status: TrackedStatus::Running,
        started_at: record.started_at.clone(),
        completed_at: None,
        heartbeat_at: run.seen_at.clone(),
        stale: !run.alive,
        initiated_by: record.provenance.initiated_by.clone(),
    }
}

fn output_row(output: StoredOutput, names: &HashMap<String, String>) -> TrackedRun {
    let StoredOutput { type_path, record, .. } = output;
    // A record that says "running" is another implementation's: marsh writes one when the run has ended.
    let status = status_of_output(record.status);
    TrackedRun {
        run_kind: RunKind::ModelMethod,
        model_name: names.get(&record.definition_id).cloned(),
        model_type: Some(type_path.to_string()),
        workflow_name: None,
        pid: record.pid,
        hostname: None,
        status,
        heartbeat_at: record.completed_at.clone().unwrap_or_else(|| record.started_at.clone()),
        stale: false,
        initiated_by: record.provenance.initiated_by,
        id: record.id,
        method_name: Some(record.method_name),
        started_at: record.started_at,
        completed_at: record.completed_at,
    }
}

impl Read<'_> {
    /// The runs of methods and workflows, the newest first.
    ///
    /// # Errors
    ///
    /// When the records cannot be listed.
    pub fn run_history(&self, scope: HistoryScope) -> Result<RunHistory, AppError> {
        let since = match scope {
            HistoryScope::Day => Some(before(DAY)),
            HistoryScope::Active | HistoryScope::All => None,
        };
        let mut runs = self.tracked_runs(since.as_deref(), scope == HistoryScope::Active)?;
        if scope == HistoryScope::Active {
            runs.retain(|run| run.status == TrackedStatus::Running);
        }
        Ok(RunHistory { runs })
    }

    /// The runs since a time and every one that is recorded as running; with `running_only` no others.
    fn tracked_runs(&self, since: Option<&str>, running_only: bool) -> Result<Vec<TrackedRun>, AppError> {
        let models = self.models();
        let running = models.running.list()?;
        let mut runs: Vec<TrackedRun> = Vec::new();
        if !running_only {
            let listing = match since {
                Some(since) => models.outputs.list_since(since)?,
                None => models.outputs.list()?,
            };
            let definitions = models.definitions.list().0.into_iter();
            let names = definitions.map(|stored| (stored.definition.id, stored.definition.name)).collect();
            let own = listing
                .outputs
                .into_iter()
                .filter(|output| output.record.provenance.triggered_by != TriggeredBy::Workflow);
            runs.extend(own.map(|output| output_row(output, &names)));
        }
        for run in running.iter().filter(|run| !is_step(run)) {
            // A run can end between the two listings.
            if runs.iter().all(|other| other.id != run.run.record.id) {
                runs.push(method_row(run));
            }
        }
        for run in self.workflows().runs(None)? {
            let is_running = run.entry.status == RunStatus::Running;
            let is_recent = since
                .is_none_or(|since| run.entry.started_at.as_deref().is_some_and(|started| started >= since));
            if is_running || is_recent && !running_only {
                runs.push(self.workflow_row(run)?);
            }
        }
        runs.sort_by(|a, b| b.started_at.cmp(&a.started_at));
        Ok(runs)
    }

    fn workflow_row(&self, run: RunSummary) -> Result<TrackedRun, AppError> {
        let workflows = self.workflows();
        let stale = workflows.is_abandoned(&run);
        let record = workflows.run_record(&run.run_id)?.record;
        let started_at = record.started_at.unwrap_or_default();
        let seen_at = match (&record.completed_at, record.status) {
            (Some(completed), _) => completed.clone(),
            (None, RunStatus::Running) if !stale => iso_system(SystemTime::now()),
            _ => workflows
                .run_store()
                .changed_at(&run.run_id, &record.workflow_id)
                .map_or_else(|| started_at.clone(), iso_system),
        };
        Ok(TrackedRun {
            id: record.id,
            run_kind: RunKind::Workflow,
            model_name: None,
            model_type: None,
            method_name: None,
            workflow_name: Some(record.workflow_name),
            pid: record.pid,
            hostname: record.instance_id,
            status: status_of_run(record.status),
            started_at,
            completed_at: record.completed_at,
            heartbeat_at: seen_at,
            stale,
            initiated_by: record.initiated_by,
        })
    }

    /// The runs that a process runs, and those that lost theirs.
    ///
    /// # Errors
    ///
    /// When the records cannot be listed.
    pub fn diagnose_runs(&self) -> Result<RunDiagnosis, AppError> {
        let runs = self.tracked_runs(Some(&before(7 * DAY)), false)?;
        let total_tracked = runs.len();
        let running = runs.into_iter().filter(|run| run.status == TrackedStatus::Running);
        let (stale_runs, active_runs): (Vec<_>, Vec<_>) = running.partition(|run| run.stale);
        Ok(RunDiagnosis {
            total_tracked,
            active: active_runs.len(),
            stale: stale_runs.len(),
            reaped: 0,
            active_runs,
            stale_runs,
        })
    }

    /// What [`Write::collect_runs`] would delete.
    ///
    /// # Errors
    ///
    /// When the records cannot be listed.
    pub fn preview_collect_runs(&self, older_than: Duration) -> Result<RunsCollected, AppError> {
        Ok(self.collected_runs(&self.old_runs(older_than)?, true))
    }

    /// The runs of workflows (with their workflows) and methods that ended longer ago than this.
    fn old_runs(&self, age: Duration) -> Result<OldRuns, AppError> {
        let limit = before(age);
        let is_old = |ended: Option<&str>| ended.is_some_and(|ended| ended <= limit.as_str());
        let runs = self.workflows().runs(None)?.into_iter().filter(|run| {
            let status = run.entry.status;
            let has_ended = matches!(status, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled);
            has_ended && is_old(run.entry.completed_at.as_deref())
        });
        let of_workflows = runs.map(|run| (run.run_id, run.entry.workflow_id)).collect();
        let outputs = self.models().outputs.list()?.outputs.into_iter().filter(|output| {
            let record = &output.record;
            record.status.is_terminal()
                && is_old(Some(record.completed_at.as_deref().unwrap_or(&record.started_at)))
        });
        Ok(OldRuns { of_workflows, of_methods: outputs.collect() })
    }

    fn collected_runs(&self, old: &OldRuns, dry_run: bool) -> RunsCollected {
        let (runs, outputs) = (&old.of_workflows, &old.of_methods);
        let workflows = self.workflows();
        let run_bytes = runs.iter().map(|(run, workflow)| workflows.run_store().bytes(run, workflow)).sum();
        let output_bytes = outputs.iter().map(|output| self.models().outputs.bytes(output)).sum();
        RunsCollected {
            workflow_runs_deleted: runs.len(),
            workflow_run_bytes_reclaimed: run_bytes,
            outputs_deleted: outputs.len(),
            output_bytes_reclaimed: output_bytes,
            total_bytes_reclaimed: run_bytes + output_bytes,
            dry_run,
        }
    }

    /// Cancels method runs: asks their processes, and waits until they have ended. A run that is cancelled leaves its record. If
    /// several runs of one definition are going on, the newest is cancelled, and a warning counts the others.
    ///
    /// # Errors
    ///
    /// When nothing that was named is running, or a process does not end its run in time.
    pub fn cancel_method_runs(
        &self,
        request: &CancelMethodsRequest,
    ) -> Result<(MethodCancellation, Option<String>), AppError> {
        let mut running = self.models().running.list()?;
        let reason = match (&request.reason, self.models().env.raw("USER")) {
            (Some(reason), _) => reason.clone(),
            (None, Some(user)) => format!("cancelled by {user}"),
            (None, None) => "cancelled".to_owned(),
        };
        let Some(target) = &request.target else {
            running.retain(|run| run.alive);
            let cancelled = running.iter().map(|run| self.cancel_method_run(run, &reason, request));
            let cancelled = cancelled.collect::<Result<_, _>>()?;
            let all = CancelledMethodRuns { cancelled, reason: request.reason.clone() };
            return Ok((MethodCancellation::All(all), None));
        };
        self.keep_named(&mut running, target)?;
        let (alive, stale): (Vec<_>, Vec<_>) = running.into_iter().partition(|run| run.alive);
        let Some((newest, others)) = alive.split_first() else {
            let hint = if stale.is_empty() {
                "`marsh run history --active` lists what is running"
            } else {
                "its process is gone: `marsh run doctor --fix` notes its end"
            };
            return Err(AppError::not_found(format!("no method of `{target}` is running"), hint));
        };
        let warning = others.first().map(|other| {
            let (more, id) = (others.len(), &other.run.record.id);
            format!("{more} more of `{target}` go on: `marsh model cancel {id}` cancels the next")
        });
        Ok((MethodCancellation::One(self.cancel_method_run(newest, &reason, request)?), warning))
    }

    /// Keeps the runs of a definition, or the run with this id.
    fn keep_named(&self, running: &mut Vec<marsh_model::TrackedRun>, target: &str) -> Result<(), AppError> {
        match self.models().definitions.find(target) {
            Ok(stored) => running.retain(|run| run.run.record.definition_id == stored.definition.id),
            Err(ModelError::ModelNotFound { name, known }) => {
                let is_id =
                    target.len() >= 3 && running.iter().any(|run| run.run.record.id.starts_with(target));
                if !is_id {
                    return Err(ModelError::ModelNotFound { name, known }.into());
                }
                running.retain(|run| run.run.record.id.starts_with(target));
                if running.len() > 1 {
                    let matches = running.iter().map(|run| run.run.record.id.clone()).collect();
                    return Err(
                        marsh_data::DataError::AmbiguousId { prefix: target.to_owned(), matches }.into()
                    );
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn cancel_method_run(
        &self,
        run: &marsh_model::TrackedRun,
        reason: &str,
        request: &CancelMethodsRequest,
    ) -> Result<CancelledMethodRun, AppError> {
        let models = self.models();
        models.running.cancel(run, reason)?;
        let record = &run.run.record;
        // The record is written before the end is announced. A run of a process that died has none.
        let ended = models.outputs.find(&record.id)?;
        Ok(CancelledMethodRun {
            id: record.id.clone(),
            model_name: run.run.model_name.clone(),
            type_name: run.run.model_type.clone(),
            method: record.method_name.clone(),
            status: ended.map_or(TrackedStatus::Cancelled, |output| status_of_output(output.record.status)),
            reason: request.reason.clone(),
        })
    }
}

impl Write<'_> {
    /// Records as failed what lost its process.
    ///
    /// # Errors
    ///
    /// When a record cannot be written.
    pub fn repair_runs(&self) -> Result<RunDiagnosis, AppError> {
        let mut diagnosis = self.diagnose_runs()?;
        let models = self.models();
        for run in models.running.list()?.into_iter().filter(|run| !run.alive && !is_step(run)) {
            let RunningRun { model_type, mut record, .. } = run.run;
            // It may have died after its record was written.
            if models.outputs.find(&record.id)?.is_some() {
                continue;
            }
            record.status = OutputStatus::Failed;
            record.completed_at = Some(run.seen_at);
            record.error = Some(OutputError { message: PROCESS_GONE.to_owned(), stack: None });
            let type_name = TypeName::parse(&model_type).map_err(ModelError::from)?;
            let path = models.outputs.write(&type_name, &record)?;
            if let Some(dir) = path.parent() {
                marsh_fs::sync_dir(dir)?;
            }
            diagnosis.reaped += 1;
        }
        models.running.forget_dead()?;
        for run in diagnosis.stale_runs.iter().filter(|run| run.run_kind == RunKind::Workflow) {
            let failed = self.workflows().fail_abandoned(&run.id, PROCESS_GONE)?;
            diagnosis.reaped += usize::from(failed.is_some());
        }
        Ok(diagnosis)
    }

    /// Deletes the records and logs of runs that ended longer ago than this. Data stay.
    ///
    /// # Errors
    ///
    /// When the records cannot be listed or removed.
    pub fn collect_runs(&self, older_than: Duration) -> Result<RunsCollected, AppError> {
        let old = self.old_runs(older_than)?;
        let mut collected = self.collected_runs(&old, false);
        collected.workflow_runs_deleted = self.workflows().run_store().remove(&old.of_workflows)?.len();
        for output in &old.of_methods {
            self.models().outputs.remove(output)?;
        }
        Ok(collected)
    }
}

/// Whether a step of a workflow runs the method. Its workflow's run stands for it.
fn is_step(run: &marsh_model::TrackedRun) -> bool {
    run.run.record.provenance.triggered_by == TriggeredBy::Workflow
}

/// The time this long ago, as records have it.
fn before(age: Duration) -> String {
    iso_system(SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH))
}
