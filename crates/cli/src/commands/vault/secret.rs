//! `marsh vault put`, `read-secret` and the other commands about secrets.

use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;

use marsh_api::vault::{AuditTrailRequest, RefreshRequest, SecretAnnotateRequest, SecretPutRequest};
use marsh_app::{Read, Session};
use marsh_vault::{Secret, SecretInput, VaultError};
use zeroize::Zeroizing;

use crate::args::vault::{AnnotateArgs, AuditAction, PutArgs, VaultCommand};
use crate::commands::{done, lines_of};
use crate::error::CliError;
use crate::prompt;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn run(ui: &Ui, session: &Session, command: &VaultCommand) -> Result<ExitCode, CliError> {
    match command {
        VaultCommand::Put(arguments) => put(ui, session, arguments),
        VaultCommand::ReadSecret { vault, key, .. } => read(ui, session, vault, key),
        VaultCommand::ListKeys { vault } => list_keys(ui, session.read(), vault),
        VaultCommand::Inspect { vault, key } => {
            let secret = session.read().inspect_secret(vault, key)?;
            ui.result(&secret, || lines_of(&secret));
            done()
        }
        VaultCommand::Delete { vault, key, yes, force } => delete(ui, session, vault, key, *yes, *force),
        VaultCommand::Annotate(arguments) => annotate(ui, session, arguments),
        VaultCommand::AuditTrail { vault, key, action, since, until, limit } => {
            let request = AuditTrailRequest {
                vault: vault.clone(),
                key: key.clone(),
                action: action.map(action_of),
                since: since.clone(),
                until: until.clone(),
                limit: *limit,
            };
            audit_trail(ui, session.read(), &request)
        }
        // `vault::run` handles the other commands.
        _ => done(),
    }
}

/// The secret: from the argument, else hidden from the terminal, else from standard input.
fn value(ui: &Ui, vault: &str, input: &SecretInput) -> Result<Secret, CliError> {
    if let Some(value) = &input.value {
        ui.warn(
            "every process of this machine can see a secret in an argument, and your shell stores it; \
             give it on standard input",
        );
        return Ok(value.clone());
    }
    if std::io::stdin().is_terminal() {
        if ui.is_json() {
            return Err(VaultError::InvalidInput { reason: "`--json` asks for no value" }.into());
        }
        let question = format!("secret for {} in {vault} (not shown)", input.key);
        return Ok(SecretInput::value_of_prompt(&prompt::hidden(&question)?)?);
    }
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|source| CliError::Read { what: "standard input".into(), source })?;
    Ok(SecretInput::value_of_stream(&text)?)
}

fn put(ui: &Ui, session: &Session, arguments: &PutArgs) -> Result<ExitCode, CliError> {
    let input = SecretInput::parse(&arguments.key, arguments.value.as_deref())?;
    let refresh = match (&arguments.refresh_from, &arguments.refresh_ttl) {
        (Some(command), Some(ttl)) => Some(RefreshRequest { command: command.clone(), ttl: ttl.clone() }),
        _ => None,
    };
    let key = &input.key;
    let prepared = session.read().prepare_secret(SecretPutRequest {
        vault: arguments.vault.clone(),
        key: key.clone(),
        labels: arguments.labels.iter().cloned().collect(),
        refresh,
        clear_refresh: arguments.clear_refresh,
    })?;
    let gets_value = input.value.is_some() || prepared.needs_value();
    // With `--json`, scripts replace without a flag.
    if gets_value && prepared.overwrites() && !arguments.yes && !ui.is_json() {
        if !ui.can_ask() {
            return Err(CliError::Refused {
                message: format!("vault `{}` has a secret `{key}` already", prepared.vault_name()),
                hint: Some("`--yes` replaces it".into()),
            });
        }
        if !ui.confirm(&format!("Replace the secret {key} in {}?", prepared.vault_name())) {
            return Err(CliError::Refused { message: "nothing was stored".into(), hint: None });
        }
    }
    let secret = match gets_value {
        true => Some(value(ui, &arguments.vault, &input)?),
        false => None,
    };
    let stored = session.write_beside_owner(|write| write.put_secret(prepared, secret.as_ref()))??;
    ui.result(&stored, || {
        let verb = if stored.overwritten { "replaced" } else { "stored" };
        format!("{verb} {NAME}{key}{NAME:#} in {}", stored.vault_name)
    });
    done()
}

