//! The vaults of a repository.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use marsh_types::time::iso_millis;
use serde_json::{Value, json};

use crate::audit::{Action, Audit, AuditEntry};
use crate::local::{LOCAL_ENCRYPTION, LocalEncryption};
use crate::{
    ConfigStore, Reference, Secret, Secrets, Vault, VaultConfig, VaultError, VaultProvider, VaultType,
};
use crate::{render, whole_reference};

/// Types that extensions provide now.
const RENAMED: [(&str, &str); 3] =
    [("aws", "@swamp/aws-sm"), ("azure", "@swamp/azure-kv"), ("1password", "@swamp/1password")];

/// The directories of a repository that vaults use.
#[derive(Debug, Clone)]
pub struct VaultLayout {
    /// The repository.
    pub repo: PathBuf,
    /// `<repository>/vaults`.
    pub configs: PathBuf,
    /// `<repository>/.swamp/audit`.
    pub audit: PathBuf,
    /// The directory for `~`.
    pub home: Option<PathBuf>,
}

/// Opens vaults by name, and resolves references of expressions and stored data. The threads of a command share it.
#[derive(Debug)]
pub struct Vaults {
    layout: VaultLayout,
    configs: ConfigStore,
    audit: Audit,
    provider: Option<Arc<dyn VaultProvider>>,
    default: Option<String>,
    open: Mutex<BTreeMap<String, Arc<dyn Vault>>>,
    /// Values that were fetched: a command fetches each once.
    known: Mutex<BTreeMap<(String, String), Secret>>,
}

impl Vaults {
    /// `default` is the marker's `defaultVault`; `provider` opens vaults whose type is not built in.
    pub fn new(
        layout: VaultLayout,
        default: Option<String>,
        provider: Option<Arc<dyn VaultProvider>>,
    ) -> Vaults {
        Vaults {
            configs: ConfigStore::new(&layout.configs),
            audit: Audit::new(&layout.audit),
            layout,
            provider,
            default,
            open: Mutex::default(),
            known: Mutex::default(),
        }
    }

    /// The configuration files.
    pub fn configs(&self) -> &ConfigStore {
        &self.configs
    }

    /// The audit trail.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// All vault types, built-in ones first.
    ///
    /// # Errors
    ///
    /// The declarations of extensions cannot be read.
    pub fn types(&self) -> Result<Vec<VaultType>, VaultError> {
        let mut types = vec![VaultType {
            name: LOCAL_ENCRYPTION.to_owned(),
            title: "Local encryption".to_owned(),
            description: "Encrypted files below the repository".to_owned(),
            config_schema: Some(json!({
                "type": "object",
                "properties": {
                    "auto_generate": { "type": "boolean", "description": "generate a key in the vault's directory" },
                    "key_file": { "type": "string", "description": "the path of the key, if it is elsewhere" },
                    "ssh_key_path": { "type": "string", "description": "an SSH private key to derive keys from" },
                    "base_dir": { "type": "string", "description": "the directory that holds `.swamp/secrets`" },
                },
                "additionalProperties": false,
            })),
        }];
        if let Some(provider) = &self.provider {
            types.extend(provider.types()?);
        }
        Ok(types)
    }

