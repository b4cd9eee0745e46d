//! `marsh vault …`: vaults themselves. What is in them: `secret`.

mod secret;

use std::process::ExitCode;

use marsh_model::Models;
use marsh_types::near;
use marsh_vault::{ConfigStore, LOCAL_ENCRYPTION, VaultConfig};
use serde_json::{Map, Value, json};

use super::done;
use crate::args::vault::{VaultCommand, VaultTypeCommand};
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns, value_lines};

/// What the audit trail says of this program.
const CALLER: &str = "marsh vault";

pub fn run(ui: &Ui, models: &Models, command: &VaultCommand) -> Result<ExitCode, CliError> {
    match command {
        VaultCommand::Create { vault_type, name, config, audit_reads } => {
            create(ui, models, vault_type, name.as_deref(), config.as_deref(), *audit_reads)
        }
        VaultCommand::Type(VaultTypeCommand::Search { query }) => types(ui, models, query.as_deref()),
        VaultCommand::Search { query } => search(ui, models, query.as_deref()),
        VaultCommand::Get { vault, vault_type } => get(ui, models, vault, vault_type.as_deref()),
        VaultCommand::Edit { vault, vault_type } => edit(ui, models, vault, vault_type.as_deref()),
        VaultCommand::Migrate { vault, to_type, config, dry_run, yes } => {
            migrate(ui, models, vault, to_type, config.as_deref(), *dry_run, *yes)
        }
        command => secret::run(ui, models, command),
    }
}

fn configs(models: &Models) -> &ConfigStore {
    models.vaults.configs()
}

/// The configuration of a new vault, as given, else what such vaults mostly have.
fn parse_config(vault_type: &str, text: Option<&str>) -> Result<Map<String, Value>, CliError> {
    match text {
        None if vault_type == LOCAL_ENCRYPTION => {
            Ok([("auto_generate".to_owned(), json!(true))].into_iter().collect())
        }
        None => Ok(Map::new()),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| CliError::usage(format!("invalid JSON object in `--config`: {error}"))),
    }
}

fn title(models: &Models, vault_type: &str) -> String {
    // The title decorates a listing; without it the type's name serves.
    let types = models.vaults.types().unwrap_or_default();
    let found = types.into_iter().find(|known| known.name == vault_type);
    found.map_or_else(|| vault_type.to_owned(), |known| known.title)
}

fn create(
    ui: &Ui,
    models: &Models,
    vault_type: &str,
    name: Option<&str>,
    config: Option<&str>,
    audit_reads: bool,
) -> Result<ExitCode, CliError> {
    let default_name = vault_type.rsplit('/').next().unwrap_or(vault_type).replace('_', "-");
    let mut vault =
        VaultConfig::new(name.unwrap_or(&default_name), vault_type, parse_config(vault_type, config)?);
    vault.audit_reads = audit_reads.then_some(true);
    // Before there is a file of it: an unknown type, or a configuration that its vault refuses.
    models.vaults.open_config(&vault)?;
    let path = configs(models).create(&vault)?;
    let document = json!({
        "id": vault.id, "name": vault.name, "type": vault.vault_type,
        "typeName": title(models, vault_type), "config": vault.config,
    });
    ui.result(&document, || {
        format!(
            "made the vault {NAME}{}{NAME:#} {DIM}{}{DIM:#}\nstore a secret: marsh vault put {} <key>",
            vault.name,
            models.repo.layout.display(&path).display(),
            vault.name
        )
    });
    done()
}

fn types(ui: &Ui, models: &Models, query: Option<&str>) -> Result<ExitCode, CliError> {
    let all = models.vaults.types()?;
    let wanted = query.unwrap_or_default().to_lowercase();
    let mut found: Vec<_> = all.iter().filter(|known| known.name.to_lowercase().contains(&wanted)).collect();
    if found.is_empty() {
        let near = near::nearest(&wanted, all.iter().map(|known| known.name.as_str()));
        found = all.iter().filter(|known| near.contains(&known.name.as_str())).collect();
    }
    let results: Vec<Value> = found
        .iter()
        .map(|known| {
            json!({
                "type": known.name, "name": known.title, "description": known.description,
                "configSchema": known.config_schema,
            })
        })
        .collect();
    ui.result(&json!({ "query": query.unwrap_or_default(), "results": results }), || {
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|known| vec![format!("{NAME}{}{NAME:#}", known.name), known.description.clone()])
            .collect();
        columns(&rows)
    });
    done()
}

