//! Vaults of extensions, as vaults like others.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use marsh_extension::Loader;
use marsh_extension::kinds::{KindError, VaultExtension};
use marsh_types::{Kind, TypeName};
use marsh_vault::{Annotation, Secret, Support, Vault, VaultConfig, VaultError, VaultProvider, VaultType};
use serde_json::Value;

/// Opens vaults of the types that extensions declare.
#[derive(Debug)]
pub struct ExtensionVaults {
    loader: Arc<Loader>,
}

impl ExtensionVaults {
    pub fn new(loader: Arc<Loader>) -> ExtensionVaults {
        ExtensionVaults { loader }
    }
}

impl VaultProvider for ExtensionVaults {
    fn types(&self) -> Vec<VaultType> {
        // A listing shows what can be read; `doctor extensions` tells of the rest.
        let Ok(catalog) = self.loader.catalog() else { return Vec::new() };
        let types = catalog.of_kind(Kind::Vault).into_iter().map(|indexed| VaultType {
            name: indexed.raw.clone(),
            title: indexed.raw.clone(),
            description: format!("from {}", indexed.path.display()),
            config_schema: None,
        });
        types.collect()
    }

    fn open(&self, config: &VaultConfig) -> Option<Result<Arc<dyn Vault>, VaultError>> {
        let type_name = TypeName::parse(&config.vault_type).ok()?;
        match VaultExtension::open(&self.loader, &type_name, &config.name, &config.config) {
            Ok(extension) => Some(Ok(Arc::new(Opened {
                name: config.name.clone(),
                vault_type: config.vault_type.clone(),
                extension,
                members: OnceLock::new(),
            }))),
            Err(KindError::Load(marsh_extension::LoadError::UnknownType { .. })) => None,
            Err(error) => Some(Err(failed(&config.name, &error))),
        }
    }
}

fn failed(vault: &str, error: &KindError) -> VaultError {
    VaultError::Provider { vault: vault.to_owned(), message: error.to_string() }
}

#[derive(Debug)]
struct Opened {
    name: String,
    vault_type: String,
    extension: VaultExtension,
    members: OnceLock<Vec<String>>,
}

impl Opened {
    fn failed(&self, error: &KindError) -> VaultError {
        failed(&self.name, error)
    }

    /// What the provider can do beyond getting, putting and listing. Asked once; a provider that cannot say has nothing.
    fn has(&self, member: &str) -> bool {
        let members = self.members.get_or_init(|| self.extension.optional_members().unwrap_or_default());
        members.iter().any(|known| known == member)
    }
}

impl Vault for Opened {
    fn name(&self) -> &str {
        &self.name
    }

    fn vault_type(&self) -> &str {
        &self.vault_type
    }

    fn support(&self) -> Support {
        Support { delete: self.has("delete"), annotations: self.has("putAnnotation"), refresh: false }
    }

    fn get(&self, key: &str) -> Result<Secret, VaultError> {
        self.extension.get(key).map(Secret::new).map_err(|error| {
            // Each extension words a missing key in its own way; what it lists tells.
            match self.extension.list() {
                Ok(keys) if !keys.iter().any(|known| known == key) => {
                    VaultError::NoSuchSecret { vault: self.name.clone(), key: key.to_owned() }
                }
                _ => self.failed(&error),
            }
        })
    }

    fn put(&self, key: &str, value: &Secret, tags: &BTreeMap<String, String>) -> Result<(), VaultError> {
        let tags = tags.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
        self.extension.put(key, value.expose(), Some(&tags)).map_err(|error| self.failed(&error))
    }

    fn list(&self) -> Result<Vec<String>, VaultError> {
        let mut keys = self.extension.list().map_err(|error| self.failed(&error))?;
        keys.sort();
        Ok(keys)
    }

    fn delete(&self, key: &str) -> Result<bool, VaultError> {
        if !self.has("delete") {
            return Err(self.unsupported("delete secrets"));
        }
        if !self.list()?.iter().any(|known| known == key) {
            return Ok(false);
        }
        self.extension.delete(key).map_err(|error| self.failed(&error))?;
        Ok(true)
    }

    fn annotation(&self, key: &str) -> Result<Option<Annotation>, VaultError> {
        if !self.has("getAnnotation") {
            return Ok(None);
        }
        let found = self.extension.annotation(key).map_err(|error| self.failed(&error))?;
        Ok(found.and_then(|found| serde_json::from_value(found).ok()))
    }

    fn set_annotation(&self, key: &str, annotation: Option<&Annotation>) -> Result<(), VaultError> {
        if !self.has("putAnnotation") {
            return Err(self.unsupported("keep annotations"));
        }
        let changed = match annotation {
            Some(annotation) => {
                let value = serde_json::to_value(annotation).unwrap_or_default();
                self.extension.put_annotation(key, &value)
            }
            None => self.extension.delete_annotation(key),
        };
        changed.map_err(|error| self.failed(&error))
    }
}
