//! The file of mounted sources, `.swamp-sources.yaml`: read, checked, changed.
//!
//! Keys of entries that marsh does not use (`installedSkills`, say) survive every change.

mod expand;

use std::path::PathBuf;

use marsh_fs::Durability;
use marsh_repo::Repo;
use marsh_types::{Kind, yaml};
use serde_json::{Map, Value};

use crate::error::LoadError;

pub use expand::is_pattern;

/// An entry of the file.
#[derive(Debug, Clone)]
pub struct Mount {
    values: Map<String, Value>,
}

impl Mount {
    /// An entry for a path; `only` limits it to these kinds.
    pub fn new(path: &str, only: &[Kind]) -> Mount {
        let mut values = Map::new();
        values.insert("path".into(), Value::from(path));
        if !only.is_empty() {
            let names: Vec<Value> = only.iter().map(|kind| Value::from(kind.directory())).collect();
            values.insert("only".into(), Value::Array(names));
        }
        Mount { values }
    }

    /// As written.
    pub fn path(&self) -> &str {
        self.values.get("path").and_then(Value::as_str).unwrap_or_default()
    }

    /// The kinds that the entry is limited to, as written.
    pub fn only(&self) -> Option<&Value> {
        self.values.get("only").filter(|only| !only.is_null())
    }
}

/// The entries; none without a file.
///
/// # Errors
///
/// The file cannot be read, or holds invalid YAML.
pub fn read_mounts(repo: &Repo) -> Result<Vec<Mount>, LoadError> {
    let path = repo.layout.sources_file();
    let text = match marsh_fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LoadError::Read { path, source }),
    };
    let value: Value = yaml::from_str(&text).map_err(|source| LoadError::Yaml { path, source })?;
    let list = value.get("sources").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(list
        .into_iter()
        .filter_map(|one| match one {
            Value::Object(values) => Some(Mount { values }),
            _ => None,
        })
        .collect())
}

/// Replaces the file; without mounts it is removed. The caller holds a lock from the reading to the writing.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_mounts(repo: &Repo, mounts: Vec<Mount>) -> Result<(), LoadError> {
    let path = repo.layout.sources_file();
    if mounts.is_empty() {
        marsh_fs::remove_file_if_exists(&path)?;
        return Ok(());
    }
    let sources: Vec<Value> = mounts.into_iter().map(|mount| Value::Object(mount.values)).collect();
    let text = yaml::to_string(&serde_json::json!({ "sources": sources })).map_err(|error| {
        LoadError::Read { path: path.clone(), source: std::io::Error::other(error.to_string()) }
    })?;
    marsh_fs::atomic_write(&path, text.as_bytes(), Durability::Synced)?;
    Ok(())
}

/// The directories that a mount stands for, each once, links resolved. Empty when none exists.
///
/// # Errors
///
/// The path names a variable that is not set.
pub fn mounted_dirs(repo: &Repo, path: &str) -> Result<Vec<PathBuf>, LoadError> {
    let variable = |name: &str| repo.environment.raw(name).map(str::to_owned);
    let found = expand::expand(repo.layout.root(), path, &variable)
        .map_err(|reason| LoadError::Mount { path: path.to_owned(), reason })?;
    let mut dirs: Vec<PathBuf> =
        found.iter().filter_map(|path| path.canonicalize().ok()).filter(|dir| dir.is_dir()).collect();
    dirs.sort();
    dirs.dedup();
    Ok(dirs)
}
