//! Tombstones: methods of kind `delete` add them, and methods of kind `read` and `update` refuse a model that has nothing
//! else.

use marsh_data::{DataError, Metadata, NewVersion};
use marsh_types::time::iso_millis;
use serde_json::{Map, Value, json};

use super::context::RunContext;
use crate::Models;
use crate::definition::Stored;
use crate::error::ModelError;
use crate::types::TypeCode;

impl Models {
    /// Refuses a model if each of its declared resources is a tombstone. A model without data is not deleted.
    pub(super) fn refuse_deleted(&self, stored: &Stored, code: &TypeCode) -> Result<(), ModelError> {
        let resources = self.resources_of(stored, code)?;
        if resources.is_empty() || !resources.iter().all(Metadata::is_deleted) {
            return Ok(());
        }
        let first = resources.first().map(|metadata| &metadata.name);
        let content = match first {
            Some(name) => self.data.content(&code.type_name, &stored.definition.id, name, None)?,
            None => None,
        };
        let at = content.and_then(|bytes| {
            // The time completes the message. Other implementations may write tombstones without one.
            let content: Value = serde_json::from_slice(&bytes).ok()?;
            content.get("deletedAt").and_then(Value::as_str).map(str::to_owned)
        });
        Err(ModelError::Deleted { name: stored.definition.name.clone(), at })
    }

    fn resources_of(&self, stored: &Stored, code: &TypeCode) -> Result<Vec<Metadata>, DataError> {
        let declared = |spec: &str| code.description.resources.iter().any(|(name, _)| name == spec);
        let mut all = self.data.list_model(&code.type_name, &stored.definition.id)?;
        all.retain(|metadata| {
            metadata.tags.get("type") == Some("resource")
                && metadata.tags.get("specName").is_some_and(declared)
        });
        Ok(all)
    }
}

impl RunContext<'_> {
    /// The fields of a resource. Content that is not a map has none, and damaged content is reported: a model that holds
    /// some can still be deleted.
    fn last_fields(&self, metadata: &Metadata, content: Option<&[u8]>) -> Map<String, Value> {
        match content.map(serde_json::from_slice::<Value>) {
            Some(Ok(Value::Object(fields))) => fields,
            None | Some(Ok(_)) => Map::new(),
            Some(Err(error)) => {
                let (name, version) = (&metadata.name, metadata.version);
                self.warn(
                    "file_damaged",
                    &format!(
                        "the tombstone of `{name}` does not keep version {version}, which is damaged: {error}"
                    ),
                );
                Map::new()
            }
        }
    }

    /// Adds a tombstone to each resource of the model that has none: its last content, when it was deleted, and by which
    /// method.
    pub(super) fn add_tombstones(&self) -> Result<(), ModelError> {
        for metadata in self.models.resources_of(self.stored, self.code)? {
            if metadata.is_deleted() {
                continue;
            }
            let model_id = &self.stored.definition.id;
            let content = self.models.data.content(&self.code.type_name, model_id, &metadata.name, None)?;
            let mut fields = self.last_fields(&metadata, content.as_deref());
            fields.insert("deletedAt".into(), json!(iso_millis(jiff::Timestamp::now())));
            fields.insert("deletedByMethod".into(), json!(self.request.method));
            let new = NewVersion {
                type_path: &self.code.type_name,
                model_id,
                name: &metadata.name,
                content_type: &metadata.content_type,
                lifetime: metadata.lifetime.clone(),
                garbage_collection: metadata.garbage_collection.clone(),
                streaming: false,
                tags: metadata.tags.clone(),
                owner: self.owner(),
                lifecycle: Some(Metadata::DELETED.to_owned()),
                renamed_to: None,
            };
            let bytes = Value::Object(fields).to_string();
            self.models.data.write(&new, bytes.as_bytes())?;
        }
        Ok(())
    }
}
