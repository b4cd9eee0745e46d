//! Vault configurations: `vaults/<type>/<id>.yaml`. They hold no secrets.

use std::path::{Path, PathBuf};

use marsh_fs::Durability;
use marsh_types::yaml;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::VaultError;

/// The content of a configuration file, in the order of its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultConfig {
    /// A UUID: the name of the file.
    pub id: String,
    /// The name in expressions.
    pub name: String,
    /// The vault type, for example `local_encryption`.
    #[serde(rename = "type")]
    pub vault_type: String,
    /// What the type is configured with.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// ISO 8601 with milliseconds.
    pub created_at: String,
    /// Whether reads of secrets are noted in the audit trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_reads: Option<bool>,
}

impl VaultConfig {
    /// A configuration with a new id.
    pub fn new(name: &str, vault_type: &str, config: Map<String, Value>) -> VaultConfig {
        VaultConfig {
            id: uuid::Uuid::new_v4().to_string(),
            name: name.to_owned(),
            vault_type: vault_type.to_owned(),
            config,
            created_at: marsh_types::time::iso_millis(jiff::Timestamp::now()),
            audit_reads: None,
        }
    }

    /// Whether the vault belongs to marsh: sensitive output goes there only when a model names it.
    pub fn is_internal(&self) -> bool {
        self.name.starts_with('_')
    }

    /// A text of the configuration.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Value::as_str)
    }

    /// Whether a flag of the configuration is set.
    pub fn flag(&self, key: &str) -> bool {
        self.config.get(key).and_then(Value::as_bool).unwrap_or(false)
    }
}

/// The configuration files of a repository.
#[derive(Debug, Clone)]
pub struct ConfigStore {
    root: PathBuf,
}

impl ConfigStore {
    /// `root` is `<repository>/vaults`. It need not exist.
    pub fn new(root: impl Into<PathBuf>) -> ConfigStore {
        ConfigStore { root: root.into() }
    }

    /// All configurations, sorted by name, and the errors of files that could not be read. A bad file does not hide the
    /// others.
    pub fn list(&self) -> (Vec<VaultConfig>, Vec<VaultError>) {
        let (mut configs, mut problems) = (Vec::new(), Vec::new());
        let mut pending = vec![self.root.clone()];
        while let Some(dir) = pending.pop() {
            let entries = match std::fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    problems.push(VaultError::read(&dir, error));
                    continue;
                }
            };
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        problems.push(VaultError::read(&dir, error));
                        break;
                    }
                };
                let path = entry.path();
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    pending.push(path);
                } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
                    match read(&path) {
                        Ok(config) => configs.push(config),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
        }
        configs.sort_by(|a, b| (&a.name, &a.created_at, &a.id).cmp(&(&b.name, &b.created_at, &b.id)));
        (configs, problems)
    }

    /// The configuration of this name, else of this id.
    ///
    /// # Errors
    ///
    /// There is none. If some file could not be read, its error: the file may be the one that was asked for.
    pub fn find(&self, name: &str) -> Result<VaultConfig, VaultError> {
        let (configs, mut problems) = self.list();
        let found = configs
            .iter()
            .find(|config| config.name == name)
            .or_else(|| configs.iter().find(|config| config.id == name));
        match found {
            Some(config) => Ok(config.clone()),
            None if !problems.is_empty() => Err(problems.swap_remove(0)),
            None if configs.is_empty() => Err(VaultError::NoVaults),
            None => Err(VaultError::NoSuchVault {
                name: name.to_owned(),
                known: configs.into_iter().map(|config| config.name).collect(),
            }),
        }
    }

    /// Writes a new configuration.
    ///
    /// # Errors
    ///
    /// The name is invalid or taken, or some file could not be read: it may have the name.
    pub fn create(&self, config: &VaultConfig) -> Result<PathBuf, VaultError> {
        check_vault_name(&config.name)?;
        let (configs, mut problems) = self.list();
        if let Some(existing) = configs.iter().find(|existing| existing.name == config.name) {
            return Err(VaultError::Exists { name: config.name.clone(), path: self.path(existing)? });
        }
        if !problems.is_empty() {
            return Err(problems.swap_remove(0));
        }
        self.save(config)
    }

    /// Writes a configuration, or replaces the one with its id and type.
    ///
    /// # Errors
    ///
    /// The name, id or type is invalid, or the file cannot be written.
    pub fn save(&self, config: &VaultConfig) -> Result<PathBuf, VaultError> {
        check_vault_name(&config.name)?;
        let path = self.path(config)?;
        let text = yaml::to_string(config)?;
        if let Some(dir) = path.parent() {
            marsh_fs::create_dir_all(dir)?;
        }
        marsh_fs::atomic_write(&path, text.as_bytes(), Durability::Synced)?;
        Ok(path)
    }

    /// Removes a configuration.
    ///
    /// # Errors
    ///
    /// The file cannot be removed.
    pub fn remove(&self, config: &VaultConfig) -> Result<(), VaultError> {
        marsh_fs::remove_file_if_exists(&self.path(config)?)?;
        Ok(())
    }

    /// Where a configuration is stored.
    ///
    /// # Errors
    ///
    /// The type or the id cannot be part of a path.
    pub fn path(&self, config: &VaultConfig) -> Result<PathBuf, VaultError> {
        let mut path = self.root.clone();
        for segment in config.vault_type.split('/') {
            check_name("vault type", segment)?;
            path.push(segment);
        }
        check_name("vault id", &config.id)?;
        Ok(path.join(format!("{}.yaml", config.id)))
    }
}

/// Reads the text of a configuration file.
impl std::str::FromStr for VaultConfig {
    type Err = yaml::YamlError;

    fn from_str(text: &str) -> Result<VaultConfig, yaml::YamlError> {
        yaml::from_str(text)
    }
}

fn read(path: &Path) -> Result<VaultConfig, VaultError> {
    let text = marsh_fs::read_to_string(path).map_err(|error| VaultError::read(path, error))?;
    text.parse().map_err(|source| VaultError::Config { path: path.to_path_buf(), source })
}

/// Checks the name of a new vault: it becomes a directory, and expressions name it.
pub(crate) fn check_vault_name(name: &str) -> Result<(), VaultError> {
    check_name("vault name", name)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.len() > 64 || !name.chars().all(fits) {
        return Err(VaultError::InvalidName {
            what: "vault name",
            name: name.to_owned(),
            reason: "use up to 64 of a-z, 0-9, - and _",
        });
    }
    Ok(())
}

/// Checks a name that becomes one segment of a path.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<(), VaultError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.contains("..") || name == "." {
        "it contains \"..\""
    } else if name.contains(['/', '\\', '\0']) {
        "it contains a slash, a backslash or a NUL"
    } else {
        return Ok(());
    };
    Err(VaultError::InvalidName { what, name: name.to_owned(), reason })
}
