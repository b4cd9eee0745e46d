//! Operations on vaults and on the secrets in them.
//!
//! Invariants:
//! * The value of a secret travels as [`Secret`] or as [`SecretText`], which clear their memory; no other document or
//!   request holds one (`tests/it/vault.rs`).
//! * The audit trail can be in the datastore. So whatever adds to it is a method of [`Write`]; interfaces use
//!   [`Session::write_beside_owner`], as secrets are needed while a run holds the lock (`tests/it/datastores.rs` of the
//!   binary: `audit_entries_of_vault_commands_reach_the_datastore`).

use std::sync::Arc;

use marsh_api::model::EditStatus;
use marsh_api::vault::{
    AuditAction, AuditEntry, AuditTrail, AuditTrailRequest, SecretAnnotateRequest, SecretAnnotated,
    SecretAnnotation, SecretDeleted, SecretDocument, SecretInspection, SecretKeys, SecretPutRequest,
    SecretRefresh, SecretStored, SecretText, SecretValueType, VaultCreateRequest, VaultCreated,
    VaultDocument, VaultEdited, VaultMigrateRequest, VaultMigrated, VaultRow, VaultSearch, VaultTypeRow,
    VaultTypeSearch,
};
use marsh_types::near;
use marsh_vault::{
    Action, Annotation, AuditQuery, ConfigStore, LOCAL_ENCRYPTION, RefreshHook, Secret, Vault, VaultConfig,
    VaultError,
};
use serde_json::{Map, Value};

use crate::error::AppError;
use crate::session::{Read, Session, Write};

/// What the audit trail says of this program.
const CALLER: &str = "marsh vault";

/// The configuration file of a vault, to edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSource {
    /// The name of the vault.
    pub name: String,
    /// The text of the file, YAML.
    pub text: String,
}

/// A secret that is about to be stored: the request is valid, and its vault is open.
#[derive(Debug, Clone)]
pub struct PreparedSecret {
    request: SecretPutRequest,
    vault: Arc<dyn Vault>,
    hook: Option<RefreshHook>,
    overwrites: bool,
}

impl PreparedSecret {
    /// The name of the vault.
    pub fn vault_name(&self) -> &str {
        self.vault.name()
    }

    /// Whether there is a secret of this key already.
    pub fn overwrites(&self) -> bool {
        self.overwrites
    }

    /// Whether the caller must give a value: a command that refreshes the secret makes it at its first use, and a
    /// request that only ends the refreshing leaves it as it is.
    pub fn needs_value(&self) -> bool {
        self.hook.is_none() && !(self.request.clear_refresh && self.overwrites)
    }
}

impl Session {
    /// A secret with its value. The reading is recorded when the vault's configuration asks for that.
    ///
    /// # Errors
    ///
    /// When there is no such vault or secret, the vault does not open, or the reading cannot be recorded.
    pub fn read_secret(&self, vault: &str, key: &str) -> Result<SecretDocument, AppError> {
        let models = &self.models;
        let config = models.vaults.configs().find(vault)?;
        let vault = models.vaults.open(&config.name)?;
        let secret = vault.get(key)?;
        if config.audit_reads == Some(true) {
            self.write_beside_owner(|write| write.record(Action::Get, vault.as_ref(), key))??;
        }
        Ok(SecretDocument {
            vault_name: vault.name().to_owned(),
            secret_key: key.to_owned(),
            vault_type: vault.vault_type().to_owned(),
            value: SecretText::new(secret.expose()),
        })
    }
}

impl<'a> Read<'a> {
    /// The vault types whose names contain the text; when there is none, those with the nearest names.
    ///
    /// # Errors
    ///
    /// When the sources of extensions cannot be listed.
    pub fn search_vault_types(&self, query: Option<&str>) -> Result<VaultTypeSearch, AppError> {
        let query = query.unwrap_or_default();
        let wanted = query.to_lowercase();
        let all = self.models().vaults.types()?;
        let mut found: Vec<_> =
            all.iter().filter(|known| known.name.to_lowercase().contains(&wanted)).collect();
        if found.is_empty() {
            let near = near::nearest(&wanted, all.iter().map(|known| known.name.as_str()));
            found = all.iter().filter(|known| near.contains(&known.name.as_str())).collect();
        }
        let results = found.into_iter().map(|known| VaultTypeRow {
            vault_type: known.name.clone(),
            name: known.title.clone(),
            description: known.description.clone(),
            config_schema: known.config_schema.clone(),
        });
        Ok(VaultTypeSearch { query: query.to_owned(), results: results.collect() })
    }

