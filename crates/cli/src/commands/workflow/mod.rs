//! `marsh workflow …` and `marsh summarise`: arguments in, documents of `marsh-api` and their text out.

mod approvals;
mod events;
mod history;
mod progress;
mod run;
mod summary;
mod text;
mod validate;

pub use summary::summarise;

use std::process::ExitCode;

use marsh_api::workflow::{DeletedWorkflow, EditStatus, EditedWorkflow, WorkflowGraph};
use marsh_model::Models;
use marsh_workflow::schema::{ModelTarget, Task};
use marsh_workflow::{GraphFormat, Workflows};
use serde::Serialize;
use serde_json::Value;

use super::done;
use crate::args::WorkflowCommand;
use crate::commands::bridge::edited_text;
use crate::error::CliError;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn run(ui: &Ui, models: &Models, command: &WorkflowCommand) -> Result<ExitCode, CliError> {
    let workflows = Workflows::new(models);
    match command {
        WorkflowCommand::Create { name } => create(ui, models, &workflows, name),
        WorkflowCommand::Get { name, graph } => match graph {
            Some(format) => show_graph(ui, &workflows, name, (*format).into()),
            None => get(ui, models, &workflows, name),
        },
        WorkflowCommand::Search { query } => {
            search(ui, models, &workflows, query.as_deref().unwrap_or_default())
        }
        WorkflowCommand::Edit { name } => edit(ui, models, &workflows, name),
        WorkflowCommand::Delete { name, yes } => delete(ui, models, &workflows, name, *yes),
        WorkflowCommand::Validate { name } => validate::validate(ui, &workflows, name.as_deref()),
        WorkflowCommand::Run(arguments) => run::run(ui, models, &workflows, arguments),
        WorkflowCommand::Resume(arguments) => run::resume(ui, models, &workflows, arguments),
        WorkflowCommand::Approve(arguments) => approvals::decide(ui, models, &workflows, arguments, true),
        WorkflowCommand::Reject(arguments) => approvals::decide(ui, models, &workflows, arguments, false),
        WorkflowCommand::Approvals => approvals::list(ui, &workflows),
        WorkflowCommand::Cancel(arguments) => approvals::cancel(ui, models, &workflows, arguments),
        WorkflowCommand::Schema { .. } => schema(ui),
        WorkflowCommand::History(command) => history::history(ui, models, &workflows, command),
    }
}

/// Prints a document of `marsh-api` with `--json`, and its text otherwise.
fn show<T: Serialize>(ui: &Ui, document: &T, text: impl FnOnce() -> String) -> Result<(), CliError> {
    let document = if ui.is_json() { to_value(document)? } else { Value::Null };
    ui.result(&document, text);
    Ok(())
}

/// A document as a JSON value.
fn to_value<T: Serialize>(document: &T) -> Result<Value, CliError> {
    serde_json::to_value(document).map_err(|error| CliError::Read {
        what: "the result as JSON".into(),
        source: std::io::Error::other(error),
    })
}

/// A path as documents have it: relative to the repository, when it is in it.
fn shown(models: &Models, path: &std::path::Path) -> String {
    models.repo.layout.display(path).display().to_string()
}

fn create(ui: &Ui, models: &Models, workflows: &Workflows<'_>, name: &str) -> Result<ExitCode, CliError> {
    let stored = workflows.store().create(name)?;
    let created = stored.created(shown(models, &stored.path));
    show(ui, &created, || {
        format!(
            "{GOOD}created{GOOD:#} {NAME}{0}{NAME:#} in {1}\n\nnext: edit its steps, then run\n  marsh workflow validate {0}\n  marsh workflow run {0}",
            created.name, created.path
        )
    })?;
    done()
}

fn get(ui: &Ui, models: &Models, workflows: &Workflows<'_>, name: &str) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let details = stored.details(shown(models, &stored.path));
    show(ui, &details, || {
        let workflow = stored.workflow();
        let mut text = format!("{NAME}{}{NAME:#}\n", workflow.name);
        if let Some(description) = &workflow.description {
            text.push_str(&format!("  {description}\n"));
        }
        text.push_str(&format!("  {DIM}file{DIM:#}  {}\n", details.path));
        for job in &workflow.jobs {
            let after: Vec<&str> = job.depends_on.iter().map(|dependency| dependency.job.as_str()).collect();
            text.push_str(&format!("\n{NAME}{}{NAME:#}{}\n", job.name, after_text(&after)));
            for step in &job.steps {
                let after: Vec<&str> =
                    step.depends_on.iter().map(|dependency| dependency.step.as_str()).collect();
                text.push_str(&format!(
                    "  {}  {DIM}{}{DIM:#}{}\n",
                    step.name,
                    task_text(&step.task),
                    after_text(&after)
                ));
            }
        }
        text
    })?;
    done()
}

