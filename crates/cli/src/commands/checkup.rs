//! `marsh doctor install|secrets|vaults|workflows|datastores`.

use std::process::ExitCode;

use marsh_api::checkup::{CheckedDefinition, InstallationStatus};
use marsh_api::doctor::CheckStatus;

use super::{done, failed};
use crate::app;
use crate::args::Cli;
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui};

fn ended(status: CheckStatus) -> Result<ExitCode, CliError> {
    if status == CheckStatus::Pass { done() } else { failed() }
}

fn word(status: CheckStatus) -> String {
    match status {
        CheckStatus::Pass => format!("{GOOD}sound{GOOD:#}"),
        CheckStatus::Fail => format!("{BAD}not sound{BAD:#}"),
    }
}

pub fn installation(cli: &Cli, ui: &Ui) -> Result<ExitCode, CliError> {
    let checkup = app::app(cli)?.check_installation()?;
    let is_healthy = checkup.overall_status == InstallationStatus::Healthy;
    ui.result(&checkup, || {
        let owner = checkup.owner.username.clone().unwrap_or_else(|| checkup.owner.uid.to_string());
        format!(
            "{NAME}{}{NAME:#} {}\n  version {}, owned by {owner}\n  {}",
            checkup.binary_path,
            word(CheckStatus::of(is_healthy)),
            checkup.current_version,
            checkup.writable_message
        )
    });
    ended(CheckStatus::of(is_healthy))
}

fn unresolved(rows: &[CheckedDefinition]) -> Vec<String> {
    let line = |row: &CheckedDefinition| {
        format!(
            "{DIM}-{DIM:#} {} was not checked: the type {} cannot be loaded",
            row.definition_name, row.type_name
        )
    };
    rows.iter().map(line).collect()
}

pub fn secrets(cli: &Cli, ui: &Ui) -> Result<ExitCode, CliError> {
    let session = app::open(cli)?;
    app::cancel_on_signal(session.canceller());
    let (checkup, warnings) = session.read().check_secrets()?;
    warnings.iter().for_each(|warning| ui.warn(warning));
    ui.result(&checkup, || {
        let mut lines = Vec::new();
        for finding in &checkup.findings {
            let name = &finding.definition.definition_name;
            for step in &finding.remediations {
                lines.push(format!(
                    "{BAD}x{BAD:#} {NAME}{name}{NAME:#} holds `{}` in clear\n  1. marsh vault put {} {}\n  2. \
                     marsh model edit {name}, and write {}: {}",
                    step.path, step.vault_name, step.vault_key, step.path, step.expression
                ));
            }
        }
        lines.extend(unresolved(&checkup.unresolved));
        lines.push(format!("{} definitions {DIM}|{DIM:#} {}", checkup.scanned, word(checkup.overall_status)));
        lines.join("\n")
    });
    ended(checkup.overall_status)
}

pub fn vaults(cli: &Cli, ui: &Ui) -> Result<ExitCode, CliError> {
    let session = app::open(cli)?;
    app::cancel_on_signal(session.canceller());
    let (checkup, warnings) = session.read().check_vaults()?;
    warnings.iter().for_each(|warning| ui.warn(warning));
    ui.result(&checkup, || {
        let line = |row: &CheckedDefinition| {
            format!(
                "{BAD}x{BAD:#} {NAME}{}{NAME:#} ({}) stores secrets, and there is no vault",
                row.definition_name, row.type_name
            )
        };
        let mut lines: Vec<String> = checkup.findings.iter().map(line).collect();
        if !checkup.findings.is_empty() {
            lines.push("create one: marsh vault create local_encryption main".to_owned());
        }
        lines.extend(unresolved(&checkup.unresolved));
        lines.push(format!("{} definitions {DIM}|{DIM:#} {}", checkup.scanned, word(checkup.overall_status)));
        lines.join("\n")
    });
    ended(checkup.overall_status)
}

pub fn workflows(cli: &Cli, ui: &Ui) -> Result<ExitCode, CliError> {
    let checkup = app::open(cli)?.read().check_workflows()?;
    ui.result(&checkup, || {
        let mut lines = Vec::new();
        for one in checkup.workflows.iter().filter(|one| one.status == CheckStatus::Fail) {
            lines.push(format!("{BAD}x{BAD:#} {}: {}", one.file, one.error.as_deref().unwrap_or_default()));
        }
        let total = checkup.workflows.len();
        lines.push(format!("{total} workflows {DIM}|{DIM:#} {}", word(checkup.overall_status)));
        lines.join("\n")
    });
    ended(checkup.overall_status)
}

pub fn datastore(cli: &Cli, ui: &Ui, repair: bool, yes: bool) -> Result<ExitCode, CliError> {
    let session = app::open(cli)?;
    app::cancel_on_signal(session.canceller());
    if repair && !yes && ui.can_ask() && !ui.confirm("make the catalog of data again?") {
        return Err(marsh_app::AppError::interrupted().into());
    }
    let read = session.read();
    let catalogued = match repair {
        true => Some(read.repair_data_catalog()?),
        false => None,
    };
    let checkup = read.check_datastore(catalogued)?;
    ui.result(&checkup, || {
        let mut lines = vec![format!("{NAME}{}{NAME:#} {}", checkup.datastore_type, checkup.status.path)];
        if let Some(count) = checkup.catalogued_versions {
            lines.push(format!("{GOOD}repaired{GOOD:#} the catalog holds {count} versions"));
        }
        for finding in &checkup.health_findings {
            let mark = if finding.passed { format!("{GOOD}ok{GOOD:#}") } else { format!("{BAD}x{BAD:#} ") };
            lines.push(format!("{mark} {}: {}", finding.check, finding.message));
        }
        lines.join("\n")
    });
    ended(checkup.overall_status)
}
