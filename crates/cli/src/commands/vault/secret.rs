//! What is in a vault.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use marsh_model::Models;
use marsh_vault::{Action, AuditQuery, RefreshHook, Secret, Vault, VaultError};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{CALLER, now};
use crate::args::vault::{AuditAction, PutArgs, VaultCommand};
use crate::commands::done;
use crate::error::CliError;
use crate::prompt;
use crate::ui::{DIM, NAME, Ui, columns, value_lines};

pub fn run(ui: &Ui, models: &Models, command: &VaultCommand) -> Result<ExitCode, CliError> {
    match command {
        VaultCommand::Put(arguments) => put(ui, models, arguments),
        VaultCommand::ReadSecret { vault, key } => read(ui, models, vault, key),
        VaultCommand::ListKeys { vault } => list_keys(ui, models, vault),
        VaultCommand::Inspect { vault, key } => inspect(ui, models, vault, key),
        VaultCommand::Delete { vault, key, yes, force } => delete(ui, models, vault, key, *yes, *force),
        VaultCommand::Annotate { vault, key, url, notes, labels, remove_labels, clear } => {
            let change = Change { url, notes, labels, remove_labels, clear: *clear };
            annotate(ui, models, vault, key, &change)
        }
        VaultCommand::AuditTrail { vault, key, action, since, until, limit } => {
            let query = AuditQuery {
                vault: vault.clone(),
                key: key.clone(),
                action: action.map(action_of),
                since: since.clone(),
                until: until.clone(),
            };
            audit_trail(ui, models, &query, *limit)
        }
        // `vault::run` takes the others.
        _ => done(),
    }
}

fn labels(given: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(CliError::usage(format!("invalid label `{text}`; expected key=value"))),
    };
    given.iter().map(pair).collect()
}

/// The secret: from the argument, else hidden from the terminal, else all of standard input less its last line break.
fn value(ui: &Ui, arguments: &PutArgs) -> Result<Secret, CliError> {
    if let Some(value) = &arguments.value {
        ui.warn(
            "a secret in an argument is seen by every process of this machine and kept by your shell; \
             give it on standard input",
        );
        return Ok(Secret::new(value.as_str()));
    }
    if std::io::stdin().is_terminal() {
        let question = format!("secret for {} in {} (not shown)", arguments.key, arguments.vault);
        return Ok(Secret::new(prompt::hidden(&question)?.as_str()));
    }
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|source| CliError::Read { what: "standard input".into(), source })?;
    let trimmed = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(trimmed.strip_suffix('\r').unwrap_or(trimmed)))
}

