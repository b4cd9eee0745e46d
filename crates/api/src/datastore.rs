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
