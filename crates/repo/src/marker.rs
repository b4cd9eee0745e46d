//! The marker file `.swamp.yaml`.

use std::path::{Path, PathBuf};

use marsh_types::{Kind, yaml};
use serde_json::{Map, Value};

/// The marker's content. Unknown keys are kept, so that rewriting loses nothing another implementation wrote.
#[derive(Debug, Clone, Default)]
pub struct Marker {
    values: Map<String, Value>,
}

#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    #[error("{path}: {source}", path = path.display())]
    Yaml { path: PathBuf, source: yaml::YamlError },
    #[error("{path}: the marker must be a map", path = path.display())]
    NotAMap { path: PathBuf },
    #[error("{path}: `{key}` was removed from the format; delete it", path = path.display())]
    Removed { path: PathBuf, key: &'static str },
}

impl Marker {
    pub fn parse(path: &Path, text: &str) -> Result<Marker, MarkerError> {
        let value: Value = if text.trim().is_empty() {
            Value::Object(Map::new())
        } else {
            yaml::from_str(text).map_err(|source| MarkerError::Yaml { path: path.to_owned(), source })?
        };
        let Value::Object(values) = value else {
            return Err(MarkerError::NotAMap { path: path.to_owned() });
        };
        for key in ["defaultDriver", "defaultDriverConfig"] {
            if values.contains_key(key) {
                return Err(MarkerError::Removed { path: path.to_owned(), key });
            }
        }
        Ok(Marker { values })
    }

    pub fn to_yaml(&self) -> Result<String, yaml::YamlWriteError> {
        yaml::to_string(&self.values)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Value::as_str)
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        self.values.get(key).and_then(Value::as_bool)
    }

    pub fn set(&mut self, key: &str, value: Value) {
        self.values.insert(key.to_owned(), value);
    }

    pub fn repo_id(&self) -> Option<&str> {
        self.text("repoId")
    }

    /// The directory of extension sources of a kind, when the marker moves it.
    pub fn source_dir(&self, kind: Kind) -> Option<&str> {
        let (_, key) = crate::env::source_dir(kind);
        self.text(key).filter(|dir| !dir.is_empty())
    }
}
