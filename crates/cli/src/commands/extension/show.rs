//! Commands that only look.

use std::process::ExitCode;

use marsh_api::extension::{ExtensionRow, ExtensionStatus, InstallState, VersionChange};
use marsh_app::{ExtensionListing, SearchRequest, SearchSort};
use marsh_types::ExtensionName;

use super::item_line;
use crate::app;
use crate::args::{Cli, ExtensionCommand, SearchArgs, SetArgs};
use crate::commands::progress::Progress;
use crate::commands::{done, failed, lines_of};
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN, columns};

pub fn run(cli: &Cli, ui: &Ui, command: &ExtensionCommand) -> Result<ExitCode, CliError> {
    match command {
        ExtensionCommand::List { check_updates, set, .. } => list(cli, ui, *check_updates, set),
        ExtensionCommand::Outdated { set } => outdated(cli, ui, set),
        ExtensionCommand::Info { extension, set } => info(cli, ui, set, extension),
        ExtensionCommand::Search(arguments) => search(cli, ui, arguments),
        ExtensionCommand::History { limit } => history(cli, ui, *limit),
        _ => Err(CliError::usage("this command changes something")),
    }
}

fn list(cli: &Cli, ui: &Ui, check_updates: bool, set: &SetArgs) -> Result<ExitCode, CliError> {
    let listing = app::extensions(cli, set)?.list(check_updates, &Progress::new(ui))?;
    let rows = &listing.document.extensions;
    ui.result(&listing.document, || {
        if rows.is_empty() {
            return "no extension is installed".into();
        }
        columns(&rows.iter().map(|row| listed(row, &listing)).collect::<Vec<_>>())
    });
    if rows.iter().any(|row| is_missing(&row.state)) {
        ui.say(Persona::current().words("`marsh extension install` restores what is missing"));
    }
    done()
}

fn is_missing(state: &InstallState) -> bool {
    matches!(state, InstallState::Missing | InstallState::Damaged { .. })
}

fn listed(row: &ExtensionRow, listing: &ExtensionListing) -> Vec<String> {
    let note = match &row.state {
        InstallState::Stored => String::new(),
        InstallState::Foreign => format!("{DIM}not in the store yet{DIM:#}"),
        InstallState::Missing | InstallState::Damaged { .. } => format!("{WARN}not restored{WARN:#}"),
    };
    let update = listing.updates.iter().find(|item| item.name == row.name);
    let newer = match update.map(|item| (item, item.status)) {
        Some((item, ExtensionStatus::UpdateAvailable)) => {
            let latest = item.latest_version.as_deref().unwrap_or_default();
            format!("{GOOD}{latest}{GOOD:#} is available")
        }
        Some((item, ExtensionStatus::Failed | ExtensionStatus::NotFound)) => {
            let why = item.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
            format!("{WARN}{why}{WARN:#}")
        }
        Some((_, ExtensionStatus::Deprecated)) => format!("{WARN}deprecated{WARN:#}"),
        _ => String::new(),
    };
    vec![
        format!("{NAME}{}{NAME:#}", row.name),
        row.version.clone(),
        row.channel.clone().unwrap_or_default(),
        [note, newer].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; "),
    ]
}

fn outdated(cli: &Cli, ui: &Ui, set: &SetArgs) -> Result<ExitCode, CliError> {
    let document = app::extensions(cli, set)?.outdated(&Progress::new(ui))?;
    ui.result(&document, || {
        let told = document.extensions.iter().filter(|item| item.status != ExtensionStatus::UpToDate);
        let lines: Vec<String> = told.map(item_line).collect();
        if lines.is_empty() { "everything is up to date".into() } else { lines.join("\n") }
    });
    if document.has_update_available || document.failed > 0 { failed() } else { done() }
}

fn info(cli: &Cli, ui: &Ui, set: &SetArgs, name: &ExtensionName) -> Result<ExitCode, CliError> {
    let document = app::extensions(cli, set)?.info(name, &Progress::new(ui))?;
    ui.result(&document, || lines_of(&document));
    done()
}

fn search(cli: &Cli, ui: &Ui, arguments: &SearchArgs) -> Result<ExitCode, CliError> {
    let sort = SearchSort::ALL
        .into_iter()
        .find(|sort| sort.as_str() == arguments.sort)
        .ok_or_else(|| CliError::usage("`--sort` is relevance, new, updated or name"))?;
    let request = SearchRequest {
        text: arguments.query.clone(),
        collective: arguments.collective.clone(),
        sort,
        platforms: arguments.platform.clone(),
        labels: arguments.label.clone(),
        content_types: arguments.content_type.clone(),
        channels: arguments.channel.clone(),
        per_page: arguments.per_page,
        page: arguments.page,
    };
    let document = app::extensions(cli, &arguments.set)?.search(&request)?;
    ui.result(&document, || {
        if document.results.is_empty() {
            return format!("no extension matches `{}`", document.query);
        }
        let rows: Vec<Vec<String>> = document
            .results
            .iter()
            .map(|entry| {
                let deprecated = entry.deprecated_at.as_ref().map(|_| format!(" {WARN}deprecated{WARN:#}"));
                vec![
                    format!("{NAME}{}{NAME:#}{}", entry.name, deprecated.unwrap_or_default()),
                    entry.latest_version.clone().unwrap_or_default(),
                    entry.description.lines().next().unwrap_or_default().to_owned(),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn history(cli: &Cli, ui: &Ui, limit: Option<usize>) -> Result<ExitCode, CliError> {
    let document = app::extensions(cli, &SetArgs::default())?.history(limit)?;
    ui.result(&document, || {
        if document.generations.is_empty() {
            return "the installed set has not changed yet".into();
        }
        let mut text = String::new();
        for generation in &document.generations {
            let here = if generation.lockfile == document.current {
                format!(" {GOOD}current{GOOD:#}")
            } else {
                String::new()
            };
            let by = generation.command.as_deref().unwrap_or("changed outside of marsh");
            let restores = generation.restores.map(|n| format!(", back to {n}")).unwrap_or_default();
            text.push_str(&format!(
                "{NAME}{}{NAME:#}  {DIM}{}{DIM:#}  {by}{restores}{here}\n",
                generation.number, generation.at
            ));
            let rows: Vec<Vec<String>> = generation.changes.iter().map(change_row).collect();
            text.push_str(&columns(&rows));
        }
        text
    });
    done()
}

pub fn change_row(change: &VersionChange) -> Vec<String> {
    let what = match (&change.from, &change.to) {
        (None, Some(to)) => format!("{GOOD}+{GOOD:#} {to}"),
        (Some(from), None) => format!("{BAD}-{BAD:#} {from}"),
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (None, None) => String::new(),
    };
    vec![format!("     {}", change.name), what]
}
