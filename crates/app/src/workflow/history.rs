//! Past runs: records, logs, lists, and a summary of recent activity.

use std::time::{Duration, SystemTime};

use marsh_api::workflow::{RunList, RunLog, RunRecord, RunStatus};
use marsh_types::time::iso_system;
use marsh_workflow::RunFilter;

use crate::error::AppError;
use crate::session::Read;

/// A run and where its record is.
#[derive(Debug)]
pub struct RunView {
    /// The document.
    pub document: RunRecord,
    /// The path of the record.
    pub path: String,
}

/// Which runs a list shows. Every condition must hold.
#[derive(Debug, Clone, Default)]
pub struct RunSearch {
    /// Part of a workflow's name; upper and lower case are equal.
    pub query: String,
    /// A workflow, by name or id.
    pub workflow: Option<String>,
    /// The status of the run.
    pub status: Option<RunStatus>,
    /// The run started within this time.
    pub since: Option<Duration>,
    /// Tags of the run.
    pub tags: Vec<(String, String)>,
    /// Inputs of the run. Values that are not text are compared as JSON.
    pub inputs: Vec<(String, String)>,
    /// How many runs the list shows at most.
    pub limit: usize,
}

/// The time this long ago, in the form that records have: such times sort as text.
pub(super) fn since(age: Duration) -> String {
    iso_system(SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH))
}

/// Milliseconds from start to end of a run, a job or a step, if its record has both.
pub fn duration_ms(started_at: Option<&str>, completed_at: Option<&str>) -> Option<u64> {
    marsh_workflow::record::duration_ms(started_at?, completed_at?)
}

impl Read<'_> {
    /// The record of a run: by three or more digits of its id, or the last run of the workflow with this name or id.
    ///
    /// # Errors
    ///
    /// When no run fits, or several do.
    pub fn workflow_run(&self, wanted: &str) -> Result<RunView, AppError> {
        let stored = self.workflows().find_run(wanted)?;
        Ok(RunView { document: stored.record.document(), path: self.display(&stored.path) })
    }

    /// The runs that fit, newest first.
    ///
    /// # Errors
    ///
    /// When the workflow is unknown, or the runs cannot be listed.
    pub fn search_workflow_runs(&self, search: &RunSearch) -> Result<RunList, AppError> {
        let since = search.since.map(since);
        Ok(self.workflows().search_runs(&RunFilter {
            query: &search.query,
            workflow: search.workflow.as_deref(),
            status: search.status,
            since: since.as_deref(),
            tags: &search.tags,
            inputs: &search.inputs,
            limit: search.limit,
        })?)
    }

    /// The log of a run, or its last `tail` lines.
    ///
    /// # Errors
    ///
    /// Those of [`Read::workflow_run`], and when the log cannot be read.
    pub fn workflow_run_log(&self, wanted: &str, tail: Option<usize>) -> Result<RunLog, AppError> {
        let stored = self.workflows().find_run(wanted)?;
        let path = self.display(&stored.log_path);
        let text = marsh_fs::read_to_string(&stored.log_path)
            .map_err(|source| AppError::Read { what: path.clone(), source })?;
        let all: Vec<&str> = text.lines().collect();
        let last = &all[all.len().saturating_sub(tail.unwrap_or(all.len()))..];
        Ok(RunLog {
            run_id: stored.record.id,
            path,
            lines: last.iter().map(|line| (*line).to_owned()).collect(),
            total_lines: all.len(),
            showing_lines: last.len(),
            line_count: last.len(),
        })
    }
}
