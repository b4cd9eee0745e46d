//! A registry in a directory: static files that any web server can serve.
//!
//! Invariants:
//!
//! * A version is published when the extension's `index.json` names it. That file is replaced in one step after the archive
//!   is on disk. A publisher that dies leaves the whole version or nothing that a reader sees (`tests/failpoints.rs`).
//! * The next publication removes the files that dead publishers left (`tests/failpoints.rs`).
//! * Writers take one kernel lock, readers take none. If many publish one version, one succeeds (`tests/it/publish.rs`).
//! * The registry's `index.json` is derived. `private/pending` names the extension whose entry may be out of date; readers
//!   of this directory read that extension's record in its place, and the next writer updates the entry.

mod curate;
pub mod layout;
mod publish;
pub mod search;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::{Durability, LockFile};
use marsh_types::{CalVer, Digest, ExtensionName};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::RegistryError;
use crate::location::Location;
use crate::protocol::{SearchEntry, SearchPage, SearchQuery};
use layout::{ExtensionRecord, FORMAT, INDEX, MARKER, Marker, SearchIndex, VersionRecord};
pub use publish::StagedArchive;

const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// A directory registry. Creating a value reads nothing.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

/// Turns `dir` into an empty registry. Does nothing if it is a registry.
///
/// # Errors
/// `dir` is a registry of another format, the lock cannot be taken, or a file cannot be written.
pub fn init(dir: &Path) -> Result<Directory, RegistryError> {
    let directory = Directory::new(dir);
    if dir.join(MARKER).exists() {
        directory.check()?;
        return Ok(directory);
    }
    for name in ["extensions", "archives", "private"] {
        marsh_fs::create_dir_all(&dir.join(name))?;
    }
    marsh_fs::set_mode(&directory.private(), 0o700)?;
    {
        let _lock = directory.lock()?;
        if !dir.join(INDEX).exists() {
            directory.write(INDEX, &SearchIndex { format: FORMAT, extensions: Vec::new() })?;
        }
        directory.write(MARKER, &Marker { format: FORMAT })?;
    }
    marsh_fs::sync_dir(dir)?;
    Ok(directory)
}

impl Directory {
    /// The registry in `root`.
    pub fn new(root: &Path) -> Directory {
        Directory { root: root.to_path_buf() }
    }

    /// The registry's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of locks, uploads and tokens, which only writers may read.
    pub fn private(&self) -> PathBuf {
        self.root.join("private")
    }

    /// The registry's location, for messages.
    pub fn shown(&self) -> String {
        Location::Directory(self.root.clone()).to_string()
    }

    /// Checks that the directory is a registry of a known format.
    ///
    /// # Errors
    /// [`RegistryError::NoRegistry`] if it is not a registry, [`RegistryError::BadResponse`] if its format is unknown.
    pub fn check(&self) -> Result<(), RegistryError> {
        let marker: Option<Marker> = self.read(MARKER)?;
        match marker {
            Some(marker) if marker.format == FORMAT => Ok(()),
            Some(marker) => Err(self.bad(format!("expected format {FORMAT}, found {}", marker.format))),
            None => Err(RegistryError::NoRegistry { registry: self.shown(), marker: MARKER }),
        }
    }

    /// The record of an extension.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if the registry does not have it, or as [`check`](Self::check).
    pub fn record(&self, name: &ExtensionName) -> Result<ExtensionRecord, RegistryError> {
        self.check()?;
        self.record_if_any(name)?.ok_or_else(|| self.not_found(name, None))
    }

    /// The record of an extension, or `None` if the registry does not have it.
    ///
    /// # Errors
    /// The record cannot be read or is invalid.
    pub fn record_if_any(&self, name: &ExtensionName) -> Result<Option<ExtensionRecord>, RegistryError> {
        let record: Option<ExtensionRecord> = self.read(&layout::extension_path(name))?;
        record.map(|record| checked(record, name).map_err(|reason| self.bad(reason))).transpose()
    }

    /// The record of a version that is not yanked.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::Yanked`], or as [`record`](Self::record).
    pub fn offered(&self, name: &ExtensionName, version: CalVer) -> Result<VersionRecord, RegistryError> {
        let record = self.record(name)?;
        offered(&record, version)?.cloned().ok_or_else(|| self.not_found(name, Some(version)))
    }

    /// The file of an archive, whether it exists or not.
    pub fn archive(&self, digest: &Digest) -> PathBuf {
        self.root.join(layout::archive_path(digest))
    }

    /// Searches the index.
    ///
    /// # Errors
    /// The index cannot be read or is invalid, or as [`check`](Self::check).
    pub fn search(&self, query: &SearchQuery) -> Result<SearchPage, RegistryError> {
        self.check()?;
        Ok(search::search(self.entries()?, query))
    }