    /// The vaults whose name or type contain the text.
    pub fn search_vaults(&self, query: Option<&str>) -> VaultSearch {
        let query = query.unwrap_or_default();
        let (mut found, problems) = self.vault_configs().list();
        found.retain(|config| config.name.contains(query) || config.vault_type.contains(query));
        let results = found.into_iter().map(|config| VaultRow {
            id: config.id,
            name: config.name,
            vault_type: config.vault_type,
            created_at: config.created_at,
        });
        VaultSearch {
            query: query.to_owned(),
            results: results.collect(),
            problems: problems.iter().map(ToString::to_string).collect(),
        }
    }

    /// The configuration of a vault, by name or id; only of this type with `vault_type`.
    ///
    /// # Errors
    ///
    /// When there is no such vault, or its file cannot be read.
    pub fn get_vault(&self, vault: &str, vault_type: Option<&str>) -> Result<VaultDocument, AppError> {
        let config = self.find_vault(vault, vault_type)?;
        let path = self.vault_configs().path(&config)?;
        Ok(VaultDocument {
            id: config.id,
            name: config.name,
            vault_type: config.vault_type,
            config: config.config,
            created_at: config.created_at,
            audit_reads: config.audit_reads.unwrap_or(false),
            storage_path: self.display(&path),
        })
    }

    /// The configuration file of a vault.
    ///
    /// # Errors
    ///
    /// When there is no such vault, or its file cannot be read.
    pub fn vault_source(&self, vault: &str, vault_type: Option<&str>) -> Result<VaultSource, AppError> {
        let config = self.find_vault(vault, vault_type)?;
        let path = self.vault_configs().path(&config)?;
        let text = std::fs::read_to_string(&path)
            .map_err(|source| AppError::Read { what: path.display().to_string(), source })?;
        Ok(VaultSource { name: config.name, text })
    }

    /// What [`Write::migrate_vault`] would move.
    ///
    /// # Errors
    ///
    /// Those of [`Write::migrate_vault`].
    pub fn preview_migrate_vault(&self, request: &VaultMigrateRequest) -> Result<VaultMigrated, AppError> {
        let migration = self.migration(request)?;
        Ok(self.migrated(&migration, true))
    }

    /// The keys of the secrets in a vault.
    ///
    /// # Errors
    ///
    /// When there is no such vault, or it does not open.
    pub fn list_secrets(&self, vault: &str) -> Result<SecretKeys, AppError> {
        let vault = self.models().vaults.open(vault)?;
        let secret_keys = vault.list()?;
        Ok(SecretKeys {
            vault_name: vault.name().to_owned(),
            vault_type: vault.vault_type().to_owned(),
            count: secret_keys.len(),
            secret_keys,
        })
    }

