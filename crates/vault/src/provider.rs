//! The interfaces of vaults and of the providers that open them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Secret, VaultConfig, VaultError};

/// A vault type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultType {
    /// As configuration files write it, e.g. `@acme/kv`.
    pub name: String,
    /// The name in listings.
    pub title: String,
    /// One sentence about the type.
    pub description: String,
    /// JSON Schema of the configuration, where the type declares one.
    pub config_schema: Option<serde_json::Value>,
}

/// Opens vaults of the types that it knows. One provider serves all types that the loader finds in extensions.
pub trait VaultProvider: Send + Sync + std::fmt::Debug {
    /// The types of this provider. Reads declarations; loads no code.
    ///
    /// # Errors
    ///
    /// The declarations cannot be read.
    fn types(&self) -> Result<Vec<VaultType>, VaultError>;

    /// Opens a vault. `None`: this provider does not know the type.
    fn open(&self, config: &VaultConfig) -> Option<Result<Arc<dyn Vault>, VaultError>>;
}

/// The optional groups of operations that a vault supports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Support {
    /// Deleting secrets.
    pub delete: bool,
    /// Annotations of secrets.
    pub annotations: bool,
    /// Commands that refresh secrets.
    pub refresh: bool,
}

/// A user's notes about a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotation {
    /// Where the secret comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Labels, by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// ISO 8601 with milliseconds.
    pub updated_at: String,
}

impl Annotation {
    /// Whether the annotation has no content.
    pub fn is_empty(&self) -> bool {
        self.url.is_none() && self.notes.is_none() && self.labels.as_ref().is_none_or(BTreeMap::is_empty)
    }
}

/// A command whose output replaces a secret that is too old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshHook {
    /// The command line, for `sh -c`.
    pub command: String,
    /// The age at which the secret is refreshed, in milliseconds.
    pub ttl_ms: u64,
    /// The same as the user wrote it, for example `12h`.
    pub ttl: String,
    /// When the command last succeeded: ISO 8601 with milliseconds.
    pub last_refreshed_at: Option<String>,
}

/// One open vault. The operations of a group that [`support`](Self::support) does not list fail with
/// [`VaultError::Unsupported`].
///
/// # Errors
///
/// Every operation fails when the vault's storage or its extension fails.
pub trait Vault: Send + Sync + std::fmt::Debug {
    /// The name in the configuration.
    fn name(&self) -> &str;

    /// The type in the configuration.
    fn vault_type(&self) -> &str;

    /// The optional groups of operations that the vault supports.
    fn support(&self) -> Support {
        Support::default()
    }

    /// Reads a secret; [`VaultError::NoSuchSecret`] if there is none.
    fn get(&self, key: &str) -> Result<Secret, VaultError>;

    /// Stores a secret, or replaces it.
    fn put(&self, key: &str, value: &Secret, tags: &BTreeMap<String, String>) -> Result<(), VaultError>;

    /// The keys, sorted.
    fn list(&self) -> Result<Vec<String>, VaultError>;

    /// Deletes a secret. `false`: there was none.
    fn delete(&self, _key: &str) -> Result<bool, VaultError> {
        Err(self.unsupported("delete secrets"))
    }

    /// Reads the annotation of a secret.
    fn annotation(&self, _key: &str) -> Result<Option<Annotation>, VaultError> {
        Ok(None)
    }

    /// Replaces the annotation of a secret; `None` removes it.
    fn set_annotation(&self, _key: &str, _annotation: Option<&Annotation>) -> Result<(), VaultError> {
        Err(self.unsupported("keep annotations"))
    }

    /// Reads the command that refreshes a secret.
    fn refresh_hook(&self, _key: &str) -> Result<Option<RefreshHook>, VaultError> {
        Ok(None)
    }

    /// Replaces the command that refreshes a secret; `None` removes it.
    fn set_refresh_hook(&self, _key: &str, _hook: Option<&RefreshHook>) -> Result<(), VaultError> {
        Err(self.unsupported("refresh secrets"))
    }

    /// The error for an operation that the vault does not support.
    fn unsupported(&self, what: &'static str) -> VaultError {
        VaultError::Unsupported { vault_type: self.vault_type().to_owned(), what }
    }
}