    /// The entries of the search index, with the current entry of an extension whose writer was interrupted.
    fn entries(&self) -> Result<Vec<SearchEntry>, RegistryError> {
        let index: Option<SearchIndex> = self.read(INDEX)?;
        let mut entries = index.map(|index| index.extensions).unwrap_or_default();
        if let Some(name) = self.pending()? {
            let record = self.record_if_any(&name)?;
            replace_entry(&mut entries, &name, record.map(|record| record.search_entry()));
        }
        Ok(entries)
    }

    fn pending(&self) -> Result<Option<ExtensionName>, RegistryError> {
        let path = self.private().join("pending");
        match marsh_fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            // A reader of another user's registry has no access to `private`.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                Ok(None)
            }
            Err(error) => Err(RegistryError::read(&path, error)),
        }
    }

    fn lock(&self) -> Result<LockFile, RegistryError> {
        let path = self.private().join("registry.lock");
        Ok(marsh_fs::lock_exclusive(&path, LOCK_TIMEOUT, "registry", &mut |_| {})?)
    }

    /// Replaces the extension's record, which commits the change, and then its derived entry. The caller holds the lock.
    fn commit(&self, record: &ExtensionRecord) -> Result<(), RegistryError> {
        self.update_entry()?;
        let pending = self.private().join("pending");
        marsh_fs::atomic_write_locked(&pending, record.name.as_str().as_bytes(), Durability::Synced)?;
        let path = layout::extension_path(&record.name);
        let dir = self.root.join("extensions").join(record.name.as_str());
        let new_from = first_missing(&dir);
        marsh_fs::create_dir_all(&dir)?;
        self.write(&path, record)?;
        marsh_fs::sync_dir(&dir)?;
        // The name of a new directory is in its parent.
        if let Some(new_from) = new_from {
            for parent in dir.ancestors().skip(1) {
                marsh_fs::sync_dir(parent)?;
                if new_from.parent() == Some(parent) {
                    break;
                }
            }
        }
        self.update_entry()
    }

    /// Updates the derived entry of the last writer.
    fn update_entry(&self) -> Result<(), RegistryError> {
        let Some(name) = self.pending()? else { return Ok(()) };
        // The leftover of a writer that died before it renamed its record.
        marsh_fs::remove_leftover(&self.root.join(layout::extension_path(&name)))?;
        let extensions = self.entries()?;
        self.write(INDEX, &SearchIndex { format: FORMAT, extensions })?;
        marsh_fs::remove_file_if_exists(&self.private().join("pending"))?;
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, RegistryError> {
        let full = self.root.join(path);
        let bytes = match marsh_fs::read(&full) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(RegistryError::read(&full, error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.bad(format!("{path}: {error}")))
    }

    /// Replaces a file. The caller holds the lock.
    fn write(&self, path: &str, value: &impl Serialize) -> Result<(), RegistryError> {
        let full = self.root.join(path);
        let mut bytes = serde_json::to_vec_pretty(value)
            .map_err(|error| RegistryError::Io(marsh_fs::FsError::new("write", &full, error.into())))?;
        bytes.push(b'\n');
        Ok(marsh_fs::atomic_write_locked(&full, &bytes, Durability::Synced)?)
    }

    pub(crate) fn not_found(&self, name: &ExtensionName, version: Option<CalVer>) -> RegistryError {
        RegistryError::NotFound { what: named(name, version), registry: self.shown() }
    }

    fn bad(&self, reason: String) -> RegistryError {
        RegistryError::BadResponse { registry: self.shown(), reason }
    }
}

pub(crate) fn named(name: &ExtensionName, version: Option<CalVer>) -> String {
    version.map_or_else(|| name.to_string(), |version| format!("{name}@{version}"))
}

/// Checks that a record has the known format and is that of `name`.
pub(crate) fn checked(record: ExtensionRecord, name: &ExtensionName) -> Result<ExtensionRecord, String> {
    if record.format != FORMAT {
        return Err(format!("expected format {FORMAT} of {name}, found {}", record.format));
    }
    if &record.name != name {
        return Err(format!("expected {name}, found {}", record.name));
    }
    Ok(record)
}

/// The record of a version, or `None` if it was not published. A yanked version is an error.
pub(crate) fn offered(
    record: &ExtensionRecord,
    version: CalVer,
) -> Result<Option<&VersionRecord>, RegistryError> {
    let Some(found) = record.version(version) else { return Ok(None) };
    if record.is_yanked(found) {
        return Err(RegistryError::Yanked {
            what: named(&record.name, Some(version)),
            reason: record.yank_reason(found).map(str::to_owned),
        });
    }
    Ok(Some(found))
}

fn replace_entry(entries: &mut Vec<SearchEntry>, name: &ExtensionName, entry: Option<SearchEntry>) {
    entries.retain(|entry| &entry.name != name);
    entries.extend(entry);
    entries.sort_by(|a, b| a.name.cmp(&b.name));
}

fn first_missing(dir: &Path) -> Option<PathBuf> {
    dir.ancestors().take_while(|dir| !dir.exists()).last().map(Path::to_path_buf)
}
