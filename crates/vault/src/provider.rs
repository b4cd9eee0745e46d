//! What a vault can do, and what opens vaults.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Secret, VaultConfig, VaultError};

/// A type of vaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultType {
    /// As configuration files write it, e.g. `@acme/kv`.
    pub name: String,
    /// What people call it.
    pub title: String,
    pub description: String,
    /// JSON Schema of the configuration, where the type declares one.
    pub config_schema: Option<serde_json::Value>,
}

/// Opens vaults of the types it knows. Extensions join here: one provider for all types that the loader finds.
pub trait VaultProvider: Send + Sync + std::fmt::Debug {
    /// Reads declarations only; loads no code.
    fn types(&self) -> Vec<VaultType>;

    /// `None`: the type is not one of this provider.
    fn open(&self, config: &VaultConfig) -> Option<Result<Arc<dyn Vault>, VaultError>>;
}

/// Which of the optional groups of operations a vault has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Support {
    pub delete: bool,
    pub annotations: bool,
    pub refresh: bool,
}

/// What people note about a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    pub updated_at: String,
}

impl Annotation {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.url.is_none() && self.notes.is_none() && self.labels.as_ref().is_none_or(BTreeMap::is_empty)
    }
}

/// A command whose output replaces a secret when that has become too old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshHook {
    pub command: String,
    pub ttl_ms: u64,
    pub ttl: String,
    pub last_refreshed_at: Option<String>,
}

/// One open vault. The optional groups answer [`VaultError::Unsupported`] where [`support`](Self::support) says no.
pub trait Vault: Send + Sync + std::fmt::Debug {
    /// The name in the configuration.
    fn name(&self) -> &str;

    fn vault_type(&self) -> &str;

    fn support(&self) -> Support {
        Support::default()
    }

    /// [`VaultError::NoSuchSecret`] when there is none.
    fn get(&self, key: &str) -> Result<Secret, VaultError>;

    fn put(&self, key: &str, value: &Secret, tags: &BTreeMap<String, String>) -> Result<(), VaultError>;

    /// The keys, sorted.
    fn list(&self) -> Result<Vec<String>, VaultError>;

    /// `false`: there was none.
    fn delete(&self, _key: &str) -> Result<bool, VaultError> {
        Err(self.unsupported("delete secrets"))
    }

    fn annotation(&self, _key: &str) -> Result<Option<Annotation>, VaultError> {
        Ok(None)
    }

    /// `None` removes it.
    fn set_annotation(&self, _key: &str, _annotation: Option<&Annotation>) -> Result<(), VaultError> {
        Err(self.unsupported("keep annotations"))
    }

    fn refresh_hook(&self, _key: &str) -> Result<Option<RefreshHook>, VaultError> {
        Ok(None)
    }

    /// `None` removes it.
    fn set_refresh_hook(&self, _key: &str, _hook: Option<&RefreshHook>) -> Result<(), VaultError> {
        Err(self.unsupported("refresh secrets"))
    }

    fn unsupported(&self, what: &'static str) -> VaultError {
        VaultError::Unsupported { vault_type: self.vault_type().to_owned(), what }
    }
}
