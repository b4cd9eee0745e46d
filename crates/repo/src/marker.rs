//! The marker file `.swamp.yaml`, which makes a directory a repository (repository formats, "Marker").

use std::path::{Path, PathBuf};

use marsh_types::{Kind, yaml};
use serde_json::{Map, Value, json};

use crate::tools::BuiltinTool;
use crate::tools::custom::CustomTool;

/// The marker's content. Unknown keys are kept, so that writing the file keeps the keys of other implementations.
#[derive(Debug, Clone, Default)]
pub struct Marker {
    values: Map<String, Value>,
}

/// The marker file is invalid.
#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    /// The file is not YAML.
    #[error("{path}: {source}", path = path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// The error, with line and column.
        source: yaml::YamlError,
    },
    /// The document is not a map.
    #[error("{path}: invalid marker: expected a map", path = path.display())]
    NotAMap {
        /// The file.
        path: PathBuf,
    },
    /// The file has a key that the format does not have any more.
    #[error("{path}: `{key}` was removed from the format; delete it", path = path.display())]
    Removed {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
    },
}

impl Marker {
    /// Parses the file's text. `path` is for messages.
    ///
    /// # Errors
    /// As the variants of [`MarkerError`] say.
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

    /// The file's text.
    ///
    /// # Errors
    /// None for a parsed marker.
    pub fn to_yaml(&self) -> Result<String, yaml::YamlWriteError> {
        yaml::to_string(&self.values)
    }

    /// The value of `key`, if it is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Value::as_str)
    }

    /// The value of `key`.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// The value of `key`, if it is a boolean.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.values.get(key).and_then(Value::as_bool)
    }

    /// Sets the value of `key`.
    pub fn set(&mut self, key: &str, value: Value) {
        self.values.insert(key.to_owned(), value);
    }

    /// Removes `key`.
    pub fn remove(&mut self, key: &str) {
        self.values.remove(key);
    }

    /// The AI tools that the marker lists, in the present or the former form.
    pub fn tools(&self) -> Vec<String> {
        match (self.values.get("tools"), self.text("tool")) {
            (Some(Value::Array(tools)), _) => {
                tools.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            (_, Some("none") | None) => Vec::new(),
            (_, Some(tool)) => vec![tool.to_owned()],
        }
    }

    /// Whether the marker says which AI tools there are.
    pub fn lists_tools(&self) -> bool {
        self.values.contains_key("tools") || self.values.contains_key("tool")
    }

    /// Sets the AI tools, in the present form.
    pub fn set_tools(&mut self, tools: &[&str]) {
        self.remove("tool");
        self.set("tools", json!(tools));
    }

    /// The directories in which the repository's AI tools look for skills, relative to its root. A marker without `tool`
    /// and `tools` means `claude`. Unknown tools are ignored, and so are directories outside the repository; without a known
    /// tool the answer is one fallback directory.
    pub fn skill_dirs(&self, custom: &[CustomTool]) -> Vec<String> {
        let names = match self.lists_tools() {
            true => self.tools(),
            false => vec!["claude".to_owned()],
        };
        let mut dirs: Vec<String> = Vec::new();
        for name in names {
            let builtin = BuiltinTool::parse(&name).map(|tool| tool.spec().skills);
            let custom = || custom.iter().find(|tool| tool.name == name).map(|tool| tool.skills_dir.as_str());
            let Some(dir) = builtin.or_else(custom).filter(|dir| !dir.starts_with('~')) else { continue };
            if !dirs.iter().any(|known| known == dir) {
                dirs.push(dir.to_owned());
            }
        }
        if dirs.is_empty() {
            dirs.push(".swamp/pulled-extensions/skills".to_owned());
        }
        dirs
    }

    /// The collectives whose extensions marsh may install when a definition needs them, without a command.
    pub fn trusted_collectives(&self) -> Vec<String> {
        match self.values.get("trustedCollectives") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => vec!["swamp".to_owned()],
        }
    }

    /// The repository's id, a UUID.
    pub fn repo_id(&self) -> Option<&str> {
        self.text("repoId")
    }

    /// The directory of extension sources of a kind, if the marker names one.
    pub fn source_dir(&self, kind: Kind) -> Option<&str> {
        self.text(kind.spec().source_dir.marker_key).filter(|dir| !dir.is_empty())
    }
}
