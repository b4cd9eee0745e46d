//! The audit trail of secrets: `.swamp/audit/vault-audit-<day>.jsonl`, one JSON object a line. It never holds values.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::VaultError;

/// An action on a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The secret was read.
    Get,
    /// The secret was stored or replaced.
    Put,
    /// The secret was deleted.
    Delete,
    /// The annotation of the secret was changed.
    Annotate,
}

/// One line of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// What was done.
    pub action: Action,
    /// ISO 8601 with milliseconds.
    pub timestamp: String,
    /// The vault.
    pub vault_name: String,
    /// The type of the vault.
    pub vault_type: String,
    /// The key of the secret.
    pub secret_key: String,
    /// The command or run that did it.
    pub caller_context: String,
}

/// Selects lines of the trail. An absent field selects all.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// The name of the vault.
    pub vault: Option<String>,
    /// The key of the secret.
    pub key: Option<String>,
    /// The action.
    pub action: Option<Action>,
    /// ISO 8601, inclusive.
    pub since: Option<String>,
    /// ISO 8601, inclusive.
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
    /// `dir` is `<repository>/.swamp/audit`. It need not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Audit {
        Audit { dir: dir.into() }
    }

    /// Appends a line.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn record(&self, entry: &AuditEntry) -> Result<(), VaultError> {
        let day = entry.timestamp.get(..10).unwrap_or("unknown");
        marsh_fs::create_dir_all(&self.dir)?;
        let line = serde_json::to_string(entry)
            .map_err(|error| VaultError::Audit { reason: error.to_string() })?
            + "\n";
        marsh_fs::append(&self.dir.join(format!("vault-audit-{day}.jsonl")), line.as_bytes())?;
        Ok(())
    }

    /// The selected lines, newest first. Lines of another shape are skipped: other implementations write here, too.
    ///
    /// # Errors
    ///
    /// The directory or a file cannot be read.
    pub fn read(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, VaultError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(VaultError::read(&self.dir, error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| VaultError::read(&self.dir, error))?.path();
            if !is_trail(&path) {
                continue;
            }
            let text = marsh_fs::read_to_string(&path).map_err(|error| VaultError::read(&path, error))?;
            for line in text.lines() {
                match serde_json::from_str::<AuditEntry>(line) {
                    Ok(entry) if query.fits(&entry) => found.push(entry),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, path = %path.display(), "skipped a line of the audit trail")
                    }
                }
            }
        }
        found.sort_by(|a, b| b.timestamp.cmp(&a.timestamp));
        Ok(found)
    }
}

fn is_trail(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("vault-audit-") && name.ends_with(".jsonl")
}
