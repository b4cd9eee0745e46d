//! Stored data in expressions: `data.latest(…)` and the like. `named` has the models to which they belong.
//!
//! Secrets in them are sentinels, like those of `vault.get`: an expression can pass them on, but not look into them. Content
//! that is damaged is an error (`crates/app/tests/it/data.rs`: `damaged_json_fails_a_query_that_needs_it`).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use marsh_data::{Condition, DataCatalog, DataStore, Metadata, Operator, Row, RunData};
use marsh_expr::{DataSource, Looked, LookupError, Value as Term};
use marsh_types::{Explain as _, TypeName};
use marsh_vault::{Secrets, whole_reference};
use serde_json::{Value, json};

use crate::data_record::record_json;
use crate::definition::DefinitionStore;
use crate::error::ModelError;
use crate::{Models, SecretAccess};

/// Access to stored data for expressions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StoredData {
    definitions: DefinitionStore,
    data: RunData,
    catalog_dir: PathBuf,
    access: SecretAccess,
}

impl Models {
    /// Access to the data of this command.
    pub fn stored_data(&self) -> StoredData {
        let catalog_dir = self.repo.layout.derived();
        StoredData::new(self.definitions.clone(), self.data.clone(), catalog_dir, self.secret_access())
    }
}

impl StoredData {
    /// Access to these data; the catalog is in `catalog_dir`.
    pub fn new(
        definitions: DefinitionStore,
        data: RunData,
        catalog_dir: PathBuf,
        access: SecretAccess,
    ) -> StoredData {
        StoredData { definitions, data, catalog_dir, access }
    }

    /// The store, without ephemeral data.
    pub fn store(&self) -> &DataStore {
        self.data.store()
    }

    pub(crate) fn definitions(&self) -> &DefinitionStore {
        &self.definitions
    }

    /// The newest version of each name of a model.
    pub(crate) fn list(&self, type_name: &TypeName, id: &str) -> Result<Vec<Metadata>, ModelError> {
        Ok(self.data.list_model(type_name, id)?)
    }

    /// The path of the newest version; `None` for ephemeral data.
    pub(crate) fn path(&self, ty: &TypeName, id: &str, name: &str) -> Result<Option<PathBuf>, ModelError> {
        Ok(self.data.content_path(ty, id, name, None)?)
    }

    pub(crate) fn bytes(&self, ty: &TypeName, id: &str, name: &str) -> Result<Option<Vec<u8>>, ModelError> {
        Ok(self.data.content(ty, id, name, None)?)
    }

    /// The content of a version, for an expression.
    ///
    /// # Errors
    ///
    /// The content cannot be read, or is damaged.
    pub fn content_term(&self, ty: &TypeName, id: &str, metadata: &Metadata) -> Looked<Term> {
        let row = Row::of(ty, id, metadata, true);
        let mut content = self.content_of(&row).map_err(|error| failed(&error))?;
        self.hold_references(&mut content)?;
        term(&content)
    }

    /// The catalog, brought up to date.
    ///
    /// # Errors
    ///
    /// The data cannot be read, or SQLite fails.
    pub fn catalog(&self) -> Result<DataCatalog, ModelError> {
        Ok(DataCatalog::open(self.store(), &self.catalog_dir)?)
    }

    /// The catalog, made again from the data.
    ///
    /// # Errors
    ///
    /// The data cannot be read, the file cannot be removed, or SQLite fails.
    pub fn rebuild_catalog(&self) -> Result<DataCatalog, ModelError> {
        Ok(DataCatalog::rebuild(self.store(), &self.catalog_dir)?)
    }

    /// Makes the catalog's file as small as it can be. `None`: another process holds it.
    ///
    /// # Errors
    ///
    /// The data cannot be read, or SQLite fails.
    pub fn compact_catalog(&self) -> Result<Option<u64>, ModelError> {
        Ok(DataCatalog::compact(self.store(), &self.catalog_dir)?)
    }

    /// The content of a version for a record: JSON as JSON, text as text, other content as an empty text. Secrets are
    /// references, as they are stored.
    ///
    /// # Errors
    ///
    /// The content cannot be read, or is damaged.
    pub fn content_of(&self, row: &Row) -> Result<Value, ModelError> {
        let is_json = row.content_type == "application/json";
        if !is_json && !row.content_type.starts_with("text/") {
            return Ok(json!(""));
        }
        let type_name = TypeName::parse(&row.type_normalized)?;
        let bytes = self.data.content(&type_name, &row.model_id, &row.name, Some(row.version))?;
        match bytes {
            None => Ok(Value::Null),
            Some(bytes) if is_json => {
                serde_json::from_slice(&bytes).map_err(|error| ModelError::DamagedData {
                    type_name: row.type_normalized.clone(),
                    model_id: row.model_id.clone(),
                    name: row.name.clone(),
                    version: row.version,
                    reason: format!("invalid JSON: {error}"),
                })
            }
            Some(bytes) => Ok(json!(String::from_utf8_lossy(&bytes))),
        }
    }

