//! `marsh init` and `marsh repo upgrade`.

use std::process::ExitCode;

use marsh_app::InitRequest;
use marsh_repo::upgrade::UpgradeRequest;

use super::progress::Progress;
use super::{done, failed};
use crate::app;
use crate::args::{Cli, InitArgs, UpgradeArgs};
use crate::error::CliError;
use crate::ui::{GOOD, NAME, Ui};

pub fn run(cli: &Cli, ui: &Ui, arguments: &InitArgs) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    let request =
        InitRequest { path: arguments.path.clone(), force: arguments.force, tools: arguments.tool.clone() };
    let document = app.initialize(&request)?;
    ui.result(&document, || {
        let tools = match document.tools.as_slice() {
            [] => String::new(),
            tools => format!(" for {}", tools.join(", ")),
        };
        let steps = document.next_steps.iter().map(|step| format!("\n  {step}")).collect::<String>();
        let tool_files = match document.instructions_file_created || document.settings_created {
            true => {
                "\nthe tool's instructions, settings and skills are in place; review them with `git status`"
            }
            false => "",
        };
        format!("{GOOD}initialized{GOOD:#} {}{tools}{tool_files}\n\nnext:{steps}", document.path)
    });
    done()
}

pub fn upgrade(cli: &Cli, ui: &Ui, arguments: &UpgradeArgs) -> Result<ExitCode, CliError> {
    let tools = (!arguments.tool.is_empty()).then(|| arguments.tool.clone());
    let include_gitignore = arguments.include_gitignore;
    let request = UpgradeRequest { tools, include_gitignore, ..UpgradeRequest::default() };
    let document = app::app(cli)?.upgrade(arguments.path.as_deref(), &request, &Progress::new(ui))?;
    for kept in &document.kept_files {
        ui.warn(format_args!("{kept} stays: another file is at its present place"));
    }
    if !document.removed_tools.is_empty() {
        ui.warn(format_args!(
            "the files of {} stay; delete them if the tool is not used any more",
            document.removed_tools.join(", ")
        ));
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
