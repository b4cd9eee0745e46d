//! Commands that only look.

use std::process::ExitCode;

use marsh_api::extension::{
    ExtensionHistory, ExtensionInfo, ExtensionList, ExtensionRow, ExtensionStatus, ExtensionsOutdated,
    InstalledExtension, VersionChange,
};
use marsh_extension::lifecycle::{Inspection, InstallState, ItemStatus, Lifecycle};
use marsh_registry::{SearchQuery, SearchSort};

use super::documents::{self, extension_info, generation, install_state, items, path_text, status, text};
use super::item_line;
use super::progress::Progress;
use crate::app;
use crate::args::{Cli, ExtensionCommand, SearchArgs, SetArgs};
use crate::commands::{done, failed};
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN, columns};

pub fn run(cli: &Cli, ui: &Ui, command: &ExtensionCommand) -> Result<ExitCode, CliError> {
    match command {
        ExtensionCommand::List { check_updates, set, .. } => list(cli, ui, *check_updates, set),
        ExtensionCommand::Outdated { set } => outdated(cli, ui, set),
        ExtensionCommand::Info { extension, set } => info(ui, &app::lifecycle(cli, set, "info")?, extension),
        ExtensionCommand::Search(arguments) => search(cli, ui, arguments),
        ExtensionCommand::History { limit } => history(cli, ui, *limit),
        _ => Err(CliError::usage("this command changes something")),
    }
}

/// What is installed, from the lockfile and one look at the store; trees are not opened.
fn list(cli: &Cli, ui: &Ui, check_updates: bool, set: &SetArgs) -> Result<ExitCode, CliError> {
    let lifecycle = app::lifecycle(cli, set, "list")?;
    let snapshot = lifecycle.installation().snapshot()?;
    let latest = if check_updates { Some(lifecycle.update(&[], true, &Progress::new(ui))?) } else { None };
    let status_of = |name: &marsh_types::ExtensionName| {
        latest.as_ref().and_then(|outcome| outcome.items.iter().find(|item| item.name == *name))
    };
    let mut extensions = Vec::new();
    let mut rows = Vec::new();
    for (name, entry) in &snapshot.lockfile.entries {
        let state = lifecycle.install_state(name, entry)?;
        let found = status_of(name).map(|item| &item.status);
        extensions.push(ExtensionRow {
            name: name.to_string(),
            version: entry.version.to_string(),
            pulled_at: entry.pulled_at.clone(),
            files: entry.files.clone(),
            state: install_state(state.clone()),
            channel: text(entry.channel.as_ref()),
            update_status: found.map(status),
            latest_version: match found {
                Some(ItemStatus::UpdateAvailable { latest }) => Some(latest.to_string()),
                _ => None,
            },
        });
        let note = match state {
            InstallState::Stored => String::new(),
            InstallState::Foreign => format!("{DIM}not in the store yet{DIM:#}"),
            InstallState::Missing | InstallState::Damaged { .. } => format!("{WARN}not restored{WARN:#}"),
        };
        let newer = match found {
            Some(ItemStatus::UpdateAvailable { latest }) => format!("{GOOD}{latest}{GOOD:#} is available"),
            Some(ItemStatus::Failed { error }) => format!("{WARN}{error}{WARN:#}"),
            Some(ItemStatus::Deprecated { .. }) => format!("{WARN}deprecated{WARN:#}"),
            _ => String::new(),
        };
        rows.push(vec![
            format!("{NAME}{name}{NAME:#}"),
            entry.version.to_string(),
            entry.channel.map(|channel| channel.to_string()).unwrap_or_default(),
            [note, newer].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; "),
        ]);
    }
    for refused in &snapshot.lockfile.refused {
        ui.warn(format_args!("the lockfile's entry `{}` is not used: {}", refused.key, refused.reason));
    }
    ui.result(&ExtensionList { extensions }, || {
        if rows.is_empty() { "no extension is installed".into() } else { columns(&rows) }
    });
    if rows.iter().any(|row| row[3].contains("not restored")) {
        ui.say("`marsh extension install` restores what is missing");
    }
    done()
}