    /// The type and the id of the definition with this name; `None`: there is none.
    pub(crate) fn model(&self, name: &str) -> Result<Option<(TypeName, String)>, ModelError> {
        match self.definitions.find(name) {
            Ok(stored) => Ok(Some((stored.type_name, stored.definition.id))),
            Err(ModelError::ModelNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The record of a version with its content. Sentinels stand for secrets.
    pub(crate) fn record(&self, row: &Row) -> Result<Term, LookupError> {
        let mut content = self.content_of(row).map_err(|error| failed(&error))?;
        self.hold_references(&mut content)?;
        term(&record_json(row, Some(&content)))
    }

    fn found(&self, ty: &TypeName, id: &str, found: Option<Metadata>, is_latest: bool) -> Looked<Term> {
        found.map_or(Ok(Term::NULL), |metadata| self.record(&Row::of(ty, id, &metadata, is_latest)))
    }

    fn hold_references(&self, value: &mut Value) -> Result<(), LookupError> {
        match value {
            Value::String(text) => {
                if let Some(reference) = whole_reference(text) {
                    let secret = self.access.vaults.resolve(&reference, "expression", &mut |_| {});
                    let secret =
                        secret.map_err(|error| LookupError::failed(error.code(), error.to_string()))?;
                    *text = self.access.secrets.hold(&secret);
                }
                Ok(())
            }
            Value::Array(items) => items.iter_mut().try_for_each(|item| self.hold_references(item)),
            Value::Object(map) => map.values_mut().try_for_each(|item| self.hold_references(item)),
            _ => Ok(()),
        }
    }

    /// The latest version of each name that meets the conditions.
    fn latest_where(&self, conditions: Vec<Option<Condition>>) -> Looked<Vec<Term>> {
        let mut conditions: Vec<Condition> = conditions.into_iter().flatten().collect();
        conditions.extend(condition("isLatest", Operator::Equal, json!(true)));
        let catalog = self.catalog().map_err(|error| failed(&error))?;
        let mut rows: BTreeMap<(String, String, String), Row> = BTreeMap::new();
        let selected = catalog.select(&conditions, None, &mut |row| {
            if row.lifecycle.is_empty() {
                rows.insert((row.type_normalized.clone(), row.model_id.clone(), row.name.clone()), row);
            }
            ControlFlow::Continue(())
        });
        selected.map_err(|error| failed(&ModelError::from(error)))?;
        rows.values().map(|row| self.record(row)).collect()
    }

    /// The secrets of the run.
    pub fn secrets(&self) -> &Secrets {
        &self.access.secrets
    }
}

fn condition(field: &str, operator: Operator, literal: Value) -> Option<Condition> {
    Condition::new(&[field.to_owned()], operator, &literal)
}

pub(crate) fn failed(error: &ModelError) -> LookupError {
    let lookup = LookupError::failed(error.code(), error.to_string());
    match error.hint() {
        Some(hint) => lookup.with_hint(hint),
        None => lookup,
    }
}

pub(crate) fn term(value: &Value) -> Looked<Term> {
    Term::from_json(value)
        .map_err(|error| LookupError::failed(marsh_types::ErrorCode::ExpressionTooLarge, error.to_string()))
}

impl DataSource for StoredData {
    fn latest(&self, model: &str, name: &str) -> Looked<Term> {
        match self.model(model).map_err(|error| failed(&error))? {
            Some((ty, id)) => {
                let latest = self.data.latest(&ty, &id, name).map_err(|error| failed(&error.into()))?;
                self.found(&ty, &id, latest, true)
            }
            // Data can outlive their definition.
            None => {
                let of_model = condition("modelName", Operator::Equal, json!(model));
                let of_name = condition("name", Operator::Equal, json!(name));
                let mut found = self.latest_where(vec![of_model, of_name])?;
                Ok(found.pop().unwrap_or(Term::NULL))
            }
        }
    }

    fn version(&self, model: &str, name: &str, version: u64) -> Looked<Term> {
        let Some((ty, id)) = self.model(model).map_err(|error| failed(&error))? else {
            return Ok(Term::NULL);
        };
        let Ok(version) = u32::try_from(version) else { return Ok(Term::NULL) };
        let error = |error: marsh_data::DataError| failed(&error.into());
        let found = self.data.metadata(&ty, &id, name, version).map_err(error)?;
        let latest = self.data.latest(&ty, &id, name).map_err(error)?;
        self.found(&ty, &id, found, latest.is_some_and(|latest| latest.version == version))
    }

    fn list_versions(&self, model: &str, name: &str) -> Looked<Vec<u64>> {
        let Some((ty, id)) = self.model(model).map_err(|error| failed(&error))? else {
            return Ok(Vec::new());
        };
        let versions = self.data.versions(&ty, &id, name).map_err(|error| failed(&error.into()))?;
        Ok(versions.iter().map(|version| u64::from(version.version)).collect())
    }

    fn find_by_spec(&self, model: &str, spec: &str) -> Looked<Vec<Term>> {
        let of_model = match self.model(model).map_err(|error| failed(&error))? {
            Some((_, id)) => condition("modelId", Operator::Equal, json!(id)),
            None => condition("modelName", Operator::Equal, json!(model)),
        };
        self.latest_where(vec![of_model, condition("specName", Operator::Equal, json!(spec))])
    }

    fn find_by_tag(&self, key: &str, value: &str) -> Looked<Vec<Term>> {
        let path = ["tags".to_owned(), key.to_owned()];
        match Condition::new(&path, Operator::Equal, &json!(value)) {
            Some(condition) => self.latest_where(vec![Some(condition)]),
            None => Err(LookupError::failed(
                marsh_types::ErrorCode::InvalidArgument,
                format!("invalid tag {key:?}"),
            )),
        }
    }

    fn query(&self, predicate: &str, select: Option<&str>) -> Looked<Vec<Term>> {
        let answer = StoredData::query(self, predicate, select, None).map_err(|error| failed(&error))?;
        let mut values = if select.is_some() { answer.projected } else { answer.records };
        values.iter_mut().try_for_each(|value| self.hold_references(value))?;
        values.iter().map(term).collect()
    }
}
