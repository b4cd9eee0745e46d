//! Vault extensions: secrets by key, kept wherever the extension keeps them.

use marsh_host_client::protocol::Nothing;
use marsh_host_client::{Ask, NoCallbacks};
use marsh_types::{Kind, TypeName};
use serde_json::{Map, Value};

use super::{CallOptions, Export, KindError};
use crate::loader::{Loaded, Loader};

/// A vault of an extension's type, with its name and configuration.
///
/// Errors carry what the extension threw; the shim never puts a secret's value into one.
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

    /// The value of a key. A missing key is an error in the extension's own words.
    pub fn get(&self, key: &str) -> Result<String, KindError> {
        self.ask(|name, config| VaultGet { name, config, key: key.to_owned() })
    }

    pub fn put(&self, key: &str, value: &str, tags: Option<&Map<String, Value>>) -> Result<(), KindError> {
        let (key, value, tags) = (key.to_owned(), value.to_owned(), tags.cloned());
        self.ask(|name, config| VaultPut { name, config, key, value, tags }).map(|_| ())
    }

    pub fn list(&self) -> Result<Vec<String>, KindError> {
        self.ask(|name, config| VaultList { name, config })
    }

    pub fn delete(&self, key: &str) -> Result<(), KindError> {
        self.ask(|name, config| VaultDelete { name, config, key: key.to_owned() }).map(|_| ())
    }

    /// Which of the optional members the provider has: `delete`, `getAnnotation`, …
    pub fn optional_members(&self) -> Result<Vec<String>, KindError> {
        self.ask(|name, config| VaultMembers { name, config })
    }

    pub fn annotation(&self, key: &str) -> Result<Option<Value>, KindError> {
        self.ask(|name, config| VaultGetAnnotation { name, config, key: key.to_owned() })
    }

    pub fn put_annotation(&self, key: &str, annotation: &Value) -> Result<(), KindError> {
        let (key, annotation) = (key.to_owned(), annotation.clone());
        self.ask(|name, config| VaultPutAnnotation { name, config, key, annotation }).map(|_| ())
    }

    pub fn delete_annotation(&self, key: &str) -> Result<(), KindError> {
        self.ask(|name, config| VaultDeleteAnnotation { name, config, key: key.to_owned() }).map(|_| ())
    }

    pub fn annotations(&self) -> Result<Map<String, Value>, KindError> {
        self.ask(|name, config| VaultListAnnotations { name, config })
    }

    fn ask<A: Ask>(
        &self,
        params: impl FnOnce(String, Map<String, Value>) -> A,
    ) -> Result<A::Answer, KindError> {
        let params = params(self.name.clone(), self.config.clone());
        self.export.call(params, &self.options, &NoCallbacks)
    }
}

operations! {
    /// Parameters of `vault.get`.
    VaultGet {
        /// The vault's name.
        name: String,
        /// The vault's configuration, as it is written.
        config: Map<String, Value>,
        /// The key.
        key: String,
    } -> String;
    /// Parameters of `vault.put`.
    VaultPut {
        /// The vault's name.
        name: String,
        /// The vault's configuration, as it is written.
        config: Map<String, Value>,
        /// The key.
        key: String,
        /// The secret.
        value: String,
        /// Tags for the provider, if any.
        tags: Option<Map<String, Value>>,
    } -> Nothing;
    /// Parameters of `vault.list`.
    VaultList {
        /// The vault's name.
        name: String,
        /// The vault's configuration, as it is written.
        config: Map<String, Value>,
    } -> Vec<String>;
    /// Parameters of `vault.delete`.
    VaultDelete {
        /// The vault's name.
        name: String,
        /// The vault's configuration, as it is written.
        config: Map<String, Value>,
        /// The key.
        key: String,
    } -> Nothing;
    /// Parameters of `vault.members`.
    VaultMembers {
        /// The vault's name.
        name: String,
        /// The vault's configuration, as it is written.
        config: Map<String, Value>,
    } -> Vec<String>;
    /// Parameters of `vault.getAnnotation`.
    VaultGetAnnotation {
        /// The vault's name.
        name: String,
        /// The vault's configuration, as it is written.
        config: Map<String, Value>,
        /// The key.
        key: String,
    } -> Option<Value>;
    /// Parameters of `vault.putAnnotation`.
    VaultPutAnnotation {
        /// The vault's name.
        name: String,
        /// The vault's configuration, as it is written.
        config: Map<String, Value>,
        /// The key.
        key: String,
        /// The annotation.
        annotation: Value,
    } -> Nothing;
    /// Parameters of `vault.deleteAnnotation`.
    VaultDeleteAnnotation {
        /// The vault's name.
        name: String,
        /// The vault's configuration, as it is written.
        config: Map<String, Value>,
        /// The key.
        key: String,
    } -> Nothing;
    /// Parameters of `vault.listAnnotations`.
    VaultListAnnotations {
        /// The vault's name.
        name: String,
        /// The vault's configuration, as it is written.
        config: Map<String, Value>,
    } -> Map<String, Value>;
}
