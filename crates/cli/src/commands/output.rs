//! `marsh model output …` and `marsh model method history …`: records of method runs.

use std::process::ExitCode;

use marsh_api::model::LogLines;
use marsh_app::Read;
use serde_json::Value;

use super::{done, lines_of};
use crate::args::{HistoryArgs, MethodHistoryCommand, OutputArgs, OutputCommand};
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn run(ui: &Ui, read: &Read<'_>, arguments: &OutputArgs) -> Result<ExitCode, CliError> {
    match &arguments.command {
        None => get(ui, read, arguments.output.as_deref().unwrap_or_default()),
        Some(OutputCommand::Get { output }) => get(ui, read, output),
        Some(OutputCommand::Data { output, name, field }) => {
            data(ui, read, output, name.as_deref(), field.as_deref())
        }
        Some(OutputCommand::Search { query }) => search(ui, read, query.as_deref().unwrap_or_default()),
        Some(OutputCommand::Logs { output, tail }) => logs(ui, read, output, *tail),
    }
}

pub fn history(ui: &Ui, read: &Read<'_>, arguments: &HistoryArgs) -> Result<ExitCode, CliError> {
    match &arguments.command {
        None => get(ui, read, arguments.output.as_deref().unwrap_or_default()),
        Some(MethodHistoryCommand::Get { output }) => get(ui, read, output),
        Some(MethodHistoryCommand::Search { query }) => {
            search(ui, read, query.as_deref().unwrap_or_default())
        }
        Some(MethodHistoryCommand::Logs { output, tail }) => logs(ui, read, output, *tail),
    }
}

fn get(ui: &Ui, read: &Read<'_>, output: &str) -> Result<ExitCode, CliError> {
    let document = read.output(output)?;
    ui.result(&document, || lines_of(&document));
    done()
}

fn data(
    ui: &Ui,
    read: &Read<'_>,
    output: &str,
    name: Option<&str>,
    field: Option<&str>,
) -> Result<ExitCode, CliError> {
    let document = read.output_data(output, name, field)?;
    ui.result(&document, || match &document.data {
        Value::String(text) => text.clone(),
        Value::Null if document.field.is_none() => {
            format!("{} is {}", document.data_name, document.content_type)
        }
        value @ (Value::Object(_) | Value::Array(_)) => format!("{value:#}"),
        value => value.to_string(),
    });
    done()
}

fn logs(ui: &Ui, read: &Read<'_>, output: &str, tail: Option<usize>) -> Result<ExitCode, CliError> {
    let document = read.output_log(output, tail)?;
    if document.log.total_lines == 0 {
        Ui::note("the run logged nothing");
    }
    ui.result(&document, || log_text(&document.log));
    done()
}

fn search(ui: &Ui, read: &Read<'_>, query: &str) -> Result<ExitCode, CliError> {
    let (document, warnings) = read.search_outputs(query)?;
    for warning in warnings {
        ui.warn(warning);
    }
    ui.result(&document, || {
        if document.results.is_empty() {
            return "no runs".to_owned();
        }
        let rows: Vec<Vec<String>> = document
            .results
            .iter()
            .map(|row| {
                vec![
                    row.id.chars().take(8).collect(),
                    format!("{NAME}{}{NAME:#}", row.model_name.as_deref().unwrap_or("?")),
                    row.method_name.clone(),
                    row.status.as_str().to_owned(),
                    format!("{DIM}{}{DIM:#}", row.started_at),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

/// The lines of a log.
pub fn log_text(log: &LogLines) -> String {
    log.lines.join("\n")
}