fn outdated(cli: &Cli, ui: &Ui, set: &SetArgs) -> Result<ExitCode, CliError> {
    let lifecycle = app::lifecycle(cli, set, "outdated")?;
    let outcome = lifecycle.update(&[], true, &Progress::new(ui))?;
    let extensions = items(&outcome);
    let any = |status: ExtensionStatus| extensions.iter().any(|item| item.status == status);
    let document = ExtensionsOutdated {
        has_update_available: any(ExtensionStatus::UpdateAvailable),
        has_deprecated: any(ExtensionStatus::Deprecated),
        failed: outcome.failed(),
        extensions,
    };
    ui.result(&document, || {
        let told = document.extensions.iter().filter(|item| item.status != ExtensionStatus::UpToDate);
        let lines: Vec<String> = told.map(item_line).collect();
        if lines.is_empty() { "everything is up to date".into() } else { lines.join("\n") }
    });
    if document.has_update_available || document.failed > 0 { failed() } else { done() }
}

fn info(ui: &Ui, lifecycle: &Lifecycle, name: &marsh_types::ExtensionName) -> Result<ExitCode, CliError> {
    let snapshot = lifecycle.installation().snapshot()?;
    let installed = snapshot.lockfile.get(name);
    let info = match (lifecycle.registry().info(name), installed) {
        (Ok(info), _) => Some(info),
        // What is installed can be told without the registry.
        (Err(error), Some(_)) => {
            ui.warn(&error);
            None
        }
        (Err(error), None) => return Err(error.into()),
    };
    let mut document = match info {
        Some(info) => extension_info(info),
        None => ExtensionInfo { name: name.to_string(), ..ExtensionInfo::default() },
    };
    if let Some(entry) = installed {
        let tree = entry.checksum.map(|digest| lifecycle.installation().trees().tree(&digest));
        document.installed = Some(InstalledExtension {
            version: entry.version.to_string(),
            pulled_at: entry.pulled_at.clone(),
            checksum: text(entry.checksum.as_ref()),
            server_url: entry.server_url.clone(),
            channel: text(entry.channel.as_ref()),
            path: tree.as_deref().map(path_text),
            state: install_state(lifecycle.install_state(name, entry)?),
        });
    }
    ui.result(&document, || crate::ui::value_lines(&serde_json::to_value(&document).unwrap_or_default(), 0));
    done()
}

fn search(cli: &Cli, ui: &Ui, arguments: &SearchArgs) -> Result<ExitCode, CliError> {
    let sort = SearchSort::ALL
        .into_iter()
        .find(|sort| sort.as_str() == arguments.sort)
        .ok_or_else(|| CliError::usage("`--sort` is relevance, new, updated or name"))?;
    let lifecycle = app::lifecycle(cli, &arguments.set, "search")?;
    let query = SearchQuery {
        text: arguments.query.clone(),
        collective: arguments.collective.clone(),
        sort,
        per_page: arguments.per_page,
        page: arguments.page,
        platforms: arguments.platform.clone(),
        labels: arguments.label.clone(),
        content_types: arguments.content_type.clone(),
        channels: arguments.channel.clone(),
    };
    let page = lifecycle.registry().search(&query)?;
    let document = documents::search(&arguments.query, page);
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
    let lifecycle = app::lifecycle(cli, &SetArgs::default(), "history")?;
    let mut generations = lifecycle.installation().history()?;
    let current = lifecycle.installation().snapshot()?.digest.to_string();
    generations.reverse();
    generations.truncate(limit.unwrap_or(usize::MAX));
    let generations = generations.iter().map(generation).collect();
    let document = ExtensionHistory { generations, current };
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

/// Whether nothing at all is wrong.
pub fn is_sound(inspection: &Inspection) -> bool {
    inspection.refused.is_empty()
        && inspection.unsatisfied.is_empty()
        && inspection.duplicates.is_empty()
        && inspection
            .extensions
            .iter()
            .all(|one| matches!(one.state, InstallState::Stored | InstallState::Foreign))
}
