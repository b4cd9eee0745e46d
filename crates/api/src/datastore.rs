//! Documents and requests about the datastore: where data are, and how they get there.

use marsh_types::Origin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where the data of a repository are, and whether the datastore works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreStatus {
    /// `filesystem`, or the type of an extension.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The directory of the data, or of this machine's copy of them.
    pub path: String,
    /// The trees that are in the datastore; all others are in the repository.
    pub directories: Vec<String>,
    /// Whether this machine has changes that the datastore lacks; absent for `filesystem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpushed_changes: Option<bool>,
    /// How long the datastore took to answer, in milliseconds; absent when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// What else the extension reports; absent when it did not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Whether it works.
    pub healthy: bool,
    /// Why not, for people.
    pub message: String,
}

/// In which direction changes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyncMode {
    /// From the datastore to this machine.
    Pull,
    /// From this machine to the datastore.
    Push,
    /// Both: first pull, then push.
    Sync,
}

/// A request to pull, push or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreSyncRequest {
    /// The direction.
    pub mode: SyncMode,
    /// How long each direction may take, in milliseconds; absent: the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What was pulled and pushed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreSynced {
    /// The direction.
    pub mode: SyncMode,
    /// How many files were pulled; absent when the extension does not count them or nothing was pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_pulled: Option<u64>,
    /// How many files were pushed; absent when the extension does not count them or nothing was pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_pushed: Option<u64>,
}

/// Whether the datastore's lock is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreLock {
    /// Whether it is held.
    pub held: bool,
    /// What the extension reports about the holder; `null` when the lock is free.
    pub info: Option<Value>,
    /// The type of the datastore.
    pub datastore_type: String,
}

/// A datastore's lock that was taken from its holder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreLockReleased {
    /// Whether it was held.
    pub released: bool,
    /// What the extension reports about the former holder; `null` when the lock was free.
    pub info: Option<Value>,
    /// The type of the datastore.
    pub datastore_type: String,
    /// Why nothing was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The datastore types that a query found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatastoreTypeSearch {
    /// The text that the names contain; empty: all types.
    pub query: String,
    /// The types.
    pub results: Vec<DatastoreTypeRow>,
}

/// A datastore type in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatastoreTypeRow {
    /// The name as the source spells it.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Where the source comes from.
    pub origin: Origin,
    /// The source file.
    pub path: String,
}

/// Data were moved to another place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreMoved {
    /// `filesystem`, or the type of an extension.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The directory of the data now, or of this machine's copy of them.
    pub path: String,
    /// How many files were copied.
    pub files_copied: u64,
    /// How many files came from the datastore of an extension, if it counts them.
    pub files_pulled: u64,
    /// How many bytes were copied.
    pub bytes_copied: u64,
    /// The trees that had files.
    pub directories_migrated: Vec<String>,
    /// Always empty: a move that fails is an error, and changes nothing.
    pub errors: Vec<String>,
    /// The directory of the data before.
    pub source_path: String,
    /// The directory of the data now.
    pub destination_path: String,
    /// Files that stayed, and what else needs attention.
    pub warnings: Vec<String>,
}

/// A namespace was set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSet {
    /// The namespace.
    pub namespace: String,
    /// The directory that repositories share.
    pub datastore_path: String,
    /// Files that stayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Always false: the namespace is registered in the datastore.
    pub registration_skipped: bool,
    /// The trees that were moved into the namespace.
    pub migrated_directories: Vec<String>,
    /// How many files were moved.
    pub total_files: u64,
}

/// Data were moved into the namespace, or out of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceMigrated {
    /// The namespace.
    pub namespace: String,
    /// The directory that repositories share.
    pub datastore_path: String,
    /// Whether data were moved out; the repository has no namespace then.
    pub reverse: bool,
    /// The trees that were moved.
    pub migrated_directories: Vec<String>,
    /// How many files were moved.
    pub total_files: u64,
    /// How many bytes.
    pub total_bytes: u64,
    /// Always false: datastores of extensions have no namespaces.
    pub is_extension_datastore: bool,
    /// Files that stayed.
    pub warnings: Vec<String>,
}

/// The namespace was removed, and its data moved out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceUnset {
    /// The namespace before.
    pub previous_namespace: String,
    /// The trees that were moved.
    pub migrated_directories: Vec<String>,
    /// How many files were moved.
    pub total_files: u64,
    /// Files that stayed.
    pub warnings: Vec<String>,
}

/// The namespaces of a shared datastore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceList {
    /// The namespaces, by name.
    pub namespaces: Vec<NamespaceRow>,
    /// This repository's; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_namespace: Option<String>,
}

/// A namespace in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceRow {
    /// The name.
    pub namespace: String,
    /// The repository that registered it.
    pub repo_id: String,
    /// When, ISO 8601.
    pub registered_at: String,
    /// Whether it is this repository's.
    pub is_current: bool,
}

/// The catalog of data was compacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreCompacted {
    /// Always 0: the catalog has no write-ahead log.
    pub wal_pages_total: u64,
    /// Always 0.
    pub wal_pages_checkpointed: u64,
    /// How many bytes the file is smaller.
    pub db_bytes_reclaimed: u64,
    /// Whether another process held the catalog, and it stayed as it was.
    pub vacuum_skipped: bool,
}

/// The index of the datastore of an extension is current.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexMigrated {
    /// The type of the datastore.
    pub datastore_type: String,
    /// Always false: marsh keeps no index of its own in a datastore.
    pub migrated: bool,
    /// The same, for people.
    pub message: String,
}

/// The catalogs of other namespaces were pulled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogPulled {
    /// The namespaces that were asked for.
    pub namespaces: Vec<String>,
    /// How many files were pulled, if the extension counts them.
    pub files_pulled: u64,
}
