//! What stored trees provide, remembered.
//!
//! One SQLite table from a tree's digest to the facts read off its sources, sealed with a digest of their own. It knows
//! nothing of what is installed. Whatever is wrong with it (missing, corrupt, read-only, busy, of another version), the
//! facts are read off the tree again; no error of the database ever leaves this file. The schema's version is part of the
//! file's name, so that older and newer binaries do not meet in one file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_types::{Diagnostic, Digest, ExtensionRef, Kind, RelPath};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

/// One declaration in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provided {
    pub kind: Kind,
    /// As written; `None`: it is computed, and only running the code tells it.
    pub raw: Option<String>,
    pub version: Option<String>,
    pub methods: Option<Vec<String>>,
    /// The entry point, relative to the tree.
    pub path: RelPath,
    /// From 1.
    pub line: u32,
}

/// What a tree means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub provided: Vec<Provided>,
    /// What the manifest says it needs.
    pub dependencies: Vec<ExtensionRef>,
    /// Entry points whose declarations could not be read, and why.
    pub problems: Vec<(RelPath, Diagnostic)>,
}

/// The catalog of a `.swamp` directory.
#[derive(Debug, Clone)]
pub struct Catalog {
    path: PathBuf,
}

const BUSY: Duration = Duration::from_secs(2);

impl Catalog {
    pub fn new(state: &Path) -> Catalog {
        Catalog { path: state.join("marsh").join("catalog-v1.db") }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The facts of trees. What is not known under `rules` (the version of the reading rules) is asked of `read` and
    /// remembered; `read` returns `None` for a tree that is not there.
    pub fn facts(
        &self,
        digests: &[Digest],
        rules: u32,
        read: impl Fn(&Digest) -> Option<Facts>,
    ) -> HashMap<Digest, Facts> {
        let mut known = self.lookup(digests, rules).unwrap_or_default();
        let mut learnt = Vec::new();
        for digest in digests {
            if !known.contains_key(digest)
                && let Some(facts) = read(digest)
            {
                learnt.push(*digest);
                known.insert(*digest, facts);
            }
        }
        if !learnt.is_empty() {
            let rows: Vec<(Digest, &Facts)> =
                learnt.iter().filter_map(|digest| Some((*digest, known.get(digest)?))).collect();
            self.remember(&rows, rules);
        }
        known
    }

    fn lookup(&self, digests: &[Digest], rules: u32) -> Option<HashMap<Digest, Facts>> {
        if digests.is_empty() || !self.path.is_file() {
            return None;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).ok()?;
        connection.busy_timeout(BUSY).ok()?;
        let mut statement =
            connection.prepare("SELECT facts, seal FROM facts WHERE digest = ?1 AND rules = ?2").ok()?;
        let mut found = HashMap::with_capacity(digests.len());
        for digest in digests {
            let row: Option<(String, String)> = statement
                .query_row(params![digest.to_hex(), rules], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
                .ok()?;
            if let Some((text, seal)) = row
                && seal == sealed(digest, rules, &text)
                && let Ok(facts) = serde_json::from_str(&text)
            {
                found.insert(*digest, facts);
            }
        }
        Some(found)
    }

    /// Best effort: what is not remembered is read again.
    fn remember(&self, rows: &[(Digest, &Facts)], rules: u32) {
        if let Err(error) = self.write(rows, rules)
            && is_broken(&error)
        {
            // Not a database any more: away with it, and once more from nothing.
            drop(self.remove());
            drop(self.write(rows, rules));
        }
    }

    /// Forgets everything. Facts are read off the trees again when they are asked for.
    pub fn remove(&self) -> Result<(), marsh_fs::FsError> {
        // The logs first: a log that outlives its database would be applied to the next one.
        for suffix in ["-wal", "-shm", "-journal", ""] {
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            marsh_fs::remove_file_if_exists(Path::new(&name))?;
        }
        Ok(())
    }

    fn write(&self, rows: &[(Digest, &Facts)], rules: u32) -> rusqlite::Result<()> {
        if let Some(dir) = self.path.parent()
            && marsh_fs::create_dir_all(dir).is_err()
        {
            return Ok(());
        }
        let mut connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY)?;
        // Not WAL: its index is mapped memory, and a file that somebody cuts short under a mapping kills the process.
        connection.pragma_update(None, "journal_mode", "DELETE")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS facts (digest TEXT NOT NULL, rules INTEGER NOT NULL, facts TEXT NOT NULL, \
             seal TEXT NOT NULL, PRIMARY KEY (digest, rules)) WITHOUT ROWID",
        )?;
        {
            let mut insert = transaction.prepare("INSERT OR REPLACE INTO facts VALUES (?1, ?2, ?3, ?4)")?;
            for (digest, facts) in rows {
                let Ok(text) = serde_json::to_string(facts) else { continue };
                insert.execute(params![digest.to_hex(), rules, text, sealed(digest, rules, &text)])?;
            }
        }
        transaction.commit()
    }
}

/// Ties facts to their tree and rules, so that a page that came back wrong is a miss and not an answer.
fn sealed(digest: &Digest, rules: u32, text: &str) -> String {
    Digest::of(format!("{digest} {rules} {text}").as_bytes()).to_hex()
}

fn is_broken(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => true,
        // A table of that name with other columns.
        Some(ErrorCode::Unknown) => true,
        _ => false,
    }
}
