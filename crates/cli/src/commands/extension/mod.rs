//! `marsh extension …`.

mod change;
mod show;

use std::process::ExitCode;

use marsh_api::extension::{ExtensionItem, ExtensionStatus};

use crate::args::{Cli, ExtensionCommand};
use crate::commands::{publish, source, trust};
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

pub fn run(cli: &Cli, ui: &Ui, command: &ExtensionCommand) -> Result<ExitCode, CliError> {
    match command {
        ExtensionCommand::Push(arguments) => publish::push(cli, ui, arguments),
        ExtensionCommand::Fmt(arguments) => publish::format(cli, ui, arguments),
        ExtensionCommand::Quality(arguments) => publish::quality(cli, ui, arguments),
        ExtensionCommand::Version(arguments) => publish::version(cli, ui, arguments),
        ExtensionCommand::Curate(command) => publish::curate(cli, ui, command),
        ExtensionCommand::Source(command) => source::run(cli, ui, command),
        ExtensionCommand::Trust(command) => trust::run(cli, ui, command),
        ExtensionCommand::Pull { .. }
        | ExtensionCommand::Rm { .. }
        | ExtensionCommand::Update { .. }
        | ExtensionCommand::Install { .. }
        | ExtensionCommand::Rollback { .. }
        | ExtensionCommand::Gc { .. } => change::run(cli, ui, command),
        ExtensionCommand::List { .. }
        | ExtensionCommand::Outdated { .. }
        | ExtensionCommand::Info { .. }
        | ExtensionCommand::Search(_)
        | ExtensionCommand::History { .. } => show::run(cli, ui, command),
    }
}

fn item_line(item: &ExtensionItem) -> String {
    let name = format!("{NAME}{}{NAME:#}", item.name);
    let version = item.version.as_deref().unwrap_or_default();
    let note = if item.dependency { format!(" {DIM}(dependency){DIM:#}") } else { String::new() };
    match item.status {
        ExtensionStatus::Installed => format!("{GOOD}installed{GOOD:#} {name} {version}{note}"),
        ExtensionStatus::Updated => {
            let from = item.previous_version.as_deref().unwrap_or_default();
            format!("{GOOD}updated{GOOD:#} {name} {from} -> {version}{note}")
        }
        ExtensionStatus::UpToDate => format!("{name} {version} is up to date{note}"),
        ExtensionStatus::Restored => format!("{GOOD}restored{GOOD:#} {name} {version}{note}"),
        ExtensionStatus::UpdateAvailable => {
            let latest = item.latest_version.as_deref().unwrap_or_default();
            format!("{name} {version} -> {GOOD}{latest}{GOOD:#} is available")
        }
        ExtensionStatus::Deprecated => {
            let mut line = format!("{name} {version} is {WARN}deprecated{WARN:#}");
            let deprecation = item.deprecation.as_ref();
            if let Some(reason) = deprecation.and_then(|one| one.deprecation_reason.as_ref()) {
                line.push_str(&format!(": {reason}"));
            }
            if let Some(other) = deprecation.and_then(|one| one.superseded_by.as_ref()) {
                line.push_str(&format!("; {other} replaces it"));
            }
            line
        }
        ExtensionStatus::NotFound | ExtensionStatus::Failed => {
            let why = item.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
            format!("{BAD}failed{BAD:#} {name}: {why}")
        }
    }
}