    /// What is known of a secret, without its value.
    ///
    /// # Errors
    ///
    /// When there is no such vault or secret, or the vault does not open.
    pub fn inspect_secret(&self, vault: &str, key: &str) -> Result<SecretInspection, AppError> {
        let vault = self.models().vaults.open(vault)?;
        let secret = vault.get(key)?;
        let text = secret.expose();
        let support = vault.support();
        let annotation = vault.annotation(key)?.map(annotation_document);
        let refresh_hook = vault.refresh_hook(key)?.map(|hook| SecretRefresh {
            command: hook.command,
            ttl_ms: hook.ttl_ms,
            ttl: hook.ttl,
            last_refreshed_at: hook.last_refreshed_at,
        });
        let value_type = match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(_) | Value::Array(_)) => SecretValueType::Json,
            _ => SecretValueType::String,
        };
        Ok(SecretInspection {
            vault_name: vault.name().to_owned(),
            secret_key: key.to_owned(),
            vault_type: vault.vault_type().to_owned(),
            size_bytes: text.len(),
            size_chars: text.chars().count(),
            value_type,
            supports_annotations: support.annotations,
            has_annotation: annotation.is_some(),
            annotation,
            supports_refresh_hooks: support.refresh,
            has_refresh_hook: refresh_hook.is_some(),
            refresh_hook,
        })
    }

    /// Checks a request to store a secret, and opens its vault. Changes nothing.
    ///
    /// # Errors
    ///
    /// When the key is invalid or contains `=`, there is no such vault, it does not open, or it cannot do what the request
    /// asks for.
    pub fn prepare_secret(&self, request: SecretPutRequest) -> Result<PreparedSecret, AppError> {
        marsh_vault::check_new_key(&request.key)?;
        let vault = self.models().vaults.open(&request.vault)?;
        let hook = match &request.refresh {
            Some(refresh) => Some(RefreshHook::new(&refresh.command, &refresh.ttl)?),
            None => None,
        };
        if (hook.is_some() || request.clear_refresh) && !vault.support().refresh {
            return Err(vault.unsupported("refresh secrets").into());
        }
        // A secret file that does not open is replaced like any other: it is of no use.
        let overwrites = match exists(vault.as_ref(), &request.key) {
            Err(VaultError::WrongKey { .. } | VaultError::DamagedSecret { .. }) => true,
            other => other?,
        };
        Ok(PreparedSecret { request, vault, hook, overwrites })
    }

    /// What was done to secrets, the newest first.
    ///
    /// # Errors
    ///
    /// When the trail cannot be read.
    pub fn audit_trail(&self, request: &AuditTrailRequest) -> Result<AuditTrail, AppError> {
        let query = AuditQuery {
            vault: request.vault.clone(),
            key: request.key.clone(),
            action: request.action.map(action_of),
            since: request.since.clone(),
            until: request.until.clone(),
        };
        let all = self.models().vaults.audit().read(&query)?;
        let truncated = all.len() > request.limit;
        let entries = all.into_iter().take(request.limit).map(|entry| AuditEntry {
            action: action_document(entry.action),
            timestamp: entry.timestamp,
            vault_name: entry.vault_name,
            vault_type: entry.vault_type,
            secret_key: entry.secret_key,
            caller_context: entry.caller_context,
        });
        let entries: Vec<AuditEntry> = entries.collect();
        Ok(AuditTrail { returned_count: entries.len(), entries, truncated })
    }

    fn vault_configs(&self) -> &'a ConfigStore {
        self.models().vaults.configs()
    }

    fn find_vault(&self, name: &str, vault_type: Option<&str>) -> Result<VaultConfig, AppError> {
        let config = self.vault_configs().find(name)?;
        match vault_type {
            Some(wanted) if wanted != config.vault_type => Err(AppError::NotFound {
                message: format!(
                    "the vault `{}` has type `{}`, not `{wanted}`",
                    config.name, config.vault_type
                ),
                hint: None,
            }),
            _ => Ok(config),
        }
    }

    fn type_title(&self, vault_type: &str) -> String {
        // The title decorates a document; without it the name of the type serves.
        let types = self.models().vaults.types().unwrap_or_default();
        let found = types.into_iter().find(|known| known.name == vault_type);
        found.map_or_else(|| vault_type.to_owned(), |known| known.title)
    }

    fn migration(&self, request: &VaultMigrateRequest) -> Result<Migration, AppError> {
        let before = self.vault_configs().find(&request.vault)?;
        let from = self.models().vaults.open_config(&before)?;
        let mut after = before.clone();
        after.vault_type.clone_from(&request.to_type);
        after.config = request.config.clone().unwrap_or_else(|| default_config(&request.to_type));
        if after.vault_type == before.vault_type && after.config == before.config {
            return Err(AppError::Refused {
                message: format!("the vault `{}` already has this type and configuration", before.name),
                hint: None,
            });
        }
        let to = self.models().vaults.open_config(&after)?;
        let keys = from.list()?;
        Ok(Migration { before, after, from, to, keys })
    }

    fn migrated(&self, migration: &Migration, dry_run: bool) -> VaultMigrated {
        VaultMigrated {
            vault_name: migration.before.name.clone(),
            previous_type: migration.before.vault_type.clone(),
            new_type: migration.after.vault_type.clone(),
            new_type_name: self.type_title(&migration.after.vault_type),
            secrets_migrated: migration.keys.len(),
            dry_run,
            timestamp: now(),
        }
    }
}

