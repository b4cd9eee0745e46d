//! The catalog: the metadata of all versions in SQLite, so that a query need not read all files.
//!
//! **It cannot miss a version.** The catalog remembers, for each directory above the versions, its inode and its change
//! time. A version appears, goes or is replaced by an entry of its name's directory coming, going or being renamed, and
//! the kernel then sets that directory's change time, which no program can set back. So each query checks these directories
//! (one `stat` each, by several threads; versions are not checked) and lists those again where
//!
//! * inode or change time differ, or
//! * it was younger than [`tree::SETTLING`] when it was listed: a later change might have got the same time, or
//! * it held something unfinished that may become a version without a change of the directory itself.
//!
//! In a directory that is listed again, versions whose own directory is the same (inode and change time) are kept, and the
//! others are read. Any program can write the files: marsh, another implementation, `git` or `cp`.
//!
//! **It is disposable.** If the file is missing, damaged, read-only or of another version, the catalog is made again, in memory
//! if necessary. The schema's version is part of the file's name. There is no write-ahead log: SQLite maps its index, and a
//! process that truncates a mapped file kills its readers.

mod prefetch;
mod question;
mod rows;
mod scan;
mod schema;
mod tree;

use marsh_types::ErrorCode;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

pub use question::{Condition, Operator, is_column};
pub use rows::Row;

use crate::{DataError, DataStore};
use tree::Known;

/// How long to wait for another process that works on the catalog, before a catalog in memory takes its place.
const BUSY: Duration = Duration::from_secs(30);

/// Why the catalog could not be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
pub enum CatalogError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("cannot use the data catalog: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
}

impl marsh_types::Explain for CatalogError {
    fn code(&self) -> ErrorCode {
        match self {
            CatalogError::Data(error) => error.code(),
            CatalogError::Sqlite(_) => ErrorCode::Internal,
            CatalogError::Fs(_) => ErrorCode::Io,
        }
    }
}

/// The catalog of a store at the moment when it was opened.
#[derive(Debug)]
pub struct DataCatalog {
    connection: Connection,
    /// What opening it changed.
    pub refreshed: Refreshed,
}

/// What opening the catalog did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Everything was read anew.
    pub rebuilt: bool,
    /// Versions that were read.
    pub read: usize,
    /// Directories that were listed.
    pub listed: usize,
    /// Damaged metadata files. They do not count as versions.
    pub damaged: usize,
}

impl DataCatalog {
    /// Opens the catalog in `dir` and brings it up to date with the store.
    ///
    /// # Errors
    ///
    /// The data cannot be read.
    pub fn open(store: &DataStore, dir: &Path) -> Result<DataCatalog, CatalogError> {
        let path = Self::path(dir);
        match Self::on_disk(store, &path) {
            Ok(catalog) => Ok(catalog),
            Err(CatalogError::Data(error)) => Err(error.into()),
            // Not a database or a damaged one; or the disk is full or read-only, or another process holds the file.
            Err(_) => {
                if remove(&path).is_ok()
                    && let Ok(catalog) = Self::on_disk(store, &path)
                {
                    return Ok(catalog);
                }
                Self::in_memory(store)
            }
        }
    }

    /// Removes the catalog in `dir` and makes it again from the store.
    ///
    /// # Errors
    ///
    /// The file cannot be removed, or the data cannot be read.
    pub fn rebuild(store: &DataStore, dir: &Path) -> Result<DataCatalog, CatalogError> {
        remove(&Self::path(dir))?;
        Self::open(store, dir)
    }

