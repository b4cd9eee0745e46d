//! Commands that only look.

use std::process::ExitCode;

use marsh_extension::lifecycle::{Inspection, InstallState, ItemStatus, Lifecycle};
use marsh_registry::{SearchQuery, SearchSort};
use marsh_store::Change;
use serde_json::{Map, Value, json};

use super::progress::Progress;
use super::{item_json, item_line};
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
    let mut documents = Vec::new();
    let mut rows = Vec::new();
    for (name, entry) in &snapshot.lockfile.entries {
        let state = lifecycle.install_state(name, entry)?;
        let mut document = json!({
            "name": name, "version": entry.version, "pulledAt": entry.pulled_at, "files": entry.files,
            "state": state,
        });
        if let Value::Object(map) = &mut document {
            if let Some(channel) = entry.channel {
                map.insert("channel".into(), json!(channel));
            }
            if let Some(item) = status_of(name) {
                map.insert("updateStatus".into(), json!(super::status_word(&item.status)));
                if let ItemStatus::UpdateAvailable { latest } = &item.status {
                    map.insert("latestVersion".into(), json!(latest));
                }
            }
        }
        documents.push(document);
        let note = match state {
            InstallState::Stored => String::new(),
            InstallState::Foreign => format!("{DIM}not in the store yet{DIM:#}"),
            InstallState::Missing | InstallState::Damaged { .. } => format!("{WARN}not restored{WARN:#}"),
        };
        let newer = match status_of(name).map(|item| &item.status) {
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
    ui.result(&json!({ "extensions": documents }), || {
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
    let available =
        outcome.items.iter().any(|item| matches!(item.status, ItemStatus::UpdateAvailable { .. }));
    let deprecated = outcome.items.iter().any(|item| matches!(item.status, ItemStatus::Deprecated { .. }));
    let document = json!({
        "extensions": outcome.items.iter().map(item_json).collect::<Vec<_>>(),
        "hasUpdateAvailable": available, "hasDeprecated": deprecated, "failed": outcome.failed(),
    });
    ui.result(&document, || {
        let told = outcome.items.iter().filter(|item| !matches!(item.status, ItemStatus::UpToDate));
        let lines: Vec<String> = told.map(item_line).collect();
        if lines.is_empty() { "everything is up to date".into() } else { lines.join("\n") }
    });
    if available || outcome.failed() > 0 { failed() } else { done() }
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
    let mut map = match info.as_ref().map(serde_json::to_value) {
        Some(Ok(Value::Object(map))) => map,
        _ => Map::from_iter([("name".to_owned(), json!(name))]),
    };
    if let Some(entry) = installed {
        let tree = entry.checksum.map(|digest| lifecycle.installation().trees().tree(&digest));
        map.insert(
            "installed".into(),
            json!({
                "version": entry.version, "pulledAt": entry.pulled_at, "checksum": entry.checksum,
                "serverUrl": entry.server_url, "channel": entry.channel, "path": tree,
                "state": lifecycle.install_state(name, entry)?,
            }),
        );
    }
    let document = Value::Object(map);
    ui.result(&document, || crate::ui::value_lines(&document, 0));
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
    let document = json!({ "query": arguments.query, "results": page.extensions, "meta": page.meta });
    ui.result(&document, || {
        if page.extensions.is_empty() {
            return format!("no extension matches `{}`", arguments.query);
        }
        let rows: Vec<Vec<String>> = page
            .extensions
            .iter()
            .map(|entry| {
                let deprecated = entry.deprecated_at.as_ref().map(|_| format!(" {WARN}deprecated{WARN:#}"));
                vec![
                    format!("{NAME}{}{NAME:#}{}", entry.name, deprecated.unwrap_or_default()),
                    entry.latest_version.map(|version| version.to_string()).unwrap_or_default(),
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
    let current = lifecycle.installation().snapshot()?.digest;
    generations.reverse();
    generations.truncate(limit.unwrap_or(usize::MAX));
    let document = json!({ "generations": generations, "current": current });
    ui.result(&document, || {
        if generations.is_empty() {
            return "the installed set has not changed yet".into();
        }
        let mut text = String::new();
        for generation in &generations {
            let here = if generation.lockfile == current {
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

pub fn change_row(change: &Change) -> Vec<String> {
    let text = |version: Option<marsh_types::CalVer>| version.map(|version| version.to_string());
    let what = match (text(change.from), text(change.to)) {
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