fn exists(vault: &dyn Vault, key: &str) -> Result<bool, VaultError> {
    match vault.get(key) {
        Ok(_) => Ok(true),
        Err(VaultError::NoSuchSecret { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn put(ui: &Ui, models: &Models, arguments: &PutArgs) -> Result<ExitCode, CliError> {
    let vault = models.vaults.open(&arguments.vault)?;
    let vault = vault.as_ref();
    let key = &arguments.key;
    let labels = labels(&arguments.labels)?;
    let hook = match (&arguments.refresh_from, &arguments.refresh_ttl) {
        (Some(command), Some(ttl)) => Some(RefreshHook::new(command, ttl)?),
        _ => None,
    };
    if (hook.is_some() || arguments.clear_refresh) && !vault.support().refresh {
        return Err(vault.unsupported("refresh secrets").into());
    }
    // A file that does not open is replaced like any other, as it is of no use.
    let overwritten = match exists(vault, key) {
        Err(VaultError::WrongKey { .. } | VaultError::DamagedSecret { .. }) => true,
        other => other?,
    };
    if overwritten
        && !arguments.yes
        && ui.can_ask()
        && !ui.confirm(&format!("Replace the secret {key} in {}?", vault.name()))
    {
        return Err(CliError::Refused { message: "nothing was stored".into(), hint: None });
    }
    // With a command that makes it, the first use does.
    let asked = arguments.value.is_some() || hook.is_none() && !(arguments.clear_refresh && overwritten);
    let secret = if asked { Some(value(ui, arguments)?) } else { None };
    if secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
        return Err(CliError::usage("the secret is empty"));
    }
    if let Some(secret) = &secret {
        models.vaults.put(vault, key, secret, &labels, CALLER)?;
    } else if !overwritten {
        models.vaults.put(vault, key, &Secret::new(""), &labels, CALLER)?;
    }
    if let Some(mut hook) = hook {
        // A value that was given now is young.
        hook.last_refreshed_at = secret.is_some().then(now);
        vault.set_refresh_hook(key, Some(&hook))?;
    } else if arguments.clear_refresh {
        vault.set_refresh_hook(key, None)?;
    }
    if !labels.is_empty() && vault.support().annotations {
        let mut annotation = vault.annotation(key)?.unwrap_or_default();
        annotation.labels.get_or_insert_default().extend(labels.clone());
        annotation.updated_at = now();
        vault.set_annotation(key, Some(&annotation))?;
    }
    let mut document = json!({
        "vaultName": vault.name(), "secretKey": key, "vaultType": vault.vault_type(),
        "overwritten": overwritten, "timestamp": now(),
    });
    if !labels.is_empty() {
        document["labels"] = json!(labels);
    }
    ui.result(&document, || {
        let what = if overwritten { "replaced" } else { "stored" };
        format!("{what} {NAME}{key}{NAME:#} in {}", vault.name())
    });
    done()
}

fn read(ui: &Ui, models: &Models, vault: &str, key: &str) -> Result<ExitCode, CliError> {
    let config = models.vaults.configs().find(vault)?;
    let vault = models.vaults.open(&config.name)?;
    let secret = vault.get(key)?;
    if config.audit_reads == Some(true) {
        models.vaults.record(Action::Get, vault.as_ref(), key, CALLER)?;
    }
    if ui.is_json() {
        let document = json!({
            "vaultName": vault.name(), "secretKey": key, "vaultType": vault.vault_type(), "value": secret.expose(),
        });
        ui.result(&document, String::new);
    } else {
        // As it is; a line break only for eyes.
        let end: &[u8] = if std::io::stdout().is_terminal() { b"\n" } else { b"" };
        ui.raw(&[secret.expose().as_bytes(), end].concat());
    }
    done()
}

fn list_keys(ui: &Ui, models: &Models, vault: &str) -> Result<ExitCode, CliError> {
    let vault = models.vaults.open(vault)?;
    let keys = vault.list()?;
    let document = json!({
        "vaultName": vault.name(), "vaultType": vault.vault_type(), "secretKeys": keys, "count": keys.len(),
    });
    ui.result(&document, || match keys.is_empty() {
        true => format!("`{}` is empty", vault.name()),
        false => keys.join("\n"),
    });
    done()
}

fn inspect(ui: &Ui, models: &Models, vault: &str, key: &str) -> Result<ExitCode, CliError> {
    let vault = models.vaults.open(vault)?;
    let secret = vault.get(key)?;
    let text = secret.expose();
    let support = vault.support();
    let annotation = vault.annotation(key)?;
    let hook = vault.refresh_hook(key)?;
    let kind = match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_) | Value::Array(_)) => "json",
        _ => "string",
    };
    let document = json!({
        "vaultName": vault.name(), "secretKey": key, "vaultType": vault.vault_type(),
        "sizeBytes": text.len(), "sizeChars": text.chars().count(), "valueType": kind,
        "supportsAnnotations": support.annotations, "hasAnnotation": annotation.is_some(), "annotation": annotation,
        "supportsRefreshHooks": support.refresh, "hasRefreshHook": hook.is_some(), "refreshHook": hook,
    });
    ui.result(&document, || value_lines(&document, 0));
    done()
}

