//! `marsh vault …`: vaults. The secrets in them: `secret`.

mod secret;

use std::process::ExitCode;

use marsh_api::vault::{VaultCreateRequest, VaultMigrateRequest};
use marsh_app::{Read, Session};
use serde_json::{Map, Value};

use super::{done, lines_of};
use crate::args::vault::{MigrateArgs, VaultCommand, VaultTypeCommand};
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn run(ui: &Ui, session: &Session, command: &VaultCommand) -> Result<ExitCode, CliError> {
    match command {
        VaultCommand::Create { vault_type, name, config, audit_reads } => {
            let request = VaultCreateRequest {
                vault_type: vault_type.clone(),
                name: name.clone(),
                config: parse_config(config.as_deref())?,
                audit_reads: *audit_reads,
            };
            create(ui, session, &request)
        }
        VaultCommand::Type(VaultTypeCommand::Search { query }) => types(ui, session.read(), query.as_deref()),
        VaultCommand::Search { query } => search(ui, session.read(), query.as_deref()),
        VaultCommand::Get { vault, key: Some(key), .. } => Err(CliError::Usage {
            message: "`vault get` shows a vault, not a secret".into(),
            hint: Some(format!("`marsh vault read-secret {vault} {key}` prints the secret")),
        }),
        VaultCommand::Get { vault, vault_type, .. } => get(ui, session.read(), vault, vault_type.as_deref()),
        VaultCommand::Edit { vault, vault_type } => edit(ui, session, vault, vault_type.as_deref()),
        VaultCommand::Migrate(arguments) => migrate(ui, session, arguments),
        command => secret::run(ui, session, command),
    }
}

/// The JSON object of `--config`.
fn parse_config(text: Option<&str>) -> Result<Option<Map<String, Value>>, CliError> {
    text.map(serde_json::from_str)
        .transpose()
        .map_err(|error| CliError::usage(format!("invalid JSON object in `--config`: {error}")))
}

fn create(ui: &Ui, session: &Session, request: &VaultCreateRequest) -> Result<ExitCode, CliError> {
    let vault = session.write_beside_owner(|write| write.create_vault(request))??;
    ui.result(&vault, || {
        format!(
            "created vault {NAME}{name}{NAME:#} {DIM}{}{DIM:#}\n\nnext: {program} vault put {name} <key>",
            vault.path,
            name = vault.name,
            program = Persona::current().name
        )
    });
    done()
}

fn types(ui: &Ui, read: Read<'_>, query: Option<&str>) -> Result<ExitCode, CliError> {
    let found = read.search_vault_types(query)?;
    ui.result(&found, || {
        let rows: Vec<Vec<String>> = found
            .results
            .iter()
            .map(|row| vec![format!("{NAME}{}{NAME:#}", row.vault_type), row.description.clone()])
            .collect();
        columns(&rows)
    });
    done()
}

fn search(ui: &Ui, read: Read<'_>, query: Option<&str>) -> Result<ExitCode, CliError> {
    let found = read.search_vaults(query);
    for problem in &found.problems {
        ui.warn(problem);
    }
    ui.result(&found, || {
        if found.results.is_empty() {
            let none = "no vaults; `marsh vault create local_encryption main` creates one";
            return Persona::current().words(none).into_owned();
        }
        let rows: Vec<Vec<String>> = found
            .results
            .iter()
            .map(|row| {
                vec![
                    format!("{NAME}{}{NAME:#}", row.name),
                    row.vault_type.clone(),
                    format!("{DIM}{}{DIM:#}", row.created_at),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn get(ui: &Ui, read: Read<'_>, vault: &str, vault_type: Option<&str>) -> Result<ExitCode, CliError> {
    let vault = read.get_vault(vault, vault_type)?;
    ui.result(&vault, || lines_of(&vault));
    done()
}

fn edit(ui: &Ui, session: &Session, name: &str, vault_type: Option<&str>) -> Result<ExitCode, CliError> {
    let source = session.read().vault_source(name, vault_type)?;
    let (text, editor) = super::model::edited(&session.read(), &source.text, &source.name)?;
    let mut vault = session.write_beside_owner(|write| write.edit_vault(name, vault_type, &text))??;
    vault.editor = editor;
    ui.result(&vault, || format!("updated {NAME}{}{NAME:#}", vault.name));
    done()
}

fn migrate(ui: &Ui, session: &Session, arguments: &MigrateArgs) -> Result<ExitCode, CliError> {
    let request = VaultMigrateRequest {
        vault: arguments.vault.clone(),
        to_type: arguments.to_type.clone(),
        config: parse_config(arguments.config.as_deref())?,
    };
    let mut migrated = session.read().preview_migrate_vault(&request)?;
    if !arguments.dry_run {
        let question = format!(
            "Move {} secrets of {} to {}?",
            migrated.secrets_migrated, migrated.vault_name, request.to_type
        );
        let agreed = arguments.yes || ui.can_ask() && ui.confirm(&question);
        if !agreed {
            return Err(CliError::Refused {
                message: "nothing was moved".into(),
                hint: Some("`--yes` moves the secrets without asking".into()),
            });
        }
        migrated = session.write_beside_owner(|write| write.migrate_vault(&request))??;
    }
    ui.result(&migrated, || {
        let verb = if migrated.dry_run { "would move" } else { "moved" };
        format!(
            "{verb} {} secrets of {NAME}{}{NAME:#} to {}",
            migrated.secrets_migrated, migrated.vault_name, migrated.new_type
        )
    });
    done()
}
