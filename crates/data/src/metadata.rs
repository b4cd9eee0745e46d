//! The metadata of a version: `metadata.yaml`.

use marsh_types::TypeName;
use serde::{Deserialize, Serialize};

use crate::{GarbageCollection, Lifetime, Tags};

/// The content of `metadata.yaml`, in the order of its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// A new UUID for every version.
    pub id: String,
    /// The name of the data.
    pub name: String,
    /// The number of the version, from 1.
    pub version: u32,
    /// The media type of the content.
    pub content_type: String,
    /// When the data expire.
    pub lifetime: Lifetime,
    /// Which versions are kept.
    pub garbage_collection: GarbageCollection,
    /// Whether the content was appended while the run went on.
    #[serde(default)]
    pub streaming: bool,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
    /// Who wrote the version.
    pub owner_definition: Owner,
    /// ISO 8601 with milliseconds.
    pub created_at: String,
    /// Bytes of content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// SHA-256 of the content, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// `deleted` on a tombstone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    /// The new name of renamed data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
}

impl Metadata {
    /// The lifecycle of a tombstone.
    pub const DELETED: &'static str = "deleted";

    /// Whether this version is a tombstone.
    pub fn is_deleted(&self) -> bool {
        self.lifecycle.as_deref() == Some(Self::DELETED)
    }
}

/// The owner of data. Later writers must have the same type and reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// `model-method` in everything that is written today.
    pub owner_type: String,
    /// The id of the model.
    pub owner_ref: String,
    /// The hash of the definition.
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
    /// The step of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_name: Option<String>,
    /// `step-output` for a step of a workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Owner {
    /// A method of the model with this id.
    pub fn model_method(model_id: &str) -> Self {
        Owner { owner_type: "model-method".to_owned(), owner_ref: model_id.to_owned(), ..Owner::default() }
    }

    pub(crate) fn is_same(&self, other: &Owner) -> bool {
        self.owner_type == other.owner_type && self.owner_ref == other.owner_ref
    }

    pub(crate) fn describe(&self) -> String {
        format!("{} {}", self.owner_type, self.owner_ref)
    }
}

/// A version to be written.
#[derive(Debug, Clone)]
pub struct NewVersion<'a> {
    /// The type of the model.
    pub type_path: &'a TypeName,
    /// The id of the model.
    pub model_id: &'a str,
    /// The name of the data.
    pub name: &'a str,
    /// The media type of the content.
    pub content_type: &'a str,
    /// When the data expire.
    pub lifetime: Lifetime,
    /// Which versions are kept.
    pub garbage_collection: GarbageCollection,
    /// Whether the content is appended while the run goes on.
    pub streaming: bool,
    /// Tags.
    pub tags: Tags,
    /// Who writes the version.
    pub owner: Owner,
    /// [`Metadata::DELETED`] makes the version a tombstone.
    pub lifecycle: Option<String>,
    /// The new name, in the tombstone of renamed data.
    pub renamed_to: Option<String>,
}

impl NewVersion<'_> {
    /// The metadata as far as it is known before there is content and a number.
    pub(crate) fn draft(&self) -> Metadata {
        Metadata {
            id: uuid::Uuid::new_v4().to_string(),
            name: self.name.to_owned(),
            version: 0,
            content_type: self.content_type.to_owned(),
            lifetime: self.lifetime.clone(),
            garbage_collection: self.garbage_collection.clone(),
            streaming: self.streaming,
            tags: self.tags.clone(),
            owner_definition: self.owner.clone(),
            created_at: marsh_types::time::iso_millis(jiff::Timestamp::now()),
            size: None,
            checksum: None,
            lifecycle: self.lifecycle.clone(),
            renamed_to: self.renamed_to.clone(),
        }
    }
}