fn delete(
    ui: &Ui,
    models: &Models,
    vault: &str,
    key: &str,
    yes: bool,
    force: bool,
) -> Result<ExitCode, CliError> {
    let vault = models.vaults.open(vault)?;
    if !(yes || force)
        && ui.can_ask()
        && !ui.confirm(&format!("Delete the secret {key} of {}?", vault.name()))
    {
        return Err(CliError::Refused { message: "nothing was deleted".into(), hint: None });
    }
    let deleted = vault.delete(key)?;
    if !deleted && !force {
        return Err(VaultError::NoSuchSecret { vault: vault.name().to_owned(), key: key.to_owned() }.into());
    }
    if deleted {
        models.vaults.record(Action::Delete, vault.as_ref(), key, CALLER)?;
    }
    let document = json!({
        "vaultName": vault.name(), "secretKey": key, "vaultType": vault.vault_type(), "timestamp": now(),
        "noOp": !deleted,
    });
    ui.result(&document, || match deleted {
        true => format!("deleted {NAME}{key}{NAME:#} of {}", vault.name()),
        false => format!("{} has no secret {key}", vault.name()),
    });
    done()
}

struct Change<'a> {
    url: &'a Option<String>,
    notes: &'a Option<String>,
    labels: &'a [String],
    remove_labels: &'a [String],
    clear: bool,
}

fn annotate(
    ui: &Ui,
    models: &Models,
    vault: &str,
    key: &str,
    change: &Change<'_>,
) -> Result<ExitCode, CliError> {
    let vault = models.vaults.open(vault)?;
    if !vault.support().annotations {
        return Err(vault.unsupported("keep annotations").into());
    }
    if !exists(vault.as_ref(), key)? {
        return Err(VaultError::NoSuchSecret { vault: vault.name().to_owned(), key: key.to_owned() }.into());
    }
    let mut annotation = if change.clear { None } else { vault.annotation(key)? }.unwrap_or_default();
    if change.url.is_some() {
        annotation.url.clone_from(change.url);
    }
    if change.notes.is_some() {
        annotation.notes.clone_from(change.notes);
    }
    let mut all = annotation.labels.take().unwrap_or_default();
    all.extend(labels(change.labels)?);
    all.retain(|label, _| !change.remove_labels.contains(label));
    annotation.labels = (!all.is_empty()).then_some(all);
    annotation.updated_at = now();
    let kept = (!annotation.is_empty()).then_some(&annotation);
    vault.set_annotation(key, kept)?;
    models.vaults.record(Action::Annotate, vault.as_ref(), key, CALLER)?;
    let document = json!({
        "vaultName": vault.name(), "secretKey": key, "vaultType": vault.vault_type(), "annotation": kept,
    });
    ui.result(&document, || match kept {
        Some(_) => format!("noted for {NAME}{key}{NAME:#}"),
        None => format!("nothing is noted for {NAME}{key}{NAME:#}"),
    });
    done()
}

fn action_of(action: AuditAction) -> Action {
    match action {
        AuditAction::Get => Action::Get,
        AuditAction::Put => Action::Put,
        AuditAction::Delete => Action::Delete,
        AuditAction::Annotate => Action::Annotate,
    }
}

fn audit_trail(ui: &Ui, models: &Models, query: &AuditQuery, limit: usize) -> Result<ExitCode, CliError> {
    let all = models.vaults.audit().read(query)?;
    let shown = &all[..all.len().min(limit)];
    let document =
        json!({ "entries": shown, "returnedCount": shown.len(), "truncated": shown.len() < all.len() });
    ui.result(&document, || {
        let rows: Vec<Vec<String>> = shown
            .iter()
            .map(|entry| {
                let action = serde_json::to_value(entry.action).unwrap_or_default();
                vec![
                    format!("{DIM}{}{DIM:#}", entry.timestamp),
                    action.as_str().unwrap_or_default().to_owned(),
                    entry.vault_name.clone(),
                    format!("{NAME}{}{NAME:#}", entry.secret_key),
                    entry.caller_context.clone(),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}
