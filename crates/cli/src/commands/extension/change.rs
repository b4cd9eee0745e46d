//! Commands that change the installed set or the store.

use std::process::ExitCode;

use marsh_api::extension::{
    ExtensionItem, ExtensionPulled, ExtensionRemoved, ExtensionStatus, ExtensionUpdated, ExtensionsCollected,
    ExtensionsInstalled, ExtensionsRolledBack, PulledExtension, PulledExtensions, RemovedExtension,
    UpdateSummary,
};
use marsh_extension::lifecycle::{Outcome, PullRequest, RestoreRequest};
use marsh_store::GenerationRetention;

use super::documents::{item, items, path_text, set_change, texts, unused_trees, version_changes};
use super::progress::Progress;
use super::{item_line, tell};
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
            let documents: Vec<RemovedExtension> = removed
                .iter()
                .map(|one| RemovedExtension {
                    name: one.name.to_string(),
                    version: one.version.to_string(),
                    files_deleted: one.files.len(),
                    files_skipped: 0,
                    dirs_removed: 0,
                    left_without: texts(&one.left_without),
                })
                .collect();
            let document = ExtensionRemoved { removed: documents.into(), change: set_change(&outcome) };
            ui.result(&document, || {
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
            let changes = made.as_ref().map(|made| version_changes(&made.changes)).unwrap_or_default();
            let document = ExtensionsRolledBack { restored: number, changes, change: set_change(&outcome) };
            ui.result(&document, || match &made {
                None => format!("the installed set is that of generation {number} already"),
                Some(made) => {
                    let rows: Vec<Vec<String>> =
                        document.changes.iter().map(super::show::change_row).collect();
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
    let (asked, came_along): (Vec<_>, Vec<_>) = outcome.items.iter().partition(|item| !item.dependency);
    let dependency_results = came_along.into_iter().map(item).collect();
    let change = set_change(outcome);
    let document = if let [one] = asked.as_slice() {
        // One extension is the document, as scripts expect it.
        let mut item = item(one);
        if !change.warnings.is_empty() {
            // Both have the same key; those about the set are written.
            item.warnings.clear();
        }
        ExtensionPulled::One(Box::new(PulledExtension {
            item,
            extracted_files: one.files.clone(),
            path: one.tree.as_deref().map(path_text),
            dependency_results,
            change,
        }))
    } else {
        let extensions = asked.into_iter().map(item).collect();
        ExtensionPulled::Several(PulledExtensions { extensions, dependency_results, change })
    };
    ui.result(&document, || lines(&items(outcome)));
    tell(ui, outcome);
    done()
}

fn updated(ui: &Ui, outcome: &Outcome) -> Result<ExitCode, CliError> {
    let extensions = items(outcome);
    let summary = UpdateSummary {
        total: extensions.len(),
        up_to_date: count(&extensions, &[ExtensionStatus::UpToDate, ExtensionStatus::Deprecated]),
        updated: count(&extensions, &[ExtensionStatus::Updated, ExtensionStatus::Installed]),
        available: count(&extensions, &[ExtensionStatus::UpdateAvailable]),
        failed: outcome.failed(),
    };
    let document = ExtensionUpdated { extensions, summary, change: set_change(outcome) };
    ui.result(&document, || {
        if document.extensions.is_empty() {
            "no extension is installed".into()
        } else {
            lines(&document.extensions)
        }
    });
    tell(ui, outcome);
    if outcome.failed() > 0 { failed() } else { done() }
}

fn restored(ui: &Ui, outcome: &Outcome) -> Result<ExitCode, CliError> {
    let entries = items(outcome);
    let new = [ExtensionStatus::Restored, ExtensionStatus::Installed, ExtensionStatus::Updated];
    let document = ExtensionsInstalled {
        installed: count(&entries, &new),
        migrated: 0,
        up_to_date: count(&entries, &[ExtensionStatus::UpToDate]),
        failed: outcome.failed(),
        warning: entries.is_empty().then(|| "the lockfile names no extension".to_owned()),
        change: set_change(outcome),
        entries,
    };
    ui.result(&document, || match &document.warning {
        Some(warning) => format!("{warning}; nothing to restore"),
        None => lines(&document.entries),
    });
    tell(ui, outcome);
    if outcome.failed() > 0 { failed() } else { done() }
}

/// How many have one of these statuses.
fn count(items: &[ExtensionItem], statuses: &[ExtensionStatus]) -> usize {
    items.iter().filter(|item| statuses.contains(&item.status)).count()
}

fn lines(items: &[ExtensionItem]) -> String {
    items.iter().map(item_line).collect::<Vec<_>>().join("\n")
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
    let document = ExtensionsCollected {
        applied: apply,
        bytes,
        removed: unused_trees(&collection.removed),
        in_use: unused_trees(&collection.in_use),
        kept: collection.kept,
        swept: collection.swept,
        forgotten: collection.forgotten,
    };
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