impl Write<'_> {
    /// Creates a vault.
    ///
    /// # Errors
    ///
    /// When the type is unknown, its vault refuses the configuration, or the name is invalid or taken.
    pub fn create_vault(&self, request: &VaultCreateRequest) -> Result<VaultCreated, AppError> {
        let vault_type = request.vault_type.as_str();
        let default_name = vault_type.rsplit('/').next().unwrap_or(vault_type).replace('_', "-");
        let name = request.name.as_deref().unwrap_or(&default_name);
        let config = request.config.clone().unwrap_or_else(|| default_config(vault_type));
        let mut vault = VaultConfig::new(name, vault_type, config);
        vault.audit_reads = request.audit_reads.then_some(true);
        // First, so that no file of an unknown type or an invalid configuration is left.
        self.models().vaults.open_config(&vault)?;
        let path = self.vault_configs().create(&vault)?;
        Ok(VaultCreated {
            type_name: self.type_title(vault_type),
            id: vault.id,
            name: vault.name,
            vault_type: vault.vault_type,
            config: vault.config,
            path: self.display(&path),
        })
    }

    /// Replaces the configuration file of a vault.
    ///
    /// # Errors
    ///
    /// When the text is invalid, changes id, name or type, or its vault refuses the configuration.
    pub fn edit_vault(
        &self,
        vault: &str,
        vault_type: Option<&str>,
        text: &str,
    ) -> Result<VaultEdited, AppError> {
        let before = self.find_vault(vault, vault_type)?;
        let path = self.vault_configs().path(&before)?;
        let after: VaultConfig = text.parse().map_err(|source| VaultError::Config { path, source })?;
        if after.id != before.id || after.vault_type != before.vault_type || after.name != before.name {
            return Err(AppError::Refused {
                message:
                    "`id`, `name` and `type` of a vault cannot be edited: its secrets are stored under them"
                        .into(),
                hint: Some("`marsh vault migrate` changes the type".into()),
            });
        }
        self.models().vaults.open_config(&after)?;
        let path = self.vault_configs().save(&after)?;
        Ok(VaultEdited {
            path: self.display(&path),
            editor: None,
            status: EditStatus::Updated,
            name: after.name,
            vault_type: after.vault_type,
        })
    }

    /// Moves all secrets of a vault to another type or configuration.
    ///
    /// # Errors
    ///
    /// When there is no such vault, it has this type and configuration already, or one of the vaults fails. Secrets that
    /// were copied stay in both then.
    pub fn migrate_vault(&self, request: &VaultMigrateRequest) -> Result<VaultMigrated, AppError> {
        let migration = self.migration(request)?;
        let Migration { before, after, from, to, keys } = &migration;
        for key in keys {
            to.put(key, &from.get(key)?, &Default::default())?;
        }
        let configs = self.vault_configs();
        let old = configs.path(before)?;
        // Both files exist for an instant, so that the vault never has none.
        let new = configs.save(after)?;
        if old != new {
            configs.remove(before)?;
        }
        Ok(self.migrated(&migration, false))
    }

    /// Stores a secret. `value` can be absent when [`PreparedSecret::needs_value`] is false.
    ///
    /// # Errors
    ///
    /// When the value is missing, or the vault fails.
    pub fn put_secret(
        &self,
        prepared: PreparedSecret,
        value: Option<&Secret>,
    ) -> Result<SecretStored, AppError> {
        let needs_value = prepared.needs_value();
        let PreparedSecret { request, vault, hook, overwrites } = prepared;
        let (vault, key) = (vault.as_ref(), request.key.as_str());
        let vaults = &self.models().vaults;
        match value {
            None if needs_value => return Err(AppError::usage("the value of the secret is missing")),
            Some(value) => vaults.put(vault, key, value, &request.labels, CALLER)?,
            None if !overwrites => vaults.put(vault, key, &Secret::new(""), &request.labels, CALLER)?,
            None => {}
        }
        if let Some(mut hook) = hook {
            // A value that was given now is as new as a refreshed one.
            hook.last_refreshed_at = value.is_some().then(now);
            vault.set_refresh_hook(key, Some(&hook))?;
        } else if request.clear_refresh {
            vault.set_refresh_hook(key, None)?;
        }
        if !request.labels.is_empty() && vault.support().annotations {
            let mut annotation = vault.annotation(key)?.unwrap_or_default();
            annotation.labels.get_or_insert_default().extend(request.labels.clone());
            annotation.updated_at = now();
            vault.set_annotation(key, Some(&annotation))?;
        }
        Ok(SecretStored {
            vault_name: vault.name().to_owned(),
            vault_type: vault.vault_type().to_owned(),
            overwritten: overwrites,
            timestamp: now(),
            secret_key: request.key,
            labels: request.labels,
        })
    }

    /// Deletes a secret. One that does not exist is an error unless `ignore_missing`.
    ///
    /// # Errors
    ///
    /// When there is no such vault or secret, or the vault cannot delete secrets.
    pub fn delete_secret(
        &self,
        vault: &str,
        key: &str,
        ignore_missing: bool,
    ) -> Result<SecretDeleted, AppError> {
        let vault = self.models().vaults.open(vault)?;
        let deleted = vault.delete(key)?;
        if deleted {
            self.record(Action::Delete, vault.as_ref(), key)?;
        } else if !ignore_missing {
            return Err(no_such_secret(vault.as_ref(), key).into());
        }
        Ok(SecretDeleted {
            vault_name: vault.name().to_owned(),
            secret_key: key.to_owned(),
            vault_type: vault.vault_type().to_owned(),
            timestamp: now(),
            no_op: !deleted,
        })
    }

    /// Changes what is noted about a secret.
    ///
    /// # Errors
    ///
    /// When there is no such vault or secret, or the vault keeps no annotations.
    pub fn annotate_secret(&self, request: &SecretAnnotateRequest) -> Result<SecretAnnotated, AppError> {
        let vault = self.models().vaults.open(&request.vault)?;
        let key = request.key.as_str();
        if !vault.support().annotations {
            return Err(vault.unsupported("keep annotations").into());
        }
        if !exists(vault.as_ref(), key)? {
            return Err(no_such_secret(vault.as_ref(), key).into());
        }
        let before = if request.clear { None } else { vault.annotation(key)? };
        let mut annotation = before.unwrap_or_default();
        if request.url.is_some() {
            annotation.url.clone_from(&request.url);
        }
        if request.notes.is_some() {
            annotation.notes.clone_from(&request.notes);
        }
        let mut labels = annotation.labels.take().unwrap_or_default();
        labels.extend(request.labels.clone());
        labels.retain(|label, _| !request.remove_labels.contains(label));
        annotation.labels = (!labels.is_empty()).then_some(labels);
        annotation.updated_at = now();
        let kept = (!annotation.is_empty()).then_some(annotation);
        vault.set_annotation(key, kept.as_ref())?;
        self.record(Action::Annotate, vault.as_ref(), key)?;
        Ok(SecretAnnotated {
            vault_name: vault.name().to_owned(),
            secret_key: key.to_owned(),
            vault_type: vault.vault_type().to_owned(),
            annotation: kept.map(annotation_document),
        })
    }

    fn record(&self, action: Action, vault: &dyn Vault, key: &str) -> Result<(), AppError> {
        Ok(self.models().vaults.record(action, vault, key, CALLER)?)
    }
}