    /// Opens the vault of this name.
    ///
    /// # Errors
    ///
    /// There is no such vault, or its configuration is invalid.
    pub fn open(&self, name: &str) -> Result<Arc<dyn Vault>, VaultError> {
        if let Some(vault) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Arc::clone(vault));
        }
        let vault = self.open_config(&self.configs.find(name)?)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(open.entry(name.to_owned()).or_insert(vault)))
    }

    /// Opens a vault with this configuration, which need not be stored.
    ///
    /// # Errors
    ///
    /// The type is unknown, or the configuration is invalid.
    pub fn open_config(&self, config: &VaultConfig) -> Result<Arc<dyn Vault>, VaultError> {
        if config.vault_type == LOCAL_ENCRYPTION {
            let vault = LocalEncryption::open(config, &self.layout.repo, self.layout.home.as_deref())?;
            return Ok(Arc::new(vault));
        }
        match self.provider.as_ref().and_then(|provider| provider.open(config)) {
            Some(opened) => opened,
            None => Err(VaultError::UnknownType {
                name: config.vault_type.clone(),
                known: self.types()?.into_iter().map(|known| known.name).collect(),
                renamed_to: RENAMED.iter().find(|(old, _)| *old == config.vault_type).map(|(_, now)| *now),
            }),
        }
    }

    /// The vault for a sensitive output: the wanted one, else the default, else the first.
    ///
    /// # Errors
    ///
    /// There is no such vault, or none at all.
    pub fn for_output(&self, wanted: Option<&str>) -> Result<String, VaultError> {
        if let Some(name) = wanted.or(self.default.as_deref()) {
            return Ok(self.configs.find(name)?.name);
        }
        let (configs, problems) = self.configs.list();
        let first = configs.into_iter().find(|config| !config.is_internal());
        let none = || problems.into_iter().next().unwrap_or(VaultError::NoVaults);
        first.map(|config| config.name).ok_or_else(none)
    }

    /// The secret of a reference. It is refreshed if that is due, and fetched once in a command. If the refresh fails, the
    /// old value is returned and `warn` gets the reason.
    ///
    /// # Errors
    ///
    /// There is no such vault or secret, or the vault failed.
    pub fn resolve(
        &self,
        reference: &Reference,
        caller: &str,
        warn: &mut dyn FnMut(String),
    ) -> Result<Secret, VaultError> {
        let name = (reference.vault.clone(), reference.key.clone());
        if let Some(secret) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Ok(secret.clone());
        }
        let config = self.configs.find(&reference.vault)?;
        let vault = self.open(&config.name)?;
        let refreshed = self.refresh(vault.as_ref(), &reference.key, caller, warn)?;
        let secret = match refreshed {
            Some(secret) => secret,
            None => vault.get(&reference.key)?,
        };
        if config.audit_reads == Some(true) {
            self.record(Action::Get, vault.as_ref(), &reference.key, caller)?;
        }
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, secret.clone());
        Ok(secret)
    }

    fn refresh(
        &self,
        vault: &dyn Vault,
        key: &str,
        caller: &str,
        warn: &mut dyn FnMut(String),
    ) -> Result<Option<Secret>, VaultError> {
        if !vault.support().refresh {
            return Ok(None);
        }
        let Some(mut hook) = vault.refresh_hook(key)? else { return Ok(None) };
        let now = jiff::Timestamp::now();
        if !hook.is_due(now) {
            return Ok(None);
        }
        match hook.run() {
            Ok(secret) => {
                self.put(vault, key, &secret, &BTreeMap::new(), caller)?;
                hook.last_refreshed_at = Some(iso_millis(now));
                vault.set_refresh_hook(key, Some(&hook))?;
                Ok(Some(secret))
            }
            Err(reason) => {
                let vault = vault.name();
                warn(format!(
                    "`{key}` of vault `{vault}` was not refreshed: {reason}; the old value is used"
                ));
                Ok(None)
            }
        }
    }

    /// Stores a secret and notes it in the audit trail.
    ///
    /// # Errors
    ///
    /// The vault failed, or the audit trail cannot be written.
    pub fn put(
        &self,
        vault: &dyn Vault,
        key: &str,
        secret: &Secret,
        tags: &BTreeMap<String, String>,
        caller: &str,
    ) -> Result<(), VaultError> {
        vault.put(key, secret, tags)?;
        let name = (vault.name().to_owned(), key.to_owned());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, secret.clone());
        self.record(Action::Put, vault, key, caller)
    }

    /// Deletes a secret and notes it in the audit trail. `false`: there was none.
    ///
    /// # Errors
    ///
    /// The vault failed or cannot delete, or the audit trail cannot be written.
    pub fn delete(&self, vault: &dyn Vault, key: &str, caller: &str) -> Result<bool, VaultError> {
        let existed = vault.delete(key)?;
        let name = (vault.name().to_owned(), key.to_owned());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        if existed {
            self.record(Action::Delete, vault, key, caller)?;
        }
        Ok(existed)
    }

    /// The vault that the marker names as the default.
    pub fn default_name(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Notes an action in the audit trail.
    ///
    /// # Errors
    ///
    /// The audit trail cannot be written.
    pub fn record(
        &self,
        action: Action,
        vault: &dyn Vault,
        key: &str,
        caller: &str,
    ) -> Result<(), VaultError> {
        self.audit.record(&AuditEntry {
            action,
            timestamp: iso_millis(jiff::Timestamp::now()),
            vault_name: vault.name().to_owned(),
            vault_type: vault.vault_type().to_owned(),
            secret_key: key.to_owned(),
            caller_context: caller.to_owned(),
        })
    }

    /// Replaces the calls of `vault.get` in an expression by string literals that hold sentinels. `None`: there are no calls.
    ///
    /// # Errors
    ///
    /// A secret cannot be resolved.
    pub fn hold(
        &self,
        expression: &str,
        secrets: &Secrets,
        caller: &str,
        warn: &mut dyn FnMut(String),
    ) -> Result<Option<String>, VaultError> {
        let calls = Reference::calls(expression);
        if calls.is_empty() {
            return Ok(None);
        }
        let mut held = expression.to_owned();
        for (range, reference) in calls.into_iter().rev() {
            let secret = self.resolve(&reference, caller, warn)?;
            held.replace_range(range, &format!("\"{}\"", secrets.hold(&secret)));
        }
        Ok(Some(held))
    }

    /// Replaces the references that [`render`] wrote by their secrets, and tracks those. `true`: there were references.
    ///
    /// # Errors
    ///
    /// A secret cannot be resolved.
    pub fn resolve_stored(
        &self,
        value: &mut Value,
        secrets: &Secrets,
        caller: &str,
    ) -> Result<bool, VaultError> {
        Ok(match value {
            Value::String(text) => match whole_reference(text) {
                Some(reference) => {
                    let secret = self.resolve(&reference, caller, &mut |_| {})?;
                    secrets.track(&secret);
                    *text = secret.expose().to_owned();
                    true
                }
                None => false,
            },
            Value::Array(items) => self.resolve_each(items.iter_mut(), secrets, caller)?,
            Value::Object(map) => self.resolve_each(map.values_mut(), secrets, caller)?,
            _ => false,
        })
    }

    fn resolve_each<'v>(
        &self,
        values: impl Iterator<Item = &'v mut Value>,
        secrets: &Secrets,
        caller: &str,
    ) -> Result<bool, VaultError> {
        let mut any = false;
        for value in values {
            any |= self.resolve_stored(value, secrets, caller)?;
        }
        Ok(any)
    }

    /// Stores a sensitive value of a model and returns the reference that replaces it.
    ///
    /// # Errors
    ///
    /// The vault failed, or the audit trail cannot be written.
    pub fn store_output(
        &self,
        vault: &str,
        key: &str,
        value: &Value,
        secrets: &Secrets,
        caller: &str,
    ) -> Result<String, VaultError> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let secret = Secret::new(text);
        secrets.track(&secret);
        let opened = self.open(vault)?;
        self.put(opened.as_ref(), key, &secret, &BTreeMap::new(), caller)?;
        Ok(render(opened.name(), key))
    }
}
