//! A cache of the declarations in stored trees.
//!
//! One SQLite table maps a tree's digest to the facts that were read from its sources, sealed with a digest of the row. It
//! does not record what is installed. If the database is missing, corrupt, read-only, busy or of another version, the facts
//! are read from the tree again, and no error of the database leaves this file (`tests/catalog.rs`). The schema's version is
//! part of the file's name, so that binaries of different versions use different files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_types::{Diagnostic, Digest, ExtensionRef, Kind, RelPath, ignore};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

/// One declaration in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provided {
    /// The kind.
    pub kind: Kind,
    /// The type's name as written; `None` if it is computed, so that only running the code would give it.
    pub raw: Option<String>,
    /// The type's version as written.
    pub version: Option<String>,
    /// The names of the methods, if they can be read from the syntax.
    pub methods: Option<Vec<String>>,
    /// The entry point, relative to the tree.
    pub path: RelPath,
    /// The line of the declaration, from 1.
    pub line: u32,
}

/// The facts of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The declarations.
    pub provided: Vec<Provided>,
    /// The dependencies in the manifest.
    pub dependencies: Vec<ExtensionRef>,
    /// Entry points whose declarations cannot be read, and why.
    pub problems: Vec<(RelPath, Diagnostic)>,
}

/// The catalog of a `.swamp` directory.
#[derive(Debug, Clone)]
pub struct StoreCatalog {
    path: PathBuf,
}

const BUSY: Duration = Duration::from_secs(2);

impl StoreCatalog {
    /// The catalog of the state directory `state`. Creates nothing.
    pub fn new(state: &Path) -> StoreCatalog {
        StoreCatalog { path: state.join("marsh").join("catalog-v1.db") }
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The facts of trees. `rules` is the version of the rules by which facts are read. Facts that the catalog does not have
    /// under `rules` are read with `read` and remembered; `read` returns `None` for a missing tree.
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

    /// Writes facts, if the database can be written.
    fn remember(&self, rows: &[(Digest, &Facts)], rules: u32) {
        const REASON: &str = "facts that are not in the catalog are read from the tree again";
        match self.write(rows, rules) {
            Err(error) if is_broken(&error) => {
                // The file is not a database, or a table has other columns: start with an empty one.
                ignore(self.remove(), REASON);
                ignore(self.write(rows, rules), REASON);
            }
            other => ignore(other, REASON),
        }
    }

    /// Deletes the catalog. The next use reads facts from the trees again.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn remove(&self) -> Result<(), marsh_fs::FsError> {
        // The logs go first: SQLite would apply a log without its database to the next database.
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
        // Not WAL: SQLite maps the WAL's index, and a process dies when another one truncates a file that it has mapped.
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

/// The seal of a row, which ties facts to their tree and rules, so that a damaged page is a miss.
fn sealed(digest: &Digest, rules: u32, text: &str) -> String {
    Digest::of(format!("{digest} {rules} {text}").as_bytes()).to_hex()
}

fn is_broken(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => true,
        // The table has other columns.
        Some(ErrorCode::Unknown) => true,
        _ => false,
    }
}
