//! A registry in a directory: static files that any web server can host.
//!
//! Invariants:
//!
//! * A version is published when the extension's `index.json` names it, and that file is replaced in one step after the
//!   archive is on disk. A publisher that dies leaves nothing a reader sees, or the whole version
//!   (`tests/failpoints.rs`).
//! * What dead publishers left goes with the next publication (`tests/failpoints.rs`).
//! * Writers take one kernel lock; readers take none. Of many publishers of one version one wins (`tests/it/publish.rs`).
//! * The root's `index.json` is derived. `private/pending` names the extension whose entry may be stale; readers of
//!   this directory look at its own index instead, and the next writer mends the entry.

mod curate;
pub mod layout;
mod publish;
pub mod search;

use std::fs;
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

/// A directory registry. Cheap to make; nothing is read before it is asked for.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

/// Makes `dir` an empty registry. Does nothing to one that exists.
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
    pub fn new(root: &Path) -> Directory {
        Directory { root: root.to_path_buf() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What no reader needs to see.
    pub fn private(&self) -> PathBuf {
        self.root.join("private")
    }

    /// As messages name it.
    pub fn shown(&self) -> String {
        Location::Directory(self.root.clone()).to_string()
    }

    /// That this is a registry of a known format.
    pub fn check(&self) -> Result<(), RegistryError> {
        let marker: Option<Marker> = self.read(MARKER)?;
        match marker {
            Some(marker) if marker.format == FORMAT => Ok(()),
            Some(marker) => {
                Err(self.bad(format!("its format is {}, this marsh reads {FORMAT}", marker.format)))
            }
            None => Err(RegistryError::Unreachable {
                registry: self.shown(),
                reason: format!("there is no {MARKER} in it; `marsh registry init` makes one"),
            }),
        }
    }

    pub fn record(&self, name: &ExtensionName) -> Result<ExtensionRecord, RegistryError> {
        self.check()?;
        self.record_if_any(name)?.ok_or_else(|| self.not_found(name, None))
    }

    pub fn record_if_any(&self, name: &ExtensionName) -> Result<Option<ExtensionRecord>, RegistryError> {
        let record: Option<ExtensionRecord> = self.read(&layout::extension_path(name))?;
        record.map(|record| checked(record, name).map_err(|reason| self.bad(reason))).transpose()
    }

    /// A version that can be downloaded.
    pub fn offered(&self, name: &ExtensionName, version: CalVer) -> Result<VersionRecord, RegistryError> {
        let record = self.record(name)?;
        offered(&record, version)?.cloned().ok_or_else(|| self.not_found(name, Some(version)))
    }

    pub fn archive(&self, digest: &Digest) -> PathBuf {
        self.root.join(layout::archive_path(digest))
    }

    pub fn search(&self, query: &SearchQuery) -> Result<SearchPage, RegistryError> {
        self.check()?;
        Ok(search::search(self.entries()?, query))
    }

    /// What search looks through, with the entry of an interrupted writer mended on the fly.
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
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            // Whoever reads another user's registry may not look into `private`.
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

    /// Replaces the extension's record, which is the commit, and then its derived entry. The lock is held.
    fn commit(&self, record: &ExtensionRecord) -> Result<(), RegistryError> {
        self.mend()?;
        let pending = self.private().join("pending");
        marsh_fs::atomic_write_locked(&pending, record.name.as_str().as_bytes(), Durability::Synced)?;
        let path = layout::extension_path(&record.name);
        let dir = self.root.join("extensions").join(record.name.as_str());
        let new_from = first_missing(&dir);
        marsh_fs::create_dir_all(&dir)?;
        self.write(&path, record)?;
        marsh_fs::sync_dir(&dir)?;
        // The names of directories that did not exist before are in their parents.
        if let Some(new_from) = new_from {
            for parent in dir.ancestors().skip(1) {
                marsh_fs::sync_dir(parent)?;
                if new_from.parent() == Some(parent) {
                    break;
                }
            }
        }
        self.mend()
    }

    /// Brings the derived entry of the last writer up to date.
    fn mend(&self) -> Result<(), RegistryError> {
        let Some(name) = self.pending()? else { return Ok(()) };
        // Of a writer that died before its record was in place.
        marsh_fs::remove_leftover(&self.root.join(layout::extension_path(&name)))?;
        let extensions = self.entries()?;
        self.write(INDEX, &SearchIndex { format: FORMAT, extensions })?;
        marsh_fs::remove_file_if_exists(&self.private().join("pending"))?;
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, RegistryError> {
        let full = self.root.join(path);
        let bytes = match fs::read(&full) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(RegistryError::read(&full, error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.bad(format!("{path}: {error}")))
    }

    /// Under the lock.
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

/// A record that is about the extension it was asked for, in a format that is known.
pub(crate) fn checked(record: ExtensionRecord, name: &ExtensionName) -> Result<ExtensionRecord, String> {
    if record.format != FORMAT {
        return Err(format!("the format of {name} is {}, this marsh reads {FORMAT}", record.format));
    }
    if &record.name != name {
        return Err(format!("it speaks of {} when asked for {name}", record.name));
    }
    Ok(record)
}

/// `None`: there is no such version.
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
