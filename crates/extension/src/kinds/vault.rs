//! Vault extensions: secrets by key, kept wherever the extension keeps them.

use marsh_host::Callbacks;
use marsh_host::supervisor::NoCallbacks;
use marsh_types::{Kind, TypeName};
use serde_json::{Map, Value, json};

use super::{CallOptions, Export, KindError};
use crate::loader::{Loaded, Loader};

/// A vault of an extension's type, with its name and configuration.
///
/// Errors carry what the extension threw; the driver never puts a secret's value into one.
#[derive(Debug, Clone)]
pub struct VaultExtension {
    export: Export,
    name: String,
    config: Map<String, Value>,
    options: CallOptions,
}

impl VaultExtension {
    /// The newest code of the vault's type. Loads and describes it; the provider is made at the first call.
    pub fn open(
        loader: &Loader,
        type_name: &TypeName,
        name: &str,
        config: &Map<String, Value>,
    ) -> Result<VaultExtension, KindError> {
        let loaded = loader.resolve_kind(Kind::Vault, type_name)?;
        Ok(VaultExtension {
            export: Export { loaded, hosts: loader.hosts().clone() },
            name: name.to_owned(),
            config: config.clone(),
            options: CallOptions { cancel: loader.cancel().clone(), ..CallOptions::default() },
        })
    }

    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> VaultExtension {
        self.options = options;
        self
    }

    pub fn loaded(&self) -> &Loaded {
        &self.export.loaded
    }

    /// The value of a key. A key that is not there is an error of the extension's own wording.
    pub fn get(&self, key: &str) -> Result<String, KindError> {
        self.call("get", json!({ "key": key }))
    }

    pub fn put(&self, key: &str, value: &str, tags: Option<&Map<String, Value>>) -> Result<(), KindError> {
        self.call("put", json!({ "key": key, "value": value, "tags": tags }))
    }

    pub fn list(&self) -> Result<Vec<String>, KindError> {
        self.call("list", json!({}))
    }

    pub fn delete(&self, key: &str) -> Result<(), KindError> {
        self.call("delete", json!({ "key": key }))
    }

    /// Which of the optional members the provider has: `delete`, `getAnnotation`, …
    pub fn optional_members(&self) -> Result<Vec<String>, KindError> {
        self.call("members", json!({}))
    }

    pub fn annotation(&self, key: &str) -> Result<Option<Value>, KindError> {
        self.call("getAnnotation", json!({ "key": key }))
    }

    pub fn put_annotation(&self, key: &str, annotation: &Value) -> Result<(), KindError> {
        self.call("putAnnotation", json!({ "key": key, "annotation": annotation }))
    }

    pub fn delete_annotation(&self, key: &str) -> Result<(), KindError> {
        self.call("deleteAnnotation", json!({ "key": key }))
    }

    pub fn annotations(&self) -> Result<Map<String, Value>, KindError> {
        self.call("listAnnotations", json!({}))
    }

    fn call<T: serde::de::DeserializeOwned>(
        &self,
        operation: &'static str,
        mut params: Value,
    ) -> Result<T, KindError> {
        params["name"] = json!(self.name);
        params["config"] = json!(self.config);
        self.export.call(operation, params, &self.options, &NoCallbacks as &dyn Callbacks)
    }
}