fn search(ui: &Ui, models: &Models, query: Option<&str>) -> Result<ExitCode, CliError> {
    let (mut found, problems) = configs(models).list();
    for problem in &problems {
        ui.warn(problem);
    }
    let wanted = query.unwrap_or_default();
    found.retain(|config| config.name.contains(wanted) || config.vault_type.contains(wanted));
    let results: Vec<Value> = found
        .iter()
        .map(|config| {
            json!({ "id": config.id, "name": config.name, "type": config.vault_type, "createdAt": config.created_at })
        })
        .collect();
    ui.result(&json!({ "query": wanted, "results": results }), || {
        if found.is_empty() {
            return "no vaults; `marsh vault create local_encryption main` makes one".to_owned();
        }
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|config| {
                vec![
                    format!("{NAME}{}{NAME:#}", config.name),
                    config.vault_type.clone(),
                    format!("{DIM}{}{DIM:#}", config.created_at),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn find(models: &Models, name: &str, vault_type: Option<&str>) -> Result<VaultConfig, CliError> {
    let config = configs(models).find(name)?;
    match vault_type {
        Some(wanted) if wanted != config.vault_type => Err(CliError::NotFound {
            message: format!(
                "the vault `{}` is of type `{}`, not `{wanted}`",
                config.name, config.vault_type
            ),
            hint: None,
        }),
        _ => Ok(config),
    }
}

fn get(ui: &Ui, models: &Models, name: &str, vault_type: Option<&str>) -> Result<ExitCode, CliError> {
    let config = find(models, name, vault_type)?;
    let path = configs(models).path(&config)?;
    let document = json!({
        "id": config.id, "name": config.name, "type": config.vault_type, "config": config.config,
        "createdAt": config.created_at, "auditReads": config.audit_reads.unwrap_or(false),
        "storagePath": models.repo.layout.display(&path),
    });
    ui.result(&document, || value_lines(&document, 0));
    done()
}

fn edit(ui: &Ui, models: &Models, name: &str, vault_type: Option<&str>) -> Result<ExitCode, CliError> {
    let before = find(models, name, vault_type)?;
    let path = configs(models).path(&before)?;
    let text = std::fs::read_to_string(&path)
        .map_err(|source| CliError::Read { what: path.display().to_string(), source })?;
    let (text, editor) = super::bridge::edited_text(models, &text, &before.name)?;
    let after: VaultConfig =
        text.parse().map_err(|source| marsh_vault::VaultError::Config { path: path.clone(), source })?;
    if after.id != before.id || after.vault_type != before.vault_type || after.name != before.name {
        return Err(CliError::Refused {
            message: "`id`, `name` and `type` of a vault must stay what they were: secrets are found by them"
                .into(),
            hint: Some("`marsh vault migrate` changes the type".into()),
        });
    }
    models.vaults.open_config(&after)?;
    let path = configs(models).save(&after)?;
    let document = json!({
        "path": models.repo.layout.display(&path), "editor": editor, "status": "updated",
        "name": after.name, "type": after.vault_type,
    });
    ui.result(&document, || format!("updated {NAME}{}{NAME:#}", after.name));
    done()
}

fn migrate(
    ui: &Ui,
    models: &Models,
    name: &str,
    to_type: &str,
    config: Option<&str>,
    dry_run: bool,
    yes: bool,
) -> Result<ExitCode, CliError> {
    let before = configs(models).find(name)?;
    let from = models.vaults.open_config(&before)?;
    let mut after = before.clone();
    after.vault_type = to_type.to_owned();
    after.config = parse_config(to_type, config)?;
    if after.vault_type == before.vault_type && after.config == before.config {
        return Err(CliError::Refused { message: format!("`{name}` is such a vault already"), hint: None });
    }
    let to = models.vaults.open_config(&after)?;
    let keys = from.list()?;
    if !dry_run {
        let question = format!("Move {} secrets of {} to {to_type}?", keys.len(), before.name);
        let agreed = yes || (ui.can_ask() && ui.confirm(&question));
        if !agreed {
            return Err(CliError::Refused {
                message: "nothing was moved".into(),
                hint: Some("--yes".into()),
            });
        }
        for key in &keys {
            to.put(key, &from.get(key)?, &Default::default())?;
        }
        let old = configs(models).path(&before)?;
        // Both configurations for an instant, and then the new one: never none.
        let new = configs(models).save(&after)?;
        if old != new {
            configs(models).remove(&before)?;
        }
    }
    let document = json!({
        "vaultName": before.name, "previousType": before.vault_type, "newType": after.vault_type,
        "newTypeName": title(models, to_type), "secretsMigrated": keys.len(), "dryRun": dry_run,
        "timestamp": now(),
    });
    ui.result(&document, || {
        let what = if dry_run { "would move" } else { "moved" };
        format!("{what} {} secrets of {NAME}{}{NAME:#} to {to_type}", keys.len(), before.name)
    });
    done()
}

fn now() -> String {
    marsh_types::time::iso_millis(jiff::Timestamp::now())
}
