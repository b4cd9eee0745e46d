//! Other models in expressions: `model.<name>` and `file.contents(model, spec)`.
//!
//! Data are read at the moment an expression needs them, so a step sees what earlier steps wrote (`tests/it/names.rs` of
//! the `workflow` crate).

use std::collections::BTreeMap;
use std::sync::Arc;

use marsh_data::{Metadata, Row};
use marsh_expr::{FileSource, Looked, Lookup, LookupError, Value as Term, WorkerSource};
use marsh_types::TypeName;
use serde_json::{Value, json};

use crate::definition::Stored;
use crate::error::ModelError;
use crate::stored::{StoredData, failed, term};

/// All models, by name or id: the variable `model`.
pub(crate) fn models(data: &StoredData) -> Term {
    Term::lazy(Arc::new(Named(data.clone())))
}

#[derive(Debug)]
struct Named(StoredData);

impl Lookup for Named {
    fn get(&self, key: &str) -> Looked<Option<Term>> {
        match self.0.definitions().find(key) {
            Ok(stored) => {
                Ok(Some(Term::lazy(Arc::new(Model { data: self.0.clone(), stored: Arc::new(stored) }))))
            }
            Err(ModelError::ModelNotFound { .. }) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn keys(&self) -> Looked<Vec<String>> {
        Ok(self.0.definitions().list().0.into_iter().map(|stored| stored.definition.name).collect())
    }
}

/// `model.<name>`.
#[derive(Debug)]
struct Model {
    data: StoredData,
    stored: Arc<Stored>,
}

impl Lookup for Model {
    fn get(&self, key: &str) -> Looked<Option<Term>> {
        match key {
            "input" | "definition" => term(&self.known()).map(Some),
            "resource" | "file" => {
                let outputs = self.outputs(key)?;
                let specs = Specs { data: self.data.clone(), stored: Arc::clone(&self.stored), outputs };
                Ok((!specs.outputs.is_empty()).then(|| Term::lazy(Arc::new(specs))))
            }
            _ => Ok(None),
        }
    }

    fn keys(&self) -> Looked<Vec<String>> {
        let mut keys = vec!["input".to_owned(), "definition".to_owned()];
        for kind in ["resource", "file"] {
            if !self.outputs(kind)?.is_empty() {
                keys.push(kind.to_owned());
            }
        }
        Ok(keys)
    }
}

impl Model {
    fn known(&self) -> Value {
        let definition = &self.stored.definition;
        json!({
            "id": definition.id,
            "name": definition.name,
            "version": definition.version,
            "tags": definition.tags,
            "globalArguments": definition.global_arguments,
        })
    }

    /// The newest versions of this kind, by spec and then by name.
    fn outputs(&self, kind: &str) -> Looked<Outputs> {
        self.data.outputs(&self.stored.type_name, &self.stored.definition.id, kind)
    }
}

type Outputs = BTreeMap<String, BTreeMap<String, Metadata>>;

/// `model.<name>.resource` or `.file`.
#[derive(Debug)]
struct Specs {
    data: StoredData,
    stored: Arc<Stored>,
    outputs: Outputs,
}

impl Lookup for Specs {
    fn get(&self, key: &str) -> Looked<Option<Term>> {
        let Some(instances) = self.outputs.get(key) else { return Ok(None) };
        let instances = Instances {
            data: self.data.clone(),
            stored: Arc::clone(&self.stored),
            instances: instances.clone(),
        };
        Ok(Some(Term::lazy(Arc::new(instances))))
    }

    fn keys(&self) -> Looked<Vec<String>> {
        Ok(self.outputs.keys().cloned().collect())
    }
}

/// `model.<name>.resource.<spec>`, of which each instance is a record.
#[derive(Debug)]
struct Instances {
    data: StoredData,
    stored: Arc<Stored>,
    instances: BTreeMap<String, Metadata>,
}

impl Lookup for Instances {
    fn get(&self, key: &str) -> Looked<Option<Term>> {
        let Some(metadata) = self.instances.get(key) else { return Ok(None) };
        let (type_name, id) = (&self.stored.type_name, self.stored.definition.id.as_str());
        if metadata.tags.get("type") != Some("file") {
            return self.data.record(&Row::of(type_name, id, metadata, true)).map(Some);
        }
        let path = self.data.path(type_name, id, &metadata.name).map_err(|error| failed(&error))?;
        let file = json!({
            "id": metadata.id,
            "version": metadata.version,
            "createdAt": metadata.created_at,
            "path": path,
            "size": metadata.size,
            "contentType": metadata.content_type,
        });
        term(&file).map(Some)
    }

    fn keys(&self) -> Looked<Vec<String>> {
        Ok(self.instances.keys().cloned().collect())
    }
}

impl StoredData {
    fn outputs(&self, type_name: &TypeName, id: &str, kind: &str) -> Looked<Outputs> {
        let mut outputs = Outputs::new();
        for metadata in self.list(type_name, id).map_err(|error| failed(&error))? {
            let is_kind = metadata.tags.get("type").unwrap_or("resource") == kind;
            if is_kind && metadata.lifecycle.is_none() {
                let spec = metadata.tags.get("specName").unwrap_or(&metadata.name).to_owned();
                outputs.entry(spec).or_default().insert(metadata.name.clone(), metadata);
            }
        }
        Ok(outputs)
    }
}

impl FileSource for StoredData {
    fn contents(&self, model: &str, spec: &str) -> Looked<Option<String>> {
        let Some((type_name, id)) = self.model(model).map_err(|error| failed(&error))? else {
            return Ok(None);
        };
        let outputs = self.outputs(&type_name, &id, "file")?;
        let Some(first) = outputs.get(spec).and_then(|instances| instances.keys().next()) else {
            return Ok(None);
        };
        let bytes = self.bytes(&type_name, &id, first).map_err(|error| failed(&error))?;
        let text = bytes.map(String::from_utf8).transpose();
        text.map_err(|_| {
            LookupError::failed(
                marsh_types::ErrorCode::NotText,
                format!("the file `{first}` of `{model}` is not UTF-8 text"),
            )
        })
    }
}

/// marsh has no remote workers yet, so none are connected.
impl WorkerSource for StoredData {
    fn connected(&self) -> Looked<Vec<Term>> {
        Ok(Vec::new())
    }
}
