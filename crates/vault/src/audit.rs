//! `.swamp/audit/vault-audit-<day>.jsonl`: who did what to which secret. Never its value.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::VaultError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Get,
    Put,
    Delete,
    Annotate,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    pub action: Action,
    pub timestamp: String,
    pub vault_name: String,
    pub vault_type: String,
    pub secret_key: String,
    pub caller_context: String,
}

/// What to show of it.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    pub vault: Option<String>,
    pub key: Option<String>,
    pub action: Option<Action>,
    /// ISO 8601, inclusive.
    pub since: Option<String>,
    pub until: Option<String>,
}

impl AuditQuery {
    fn fits(&self, entry: &AuditEntry) -> bool {
        self.vault.as_ref().is_none_or(|vault| *vault == entry.vault_name)
            && self.key.as_ref().is_none_or(|key| *key == entry.secret_key)
            && self.action.is_none_or(|action| action == entry.action)
            && self.since.as_ref().is_none_or(|since| entry.timestamp >= *since)
            && self.until.as_ref().is_none_or(|until| entry.timestamp <= *until)
    }
}

/// The trail of a repository.
#[derive(Debug, Clone)]
pub struct Audit {
    dir: PathBuf,
}

impl Audit {
    pub fn new(dir: impl Into<PathBuf>) -> Audit {
        Audit { dir: dir.into() }
    }

    pub fn record(&self, entry: &AuditEntry) -> Result<(), VaultError> {
        let day = entry.timestamp.get(..10).unwrap_or("unknown");
        marsh_fs::create_dir_all(&self.dir)?;
        let line = serde_json::to_string(entry).unwrap_or_default() + "\n";
        marsh_fs::append(&self.dir.join(format!("vault-audit-{day}.jsonl")), line.as_bytes())?;
        Ok(())
    }

    /// Newest first. Lines that do not read are passed over: the file is shared with others.
    pub fn read(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, VaultError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(VaultError::read(&self.dir, error)),
        };
        let mut found = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| is_trail(path)) {
            let text = std::fs::read_to_string(&path).map_err(|error| VaultError::read(&path, error))?;
            found.extend(
                text.lines()
                    .filter_map(|line| serde_json::from_str::<AuditEntry>(line).ok())
                    .filter(|entry| query.fits(entry)),
            );
        }
        found.sort_by(|a, b| b.timestamp.cmp(&a.timestamp));
        Ok(found)
    }
}

fn is_trail(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("vault-audit-") && name.ends_with(".jsonl")
}
