//! `marsh engine …`: what runs extension code.

use std::process::ExitCode;

use marsh_api::engine::{EngineList, EngineOrigin, EngineSelector};

use super::done;
use crate::app;
use crate::args::Cli;
use crate::args::engine::EngineCommand;
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

pub fn run(cli: &Cli, ui: &Ui, command: &EngineCommand) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    match command {
        EngineCommand::List => {
            let document = app.engine_list()?;
            ui.result(&document, || text(&document));
        }
        EngineCommand::Install { version } => {
            let document = app.install_engine(version.as_deref())?;
            ui.result(&document, || {
                let what = if document.installed { "installed" } else { "already installed:" };
                format!(
                    "{what} {NAME}deno {}{NAME:#} {DIM}{}{DIM:#}",
                    document.version,
                    document.program.display()
                )
            });
        }
        EngineCommand::Remove { version, .. } => {
            let document = app.remove_engine(version.as_deref())?;
            ui.result(&document, || match document.removed.as_slice() {
                [] => "marsh has installed no Deno".to_owned(),
                removed => format!("removed deno {}", removed.join(", ")),
            });
        }
    }
    done()
}

fn text(list: &EngineList) -> String {
    let mut lines: Vec<String> = list
        .engines
        .iter()
        .map(|row| {
            let version = row.version.as_deref().unwrap_or("of an unknown version");
            let place = match (&row.program, row.origin) {
                (_, EngineOrigin::Embedded) | (None, _) => "part of marsh".to_owned(),
                (Some(program), _) => program.display().to_string(),
            };
            let state = match (row.used, row.usable) {
                (true, _) => format!("{GOOD}used{GOOD:#}"),
                (false, true) => "not used".to_owned(),
                (false, false) => format!("{BAD}too old{BAD:#}, marsh needs {} or newer", list.minimum_deno),
            };
            format!("{NAME}{} {version}{NAME:#}  {state}  {DIM}{place}{DIM:#}", row.engine)
        })
        .collect();
    if list.engines.len() == 1 {
        let words = "no Deno on this machine: `marsh engine install` brings one";
        lines.push(Persona::current().words(words).into_owned());
    }
    lines.push(match (list.selected, list.selected_by) {
        (Some(engine), Some(EngineSelector::Command)) => format!("selected by the command: {engine}"),
        (Some(engine), _) => format!("selected by the repository: {engine}"),
        (None, _) => {
            "selected by need: embedded, or deno for code that the embedded engine cannot run".to_owned()
        }
    });
    lines.join("\n")
}
