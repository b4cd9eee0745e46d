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

    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        self.values.get(key).and_then(Value::as_bool)
    }

    pub fn set(&mut self, key: &str, value: Value) {
        self.values.insert(key.to_owned(), value);
    }

    /// Where the AI tools of the repository look for skills, relative to its root. A marker without a list of tools means one
    /// tool; unknown tools are skipped, and without any the fallback applies.
    pub fn skill_dirs(&self) -> Vec<String> {
        let tools: Vec<&str> = match (self.values.get("tools"), self.text("tool")) {
            (Some(Value::Array(tools)), _) => tools.iter().filter_map(Value::as_str).collect(),
            (_, Some("none")) => Vec::new(),
            (_, Some(tool)) => vec![tool],
            _ => vec!["claude"],
        };
        let mut dirs: Vec<String> = Vec::new();
        for tool in tools {
            let dir = match tool {
                "claude" => ".claude/skills",
                "cursor" => ".cursor/skills",
                "opencode" | "codex" | "copilot" => ".agents/skills",
                "kiro" => ".kiro/skills",
                _ => continue,
            };
            if !dirs.iter().any(|known| known == dir) {
                dirs.push(dir.to_owned());
            }
        }
        if dirs.is_empty() {
            dirs.push(".swamp/pulled-extensions/skills".to_owned());
        }
        dirs
    }

    /// The collectives whose extensions may be installed without being asked for.
    pub fn trusted_collectives(&self) -> Vec<String> {
        match self.values.get("trustedCollectives") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => vec!["swamp".to_owned()],
        }
    }

    pub fn repo_id(&self) -> Option<&str> {
        self.text("repoId")
    }

    /// The directory of extension sources of a kind, when the marker moves it.
    pub fn source_dir(&self, kind: Kind) -> Option<&str> {
        self.text(kind.spec().source_dir.marker_key).filter(|dir| !dir.is_empty())
    }
}
