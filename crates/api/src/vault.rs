//! Documents and requests about vaults and secrets.
//!
//! One document holds the value of a secret: [`SecretDocument`], the answer to a request for just that. Requests hold none:
//! an interface hands a value to the operation beside the request, so that no request that is logged shows it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::model::EditStatus;

/// A vault to create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultCreateRequest {
    /// The type, for example `local_encryption`.
    #[serde(rename = "type")]
    pub vault_type: String,
    /// The name; absent: the last part of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The configuration; absent: the default of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Map<String, Value>>,
    /// Whether the audit trail records each reading of a secret.
    #[serde(default)]
    pub audit_reads: bool,
}

/// A vault that was created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultCreated {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub vault_type: String,
    /// The title of the type, for people.
    pub type_name: String,
    /// Its configuration.
    pub config: Map<String, Value>,
    /// The file of the configuration, relative to the repository; for people only.
    #[serde(skip)]
    pub path: String,
}

/// The vault types that a query found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VaultTypeSearch {
    /// The text that the names contain; empty: all types.
    pub query: String,
    /// The types. When no name contains the query: the nearest names.
    pub results: Vec<VaultTypeRow>,
}

/// A vault type in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultTypeRow {
    /// Its name in configurations.
    #[serde(rename = "type")]
    pub vault_type: String,
    /// Its title, for people.
    pub name: String,
    /// What it is.
    pub description: String,
    /// JSON Schema of its configuration; `null` when the type declares none.
    pub config_schema: Option<Value>,
}

/// The vaults that a query found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VaultSearch {
    /// The text that name or type contain; empty: all vaults.
    pub query: String,
    /// The vaults.
    pub results: Vec<VaultRow>,
    /// Configuration files that cannot be read, for people only.
    #[serde(skip)]
    pub problems: Vec<String>,
}

/// A vault in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub vault_type: String,
    /// ISO 8601.
    pub created_at: String,
}

/// The configuration of a vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultDocument {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub vault_type: String,
    /// Its configuration.
    pub config: Map<String, Value>,
    /// ISO 8601.
    pub created_at: String,
    /// Whether the audit trail records each reading of a secret.
    pub audit_reads: bool,
    /// The file of the configuration, relative to the repository.
    pub storage_path: String,
}

/// A vault whose configuration was edited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VaultEdited {
    /// The file of the configuration, relative to the repository.
    pub path: String,
    /// The editor that was used; `null` when the text came from standard input.
    pub editor: Option<String>,
    /// Always `updated`.
    pub status: EditStatus,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub vault_type: String,
}

/// A vault whose secrets move to another type or configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultMigrateRequest {
    /// Name or id of the vault.
    pub vault: String,
    /// The new type.
    pub to_type: String,
    /// The new configuration; absent: the default of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Map<String, Value>>,
}

/// A vault whose secrets moved, or would move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultMigrated {
    /// The name of the vault.
    pub vault_name: String,
    /// The type that it had.
    pub previous_type: String,
    /// The type that it has.
    pub new_type: String,
    /// The title of the new type, for people.
    pub new_type_name: String,
    /// How many secrets moved.
    pub secrets_migrated: usize,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// When, in ISO 8601.
    pub timestamp: String,
}

/// A secret to store, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretPutRequest {
    /// Name or id of the vault.
    pub vault: String,
    /// The key of the secret.
    pub key: String,
    /// Labels to set.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How the secret is refreshed from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshRequest>,
    /// Whether the secret is not refreshed any more.
    #[serde(default)]
    pub clear_refresh: bool,
}

/// How a secret is refreshed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefreshRequest {
    /// A shell command; what it prints becomes the secret.
    pub command: String,
    /// How old the secret may become: `30m`, `12h`.
    pub ttl: String,
}

/// A secret that was stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretStored {
    /// The name of the vault.
    pub vault_name: String,
    /// The key of the secret.
    pub secret_key: String,
    /// The type of the vault.
    pub vault_type: String,
    /// Whether there was one before.
    pub overwritten: bool,
    /// When, in ISO 8601.
    pub timestamp: String,
    /// The labels of the request; absent when it has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// The value of a secret. `Debug` does not show it, and its memory is cleared when it is dropped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(#[serde(with = "secret_text")] Zeroizing<String>);

impl SecretText {
    /// A value to show.
    pub fn new(value: &str) -> SecretText {
        SecretText(Zeroizing::new(value.to_owned()))
    }

    /// The value, for an interface that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(***)")
    }
}

impl JsonSchema for SecretText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

/// serde for text that clears its memory.
mod secret_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(text: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(from).map(Zeroizing::new)
    }
}

/// A secret, with its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretDocument {
    /// The name of the vault.
    pub vault_name: String,
    /// The key of the secret.
    pub secret_key: String,
    /// The type of the vault.
    pub vault_type: String,
    /// The value.
    pub value: SecretText,
}