/// A vault, before and after a migration.
struct Migration {
    before: VaultConfig,
    after: VaultConfig,
    from: Arc<dyn Vault>,
    to: Arc<dyn Vault>,
    keys: Vec<String>,
}

fn default_config(vault_type: &str) -> Map<String, Value> {
    match vault_type {
        LOCAL_ENCRYPTION => Map::from_iter([("auto_generate".to_owned(), Value::Bool(true))]),
        _ => Map::new(),
    }
}

fn exists(vault: &dyn Vault, key: &str) -> Result<bool, VaultError> {
    match vault.get(key) {
        Ok(_) => Ok(true),
        Err(VaultError::NoSuchSecret { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn no_such_secret(vault: &dyn Vault, key: &str) -> VaultError {
    VaultError::NoSuchSecret { vault: vault.name().to_owned(), key: key.to_owned() }
}

fn annotation_document(annotation: Annotation) -> SecretAnnotation {
    SecretAnnotation {
        url: annotation.url,
        notes: annotation.notes,
        labels: annotation.labels,
        updated_at: annotation.updated_at,
    }
}

fn action_of(action: AuditAction) -> Action {
    match action {
        AuditAction::Get => Action::Get,
        AuditAction::Put => Action::Put,
        AuditAction::Delete => Action::Delete,
        AuditAction::Annotate => Action::Annotate,
    }
}

fn action_document(action: Action) -> AuditAction {
    match action {
        Action::Get => AuditAction::Get,
        Action::Put => AuditAction::Put,
        Action::Delete => AuditAction::Delete,
        Action::Annotate => AuditAction::Annotate,
    }
}

fn now() -> String {
    marsh_types::time::iso_millis(jiff::Timestamp::now())
}
