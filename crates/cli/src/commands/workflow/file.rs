//! `marsh workflow create|get|search|edit|delete|schema`.

use std::process::ExitCode;

use marsh_app::{GraphFormat, Read, WorkflowView, Write, workflow_schemas};

use crate::commands::{done, model};
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn create(ui: &Ui, read: &Read<'_>, name: &str) -> Result<ExitCode, CliError> {
    let created = read.create_workflow(name)?;
    ui.result(&created, || {
        format!(
            "{GOOD}created{GOOD:#} {NAME}{0}{NAME:#} in {1}\n\nnext: edit its steps, then run\n  {2} workflow validate {0}\n  {2} workflow run {0}",
            created.name,
            created.path,
            Persona::current().name
        )
    });
    done()
}

pub fn get(ui: &Ui, read: &Read<'_>, name: &str) -> Result<ExitCode, CliError> {
    let workflow = read.workflow(name)?;
    ui.result(&workflow.document, || workflow_text(&workflow));
    done()
}

fn workflow_text(workflow: &WorkflowView) -> String {
    let document = &workflow.document;
    let mut text = format!("{NAME}{}{NAME:#}\n", document.name);
    if let Some(description) = &document.description {
        text.push_str(&format!("  {description}\n"));
    }
    text.push_str(&format!("  {DIM}file{DIM:#}  {}\n", document.path));
    for job in &workflow.jobs {
        text.push_str(&format!("\n{NAME}{}{NAME:#}{}\n", job.name, after_text(&job.after)));
        for step in &job.steps {
            let after = after_text(&step.after);
            text.push_str(&format!("  {}  {DIM}{}{DIM:#}{after}\n", step.name, step.task));
        }
    }
    text
}

fn after_text(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("  {DIM}after {}{DIM:#}", names.join(", ")) }
}

/// The graph as text for a terminal, or as Mermaid source for a document.
pub fn graph(ui: &Ui, read: &Read<'_>, name: &str, format: GraphFormat) -> Result<ExitCode, CliError> {
    let graph = read.workflow_graph(name, format)?;
    ui.result(&graph, || graph.graph.clone());
    done()
}

/// The JSON Schemas of everything that a workflow file can hold.
pub fn schema(ui: &Ui) -> Result<ExitCode, CliError> {
    let schemas = workflow_schemas();
    ui.result(&schemas, || format!("{schemas:#}"));
    done()
}

pub fn search(ui: &Ui, read: &Read<'_>, query: &str) -> Result<ExitCode, CliError> {
    let (list, warnings) = read.search_workflows(query)?;
    for warning in warnings {
        ui.warn(warning);
    }
    ui.result(&list, || {
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
    });
    done()
}

pub fn edit(ui: &Ui, read: &Read<'_>, name: &str) -> Result<ExitCode, CliError> {
    let edit = read.begin_workflow_edit(name)?;
    let (text, editor) = model::edited(read, &edit.text, &edit.name)?;
    let edited = read.finish_workflow_edit(&edit, &text, editor)?;
    ui.result(&edited, || format!("{GOOD}{}{GOOD:#} {}", edited.status.as_str(), edited.path));
    done()
}

pub fn delete(ui: &Ui, write: &Write<'_>, name: &str, yes: bool) -> Result<ExitCode, CliError> {
    let workflow = write.workflow(name)?.document.name;
    let question = format!("delete the workflow `{workflow}` and its run history?");
    if !yes && ui.can_ask() && !ui.confirm(&question) {
        return Err(CliError::Refused { message: "nothing was deleted".into(), hint: None });
    }
    let deleted = write.delete_workflow(name)?;
    ui.result(&deleted, || {
        format!("{GOOD}deleted{GOOD:#} {NAME}{}{NAME:#} and {} runs", deleted.name, deleted.runs_deleted)
    });
    done()
}
