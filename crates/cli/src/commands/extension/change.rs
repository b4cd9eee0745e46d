//! Commands that change the installed set or the store.

use std::process::ExitCode;

use marsh_extension::lifecycle::{ItemStatus, Outcome, PullRequest, RestoreRequest};
use marsh_store::GenerationRetention;
use serde_json::{Map, Value, json};

use super::progress::Progress;
use super::{item_json, item_line, outcome_json, tell};
use crate::app;
use crate::args::{Cli, ExtensionCommand, SetArgs};
use crate::commands::{done, failed};
use crate::error::CliError;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn run(cli: &Cli, ui: &Ui, command: &ExtensionCommand) -> Result<ExitCode, CliError> {
    match command {
        ExtensionCommand::Pull { extensions, channel, force, allow_missing_checksum, set, .. } => {
            let mut lifecycle = app::lifecycle(cli, set, "pull")?;
            if *allow_missing_checksum {
                lifecycle.accept_missing_checksums();
            }
            let request = PullRequest { references: extensions.clone(), channel: *channel, force: *force };
            let outcome = lifecycle.pull(&request, &Progress::new(ui))?;
            pulled(ui, &outcome)
        }
        ExtensionCommand::Rm { extensions, force, yes, set } => {
            if !yes && !force && ui.can_ask() {
                let names: Vec<&str> = extensions.iter().map(|name| name.as_str()).collect();
                if !ui.confirm(&format!("remove {}?", names.join(", "))) {
                    ui.say("nothing was removed");
                    return failed();
                }
            }
            let lifecycle = app::lifecycle(cli, set, "rm")?;
            let (removed, outcome) = lifecycle.remove(extensions, *force, &Progress::new(ui))?;
            let documents: Vec<Value> = removed
                .iter()
                .map(|one| {
                    json!({
                        "name": one.name, "version": one.version, "filesDeleted": one.files.len(),
                        "filesSkipped": 0, "dirsRemoved": 0, "leftWithout": one.left_without,
                    })
                })
                .collect();
            let mut map = Map::new();
            match documents.as_slice() {
                [one] => map.insert("removed".into(), one.clone()),
                many => map.insert("removed".into(), json!(many)),
            };
            outcome_json(&outcome, &mut map);
            ui.result(&Value::Object(map), || {
                let lines = removed
                    .iter()
                    .map(|one| format!("{GOOD}removed{GOOD:#} {NAME}{}{NAME:#} {}", one.name, one.version));
                lines.collect::<Vec<_>>().join("\n")
            });
            for one in removed.iter().filter(|one| !one.left_without.is_empty()) {
                let others: Vec<&str> = one.left_without.iter().map(|name| name.as_str()).collect();
                ui.warn(format_args!("{} is needed by {}", one.name, others.join(", ")));
            }
            tell(ui, &outcome);
            done()
        }
        ExtensionCommand::Update { extensions, check, set } => {
            let lifecycle = app::lifecycle(cli, set, "update")?;
            let outcome = lifecycle.update(extensions, *check, &Progress::new(ui))?;
            updated(ui, &outcome)
        }
        ExtensionCommand::Install { frozen, verify, set } => {
            let lifecycle = app::lifecycle(cli, set, "install")?;
            let request = RestoreRequest { frozen: *frozen, verify: *verify };
            let outcome = lifecycle.restore(request, &Progress::new(ui))?;
            restored(ui, &outcome)
        }
        ExtensionCommand::Rollback { generation, set } => {
            let lifecycle = app::lifecycle(cli, set, "rollback")?;
            let (number, made, outcome) = lifecycle.rollback(*generation, &Progress::new(ui))?;
            let changes = made.as_ref().map(|made| made.changes.clone()).unwrap_or_default();
            let mut map = Map::new();
            map.insert("restored".into(), json!(number));
            map.insert("changes".into(), json!(changes));
            outcome_json(&outcome, &mut map);
            ui.result(&Value::Object(map), || match &made {
                None => format!("the installed set is that of generation {number} already"),
                Some(made) => {
                    let rows: Vec<Vec<String>> = changes.iter().map(super::show::change_row).collect();
                    format!(
                        "{GOOD}rolled back{GOOD:#} to generation {number}, as generation {}\n{}",
                        made.number,
                        columns(&rows)
                    )
                }
            });
            tell(ui, &outcome);
            done()
        }
        ExtensionCommand::Gc { apply, keep, set } => gc(cli, ui, *apply, *keep, set),
        _ => Err(CliError::usage("this command changes nothing")),
    }
}

