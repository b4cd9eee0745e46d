//! Deleting, renaming, collecting.

use std::process::ExitCode;

use marsh_model::Models;
use serde_json::{Value, json};

use super::{done, no_such};
use crate::args::DataCommand;
use crate::args::data::Removal;
use crate::commands::failed;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn run(ui: &Ui, models: &Models, command: &DataCommand) -> Result<ExitCode, CliError> {
    match command {
        DataCommand::Delete { model, name: Some(name), version, removal, .. } => {
            delete(ui, models, model, name, *version, removal)
        }
        DataCommand::Delete { model, prefix, removal, .. } => {
            delete_many(ui, models, model, prefix.as_deref(), removal)
        }
        DataCommand::Rename { model, old, new, new_name } => {
            let new = new.as_ref().or(new_name.as_ref());
            rename(ui, models, model, old, new.map_or("", String::as_str))
        }
        DataCommand::Gc { removal } => gc(ui, models, removal),
        DataCommand::Prune { removal } => prune(ui, models, removal),
        // `data::run` takes the others.
        _ => done(),
    }
}

/// Asks on a terminal.
fn agreed(ui: &Ui, removal: &Removal, question: &str) -> Result<(), CliError> {
    if removal.yes || removal.dry_run || !ui.can_ask() || ui.confirm(question) {
        return Ok(());
    }
    Err(CliError::Refused { message: "nothing was deleted".into(), hint: None })
}

fn delete(
    ui: &Ui,
    models: &Models,
    model: &str,
    name: &str,
    version: Option<u32>,
    removal: &Removal,
) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(model)?;
    let (ty, id) = (&stored.type_name, &stored.definition.id);
    let what = version.map_or_else(|| name.to_owned(), |version| format!("version {version} of {name}"));
    agreed(ui, removal, &format!("Delete {what} of {}?", stored.definition.name))?;
    let there = models.data.store().versions(ty, id, name)?;
    let deleted = match removal.dry_run {
        true => there.iter().filter(|found| version.is_none_or(|version| found.version == version)).count(),
        false => models.durable_data().delete(ty, id, name, version)?,
    };
    if deleted == 0 {
        return Err(no_such(models, &stored, name, version));
    }
    let mut document = json!({
        "modelId": id, "modelName": stored.definition.name, "modelType": ty, "dataName": name,
        "versionsDeleted": deleted, "dryRun": removal.dry_run,
    });
    if let Some(version) = version {
        document["version"] = json!(version);
    }
    ui.result(&document, || {
        let word = if removal.dry_run { "would delete" } else { "deleted" };
        format!("{word} {NAME}{what}{NAME:#} of {} ({deleted} versions)", stored.definition.name)
    });
    done()
}

fn delete_many(
    ui: &Ui,
    models: &Models,
    model: &str,
    prefix: Option<&str>,
    removal: &Removal,
) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(model)?;
    let (ty, id) = (&stored.type_name, &stored.definition.id);
    let mut names = models.data.store().list_model(ty, id)?;
    names.retain(|metadata| prefix.is_none_or(|prefix| metadata.name.starts_with(prefix)));
    let question = format!("Delete {} results of {}?", names.len(), stored.definition.name);
    agreed(ui, removal, &question)?;
    let store = models.durable_data();
    let (mut total, mut versions, mut failures) = (0, 0, Vec::new());
    for metadata in &names {
        let deleted = match removal.dry_run {
            true => store.versions(ty, id, &metadata.name).map(|found| found.len()),
            false => store.delete(ty, id, &metadata.name, None),
        };
        match deleted {
            // Another process was faster.
            Ok(0) => {}
            Ok(count) => {
                total += 1;
                versions += count;
            }
            Err(error) => failures.push(json!({ "name": metadata.name, "error": error.to_string() })),
        }
    }
    let document = json!({
        "modelId": id, "modelName": stored.definition.name, "modelType": ty, "totalDeleted": total,
        "totalVersionsDeleted": versions, "failed": failures, "dryRun": removal.dry_run,
    });
    ui.result(&document, || {
        let word = if removal.dry_run { "would delete" } else { "deleted" };
        format!("{word} {total} results of {NAME}{}{NAME:#} ({versions} versions)", stored.definition.name)
    });
    for failure in &failures {
        ui.warn(format_args!("{} stays: {}", failure["name"], failure["error"]));
    }
    if failures.is_empty() { done() } else { failed() }
}

