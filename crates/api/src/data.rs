//! Documents and requests about data: the results that methods wrote.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One version of a datum, with its content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataDocument {
    /// The id of the version.
    pub id: String,
    /// The name of the datum; after a rename the new one.
    pub name: String,
    /// The id of the definition.
    pub model_id: String,
    /// Its name.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The version.
    pub version: u32,
    /// The media type.
    pub content_type: String,
    /// How long the datum lives: `infinite`, `ephemeral`, `workflow`, `job` or an age (`30d`).
    pub lifetime: String,
    /// Which versions are kept: a number of versions, or an age.
    pub garbage_collection: Value,
    /// Whether the content grows while the method runs.
    pub streaming: bool,
    /// The tags, in the order in which they were set.
    pub tags: Map<String, Value>,
    /// What wrote it.
    pub owner_definition: DataOwner,
    /// ISO 8601.
    pub created_at: String,
    /// The size of the content in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of the content, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// `deleted` when this version says that the datum was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    /// The new name of a datum that was renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
    /// The file of the content, relative to the repository; `null` when the content is in memory only.
    pub content_path: Option<String>,
    /// The content: JSON as JSON, text as text, `null` for other bytes. Absent with `--no-content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
}

/// What wrote a datum. A later writer must have the same type and reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataOwner {
    /// `model-method` for the methods of models.
    pub owner_type: String,
    /// The id of the definition.
    pub owner_ref: String,
    /// SHA-256 of the definition when it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_hash: Option<String>,
    /// The id of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// The id of the workflow run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_run_id: Option<String>,
    /// The name of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_name: Option<String>,
    /// The job of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// The step of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_name: Option<String>,
    /// What else is known of the writer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// The data of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataList {
    /// The id of the definition.
    pub model_id: String,
    /// Its name.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// Always empty: marsh has one namespace.
    pub namespace: String,
    /// The data, by kind.
    pub groups: Vec<DataGroup>,
    /// How many data there are.
    pub total: usize,
}

/// The data of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataGroup {
    /// `resource`, `file`, `report`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The newest version of each datum.
    pub items: Vec<DataItem>,
}

/// The newest version of a datum in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataItem {
    /// The id of the version.
    pub id: String,
    /// The name of the datum.
    pub name: String,
    /// The version.
    pub version: u32,
    /// The media type.
    pub content_type: String,
    /// `resource`, `file`, `report`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether the content grows while the method runs.
    pub streaming: bool,
    /// The size of the content in bytes; `null` when it is unknown.
    pub size: Option<u64>,
    /// ISO 8601.
    pub created_at: String,
}

/// The versions of one datum, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataVersions {
    /// The name of the datum.
    pub data_name: String,
    /// The id of the definition.
    pub model_id: String,
    /// Its name.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The versions.
    pub versions: Vec<DataVersionRow>,
    /// How many there are.
    pub total: usize,
}

/// A version in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataVersionRow {
    /// The version.
    pub version: u32,
    /// ISO 8601.
    pub created_at: String,
    /// The size of the content in bytes; `null` when it is unknown.
    pub size: Option<u64>,
    /// SHA-256 of the content, in hexadecimal; `null` when it is unknown.
    pub checksum: Option<String>,
    /// Whether readers get this version by default.
    pub is_latest: bool,
}

/// Which data to find. An absent condition is always met.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DataSearchRequest {
    /// Text that the name of the datum or of its model contains.
    pub query: Option<String>,
    /// `resource`, `file`, `report`, …
    pub kind: Option<String>,
    /// The lifetime as the type declares it: `infinite`, `30d`.
    pub lifetime: Option<String>,
    /// What kind of writer: `model-method`.
    pub owner_type: Option<String>,
    /// Name or id of the workflow that wrote the datum.
    pub workflow: Option<String>,
    /// Name or id of the definition.
    pub model: Option<String>,
    /// The media type.
    pub content_type: Option<String>,
    /// Written within this time before now, in milliseconds.
    pub since_ms: Option<u64>,
    /// The id of the method run that wrote the datum, or its beginning.
    pub output: Option<String>,
    /// The id of the workflow run that wrote the datum.
    pub run: Option<String>,
    /// Tags that the datum has, as pairs of key and value.
    pub tags: Vec<(String, String)>,
    /// Streams only.
    pub streaming: bool,
    /// How many rows the answer holds at most.
    pub limit: usize,
}

