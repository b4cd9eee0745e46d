//! `marsh workflow …`.

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

use marsh_model::Models;
use marsh_workflow::schema::{ModelTarget, Task};
use marsh_workflow::{GraphFormat, StoredWorkflow, Workflows};
use serde::Serialize;
use serde_json::{Value, json};

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
        WorkflowCommand::Validate { name } => validate::validate(ui, models, &workflows, name.as_deref()),
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

fn shown(models: &Models, path: &std::path::Path) -> String {
    models.repo.layout.display(path).display().to_string()
}

fn create(ui: &Ui, models: &Models, workflows: &Workflows<'_>, name: &str) -> Result<ExitCode, CliError> {
    let stored = workflows.store().create(name)?;
    let workflow = stored.workflow();
    let path = shown(models, &stored.path);
    let document =
        json!({ "id": workflow.id, "name": workflow.name, "path": path, "jobs": jobs_json(&stored) });
    ui.result(&document, || {
        format!("{GOOD}created{GOOD:#} {NAME}{}{NAME:#} in {path}\n\nnext: say what its steps do, then\n  marsh workflow validate {0}\n  marsh workflow run {0}", workflow.name)
    });
    done()
}

fn jobs_json(stored: &StoredWorkflow) -> Value {
    stored
        .workflow()
        .jobs
        .iter()
        .map(|job| {
            let steps: Vec<Value> = job
                .steps
                .iter()
                .map(|step| {
                    json!({ "name": step.name, "description": step.description, "taskType": step.task.type_name() })
                })
                .collect();
            json!({ "name": job.name, "description": job.description, "steps": steps })
        })
        .collect()
}

fn get(ui: &Ui, models: &Models, workflows: &Workflows<'_>, name: &str) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let workflow = stored.workflow();
    let document = json!({
        "id": workflow.id,
        "name": workflow.name,
        "description": workflow.description,
        "version": workflow.version,
        "inputs": workflow.inputs,
        "trigger": workflow.trigger,
        "tags": workflow.tags,
        "reports": workflow.reports,
        "code": workflow.code,
        "jobs": jobs_json(&stored),
        "path": shown(models, &stored.path),
    });
    ui.result(&document, || {
        let mut text = format!("{NAME}{}{NAME:#}\n", workflow.name);
        if let Some(description) = &workflow.description {
            text.push_str(&format!("  {description}\n"));
        }
        text.push_str(&format!("  {DIM}file{DIM:#}  {}\n", shown(models, &stored.path)));
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
    });
    done()
}

/// The graph as text for people, as Mermaid for documents.
fn show_graph(
    ui: &Ui,
    workflows: &Workflows<'_>,
    name: &str,
    format: GraphFormat,
) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let workflow = stored.workflow();
    let graph = marsh_workflow::draw(workflow, format);
    ui.result(&json!({ "id": workflow.id, "name": workflow.name, "graph": graph }), || graph.clone());
    done()
}

/// The JSON Schemas of everything that a workflow file may hold.
fn schema(ui: &Ui) -> Result<ExitCode, CliError> {
    let document = marsh_workflow::schema::json_schemas();
    ui.result(&document, || serde_json::to_string_pretty(&document).unwrap_or_default());
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
    let listing = workflows.store().list()?;
    for broken in &listing.broken {
        let first = broken.problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
        ui.warn(format_args!("skipped {}: {first}", shown(models, &broken.path)));
    }
    let wanted = query.to_lowercase();
    let found: Vec<&StoredWorkflow> = listing
        .workflows
        .iter()
        .filter(|stored| stored.workflow().name.to_lowercase().contains(&wanted))
        .collect();
    let results: Vec<Value> = found
        .iter()
        .map(|stored| {
            let workflow = stored.workflow();
            json!({
                "id": workflow.id, "name": workflow.name, "description": workflow.description,
                "jobCount": workflow.jobs.len(), "hasInputs": workflow.inputs.is_some(), "trigger": workflow.trigger,
            })
        })
        .collect();
    ui.result(&json!({ "query": query, "results": results }), || {
        if found.is_empty() {
            return if query.is_empty() {
                "no workflows yet".to_owned()
            } else {
                format!("no workflow matches `{query}`")
            };
        }
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|stored| {
                let workflow = stored.workflow();
                let steps: usize = workflow.jobs.iter().map(|job| job.steps.len()).sum();
                vec![
                    format!("{NAME}{}{NAME:#}", workflow.name),
                    format!("{DIM}{steps} steps{DIM:#}"),
                    workflow.description.clone().unwrap_or_default(),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn edit(ui: &Ui, models: &Models, workflows: &Workflows<'_>, name: &str) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let (text, editor) = edited_text(models, &stored.text, &stored.workflow().name)?;
    let status = if text == stored.text { "unchanged" } else { "updated" };
    let saved = if text == stored.text { stored } else { workflows.store().save_text(&stored, &text)? };
    let path = shown(models, &saved.path);
    let document = json!({ "path": path, "editor": editor, "status": status, "name": saved.workflow().name });
    ui.result(&document, || format!("{GOOD}{status}{GOOD:#} {path}"));
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
    let deleted = workflows.store().delete(&stored)?;
    let document = json!({
        "id": workflow.id, "name": workflow.name, "workflowPath": shown(models, &deleted.path), "runsDeleted": deleted.runs,
    });
    ui.result(&document, || {
        format!("{GOOD}deleted{GOOD:#} {NAME}{}{NAME:#} and {} runs", workflow.name, deleted.runs)
    });
    done()
}