fn rename(ui: &Ui, models: &Models, model: &str, old: &str, new: &str) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(model)?;
    let (ty, id) = (&stored.type_name, &stored.definition.id);
    let store = models.durable_data();
    let before = store.latest(ty, id, old)?.ok_or_else(|| no_such(models, &stored, old, None))?;
    let copy = store.rename(ty, id, old, new)?;
    let warning = format!("`{old}` leads to `{new}` from now on; its older versions stay under the old name");
    let document = json!({
        "oldName": old, "newName": new, "modelId": id, "modelName": stored.definition.name, "modelType": ty,
        "copiedVersion": before.version, "newVersion": copy.version, "warning": warning,
    });
    ui.result(&document, || format!("renamed {NAME}{old}{NAME:#} to {NAME}{new}{NAME:#} v{}", copy.version));
    done()
}

fn gc(ui: &Ui, models: &Models, removal: &Removal) -> Result<ExitCode, CliError> {
    let mut collected = models.collect(None, true)?;
    if !removal.dry_run {
        let (data, versions) = (collected.expired.len(), collected.versions);
        if data + versions > 0 {
            agreed(ui, removal, &format!("Remove {data} results and {versions} versions of others?"))?;
        }
        collected = models.collect(None, false)?;
    }
    let expired: Vec<Value> = collected
        .expired
        .iter()
        .map(|expired| {
            json!({
                "type": expired.type_path, "modelId": expired.model_id, "dataName": expired.name,
                "reason": expired.reason, "versions": expired.versions,
            })
        })
        .collect();
    let document = json!({
        "dataEntriesExpired": collected.expired.len(), "versionsDeleted": collected.versions,
        // The catalog keeps no write-ahead log.
        "walPagesTotal": 0, "walPagesCheckpointed": 0,
        "bytesReclaimed": collected.bytes, "dryRun": removal.dry_run, "expiredEntries": expired,
    });
    ui.result(&document, || {
        let word = if removal.dry_run { "would remove" } else { "removed" };
        let mut text = format!(
            "{word} {} results and {} versions of others, {} bytes\n",
            collected.expired.len(),
            collected.versions,
            collected.bytes
        );
        let rows: Vec<Vec<String>> = collected
            .expired
            .iter()
            .map(|expired| {
                vec![
                    format!("  {NAME}{}{NAME:#}", expired.name),
                    format!("{} {}", expired.type_path, expired.model_id),
                    format!("{DIM}{}{DIM:#}", expired.reason),
                ]
            })
            .collect();
        text.push_str(&columns(&rows));
        text
    });
    done()
}

fn prune(ui: &Ui, models: &Models, removal: &Removal) -> Result<ExitCode, CliError> {
    let mut orphans = models.orphans()?;
    if !removal.dry_run && !orphans.is_empty() {
        agreed(ui, removal, &format!("Delete the results of {} models that are gone?", orphans.len()))?;
        orphans = models.remove_orphans(&orphans)?;
    }
    let sum = |count: &dyn Fn(&marsh_model::data::Orphan) -> usize| orphans.iter().map(count).sum::<usize>();
    let (names, versions) = (sum(&|orphan| orphan.names.len()), sum(&|orphan| orphan.versions));
    let reclaimed: Vec<Value> = orphans
        .iter()
        .map(|orphan| {
            json!({
                "type": orphan.type_name, "modelId": orphan.model_id, "dataNames": orphan.names,
                "versions": orphan.versions, "bytes": orphan.bytes,
            })
        })
        .collect();
    let bytes: u64 = orphans.iter().map(|orphan| orphan.bytes).sum();
    let document = json!({
        "modelsReclaimed": orphans.len(), "dataEntriesReclaimed": names, "versionsDeleted": versions,
        "bytesReclaimed": bytes, "dryRun": removal.dry_run, "reclaimedModels": reclaimed,
        "walPagesTotal": 0, "walPagesCheckpointed": 0,
    });
    ui.result(&document, || {
        let word = if removal.dry_run { "would remove" } else { "removed" };
        format!("{word} {names} results ({versions} versions, {bytes} bytes) of {} models", orphans.len())
    });
    done()
}