fn pulled(ui: &Ui, outcome: &Outcome) -> Result<ExitCode, CliError> {
    let mut map = Map::new();
    let (asked, came_along): (Vec<_>, Vec<_>) = outcome.items.iter().partition(|item| !item.dependency);
    if let [one] = asked.as_slice() {
        // One extension is the document, as scripts expect it.
        if let Value::Object(fields) = item_json(one) {
            map.extend(fields);
        }
        map.insert("extractedFiles".into(), json!(one.files));
        map.insert("path".into(), json!(one.tree));
    } else {
        map.insert("extensions".into(), json!(asked.iter().map(|item| item_json(item)).collect::<Vec<_>>()));
    }
    map.insert(
        "dependencyResults".into(),
        json!(came_along.iter().map(|item| item_json(item)).collect::<Vec<_>>()),
    );
    outcome_json(outcome, &mut map);
    ui.result(&Value::Object(map), || lines(outcome));
    tell(ui, outcome);
    done()
}

fn updated(ui: &Ui, outcome: &Outcome) -> Result<ExitCode, CliError> {
    let count =
        |matches: fn(&ItemStatus) -> bool| outcome.items.iter().filter(|item| matches(&item.status)).count();
    let mut map = Map::new();
    map.insert("extensions".into(), json!(outcome.items.iter().map(item_json).collect::<Vec<_>>()));
    map.insert(
        "summary".into(),
        json!({
            "total": outcome.items.len(),
            "upToDate": count(|status| matches!(status, ItemStatus::UpToDate | ItemStatus::Deprecated { .. })),
            "updated": count(|status| matches!(status, ItemStatus::Updated { .. } | ItemStatus::Installed)),
            "available": count(|status| matches!(status, ItemStatus::UpdateAvailable { .. })),
            "failed": outcome.failed(),
        }),
    );
    outcome_json(outcome, &mut map);
    ui.result(&Value::Object(map), || {
        if outcome.items.is_empty() { "no extension is installed".into() } else { lines(outcome) }
    });
    tell(ui, outcome);
    if outcome.failed() > 0 { failed() } else { done() }
}

fn restored(ui: &Ui, outcome: &Outcome) -> Result<ExitCode, CliError> {
    let count =
        |matches: fn(&ItemStatus) -> bool| outcome.items.iter().filter(|item| matches(&item.status)).count();
    let mut map = Map::new();
    map.insert("entries".into(), json!(outcome.items.iter().map(item_json).collect::<Vec<_>>()));
    map.insert(
        "installed".into(),
        json!(count(|status| matches!(
            status,
            ItemStatus::Restored | ItemStatus::Installed | ItemStatus::Updated { .. }
        ))),
    );
    map.insert("migrated".into(), json!(0));
    map.insert("upToDate".into(), json!(count(|status| matches!(status, ItemStatus::UpToDate))));
    map.insert("failed".into(), json!(outcome.failed()));
    if outcome.items.is_empty() {
        map.insert("warning".into(), json!("the lockfile names no extension"));
    }
    outcome_json(outcome, &mut map);
    ui.result(&Value::Object(map), || {
        if outcome.items.is_empty() {
            return "the lockfile names no extension; nothing to restore".into();
        }
        lines(outcome)
    });
    tell(ui, outcome);
    if outcome.failed() > 0 { failed() } else { done() }
}

fn lines(outcome: &Outcome) -> String {
    outcome.items.iter().map(item_line).collect::<Vec<_>>().join("\n")
}

fn gc(cli: &Cli, ui: &Ui, apply: bool, keep: usize, set: &SetArgs) -> Result<ExitCode, CliError> {
    let lifecycle = app::lifecycle(cli, set, "gc")?;
    let options = lifecycle.options();
    let collection = lifecycle.installation().collect(
        GenerationRetention { generations: keep.max(1) },
        apply,
        &options.command,
        options.lock_timeout,
    )?;
    let bytes: u64 = collection.removed.iter().map(|one| one.bytes).sum();
    let mut document = json!({ "applied": apply, "bytes": bytes });
    if let (Value::Object(document), Ok(Value::Object(fields))) =
        (&mut document, serde_json::to_value(&collection))
    {
        document.extend(fields);
    }
    ui.result(&document, || {
        let mut rows = Vec::new();
        let row = |what: &str, one: &marsh_store::Garbage| {
            vec![
                what.to_owned(),
                one.name.as_ref().map_or_else(|| "(damaged)".into(), ToString::to_string),
                one.version.map(|version| version.to_string()).unwrap_or_default(),
                format!("{DIM}{}{DIM:#}", one.digest.short()),
            ]
        };
        let verb = if apply { "removed" } else { "unused" };
        rows.extend(collection.removed.iter().map(|one| row(verb, one)));
        rows.extend(collection.in_use.iter().map(|one| row("in use", one)));
        let summary = if apply {
            format!("{} trees removed, {bytes} bytes; {} kept", collection.removed.len(), collection.kept)
        } else if collection.removed.is_empty() {
            format!("nothing to remove; {} trees are needed", collection.kept)
        } else {
            format!(
                "{} trees are not needed, {bytes} bytes; `marsh extension gc --apply` removes them",
                collection.removed.len()
            )
        };
        format!("{}{summary}", columns(&rows))
    });
    done()
}
