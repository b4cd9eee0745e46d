//! `marsh model type …`.

use std::process::ExitCode;

use marsh_api::model::{OutputKind, TypeDescription, type_word};
use marsh_app::Read;
use serde_json::{Map, Value};

use super::done;
use crate::args::TypeCommand;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn run(ui: &Ui, read: &Read<'_>, command: &TypeCommand) -> Result<ExitCode, CliError> {
    match command {
        TypeCommand::Search { query } => search(ui, read, query.as_deref().unwrap_or_default()),
        TypeCommand::Describe { type_name, compact } => {
            let document = read.describe_type(type_name, *compact)?;
            ui.result(&document, || describe_text(&document));
            done()
        }
    }
}

fn search(ui: &Ui, read: &Read<'_>, query: &str) -> Result<ExitCode, CliError> {
    let (document, problems) = read.search_types(query)?;
    for problem in problems {
        ui.warn(problem);
    }
    ui.result(&document, || {
        if document.results.is_empty() {
            return format!("no type matches `{query}`");
        }
        let rows: Vec<Vec<String>> = document
            .results
            .iter()
            .map(|row| {
                vec![
                    format!("{NAME}{}{NAME:#}", row.normalized),
                    row.version.clone().unwrap_or_default(),
                    format!("{DIM}{}{DIM:#}", row.origin),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

/// A line per argument: name, type, whether it is required, what it means.
pub fn argument_lines(schema: &Value, indent: usize) -> String {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
    let required: Vec<&str> = list("required").filter_map(Value::as_str).collect();
    let pad = " ".repeat(indent);
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let rows: Vec<Vec<String>> = properties
        .map(|(name, schema)| {
            let need = match schema.get("default") {
                Some(default) => format!("default {default}"),
                None if required.contains(&name.as_str()) => "required".to_owned(),
                None => String::new(),
            };
            let meaning = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            vec![
                format!("{pad}{name}"),
                format!("{DIM}{}{DIM:#}", type_word(schema)),
                need,
                meaning.to_owned(),
            ]
        })
        .collect();
    columns(&rows)
}

/// The same, when only names and words for their types are known.
fn compact_lines(arguments: &Map<String, Value>) -> String {
    let rows: Vec<Vec<String>> = arguments
        .iter()
        .map(|(name, word)| {
            vec![format!("  {name}"), format!("{DIM}{}{DIM:#}", word.as_str().unwrap_or("any"))]
        })
        .collect();
    columns(&rows)
}

fn describe_text(document: &TypeDescription) -> String {
    let (names, version) = match document {
        TypeDescription::Full(full) => (&full.type_name, &full.version),
        TypeDescription::Compact(compact) => (&compact.type_name, &compact.version),
    };
    let mut text = format!("{NAME}{}{NAME:#} {version}\n", names.normalized);
    match document {
        TypeDescription::Compact(compact) => {
            if let Some(globals) = &compact.global_arguments {
                text.push_str(&format!("\nglobal arguments\n{}", compact_lines(globals)));
            }
            text.push_str("\nmethods\n");
            for method in &compact.methods {
                let arguments: Vec<&str> = method.arguments.keys().map(String::as_str).collect();
                text.push_str(&format!("  {NAME}{}{NAME:#} {}\n", method.name, arguments.join(" ")));
            }
        }
        TypeDescription::Full(full) => {
            if let Some(globals) = &full.global_arguments {
                text.push_str(&format!("\nglobal arguments\n{}", argument_lines(globals, 2)));
            }
            text.push_str("\nmethods\n");
            for method in &full.methods {
                text.push_str(&format!("  {NAME}{}{NAME:#}  {}\n", method.name, method.description));
                text.push_str(&argument_lines(&method.arguments, 4));
                if let Some(path) = &method.grafted_by {
                    text.push_str(&format!("    {DIM}added by {path}{DIM:#}\n"));
                }
            }
            if !full.data_output_specs.is_empty() {
                let rows: Vec<Vec<String>> = full
                    .data_output_specs
                    .iter()
                    .map(|spec| {
                        let kind = match spec.kind {
                            OutputKind::Resource => "resource",
                            OutputKind::File => "file",
                        };
                        vec![
                            format!("  {}", spec.spec_name),
                            format!("{DIM}{kind}, {}{DIM:#}", spec.lifetime.as_deref().unwrap_or_default()),
                            spec.description.clone().unwrap_or_default(),
                        ]
                    })
                    .collect();
                text.push_str(&format!("\noutputs\n{}", columns(&rows)));
            }
        }
    }
    text
}
