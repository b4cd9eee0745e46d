//! `marsh schema`: the JSON Schemas of all documents.

use std::process::ExitCode;

use marsh_api::schema::{DocumentList, all_schemas, find};
use marsh_types::near;

use super::done;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn run(ui: &Ui, name: Option<&str>, all: bool) -> Result<ExitCode, CliError> {
    match name {
        // A schema is JSON with and without `--json`.
        Some(name) => {
            let schema = find(name).ok_or_else(|| unknown(name))?.schema();
            ui.json(&schema);
        }
        None if all => ui.json(&all_schemas()),
        None => {
            let document = DocumentList::new();
            ui.result(&document, || {
                let rows: Vec<Vec<String>> = document
                    .documents
                    .iter()
                    .map(|row| {
                        vec![
                            format!("{NAME}{}{NAME:#}", row.name),
                            format!("{DIM}{}{DIM:#}", row.commands.join(", ")),
                        ]
                    })
                    .collect();
                columns(&rows)
            });
        }
    }
    done()
}

fn unknown(name: &str) -> CliError {
    let names = marsh_api::schema::DOCUMENTS.iter().map(|document| document.name);
    CliError::NotFound {
        message: format!("unknown document `{name}`"),
        hint: near::did_you_mean(name, names).or_else(|| Some("`marsh schema` lists all documents".into())),
    }
}
