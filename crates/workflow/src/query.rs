//! What users ask about workflows and runs, and decide about open runs. Everything here reads files; only
//! [`Workflows::cancel_open`] changes a run.

use std::collections::BTreeMap;

use marsh_api::workflow as api;
use marsh_data::OutputStatus;
use marsh_model::ModelError;

use crate::Workflows;
use crate::error::WorkflowError;
use crate::record::RunStatus;
use crate::runs::{RunSummary, StoredRun};
use crate::store::BrokenWorkflow;

/// Which runs a list shows. Every condition must hold.
#[derive(Debug, Clone, Default)]
pub struct RunFilter<'a> {
    /// Part of a workflow's name; upper and lower case are equal.
    pub query: &'a str,
    /// A workflow, by name or id.
    pub workflow: Option<&'a str>,
    /// The status of the run.
    pub status: Option<RunStatus>,
    /// The run started at this time or later (RFC 3339 in UTC with milliseconds, as records have it).
    pub since: Option<&'a str>,
    /// Tags of the run.
    pub tags: &'a [(String, String)],
    /// Inputs of the run. Values that are not text are compared as JSON.
    pub inputs: &'a [(String, String)],
    /// How many runs the list shows at most.
    pub limit: usize,
}

impl RunFilter<'_> {
    fn fits(&self, run: &RunSummary) -> bool {
        let entry = &run.entry;
        entry.workflow_name.to_lowercase().contains(&self.query.to_lowercase())
            && self.status.is_none_or(|status| entry.status == status)
            && self.since.is_none_or(|since| entry.started_at.as_deref().is_some_and(|at| at >= since))
            && self.tags.iter().all(|(key, value)| entry.tags.get(key) == Some(value))
            && self.inputs.iter().all(|(key, value)| {
                let found = entry.inputs.as_ref().and_then(|inputs| inputs.get(key));
                found.is_some_and(|found| match found.as_str() {
                    Some(text) => text == value,
                    None => serde_json::from_str(value).is_ok_and(|value: serde_json::Value| value == *found),
                })
            })
    }
}

