//! `marsh extension …`.

mod change;
mod progress;
mod show;

use std::process::ExitCode;

use marsh_extension::lifecycle::{ItemReport, ItemStatus, Outcome};
use serde_json::{Map, Value, json};

use crate::args::{Cli, ExtensionCommand};
use crate::commands::{publish, source, trust};
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

pub use progress::Progress;
pub use show::is_sound;

pub fn run(cli: &Cli, ui: &Ui, command: &ExtensionCommand) -> Result<ExitCode, CliError> {
    match command {
        ExtensionCommand::Push(arguments) => publish::push(cli, ui, arguments),
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

/// The word for what became of an extension, the same in text and JSON.
fn status_word(status: &ItemStatus) -> &'static str {
    match status {
        ItemStatus::Installed => "installed",
        ItemStatus::Updated { .. } => "updated",
        ItemStatus::UpToDate => "up_to_date",
        ItemStatus::Restored => "restored",
        ItemStatus::UpdateAvailable { .. } => "update_available",
        ItemStatus::Deprecated { .. } => "deprecated",
        ItemStatus::Failed { error } => match marsh_types::Explain::code(error) {
            marsh_types::ErrorCode::NotFound => "not_found",
            _ => "failed",
        },
    }
}

fn item_json(item: &ItemReport) -> Value {
    let mut map = Map::new();
    map.insert("name".into(), json!(item.name));
    if let Some(version) = item.version {
        map.insert("version".into(), json!(version));
    }
    map.insert("status".into(), json!(status_word(&item.status)));
    if let Some(channel) = item.channel {
        map.insert("channel".into(), json!(channel));
    }
    match &item.status {
        ItemStatus::Updated { from } => {
            map.insert("previousVersion".into(), json!(from));
            map.insert("newVersion".into(), json!(item.version));
        }
        ItemStatus::UpdateAvailable { latest } => {
            map.insert("installedVersion".into(), json!(item.version));
            map.insert("latestVersion".into(), json!(latest));
        }
        ItemStatus::UpToDate => {
            map.insert("installedVersion".into(), json!(item.version));
        }
        ItemStatus::Deprecated { reason, superseded_by } => {
            map.insert("deprecationReason".into(), json!(reason));
            map.insert("supersededBy".into(), json!(superseded_by));
        }
        ItemStatus::Failed { error } => {
            map.insert("error".into(), CliError::part(error));
        }
        ItemStatus::Installed | ItemStatus::Restored => {}
    }
    if item.dependency {
        map.insert("dependency".into(), json!(true));
    }
    if let Some(description) = &item.description {
        map.insert("description".into(), json!(description));
    }
    if !item.warnings.is_empty() {
        map.insert("warnings".into(), json!(item.warnings));
    }
    Value::Object(map)
}

fn item_line(item: &ItemReport) -> String {
    let name = format!("{NAME}{}{NAME:#}", item.name);
    let version = item.version.map(|version| version.to_string()).unwrap_or_default();
    let note = if item.dependency { format!(" {DIM}(dependency){DIM:#}") } else { String::new() };
    match &item.status {
        ItemStatus::Installed => format!("{GOOD}installed{GOOD:#} {name} {version}{note}"),
        ItemStatus::Updated { from } => format!("{GOOD}updated{GOOD:#} {name} {from} -> {version}{note}"),
        ItemStatus::UpToDate => format!("{name} {version} is up to date{note}"),
        ItemStatus::Restored => format!("{GOOD}restored{GOOD:#} {name} {version}{note}"),
        ItemStatus::UpdateAvailable { latest } => {
            format!("{name} {version} -> {GOOD}{latest}{GOOD:#} is available")
        }
        ItemStatus::Deprecated { reason, superseded_by } => {
            let mut line = format!("{name} {version} is {WARN}deprecated{WARN:#}");
            if let Some(reason) = reason {
                line.push_str(&format!(": {reason}"));
            }
            if let Some(other) = superseded_by {
                line.push_str(&format!("; {other} replaces it"));
            }
            line
        }
        ItemStatus::Failed { error } => format!("{BAD}failed{BAD:#} {name}: {error}"),
    }
}

/// What every change tells besides its items.
fn outcome_json(outcome: &Outcome, map: &mut Map<String, Value>) {
    map.insert("generation".into(), json!(outcome.generation));
    // How long other writers had to wait for this change, in milliseconds.
    map.insert("lockHeldMs".into(), json!((outcome.held.as_secs_f64() * 1e6).round() / 1e3));
    if !outcome.shadowed.is_empty() {
        map.insert("shadowedTypes".into(), json!(outcome.shadowed));
    }
    if !outcome.warnings.is_empty() {
        map.insert("warnings".into(), json!(outcome.warnings));
    }
}

/// Shadowed types, notices and failures, for people.
fn tell(ui: &Ui, outcome: &Outcome) {
    for shadowed in &outcome.shadowed {
        ui.warn(format_args!(
            "the {} `{}` of {} is hidden by {}, which wins",
            shadowed.kind,
            shadowed.type_name,
            shadowed.extension,
            shadowed.local_source_path.display()
        ));
    }
    for warning in &outcome.warnings {
        ui.warn(warning);
    }
    for item in &outcome.items {
        for warning in &item.warnings {
            ui.warn(format_args!("{}: {warning}", item.name));
        }
    }
}
