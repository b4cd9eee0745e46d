//! `marsh model …`. The files of types, methods and records have their parts.

use std::io::IsTerminal as _;
use std::process::{Command, ExitCode};

use marsh_api::model::{
    EditStatus, ModelDocument, ModelEvaluationDocument, ModelValidateRequest, ModelValidation,
    ModelValidationDocument,
};
use marsh_app::{DeleteModel, Read, Session, Write};
use serde_json::Value;

use super::types::argument_lines;
use super::{done, failed, input, method, output, run as runs, types};
use crate::app;
use crate::args::{MethodCommand, ModelCommand};
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, columns, value_lines};

pub fn run(ui: &Ui, session: &Session, command: &ModelCommand) -> Result<ExitCode, CliError> {
    let read = session.read();
    match command {
        ModelCommand::Create { type_name, name, global_args } => {
            create(ui, &read, type_name, name, global_args)
        }
        ModelCommand::Get { name } => get(ui, &read, name),
        ModelCommand::Search { query, all } => search(ui, &read, query.as_deref().unwrap_or_default(), *all),
        ModelCommand::Edit { name } => edit(ui, &read, name),
        ModelCommand::Delete { name, force, yes } => {
            app::change(ui, session, |write| delete(ui, write, name, *force, *yes))
        }
        ModelCommand::Evaluate { name, all: _ } => {
            app::change(ui, session, |write| evaluate(ui, write, name.as_deref()))
        }
        ModelCommand::Validate { name, labels, method } => {
            let request =
                ModelValidateRequest { model: name.clone(), labels: labels.clone(), method: method.clone() };
            validate(ui, &read, &request)
        }
        // The process that runs the method may hold the datastore's lock.
        ModelCommand::Cancel(arguments) => runs::cancel(ui, &read, arguments),
        ModelCommand::Type(command) => types::run(ui, &read, command),
        ModelCommand::Method(MethodCommand::Run(arguments)) => {
            app::change(ui, session, |write| method::run(ui, write, arguments))
        }
        ModelCommand::Method(MethodCommand::Describe { name, method }) => {
            method::describe(ui, &read, name, method)
        }
        ModelCommand::Method(MethodCommand::History(arguments)) => output::history(ui, &read, arguments),
        ModelCommand::Output(arguments) => output::run(ui, &read, arguments),
    }
}

pub fn create(
    ui: &Ui,
    read: &Read<'_>,
    type_name: &str,
    name: &str,
    globals: &[String],
) -> Result<ExitCode, CliError> {
    let document = read.create_model(type_name, name, globals)?;
    ui.result(&document, || {
        let mut text =
            format!("{GOOD}created{GOOD:#} {NAME}{}{NAME:#} in {}\n", document.name, document.path);
        if let Some(globals) = &document.global_arguments {
            text.push_str(&format!("\nglobal arguments\n{}", argument_lines(globals, 2)));
        }
        let rows: Vec<Vec<String>> = document
            .methods
            .iter()
            .map(|method| vec![format!("  {}", method.name), method.description.clone()])
            .collect();
        text.push_str(&format!("\nmethods\n{}", columns(&rows)));
        text
    });
    done()
}

pub fn get(ui: &Ui, read: &Read<'_>, name: &str) -> Result<ExitCode, CliError> {
    let (document, warning) = read.model(name)?;
    if let Some(warning) = warning {
        ui.warn(warning);
    }
    ui.result(&document, || get_text(&document));
    done()
}

fn get_text(document: &ModelDocument) -> String {
    let mut text = format!("{NAME}{}{NAME:#} ({})\n", document.name, document.type_name);
    text.push_str(&format!("  {DIM}id{DIM:#}    {}\n", document.id));
    text.push_str(&format!("  {DIM}file{DIM:#}  {}\n", document.path));
    let parts = [("global arguments", &document.global_arguments), ("methods", &document.method_arguments)];
    for (title, map) in parts {
        if !map.is_empty() {
            text.push_str(&format!("\n{title}\n{}", value_lines(&Value::Object(map.clone()), 2)));
        }
    }
    text
}

