//! `marsh workflow history …`: past runs.

use std::process::ExitCode;

use marsh_api::workflow::RunLog;
use marsh_model::Models;
use marsh_workflow::{RunFilter, RunRecord, StoredRun, Workflows};

use super::text::{millis, status_text, step_status_text};
use super::{show, shown};
use crate::args::{HistoryCommand, RunSearchArgs};
use crate::commands::done;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn history(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    command: &HistoryCommand,
) -> Result<ExitCode, CliError> {
    match command {
        HistoryCommand::Get { run } => {
            let stored = workflows.find_run(run)?;
            show(ui, &stored.record.document(), || record_text(models, &stored))?;
            done()
        }
        HistoryCommand::Search(arguments) => search_runs(ui, workflows, arguments),
        HistoryCommand::Logs { run, tail } => logs(ui, models, workflows, run, *tail),
    }
}

fn logs(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    run: &str,
    tail: Option<usize>,
) -> Result<ExitCode, CliError> {
    let stored = workflows.find_run(run)?;
    let path = shown(models, &stored.log_path);
    let text = std::fs::read_to_string(&stored.log_path)
        .map_err(|source| CliError::Read { what: path.clone(), source })?;
    let all: Vec<&str> = text.lines().collect();
    let last = &all[all.len().saturating_sub(tail.unwrap_or(all.len()))..];
    let log = RunLog {
        run_id: stored.record.id,
        path,
        lines: last.iter().map(|line| (*line).to_owned()).collect(),
        total_lines: all.len(),
        showing_lines: last.len(),
    };
    show(ui, &log, || log.lines.join("\n"))?;
    done()
}

fn record_text(models: &Models, stored: &StoredRun) -> String {
    let record: &RunRecord = &stored.record;
    let mut text = format!("{NAME}{}{NAME:#} {}", record.workflow_name, status_text(record.status));
    if let Some(time) = record.duration_ms() {
        text.push_str(&format!(" in {}", millis(time)));
    }
    text.push_str(&format!("\n  {DIM}run{DIM:#}   {}\n", record.id));
    text.push_str(&format!("  {DIM}file{DIM:#}  {}\n", shown(models, &stored.path)));
    for job in &record.jobs {
        text.push_str(&format!("\n{NAME}{}{NAME:#} {}\n", job.job_name, step_status_text(job.status)));
        let rows: Vec<Vec<String>> = job
            .steps
            .iter()
            .map(|step| {
                vec![
                    format!("  {}", step.step_name),
                    step_status_text(step.status),
                    step.duration_ms().map_or_else(String::new, millis),
                    step.error.clone().unwrap_or_default(),
                ]
            })
            .collect();
        text.push_str(&columns(&rows));
    }
    text
}

fn search_runs(ui: &Ui, workflows: &Workflows<'_>, arguments: &RunSearchArgs) -> Result<ExitCode, CliError> {
    let since = arguments.since.map(super::summary::since);
    let list = workflows.search_runs(&RunFilter {
        query: arguments.query.as_deref().unwrap_or_default(),
        workflow: arguments.workflow.as_deref(),
        status: arguments.status.map(Into::into),
        since: since.as_deref(),
        tags: &arguments.tags,
        inputs: &arguments.inputs,
        limit: arguments.limit,
    })?;
    show(ui, &list, || {
        if list.results.is_empty() {
            return "no runs".to_owned();
        }
        let rows: Vec<Vec<String>> = list
            .results
            .iter()
            .map(|run| {
                let note = if run.abandoned { " (its process is gone)" } else { "" };
                vec![
                    run.run_id.chars().take(8).collect(),
                    format!("{NAME}{}{NAME:#}", run.workflow_name),
                    format!("{}{note}", status_text(run.status)),
                    format!("{DIM}{}{DIM:#}", run.started_at.as_deref().unwrap_or_default()),
                ]
            })
            .collect();
        columns(&rows)
    })?;
    done()
}