/// The graph as text for a terminal, or as Mermaid source for a document.
fn show_graph(
    ui: &Ui,
    workflows: &Workflows<'_>,
    name: &str,
    format: GraphFormat,
) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let workflow = stored.workflow();
    let graph = WorkflowGraph {
        id: workflow.id.clone(),
        name: workflow.name.clone(),
        graph: marsh_workflow::draw(workflow, format),
    };
    show(ui, &graph, || graph.graph.clone())?;
    done()
}

/// The JSON Schemas of everything that a workflow file can hold.
fn schema(ui: &Ui) -> Result<ExitCode, CliError> {
    let schemas = marsh_workflow::schema::json_schemas();
    ui.result(&schemas, || format!("{schemas:#}"));
    done()
}

/// What a step does, in a few words.
fn task_text(task: &Task) -> String {
    match task {
        Task::ModelMethod(call) => match &call.target {
            ModelTarget::Definition { model_id_or_name } => {
                format!("{model_id_or_name} {}", call.method_name)
            }
            ModelTarget::Direct { model_type, model_name, .. } => {
                format!("{model_type} {} {model_name}", call.method_name)
            }
        },
        other => other.type_name().to_owned(),
    }
}

fn after_text(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!("  {DIM}after {}{DIM:#}", names.join(", ")) }
}

fn search(ui: &Ui, models: &Models, workflows: &Workflows<'_>, query: &str) -> Result<ExitCode, CliError> {
    let (list, broken) = workflows.search(query)?;
    for broken in &broken {
        let first = broken.problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
        ui.warn(format_args!("skipped {}: {first}", shown(models, &broken.path)));
    }
    show(ui, &list, || {
        if list.results.is_empty() {
            return if query.is_empty() {
                "no workflows yet".to_owned()
            } else {
                format!("no workflow matches `{query}`")
            };
        }
        let rows: Vec<Vec<String>> = list
            .results
            .iter()
            .map(|workflow| {
                vec![
                    format!("{NAME}{}{NAME:#}", workflow.name),
                    format!("{DIM}{} jobs{DIM:#}", workflow.job_count),
                    workflow.description.clone().unwrap_or_default(),
                ]
            })
            .collect();
        columns(&rows)
    })?;
    done()
}

fn edit(ui: &Ui, models: &Models, workflows: &Workflows<'_>, name: &str) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let (text, editor) = edited_text(models, &stored.text, &stored.workflow().name)?;
    let (status, saved) = if text == stored.text {
        (EditStatus::Unchanged, stored)
    } else {
        (EditStatus::Updated, workflows.store().save_text(&stored, &text)?)
    };
    let edited = EditedWorkflow {
        path: shown(models, &saved.path),
        editor,
        status,
        name: saved.workflow().name.clone(),
    };
    show(ui, &edited, || format!("{GOOD}{}{GOOD:#} {}", edited.status.as_str(), edited.path))?;
    done()
}

fn delete(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    name: &str,
    yes: bool,
) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let workflow = stored.workflow();
    let question = format!("delete the workflow `{}` and its run history?", workflow.name);
    if !yes && ui.can_ask() && !ui.confirm(&question) {
        return Err(CliError::Refused { message: "nothing was deleted".into(), hint: None });
    }
    let removed = workflows.store().delete(&stored)?;
    let deleted = DeletedWorkflow {
        id: workflow.id.clone(),
        name: workflow.name.clone(),
        workflow_path: shown(models, &removed.path),
        runs_deleted: removed.runs,
    };
    show(ui, &deleted, || {
        format!("{GOOD}deleted{GOOD:#} {NAME}{}{NAME:#} and {} runs", deleted.name, deleted.runs_deleted)
    })?;
    done()
}