fn read(ui: &Ui, session: &Session, vault: &str, key: &str) -> Result<ExitCode, CliError> {
    let secret = session.read_secret(vault, key)?;
    if ui.is_json() {
        ui.result(&secret, String::new);
    } else {
        // The bytes of the value; a line break follows only on a terminal.
        let end: &[u8] = if std::io::stdout().is_terminal() { b"\n" } else { b"" };
        ui.raw(&Zeroizing::new([secret.value.expose().as_bytes(), end].concat()));
    }
    done()
}

fn list_keys(ui: &Ui, read: Read<'_>, vault: &str) -> Result<ExitCode, CliError> {
    let keys = read.list_secrets(vault)?;
    ui.result(&keys, || match keys.secret_keys.is_empty() {
        true => format!("`{}` is empty", keys.vault_name),
        false => keys.secret_keys.join("\n"),
    });
    done()
}

fn delete(
    ui: &Ui,
    session: &Session,
    vault: &str,
    key: &str,
    yes: bool,
    force: bool,
) -> Result<ExitCode, CliError> {
    if !(yes || force) && ui.can_ask() {
        let name = session.read().get_vault(vault, None)?.name;
        if !ui.confirm(&format!("Delete the secret {key} of {name}?")) {
            return Err(CliError::Refused { message: "nothing was deleted".into(), hint: None });
        }
    }
    let deleted = session.write_beside_owner(|write| write.delete_secret(vault, key, force))??;
    ui.result(&deleted, || match deleted.no_op {
        false => format!("deleted {NAME}{key}{NAME:#} of {}", deleted.vault_name),
        true => format!("{} has no secret {key}", deleted.vault_name),
    });
    done()
}

fn annotate(ui: &Ui, session: &Session, arguments: &AnnotateArgs) -> Result<ExitCode, CliError> {
    let request = SecretAnnotateRequest {
        vault: arguments.vault.clone(),
        key: arguments.key.clone(),
        url: arguments.url.clone(),
        notes: arguments.notes.clone(),
        labels: arguments.labels.iter().cloned().collect(),
        remove_labels: arguments.remove_labels.clone(),
        clear: arguments.clear,
    };
    let annotated = session.write_beside_owner(|write| write.annotate_secret(&request))??;
    ui.result(&annotated, || match annotated.annotation {
        Some(_) => format!("annotated {NAME}{}{NAME:#}", annotated.secret_key),
        None => format!("{NAME}{}{NAME:#} has no annotation", annotated.secret_key),
    });
    done()
}

fn action_of(action: AuditAction) -> marsh_api::vault::AuditAction {
    match action {
        AuditAction::Get => marsh_api::vault::AuditAction::Get,
        AuditAction::Put => marsh_api::vault::AuditAction::Put,
        AuditAction::Delete => marsh_api::vault::AuditAction::Delete,
        AuditAction::Annotate => marsh_api::vault::AuditAction::Annotate,
    }
}

fn audit_trail(ui: &Ui, read: Read<'_>, request: &AuditTrailRequest) -> Result<ExitCode, CliError> {
    let trail = read.audit_trail(request)?;
    ui.result(&trail, || {
        let rows: Vec<Vec<String>> = trail
            .entries
            .iter()
            .map(|entry| {
                vec![
                    format!("{DIM}{}{DIM:#}", entry.timestamp),
                    entry.action.as_str().to_owned(),
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