pub fn search(ui: &Ui, read: &Read<'_>, query: &str, all: bool) -> Result<ExitCode, CliError> {
    let (document, warnings) = read.search_models(query, all);
    for warning in warnings {
        ui.warn(warning);
    }
    ui.result(&document, || {
        if document.results.is_empty() {
            return if query.is_empty() {
                "no models yet".to_owned()
            } else {
                format!("no model matches `{query}`")
            };
        }
        let rows: Vec<Vec<String>> = document
            .results
            .iter()
            .map(|row| {
                vec![
                    format!("{NAME}{}{NAME:#}", row.name),
                    row.type_name.clone(),
                    format!("{DIM}{}{DIM:#}", row.id),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

/// The text that replaces a file: from standard input, or from a copy in the user's editor.
pub fn edited(read: &Read<'_>, before: &str, name: &str) -> Result<(String, Option<String>), CliError> {
    if !std::io::stdin().is_terminal() {
        return Ok((input::standard_input()?, None));
    }
    let editor = read.editor().to_owned();
    let dir = read.scratch_dir("edit");
    marsh_fs::create_dir_all(&dir)?;
    let copy = dir.join(format!("{}-{}.yaml", std::process::id(), name.replace(['/', '@'], "-")));
    marsh_fs::atomic_write(&copy, before.as_bytes(), marsh_fs::Durability::Atomic)?;
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi").to_owned();
    let status = Command::new(&program)
        .args(words)
        .arg(&copy)
        .status()
        .map_err(|source| CliError::Read { what: format!("the editor `{program}`"), source })?;
    if !status.success() {
        return Err(CliError::Editor { editor, status: status.to_string() });
    }
    let text = std::fs::read_to_string(&copy)
        .map_err(|source| CliError::Read { what: copy.display().to_string(), source })?;
    marsh_fs::remove_file_if_exists(&copy)?;
    Ok((text, Some(editor)))
}

pub fn edit(ui: &Ui, read: &Read<'_>, name: &str) -> Result<ExitCode, CliError> {
    let edit = read.begin_model_edit(name)?;
    let (text, editor) = edited(read, &edit.text, &edit.name)?;
    let document = read.finish_model_edit(&edit, &text, editor)?;
    ui.result(&document, || {
        let status = match document.status {
            EditStatus::Updated => "updated",
            EditStatus::Unchanged => "unchanged",
        };
        format!("{GOOD}{status}{GOOD:#} {}", document.path)
    });
    done()
}

pub fn delete(ui: &Ui, write: &Write<'_>, name: &str, force: bool, yes: bool) -> Result<ExitCode, CliError> {
    let request = DeleteModel { name: name.to_owned(), with_results: force };
    let name = write.check_delete_model(&request)?;
    if !yes && !force && ui.can_ask() && !ui.confirm(&format!("delete the model `{name}`?")) {
        return Err(CliError::Refused { message: "nothing was deleted".into(), hint: None });
    }
    let document = write.delete_model(&request)?;
    ui.result(&document, || {
        format!(
            "{GOOD}deleted{GOOD:#} {NAME}{}{NAME:#}, {} data versions, {} run records",
            document.name, document.data_deleted, document.outputs_deleted
        )
    });
    done()
}

fn evaluate(ui: &Ui, write: &Write<'_>, name: Option<&str>) -> Result<ExitCode, CliError> {
    let document = write.evaluate_models(name)?;
    ui.result(&document, || {
        let items = match &document {
            ModelEvaluationDocument::One(one) => std::slice::from_ref(one),
            ModelEvaluationDocument::All(all) => all.items.as_slice(),
        };
        let mut text = String::new();
        for item in items {
            let what = if item.had_expressions { "evaluated" } else { "no expressions" };
            text.push_str(&format!("{NAME}{}{NAME:#} {what} {DIM}{}{DIM:#}\n", item.name, item.output_path));
            if let Some(globals) = &item.global_arguments {
                text.push_str(&value_lines(&Value::Object(globals.clone()), 1));
            }
        }
        text
    });
    done()
}

pub fn validate(ui: &Ui, read: &Read<'_>, request: &ModelValidateRequest) -> Result<ExitCode, CliError> {
    let document = read.validate_models(request)?;
    let (models, passed) = match &document {
        ModelValidationDocument::One(one) => (std::slice::from_ref(one), one.passed),
        ModelValidationDocument::All(all) => (all.models.as_slice(), all.passed),
    };
    ui.result(&document, || models.iter().map(validation_text).collect());
    if passed { done() } else { failed() }
}

fn validation_text(model: &ModelValidation) -> String {
    let mark = if model.passed { format!("{GOOD}ok{GOOD:#}    ") } else { format!("{BAD}failed{BAD:#}") };
    let mut text = format!("{mark} {}\n", model.model_name);
    for error in model.validations.iter().filter_map(|check| check.error.as_ref()) {
        text.push_str(&format!("       {error}\n"));
    }
    for warning in &model.warnings {
        text.push_str(&format!("       warning: {}\n", warning.message));
    }
    text
}
