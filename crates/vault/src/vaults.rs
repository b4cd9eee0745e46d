//! All the vaults of a repository.

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

/// Types that have become extensions.
const RENAMED: [(&str, &str); 3] =
    [("aws", "@swamp/aws-sm"), ("azure", "@swamp/azure-kv"), ("1password", "@swamp/1password")];

/// Where a repository keeps what vaults need.
#[derive(Debug, Clone)]
pub struct VaultLayout {
    pub repo: PathBuf,
    /// `<repository>/vaults`.
    pub configs: PathBuf,
    /// `<repository>/.swamp/audit`.
    pub audit: PathBuf,
    /// Where `~` leads.
    pub home: Option<PathBuf>,
}

/// Opens vaults by name, and gets what expressions and stored data ask for. Shared by the threads of a command.
#[derive(Debug)]
pub struct Vaults {
    layout: VaultLayout,
    configs: ConfigStore,
    audit: Audit,
    provider: Option<Arc<dyn VaultProvider>>,
    default: Option<String>,
    open: Mutex<BTreeMap<String, Arc<dyn Vault>>>,
    /// Values that were asked for; each is fetched once in a command.
    known: Mutex<BTreeMap<(String, String), Secret>>,
}

impl Vaults {
    /// `default` is the marker's `defaultVault`; `provider` opens what is not built in.
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

    pub fn configs(&self) -> &ConfigStore {
        &self.configs
    }

    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Every type there is, built-in ones first.
    pub fn types(&self) -> Vec<VaultType> {
        let mut types = vec![VaultType {
            name: LOCAL_ENCRYPTION.to_owned(),
            title: "Local encryption".to_owned(),
            description: "Encrypted files below the repository".to_owned(),
            config_schema: Some(json!({
                "type": "object",
                "properties": {
                    "auto_generate": { "type": "boolean", "description": "make a key in the vault's directory" },
                    "key_file": { "type": "string", "description": "where the key is, if not there" },
                    "ssh_key_path": { "type": "string", "description": "an SSH key to derive keys from" },
                    "base_dir": { "type": "string", "description": "the directory of `.swamp/secrets`" },
                },
                "additionalProperties": false,
            })),
        }];
        if let Some(provider) = &self.provider {
            types.extend(provider.types());
        }
        types
    }

    /// The vault of this name, open.
    pub fn open(&self, name: &str) -> Result<Arc<dyn Vault>, VaultError> {
        if let Some(vault) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Arc::clone(vault));
        }
        let vault = self.open_config(&self.configs.find(name)?)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(open.entry(name.to_owned()).or_insert(vault)))
    }

    /// A vault of this configuration, which need not be stored.
    pub fn open_config(&self, config: &VaultConfig) -> Result<Arc<dyn Vault>, VaultError> {
        if config.vault_type == LOCAL_ENCRYPTION {
            let vault = LocalEncryption::open(config, &self.layout.repo, self.layout.home.as_deref())?;
            return Ok(Arc::new(vault));
        }
        match self.provider.as_ref().and_then(|provider| provider.open(config)) {
            Some(opened) => opened,
            None => Err(VaultError::UnknownType {
                name: config.vault_type.clone(),
                known: self.types().into_iter().map(|known| known.name).collect(),
                renamed_to: RENAMED.iter().find(|(old, _)| *old == config.vault_type).map(|(_, now)| *now),
            }),
        }
    }

    /// Where a sensitive output goes: the vault that was asked for, else the default, else the first one.
    pub fn for_output(&self, wanted: Option<&str>) -> Result<String, VaultError> {
        if let Some(name) = wanted.or(self.default.as_deref()) {
            return Ok(self.configs.find(name)?.name);
        }
        let (configs, _) = self.configs.list();
        let first = configs.into_iter().find(|config| !config.is_internal());
        first.map(|config| config.name).ok_or(VaultError::NoVaults)
    }

    /// What an expression asks for: refreshed if that is due, and fetched once in a command. `warn` is told why a value
    /// could not be refreshed; the old one then serves.
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
                warn(format!("`{key}` of vault `{vault}` was not refreshed: {reason}; the old value serves"));
                Ok(None)
            }
        }
    }

    /// Stores a secret, and notes that in the audit trail.
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

    /// Notes an action in the audit trail.
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

    /// Replaces the calls of `vault.get` in an expression by string literals of sentinels. `None`: there is none.
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

    /// Puts secrets in the place of the references that [`render`] wrote, and tracks them. `true`: there were some.
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

    /// Stores what a model marks as sensitive, and returns the reference that takes its place.
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
