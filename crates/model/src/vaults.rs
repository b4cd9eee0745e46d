//! Vaults of types that extensions declare. Each operation uses the newest code of the type, so an open vault stays fresh.

use std::collections::BTreeMap;
use std::sync::Arc;

use marsh_extension::kinds::{KindError, VaultExtension};
use marsh_extension::{LoadError, Loader};
use marsh_types::{Explain as _, Kind, RetryClass, TypeName};
use marsh_vault::{Annotation, Secret, Support, Vault, VaultConfig, VaultError, VaultProvider, VaultType};
use serde_json::{Map, Value};

use crate::retry;

/// Opens vaults of the types that the loader finds.
#[derive(Debug)]
pub struct ExtensionVaults {
    loader: Arc<Loader>,
}

impl ExtensionVaults {
    /// A provider for the types of this loader.
    pub fn new(loader: Arc<Loader>) -> ExtensionVaults {
        ExtensionVaults { loader }
    }
}

impl VaultProvider for ExtensionVaults {
    fn types(&self) -> Result<Vec<VaultType>, VaultError> {
        let catalog =
            self.loader.catalog().map_err(|error| VaultError::Types { reason: error.to_string() })?;
        Ok(catalog
            .of_kind(Kind::Vault)
            .into_iter()
            .map(|indexed| VaultType {
                name: indexed.raw.clone(),
                title: indexed.raw.clone(),
                description: format!("declared in {}", indexed.path.display()),
                config_schema: None,
            })
            .collect())
    }

    fn open(&self, config: &VaultConfig) -> Option<Result<Arc<dyn Vault>, VaultError>> {
        let type_name = TypeName::parse(&config.vault_type).ok()?;
        match self.loader.resolve_kind(Kind::Vault, &type_name) {
            Ok(_) => {}
            Err(LoadError::UnknownType { problems, .. }) if problems.is_empty() => return None,
            Err(error) => return Some(Err(extension_error(&config.name, &error.into()))),
        }
        Some(Ok(Arc::new(ExtensionVault {
            loader: Arc::clone(&self.loader),
            type_name,
            raw_type: config.vault_type.clone(),
            name: config.name.clone(),
            config: config.config.clone(),
        })))
    }
}

/// The error with its causes, such as the bundler's: readers of a vault's error see nothing else.
fn provider_error(vault: &str, error: &dyn std::error::Error, retry: RetryClass) -> VaultError {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        source = cause.source();
    }
    VaultError::Provider { vault: vault.to_owned(), message, details: None, retry }
}

/// The error of the vault's code, with its location in the sources. Data that the code attached are dropped: errors of
/// vaults are not masked, and the data may hold secrets.
pub(crate) fn extension_error(vault: &str, error: &KindError) -> VaultError {
    let mut reported = provider_error(vault, error, retry::of_kind(error));
    if let VaultError::Provider { details, .. } = &mut reported {
        *details = error.details();
        if let Some(Value::Object(details)) = details {
            details.remove("data");
        }
    }
    reported
}

#[derive(Debug)]
struct ExtensionVault {
    loader: Arc<Loader>,
    type_name: TypeName,
    raw_type: String,
    name: String,
    config: Map<String, Value>,
}

impl ExtensionVault {
    fn with<T>(&self, work: impl FnOnce(&VaultExtension) -> Result<T, KindError>) -> Result<T, VaultError> {
        VaultExtension::open(&self.loader, &self.type_name, &self.name, &self.config)
            .and_then(|vault| work(&vault))
            .map_err(|error| extension_error(&self.name, &error))
    }

    /// An annotation that does not have the shape of one.
    fn malformed(&self, error: &serde_json::Error) -> VaultError {
        provider_error(&self.name, error, RetryClass::Permanent)
    }
}

impl Vault for ExtensionVault {
    fn name(&self) -> &str {
        &self.name
    }

    fn vault_type(&self) -> &str {
        &self.raw_type
    }

    fn support(&self) -> Support {
        // If the vault does not answer, the operation itself fails with the reason.
        let members = self.with(VaultExtension::optional_members).unwrap_or_default();
        let has = |name: &str| members.iter().any(|member| member == name);
        Support {
            delete: has("delete"),
            annotations: has("getAnnotation") && has("putAnnotation") && has("deleteAnnotation"),
            refresh: false,
        }
    }

    fn get(&self, key: &str) -> Result<Secret, VaultError> {
        self.with(|vault| match vault.get(key) {
            Ok(value) => Ok(Ok(Secret::new(value))),
            // Extensions word "not found" as they like, so the list of keys decides.
            Err(error) => match vault.list() {
                Ok(keys) if !keys.iter().any(|known| known == key) => {
                    Ok(Err(VaultError::NoSuchSecret { vault: self.name.clone(), key: key.to_owned() }))
                }
                _ => Err(error),
            },
        })?
    }

    fn put(&self, key: &str, value: &Secret, tags: &BTreeMap<String, String>) -> Result<(), VaultError> {
        let tags: Map<String, Value> =
            tags.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
        self.with(|vault| vault.put(key, value.expose(), (!tags.is_empty()).then_some(&tags)))
    }

    fn list(&self) -> Result<Vec<String>, VaultError> {
        let mut keys = self.with(VaultExtension::list)?;
        keys.sort();
        Ok(keys)
    }

    fn delete(&self, key: &str) -> Result<bool, VaultError> {
        if !self.support().delete {
            return Err(self.unsupported("delete secrets"));
        }
        if !self.list()?.iter().any(|known| known == key) {
            return Ok(false);
        }
        self.with(|vault| vault.delete(key)).map(|()| true)
    }

    fn annotation(&self, key: &str) -> Result<Option<Annotation>, VaultError> {
        if !self.support().annotations {
            return Ok(None);
        }
        let found = self.with(|vault| vault.annotation(key))?;
        found.map(serde_json::from_value).transpose().map_err(|error| self.malformed(&error))
    }

    fn set_annotation(&self, key: &str, annotation: Option<&Annotation>) -> Result<(), VaultError> {
        if !self.support().annotations {
            return Err(self.unsupported("keep annotations"));
        }
        match annotation {
            Some(annotation) => {
                let value = serde_json::to_value(annotation).map_err(|error| self.malformed(&error))?;
                self.with(|vault| vault.put_annotation(key, &value))
            }
            None => self.with(|vault| vault.delete_annotation(key)),
        }
    }
}