/// The data that a search found, the newest version of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataSearch {
    /// The text that names contain; empty: any.
    pub query: String,
    /// The conditions, by name; a tag is `tag:KEY`.
    pub filters: Map<String, Value>,
    /// The data, up to the limit.
    pub results: Vec<DataSearchRow>,
    /// How many data meet the conditions.
    pub total: usize,
    /// Whether there are more than `results` holds.
    pub limited: bool,
}

/// A datum in the answer to a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataSearchRow {
    /// The id of the version.
    pub id: String,
    /// The name of the datum.
    pub name: String,
    /// The version.
    pub version: u32,
    /// The media type.
    pub content_type: String,
    /// `resource`, `file`, `report`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// How long the datum lives.
    pub lifetime: String,
    /// What kind of writer: `model-method`.
    pub owner_type: String,
    /// The id of the writer.
    pub owner_ref: String,
    /// The id of the definition.
    pub model_id: String,
    /// The name of the model when it wrote the datum.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// Whether the content grows while the method runs.
    pub streaming: bool,
    /// The size of the content in bytes.
    pub size: u64,
    /// ISO 8601.
    pub created_at: String,
    /// The tags.
    pub tags: Value,
    /// The tag `workflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_tag: Option<Value>,
    /// The tag `job`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_tag: Option<Value>,
    /// The tag `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_tag: Option<Value>,
}

/// What a query found: records, or with a selection one value for each record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DataQuery {
    /// The records.
    Records(DataRecords),
    /// What the selection came to.
    Selected(DataSelection),
}

/// The records that meet a predicate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataRecords {
    /// The predicate.
    pub predicate: String,
    /// The records, in the order of type, model, name and version.
    #[schemars(with = "Vec<DataRecord>")]
    pub results: Vec<Value>,
    /// How many records are here.
    pub total: usize,
    /// Whether there may be more.
    pub limited: bool,
}

/// What the selection of a query came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataSelection {
    /// One value for each record; `null` where the expression failed.
    pub results: Vec<Value>,
    /// How many values are here.
    pub total: usize,
    /// Whether there may be more.
    pub limited: bool,
}

/// A version of a datum, as predicates see it. Unknown texts are empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataRecord {
    /// The id of the version.
    pub id: String,
    /// The name of the datum.
    pub name: String,
    /// The version.
    pub version: u32,
    /// Whether it is the newest that its step wrote.
    pub is_latest: bool,
    /// ISO 8601.
    pub created_at: String,
    /// Always empty: marsh has one namespace.
    pub namespace: String,
    /// The content of a resource; an empty object when nothing in the query reads content.
    pub attributes: Value,
    /// The tags.
    pub tags: Value,
    /// The name of the model when it wrote the datum.
    pub model_name: String,
    /// The id of the definition.
    pub model_id: String,
    /// Its type.
    pub model_type: String,
    /// The output of the type that the datum is an instance of.
    pub spec_name: String,
    /// `resource`, `file`, `report`, …
    pub data_type: String,
    /// The media type.
    pub content_type: String,
    /// How long the datum lives.
    pub lifetime: String,
    /// What kind of writer: `model-method`.
    pub owner_type: String,
    /// Whether the content grows while the method runs.
    pub streaming: bool,
    /// The size of the content in bytes.
    pub size: u64,
    /// The content; an empty text when nothing in the query reads content.
    pub content: Value,
    /// The id of the writer.
    pub owner_ref: String,
    /// The id of the workflow run.
    pub workflow_run_id: String,
    /// The name of the workflow.
    pub workflow_name: String,
    /// The job of the workflow.
    pub job_name: String,
    /// The step of the job.
    pub step_name: String,
    /// What else is known of the writer.
    pub source: String,
    /// `deleted` when this version says that the datum was deleted.
    pub lifecycle: String,
    /// The new name of a datum that was renamed.
    pub renamed_to: String,
}