    /// Makes the catalog's file in `dir` as small as it can be. Returns how many bytes smaller it is; `None`: another process
    /// holds it.
    ///
    /// # Errors
    ///
    /// The data cannot be read, or SQLite fails.
    pub fn compact(store: &DataStore, dir: &Path) -> Result<Option<u64>, CatalogError> {
        let path = Self::path(dir);
        let size = || path.metadata().map_or(0, |metadata| metadata.len());
        let catalog = Self::open(store, dir)?;
        let before = size();
        match catalog.connection.execute_batch("VACUUM") {
            Ok(()) => Ok(Some(before.saturating_sub(size()))),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The file of the catalog in `dir`.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join(format!("data-catalog-v{}.db", schema::VERSION))
    }

    /// A catalog in memory, for this process.
    ///
    /// # Errors
    ///
    /// The data cannot be read, or SQLite fails.
    pub fn in_memory(store: &DataStore) -> Result<DataCatalog, CatalogError> {
        let mut connection = Connection::open_in_memory()?;
        let refreshed = build(&mut connection, store)?;
        Ok(DataCatalog { connection, refreshed })
    }

    fn on_disk(store: &DataStore, path: &Path) -> Result<DataCatalog, CatalogError> {
        if !path.is_file() {
            return Self::rebuilt(store, path);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        schema::tune(&connection)?;
        let known = Known::load(&connection)?;
        let seen = scan::scan(store, &connection, known)?;
        if seen.is_unchanged() {
            return Ok(DataCatalog { connection, refreshed: seen.refreshed() });
        }
        // One process at a time: the next need not read the same versions again.
        let lock = lock(path)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = Known::load(&transaction)?;
        let mut seen = scan::scan(store, &transaction, known)?;
        rows::apply(&transaction, &mut seen)?;
        transaction.commit()?;
        drop(lock);
        Ok(DataCatalog { connection, refreshed: seen.refreshed() })
    }

    /// Made under another name and then renamed, so that no process opens half of it.
    fn rebuilt(store: &DataStore, path: &Path) -> Result<DataCatalog, CatalogError> {
        if let Some(dir) = path.parent() {
            marsh_fs::create_dir_all(dir)?;
        }
        let lock = lock(path)?;
        if path.is_file() {
            // Another process was faster.
            drop(lock);
            return Self::on_disk(store, path);
        }
        let beside = path.with_extension("new");
        remove(&beside)?;
        let mut connection = Connection::open(&beside)?;
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        let refreshed = build(&mut connection, store)?;
        drop(connection);
        marsh_fs::rename(&beside, path)?;
        drop(lock);
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        schema::tune(&connection)?;
        Ok(DataCatalog { connection, refreshed })
    }

    /// Calls `each` with the versions that meet all conditions, ordered by type, model, name and version, until it breaks.
    ///
    /// # Errors
    ///
    /// SQLite fails; the catalog is damaged.
    pub fn select(
        &self,
        conditions: &[Condition],
        limit: Option<usize>,
        each: &mut dyn FnMut(Row) -> std::ops::ControlFlow<()>,
    ) -> Result<(), CatalogError> {
        question::select(&self.connection, conditions, limit, each)
    }

    /// The query plan for these conditions: tests check that it uses an index.
    ///
    /// # Errors
    ///
    /// SQLite fails.
    pub fn plan(&self, conditions: &[Condition]) -> Result<String, CatalogError> {
        question::plan(&self.connection, conditions)
    }
}

fn build(connection: &mut Connection, store: &DataStore) -> Result<Refreshed, CatalogError> {
    let transaction = connection.transaction()?;
    schema::create_tables(&transaction)?;
    let mut seen = scan::scan(store, &transaction, Known::default())?;
    rows::apply(&transaction, &mut seen)?;
    // Afterwards, as sorting once is cheaper than finding each row's place.
    schema::create_indexes(&transaction)?;
    transaction.commit()?;
    Ok(Refreshed { rebuilt: true, ..seen.refreshed() })
}

fn lock(path: &Path) -> Result<Option<marsh_fs::LockFile>, CatalogError> {
    let place = path.with_extension("lock");
    match marsh_fs::lock_exclusive(&place, BUSY, "data catalog", &mut |_| {}) {
        Ok(lock) => Ok(Some(lock)),
        Err(marsh_fs::LockError::Unsupported { .. }) => Ok(None),
        Err(error) => Err(DataError::from(error).into()),
    }
}

/// Removes a database and its journals, these first.
fn remove(path: &Path) -> Result<(), CatalogError> {
    for suffix in ["-wal", "-shm", "-journal", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        marsh_fs::remove_file_if_exists(Path::new(&name))?;
    }
    Ok(())
}
