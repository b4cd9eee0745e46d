//! `marsh data delete`, `rename`, `gc` and `prune`.

use std::process::ExitCode;

use marsh_api::data::{DataDeleteRequest, DataDeleted, DataTarget};
use marsh_app::Write;

use super::{done, place};
use crate::args::data::{DataDeleteArgs, Removal};
use crate::commands::failed;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

/// Asks on a terminal; without one, the command goes on.
fn confirm(ui: &Ui, removal: &Removal, question: &str) -> Result<(), CliError> {
    if removal.yes || !ui.can_ask() || ui.confirm(question) {
        return Ok(());
    }
    Err(CliError::Refused { message: "nothing was deleted".into(), hint: None })
}

/// `deleted`, or with `--dry-run` what would have been.
fn verb(dry_run: bool) -> &'static str {
    if dry_run { "would delete" } else { "deleted" }
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

pub fn delete(ui: &Ui, write: &Write<'_>, arguments: &DataDeleteArgs) -> Result<ExitCode, CliError> {
    let removal = &arguments.removal;
    let target = match (&arguments.prefix, arguments.all) {
        (Some(prefix), _) => DataTarget::Prefix(prefix.clone()),
        (None, true) => DataTarget::All,
        (None, false) => {
            let name = place::datum(&arguments.datum, "delete")?.1.to_owned();
            match arguments.version {
                Some(version) => DataTarget::Version { name, version },
                None => DataTarget::Name(name),
            }
        }
    };
    let model = place::model(arguments.datum.model(), "delete", "--all")?.to_owned();
    let request = DataDeleteRequest { model, target };
    let preview = write.preview_delete_data(&request)?;
    let deleted = if removal.dry_run {
        preview
    } else {
        confirm(ui, removal, &format!("Delete {}?", described(&preview)))?;
        write.delete_data(&request)?
    };
    ui.result(&deleted, || format!("{} {}", verb(removal.dry_run), described(&deleted)));
    let DataDeleted::Several(several) = &deleted else { return done() };
    for failure in &several.failed {
        ui.warn(format_args!("`{}` was not deleted: {}", failure.name, failure.error));
    }
    if several.failed.is_empty() { done() } else { failed() }
}

fn described(deleted: &DataDeleted) -> String {
    match deleted {
        DataDeleted::One(one) => {
            let (name, model) = (&one.data_name, &one.model_name);
            match one.version {
                Some(version) => format!("version {version} of {NAME}{name}{NAME:#} of {model}"),
                None => {
                    let versions = count(one.versions_deleted, "version");
                    format!("{NAME}{name}{NAME:#} of {model} ({versions})")
                }
            }
        }
        DataDeleted::Several(several) => format!(
            "{} of {NAME}{}{NAME:#} ({})",
            count(several.total_deleted, "result"),
            several.model_name,
            count(several.total_versions_deleted, "version")
        ),
    }
}

pub fn rename(ui: &Ui, write: &Write<'_>, model: &str, old: &str, new: &str) -> Result<ExitCode, CliError> {
    let renamed = write.rename_data(model, old, new)?;
    ui.result(&renamed, || {
        format!("renamed {NAME}{old}{NAME:#} to {NAME}{new}{NAME:#} v{}", renamed.new_version)
    });
    done()
}

pub fn gc(ui: &Ui, write: &Write<'_>, removal: &Removal) -> Result<ExitCode, CliError> {
    let mut collected = write.preview_collect_data()?;
    if !removal.dry_run {
        let (data, versions) = (collected.data_entries_expired, collected.versions_deleted);
        if data + versions > 0 {
            let (data, versions) = (count(data, "expired result"), count(versions, "surplus version"));
            confirm(ui, removal, &format!("Delete {data} and {versions}?"))?;
        }
        collected = write.collect_data()?;
    }
    ui.result(&collected, || {
        let mut text = format!(
            "{} {} and {}, {} bytes\n",
            verb(removal.dry_run),
            count(collected.data_entries_expired, "expired result"),
            count(collected.versions_deleted, "surplus version"),
            collected.bytes_reclaimed
        );
        let rows: Vec<Vec<String>> = collected
            .expired_entries
            .iter()
            .map(|expired| {
                vec![
                    format!("  {NAME}{}{NAME:#}", expired.data_name),
                    format!("{} {}", expired.type_name, expired.model_id),
                    format!("{DIM}{}{DIM:#}", expired.reason),
                ]
            })
            .collect();
        text.push_str(&columns(&rows));
        text
    });
    done()
}

pub fn prune(ui: &Ui, write: &Write<'_>, removal: &Removal) -> Result<ExitCode, CliError> {
    let mut pruned = write.preview_prune_data()?;
    if !removal.dry_run {
        if pruned.models_reclaimed > 0 {
            let models = count(pruned.models_reclaimed, "model");
            confirm(ui, removal, &format!("Delete the results of {models} without a definition?"))?;
        }
        pruned = write.prune_data(&pruned)?;
    }
    ui.result(&pruned, || {
        format!(
            "{} {} ({}, {} bytes) of {} without a definition",
            verb(removal.dry_run),
            count(pruned.data_entries_reclaimed, "result"),
            count(pruned.versions_deleted, "version"),
            pruned.bytes_reclaimed,
            count(pruned.models_reclaimed, "model")
        )
    });
    done()
}