/// Which data of a model to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataDeleteRequest {
    /// Name or id of the definition.
    pub model: String,
    /// Which of its data.
    pub target: DataTarget,
}

/// Which data of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DataTarget {
    /// All versions of one datum.
    Name(String),
    /// One version of a datum.
    Version {
        /// The name of the datum.
        name: String,
        /// The version.
        version: u32,
    },
    /// The data whose names begin with this text.
    Prefix(String),
    /// All data of the model.
    All,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DataDeleted {
    /// One datum or one of its versions.
    One(DatumDeleted),
    /// Several data.
    Several(SeveralDeleted),
}

/// One datum, or one of its versions, that was deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatumDeleted {
    /// The id of the definition.
    pub model_id: String,
    /// Its name.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The name of the datum.
    pub data_name: String,
    /// How many versions were deleted.
    pub versions_deleted: usize,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The version, when the request names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// Several data that were deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeveralDeleted {
    /// The id of the definition.
    pub model_id: String,
    /// Its name.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// How many data were deleted.
    pub total_deleted: usize,
    /// How many versions were deleted.
    pub total_versions_deleted: usize,
    /// The data that could not be deleted.
    pub failed: Vec<DeletionFailure>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// A datum that could not be deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionFailure {
    /// Its name.
    pub name: String,
    /// The same, under the name that other documents have.
    pub data_name: String,
    /// Why.
    pub error: String,
}

/// A datum that got another name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataRenamed {
    /// The name that leads to the new one from now on.
    pub old_name: String,
    /// The new name.
    pub new_name: String,
    /// The id of the definition.
    pub model_id: String,
    /// Its name.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The version of the old name whose content the new name has.
    pub copied_version: u32,
    /// The version of the new name.
    pub new_version: u32,
    /// What the user should know about the old name.
    pub warning: String,
}

/// Expired data and surplus versions that were deleted, or would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataCollected {
    /// How many data outlived their lifetime.
    pub data_entries_expired: usize,
    /// How many surplus versions of other data were deleted.
    pub versions_deleted: usize,
    /// Always 0: the catalog keeps no write-ahead log.
    pub wal_pages_total: u64,
    /// Always 0: the catalog keeps no write-ahead log.
    pub wal_pages_checkpointed: u64,
    /// The size of the deleted content in bytes.
    pub bytes_reclaimed: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The data that outlived their lifetime.
    pub expired_entries: Vec<ExpiredData>,
}

/// A datum that outlived its lifetime.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExpiredData {
    /// The type of its model.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The id of the definition.
    pub model_id: String,
    /// The name of the datum.
    pub data_name: String,
    /// Why it expired, for people.
    pub reason: String,
    /// How many versions it had.
    pub versions: usize,
}

/// Data without a definition that were deleted, or would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataPruned {
    /// How many models had data and no definition.
    pub models_reclaimed: usize,
    /// How many data they had.
    pub data_entries_reclaimed: usize,
    /// How many versions these had.
    pub versions_deleted: usize,
    /// The size of their content in bytes.
    pub bytes_reclaimed: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The models.
    pub reclaimed_models: Vec<OrphanedModel>,
    /// Always 0: the catalog keeps no write-ahead log.
    pub wal_pages_total: u64,
    /// Always 0: the catalog keeps no write-ahead log.
    pub wal_pages_checkpointed: u64,
}

/// A model that has data and no definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrphanedModel {
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The id that its definition had.
    pub model_id: String,
    /// The names of its data.
    pub data_names: Vec<String>,
    /// How many versions they have.
    pub versions: usize,
    /// The size of their content in bytes.
    pub bytes: u64,
}