/// The keys of the secrets in a vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeys {
    /// The name of the vault.
    pub vault_name: String,
    /// Its type.
    pub vault_type: String,
    /// The keys, sorted.
    pub secret_keys: Vec<String>,
    /// How many there are.
    pub count: usize,
}

/// What is known of a secret, without its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretInspection {
    /// The name of the vault.
    pub vault_name: String,
    /// The key of the secret.
    pub secret_key: String,
    /// The type of the vault.
    pub vault_type: String,
    /// The size of the value in bytes.
    pub size_bytes: usize,
    /// The size of the value in characters.
    pub size_chars: usize,
    /// Whether the value is a JSON object or array, or other text.
    pub value_type: SecretValueType,
    /// Whether the vault keeps annotations.
    pub supports_annotations: bool,
    /// Whether the secret has one.
    pub has_annotation: bool,
    /// The annotation.
    pub annotation: Option<SecretAnnotation>,
    /// Whether the vault refreshes secrets.
    pub supports_refresh_hooks: bool,
    /// Whether this one is refreshed.
    pub has_refresh_hook: bool,
    /// How.
    pub refresh_hook: Option<SecretRefresh>,
}

/// What a secret's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretValueType {
    /// A JSON object or array.
    Json,
    /// Any other text.
    String,
}

/// What people noted about a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretAnnotation {
    /// An address where people find out more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// ISO 8601.
    pub updated_at: String,
}

/// How a secret is refreshed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRefresh {
    /// A shell command; what it prints becomes the secret.
    pub command: String,
    /// How old the secret may become, in milliseconds.
    pub ttl_ms: u64,
    /// The same as the user wrote it.
    pub ttl: String,
    /// ISO 8601; `null` before the first time.
    pub last_refreshed_at: Option<String>,
}

/// A secret that was deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretDeleted {
    /// The name of the vault.
    pub vault_name: String,
    /// The key of the secret.
    pub secret_key: String,
    /// The type of the vault.
    pub vault_type: String,
    /// When, in ISO 8601.
    pub timestamp: String,
    /// Whether there was no such secret.
    pub no_op: bool,
}

/// A change of what is noted about a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretAnnotateRequest {
    /// Name or id of the vault.
    pub vault: String,
    /// The key of the secret.
    pub key: String,
    /// The new address; absent: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The new text; absent: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Labels to set.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Labels to remove.
    #[serde(default)]
    pub remove_labels: Vec<String>,
    /// Whether everything that was noted before is removed first.
    #[serde(default)]
    pub clear: bool,
}

/// A secret whose annotation was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretAnnotated {
    /// The name of the vault.
    pub vault_name: String,
    /// The key of the secret.
    pub secret_key: String,
    /// The type of the vault.
    pub vault_type: String,
    /// The annotation; `null` when nothing is left of it.
    pub annotation: Option<SecretAnnotation>,
}

/// What was done to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditAction {
    /// It was read.
    Get,
    /// It was stored.
    Put,
    /// It was deleted.
    Delete,
    /// Its annotation was changed.
    Annotate,
}

impl AuditAction {
    /// The word that documents and the trail use.
    pub fn as_str(self) -> &'static str {
        match self {
            AuditAction::Get => "get",
            AuditAction::Put => "put",
            AuditAction::Delete => "delete",
            AuditAction::Annotate => "annotate",
        }
    }
}

/// Which entries of the audit trail to show. An absent condition is always met.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditTrailRequest {
    /// The name of the vault.
    pub vault: Option<String>,
    /// The key of the secret.
    pub key: Option<String>,
    /// What was done.
    pub action: Option<AuditAction>,
    /// ISO 8601, inclusive.
    pub since: Option<String>,
    /// ISO 8601, inclusive.
    pub until: Option<String>,
    /// How many entries the answer holds at most.
    pub limit: usize,
}

/// What was done to secrets, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditTrail {
    /// The entries, up to the limit.
    pub entries: Vec<AuditEntry>,
    /// How many are here.
    pub returned_count: usize,
    /// Whether there are more.
    pub truncated: bool,
}

/// An entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// What was done.
    pub action: AuditAction,
    /// When, in ISO 8601.
    pub timestamp: String,
    /// The name of the vault.
    pub vault_name: String,
    /// Its type.
    pub vault_type: String,
    /// The key of the secret.
    pub secret_key: String,
    /// The command or the run that did it.
    pub caller_context: String,
}

#[cfg(test)]
mod tests {
    use super::{SecretDocument, SecretText};

    #[test]
    fn secret_document_shows_its_value_in_json_only() {
        let document = SecretDocument {
            vault_name: "main".into(),
            secret_key: "key".into(),
            vault_type: "local_encryption".into(),
            value: SecretText::new("hunter2"),
        };
        assert!(!format!("{document:?}").contains("hunter2"));
        let text = serde_json::to_string(&document).unwrap();
        assert!(text.ends_with(r#""value":"hunter2"}"#), "{text}");
        assert_eq!(serde_json::from_str::<SecretDocument>(&text).unwrap(), document);
    }
}
