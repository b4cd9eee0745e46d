//! `marsh init` and `marsh repo upgrade`.

use std::process::ExitCode;

use marsh_app::InitRequest;
use marsh_repo::upgrade::UpgradeRequest;

use super::progress::Progress;
use super::{done, failed};
use crate::app;
use crate::args::{Cli, InitArgs, UpgradeArgs};
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{GOOD, NAME, Ui};

pub fn run(cli: &Cli, ui: &Ui, arguments: &InitArgs) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    if !arguments.tool.is_empty() {
        ui.warn("`--tool` does nothing: setting up AI tools is not part of marsh");
    }
    let request = InitRequest { path: arguments.path.clone(), force: arguments.force };
    let document = app.initialize(&request)?;
    ui.result(&document, || {
        format!(
            "{GOOD}initialized{GOOD:#} {}\n\nnext: put extension sources under extensions/models/, or try\n  \
             {} model @command/shell method run execute hello --input run='echo hello'",
            document.path,
            Persona::current().name
        )
    });
    done()
}

pub fn upgrade(cli: &Cli, ui: &Ui, arguments: &UpgradeArgs) -> Result<ExitCode, CliError> {
    let tools = match arguments.tool.as_slice() {
        [] => None,
        [none] if none == "none" => Some(Vec::new()),
        tools if tools.iter().any(|tool| tool == "none") => {
            return Err(CliError::usage("`--tool none` clears the list, and excludes other tools"));
        }
        tools => Some(tools.to_vec()),
    };
    if tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
        ui.warn("`--tool` changes the marker only: setting up AI tools is not part of marsh");
    }
    let request = UpgradeRequest { tools, include_gitignore: arguments.include_gitignore };
    let document = app::app(cli)?.upgrade(arguments.path.as_deref(), &request, &Progress::new(ui))?;
    for kept in &document.kept_files {
        ui.warn(format_args!("{kept} stays: another file is at its present place"));
    }
    let install = document.extension_install.as_ref();
    let is_whole = install.is_none_or(|install| install.failed == 0);
    ui.result(&document, || {
        let before = document.previous_version.as_deref().unwrap_or("an unknown version");
        let mut lines = match document.changed_files.is_empty() {
            true => vec![format!("nothing to upgrade in {NAME}{}{NAME:#}", document.path)],
            false => vec![format!(
                "{GOOD}upgraded{GOOD:#} {} from {before} to {}",
                document.path, document.new_version
            )],
        };
        lines.extend(document.changed_files.iter().map(|file| format!("  {file}")));
        if let Some(install) = install {
            lines.push(format!(
                "extensions: {} installed, {} up to date",
                install.installed, install.up_to_date
            ));
        }
        lines.join("\n")
    });
    if is_whole { done() } else { failed() }
}
