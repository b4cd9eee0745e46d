//! `marsh workflow history …`: past runs.

use std::process::ExitCode;

use marsh_model::Models;
use marsh_workflow::{RunRecord, RunStatus, RunSummary, StoredRun, WorkflowError, Workflows};
use serde_json::{Value, json};

use super::shown;
use super::text::{millis, status_text, step_status_text};
use crate::args::{HistoryCommand, RunSearchArgs};
use crate::commands::bridge::show_log;
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
            let stored = find_run(workflows, run)?;
            let document = serde_json::to_value(&stored.record).unwrap_or(Value::Null);
            ui.result(&document, || record_text(models, &stored));
            done()
        }
        HistoryCommand::Search(arguments) => search_runs(ui, workflows, arguments),
        HistoryCommand::Logs { run, tail } => {
            let stored = find_run(workflows, run)?;
            let path = shown(models, &stored.log_path);
            let text = std::fs::read_to_string(&stored.log_path)
                .map_err(|source| CliError::Read { what: path.clone(), source })?;
            show_log(ui, Some(&path), &text, *tail, &json!({ "runId": stored.record.id }));
            done()
        }
    }
}

/// A run by its id or the start of it, else the last run of the workflow of that name.
fn find_run(workflows: &Workflows<'_>, wanted: &str) -> Result<StoredRun, CliError> {
    let by_id = workflows.run_store().find(wanted);
    if let Ok(run) = by_id {
        return Ok(run);
    }
    match workflows.store().find(wanted) {
        Ok(stored) => {
            let last = workflows.run_store().list(Some(&stored.workflow().id))?.into_iter().next();
            let last = last.ok_or_else(|| CliError::NotFound {
                message: format!("the workflow `{wanted}` was never run"),
                hint: None,
            })?;
            Ok(workflows.run_store().find(&last.run_id)?)
        }
        Err(WorkflowError::NotFound { .. }) => match by_id {
            // Says what is wrong with a prefix, if that is what it was.
            Err(error @ (WorkflowError::AmbiguousRun { .. } | WorkflowError::PrefixTooShort { .. })) => {
                Err(error.into())
            }
            _ => Err(CliError::NotFound {
                message: format!("there is no run and no workflow `{wanted}`"),
                hint: Some("`marsh workflow history search` lists the runs there are".into()),
            }),
        },
        Err(error) => Err(error.into()),
    }
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
    let query = arguments.query.as_deref().unwrap_or_default();
    let wanted = query.to_lowercase();
    let since = arguments.since.map(super::summary::since);
    let (tags, inputs) = (pairs(&arguments.tags)?, pairs(&arguments.inputs)?);
    let fits = |run: &RunSummary| {
        let entry = &run.entry;
        entry.workflow_name.to_lowercase().contains(&wanted)
            && arguments.status.as_ref().is_none_or(|status| entry.status.as_str() == status)
            && since.as_ref().is_none_or(|since| entry.started_at.as_ref().is_some_and(|at| at >= since))
            && tags.iter().all(|(key, value)| entry.tags.get(key) == Some(value))
            && inputs.iter().all(|(key, value)| {
                let found = entry.inputs.as_ref().and_then(|inputs| inputs.get(*key));
                found.is_some_and(|found| match found.as_str() {
                    Some(text) => text == *value,
                    None => *value == found.to_string().as_str(),
                })
            })
    };
    let mut runs: Vec<_> = workflows.runs(arguments.workflow.as_deref())?.into_iter().filter(fits).collect();
    let total = runs.len();
    runs.truncate(arguments.limit);
    let results: Vec<Value> = runs
        .iter()
        .map(|run| {
            let mut document = serde_json::to_value(&run.entry).unwrap_or(Value::Null);
            if let Value::Object(fields) = &mut document {
                fields.insert("runId".into(), json!(run.run_id));
                // Left by a process that is gone; `workflow resume` goes on with it.
                if is_left(workflows, run) {
                    fields.insert("abandoned".into(), json!(true));
                }
            }
            document
        })
        .collect();
    ui.result(&json!({ "query": query, "results": results, "total": total }), || {
        if runs.is_empty() {
            return "no runs".to_owned();
        }
        let rows: Vec<Vec<String>> = runs
            .iter()
            .map(|run| {
                vec![
                    run.run_id.chars().take(8).collect(),
                    format!("{NAME}{}{NAME:#}", run.entry.workflow_name),
                    format!(
                        "{}{}",
                        status_text(run.entry.status),
                        if is_left(workflows, run) { " (its process is gone)" } else { "" }
                    ),
                    format!("{DIM}{}{DIM:#}", run.entry.started_at.clone().unwrap_or_default()),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

/// Whether a run with the status `running` has lost its process. Its status stays, because it can be resumed.
fn is_left(workflows: &Workflows<'_>, run: &RunSummary) -> bool {
    run.entry.status == RunStatus::Running
        && !workflows.run_store().is_owned(&run.entry.workflow_id, &run.run_id)
}

fn pairs(texts: &[String]) -> Result<Vec<(&str, &str)>, CliError> {
    texts
        .iter()
        .map(|text| {
            text.split_once('=').ok_or_else(|| CliError::usage(format!("`{text}`: expected key=value")))
        })
        .collect()
}