/// Which open runs a cancellation ends.
#[derive(Debug, Clone, Copy)]
pub enum OpenRuns<'a> {
    /// One run, by the start of its id.
    Run(&'a str),
    /// The only open run of a workflow, by name or id.
    OnlyOf(&'a str),
    /// Every open run of a workflow, by name or id.
    AllOf(&'a str),
    /// Every open run.
    All,
}

impl Workflows<'_> {
    /// The workflows whose name contains `query`, by name, and the files that cannot be read as workflows.
    pub fn search(&self, query: &str) -> Result<(api::WorkflowList, Vec<BrokenWorkflow>), WorkflowError> {
        let listing = self.store().list()?;
        let wanted = query.to_lowercase();
        let found = listing
            .workflows
            .iter()
            .filter(|stored| stored.workflow().name.to_lowercase().contains(&wanted))
            .map(|stored| stored.list_entry());
        Ok((api::WorkflowList { query: query.to_owned(), results: found.collect() }, listing.broken))
    }

    /// A run by three or more digits of its id, else the last run of the workflow with this name or id.
    pub fn find_run(&self, wanted: &str) -> Result<StoredRun, WorkflowError> {
        let by_id = match self.run_record(wanted) {
            Ok(run) => return Ok(run),
            Err(error) => error,
        };
        match self.store().find(wanted) {
            Ok(stored) => {
                let last = self.run_store().list(Some(&stored.workflow().id))?.into_iter().next();
                let last = last.ok_or_else(|| WorkflowError::NoRunOf { workflow: wanted.to_owned() })?;
                self.run_record(&last.run_id)
            }
            Err(WorkflowError::NotFound { .. }) => Err(match by_id {
                // These say what is wrong with the id.
                WorkflowError::AmbiguousRun { .. } | WorkflowError::PrefixTooShort { .. } => by_id,
                _ => WorkflowError::NoRunOrWorkflow { name: wanted.to_owned() },
            }),
            Err(error) => Err(error),
        }
    }

    /// Whether a run is recorded as running and its process is gone. Its status stays, so that it can be resumed.
    pub fn is_abandoned(&self, run: &RunSummary) -> bool {
        run.entry.status == RunStatus::Running
            && !self.run_store().is_owned(&run.entry.workflow_id, &run.run_id)
    }

    /// The runs that a filter lets through, newest first.
    pub fn search_runs(&self, filter: &RunFilter<'_>) -> Result<api::RunList, WorkflowError> {
        let mut runs = self.runs(filter.workflow)?;
        runs.retain(|run| filter.fits(run));
        let total = runs.len();
        runs.truncate(filter.limit);
        let results = runs.iter().map(|run| run.document(self.is_abandoned(run)));
        Ok(api::RunList { query: filter.query.to_owned(), results: results.collect(), total })
    }

    /// The steps that wait for an approval, oldest first.
    pub fn pending_approvals(&self) -> Result<api::PendingApprovals, WorkflowError> {
        let approvals = self.approvals()?.iter().map(|pending| pending.document()).collect();
        Ok(api::PendingApprovals { approvals })
    }

    /// Cancels open runs.
    ///
    /// # Errors
    ///
    /// [`WorkflowError::SeveralOpen`] when [`OpenRuns::OnlyOf`] names a workflow with more than one open run; what
    /// [`Workflows::cancel`] returns otherwise.
    pub fn cancel_open(
        &self,
        which: OpenRuns<'_>,
        reason: &str,
    ) -> Result<api::CancelledRuns, WorkflowError> {
        let open = |workflow: Option<&str>| -> Result<Vec<String>, WorkflowError> {
            let runs = self.runs(workflow)?.into_iter();
            let open =
                runs.filter(|run| matches!(run.entry.status, RunStatus::Running | RunStatus::Suspended));
            Ok(open.map(|run| run.run_id).collect())
        };
        let wanted = match which {
            OpenRuns::Run(run) => vec![self.run_record(run)?.record.id],
            OpenRuns::OnlyOf(workflow) => {
                let runs = open(Some(workflow))?;
                if runs.len() > 1 {
                    return Err(WorkflowError::SeveralOpen { runs });
                }
                runs
            }
            OpenRuns::AllOf(workflow) => open(Some(workflow))?,
            OpenRuns::All => open(None)?,
        };
        let mut cancelled = Vec::new();
        for run in &wanted {
            let record = self.cancel(run, reason)?;
            cancelled.push(api::CancelledRun {
                run_id: record.id,
                workflow_name: record.workflow_name,
                status: record.status,
            });
        }
        Ok(api::CancelledRuns { cancelled, reason: reason.to_owned() })
    }

    /// What ran since a time (RFC 3339 in UTC with milliseconds), with the last `limit` failures, and as many runs of each
    /// workflow. The caller knows what methods did without a workflow, and what is stored.
    pub fn activity(&self, since: &str, limit: usize) -> Result<api::ActivitySummary, WorkflowError> {
        let runs: Vec<RunSummary> = self
            .runs(None)?
            .into_iter()
            .filter(|run| run.entry.started_at.as_deref().is_some_and(|at| at >= since))
            .collect();
        let mut workflows: BTreeMap<&str, api::WorkflowActivity> = BTreeMap::new();
        for run in &runs {
            let name = run.entry.workflow_name.as_str();
            let activity = workflows.entry(name).or_insert_with(|| api::WorkflowActivity {
                name: name.to_owned(),
                succeeded: 0,
                failed: 0,
                cancelled: 0,
                open: 0,
                workflow_name: name.to_owned(),
                total: 0,
                runs: Vec::new(),
                truncated: false,
            });
            activity.total += 1;
            if activity.runs.len() < limit {
                activity.runs.push(self.run_activity(run)?);
            } else {
                activity.truncated = true;
            }
            *match run.entry.status {
                RunStatus::Succeeded => &mut activity.succeeded,
                RunStatus::Failed => &mut activity.failed,
                RunStatus::Cancelled => &mut activity.cancelled,
                RunStatus::Pending | RunStatus::Running | RunStatus::Suspended => &mut activity.open,
            } += 1;
        }
        let outputs = self.models.outputs.list().map_err(ModelError::from)?.outputs;
        let recent = outputs.iter().filter(|output| output.record.started_at.as_str() >= since);
        let (mut method_runs, mut method_failures) = (0, 0);
        for output in recent {
            method_runs += 1;
            method_failures += usize::from(output.record.status == OutputStatus::Failed);
        }
        let failed = runs.iter().filter(|run| run.entry.status == RunStatus::Failed);
        Ok(api::ActivitySummary {
            since: since.to_owned(),
            workflow_runs: runs.len(),
            failures: failed.take(limit).map(RunSummary::failure).collect(),
            workflows: workflows.into_values().collect(),
            approvals: self.approvals()?.len(),
            method_runs,
            method_failures,
            method_executions: Vec::new(),
            data: api::StoredData::default(),
            message: None,
        })
    }

    /// A run with its steps.
    fn run_activity(&self, run: &RunSummary) -> Result<api::WorkflowRunActivity, WorkflowError> {
        let record = self.run_record(&run.run_id)?.record.document();
        let steps = record.jobs.into_iter().flat_map(|job| {
            let job_name = job.job_name;
            job.steps.into_iter().map(move |step| api::StepActivity {
                job_name: job_name.clone(),
                step_name: step.step_name,
                status: step.status,
                duration_ms: step.duration,
                error: step.error,
            })
        });
        Ok(api::WorkflowRunActivity {
            id: run.run_id.clone(),
            started_at: record.started_at,
            completed_at: record.completed_at,
            status: record.status,
            first_failed_step: record.failed_step,
            steps: steps.collect(),
        })
    }

    /// The checks of one workflow, by name or id, and `schedule` over its schedule.
    ///
    /// `schedule`: why a cron expression is invalid; this crate does not read them.
    pub fn validation(
        &self,
        name: &str,
        schedule: impl Fn(&str) -> Option<String>,
    ) -> Result<api::WorkflowValidation, WorkflowError> {
        Ok(self.validated(&self.store().find(name)?, &schedule))
    }

    /// The checks of all workflows, and of the files that cannot be read as workflows. `schedule`: see
    /// [`Workflows::validation`].
    pub fn validations(
        &self,
        schedule: impl Fn(&str) -> Option<String>,
    ) -> Result<api::WorkflowValidations, WorkflowError> {
        let listing = self.store().list()?;
        let mut workflows: Vec<api::WorkflowValidation> =
            listing.workflows.iter().map(|stored| self.validated(stored, &schedule)).collect();
        workflows.extend(listing.broken.iter().map(|broken| {
            let file = self.models.repo.layout.display(&broken.path).display().to_string();
            broken.validation(file)
        }));
        let passed = workflows.iter().all(|validation| validation.passed);
        Ok(api::WorkflowValidations { workflows, passed })
    }

    fn validated(
        &self,
        stored: &crate::StoredWorkflow,
        schedule: &impl Fn(&str) -> Option<String>,
    ) -> api::WorkflowValidation {
        let mut report = self.validate(stored);
        let written = stored.workflow().trigger.as_ref().and_then(|trigger| trigger.schedule.as_deref());
        if let Some(error) = written.and_then(schedule) {
            let at = Some(stored.parsed.problem("trigger.schedule", &error));
            let check =
                crate::ValidationCheck { name: "trigger".into(), error: Some(error), warning: None, at };
            report.checks.push(check);
        }
        report.document()
    }
}

/// An error with its hint, on one line.
pub fn explained(error: &impl marsh_types::Explain) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}
