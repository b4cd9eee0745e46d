//! `marsh workflow history …`: past runs.

use std::process::ExitCode;

use marsh_app::{Read, RunSearch, RunView, duration_ms};

use super::text::{millis, status_text, step_status_text};
use crate::args::{HistoryCommand, RunSearchArgs, StatusFilter, WorkflowHistoryArgs};
use crate::commands::done;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn history(ui: &Ui, read: &Read<'_>, arguments: &WorkflowHistoryArgs) -> Result<ExitCode, CliError> {
    match &arguments.command {
        None => get(ui, read, arguments.run.as_deref().unwrap_or_default()),
        Some(HistoryCommand::Get { run }) => get(ui, read, run),
        Some(HistoryCommand::Search(arguments)) => search_runs(ui, read, arguments),
        Some(HistoryCommand::Logs { run, tail }) => {
            let log = read.workflow_run_log(run, *tail)?;
            ui.result(&log, || log.lines.join("\n"));
            done()
        }
    }
}

fn get(ui: &Ui, read: &Read<'_>, run: &str) -> Result<ExitCode, CliError> {
    let run = read.workflow_run(run)?;
    ui.result(&run.document, || record_text(&run));
    done()
}

fn record_text(run: &RunView) -> String {
    let record = &run.document;
    let mut text = format!("{NAME}{}{NAME:#} {}", record.workflow_name, status_text(record.status));
    if let Some(time) = duration_ms(record.started_at.as_deref(), record.completed_at.as_deref()) {
        text.push_str(&format!(" in {}", millis(time)));
    }
    text.push_str(&format!("\n  {DIM}run{DIM:#}   {}\n", record.id));
    text.push_str(&format!("  {DIM}file{DIM:#}  {}\n", run.path));
    for job in &record.jobs {
        text.push_str(&format!("\n{NAME}{}{NAME:#} {}\n", job.job_name, step_status_text(job.status)));
        let rows: Vec<Vec<String>> = job
            .steps
            .iter()
            .map(|step| {
                let time = duration_ms(step.started_at.as_deref(), step.completed_at.as_deref());
                vec![
                    format!("  {}", step.step_name),
                    step_status_text(step.status),
                    time.map_or_else(String::new, millis),
                    step.error.clone().unwrap_or_default(),
                ]
            })
            .collect();
        text.push_str(&columns(&rows));
    }
    text
}

fn search_runs(ui: &Ui, read: &Read<'_>, arguments: &RunSearchArgs) -> Result<ExitCode, CliError> {
    let (status, limit) = match arguments.status {
        None => (None, arguments.limit),
        Some(StatusFilter::Is(status)) => (Some(status), arguments.limit),
        Some(StatusFilter::Nothing) => (None, 0),
    };
    let list = read.search_workflow_runs(&RunSearch {
        query: arguments.query.clone().unwrap_or_default(),
        workflow: arguments.workflow.clone(),
        status,
        since: arguments.since,
        tags: arguments.tags.clone(),
        inputs: arguments.inputs.clone(),
        limit,
    })?;
    ui.result(&list, || {
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
    });
    done()
}
