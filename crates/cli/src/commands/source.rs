//! `marsh extension source …`: directories of extension sources outside of the repository.

use std::process::ExitCode;

use marsh_app::SourceAddRequest;

use super::done;
use super::progress::Progress;
use crate::app;
use crate::args::Cli;
use crate::args::publish::SourceCommand;
use crate::error::CliError;
use crate::ui::{GOOD, NAME, Ui, columns};

pub fn run(cli: &Cli, ui: &Ui, command: &SourceCommand) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    match command {
        SourceCommand::List => {
            let document = app.sources()?;
            ui.result(&document, || {
                if document.sources.is_empty() {
                    return "no sources are mounted".into();
                }
                let rows = document.sources.iter().map(|row| {
                    let path = format!("{NAME}{}{NAME:#}", row.path);
                    vec![path, row.status.as_str().into(), row.resolved_kinds.join(", ")]
                });
                columns(&rows.collect::<Vec<_>>())
            });
        }
        SourceCommand::Add { path, only } => {
            let request = SourceAddRequest { path: path.clone(), only: only.clone() };
            let document = app.add_source(&request, &Progress::new(ui))?;
            let total = document.total_sources;
            ui.result(&document, || format!("{GOOD}mounted{GOOD:#} {path}; {total} sources are mounted"));
        }
        SourceCommand::Rm { path } => {
            let document = app.remove_source(path)?;
            let total = document.total_sources;
            ui.result(&document, || format!("{GOOD}removed{GOOD:#} {path}; {total} sources are mounted"));
        }
    }
    done()
}
