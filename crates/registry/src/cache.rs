//! The per-user cache of archives, shared by all repositories.
//!
//! Invariants (`tests/it/cache.rs`):
//!
//! * A file `<dir>/<sha256>.tar.gz` has the digest in its name. It appears by one rename after its bytes were verified, and
//!   [`ArchiveCache::get`] verifies them again, so a damaged file counts as missing.
//! * There is one download per digest at a time, across processes: each digest has a kernel lock, and the wait for it is
//!   bounded. A process that waited finds the file and downloads nothing.
//! * The bytes of an interrupted download stay below `partial/`, and the next download continues there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::{Durability, GrowingFile, LockFile};
use marsh_types::{CalVer, Channel, Digest, ExtensionName};

use crate::client::Registry;
use crate::client::download::{self, Wanted};
use crate::digest::digest_of;
use crate::error::RegistryError;

/// The cache in a directory.
#[derive(Debug, Clone)]
pub struct ArchiveCache {
    dir: PathBuf,
}

impl ArchiveCache {
    /// The cache in `dir`, which the first download creates.
    pub fn new(dir: PathBuf) -> ArchiveCache {
        ArchiveCache { dir }
    }

    /// The cache's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The archive of this digest, if the cache has it undamaged.
    pub fn get(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.path(digest);
        (digest_of(&path).ok()? == *digest).then_some(path)
    }

    /// Downloads an archive into the cache and verifies it, unless the cache has it. `progress` is called with the number of
    /// bytes so far and, if known, the size.
    ///
    /// # Errors
    /// The registry is unreachable, does not offer the version, or sends other bytes; another process holds the digest's lock
    /// longer than a download may take; a file cannot be written.
    pub fn fetch(
        &self,
        registry: &Registry,
        name: &ExtensionName,
        version: CalVer,
        channel: Channel,
        expected: &Digest,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<PathBuf, RegistryError> {
        if let Some(path) = self.get(expected) {
            return Ok(path);
        }
        registry.check_offline(|| format!("{name}@{version}"))?;
        let _lock = self.lock(expected, registry.longest_download())?;
        // Another process may have downloaded it meanwhile.
        if let Some(path) = self.get(expected) {
            return Ok(path);
        }
        let partial_dir = self.dir.join("partial");
        marsh_fs::create_dir_all(&partial_dir)?;
        let partial = partial_dir.join(format!("{expected}.tar.gz"));
        let mut file = open_partial(&partial)?;
        let wanted = Wanted { name, version, channel, expected: Some(*expected) };
        download::download(registry, &wanted, &mut file, progress)?;
        // No sync: `get` finds a file that a power failure damaged.
        file.finish(Durability::Atomic)?;
        let path = self.path(expected);
        marsh_fs::rename(&partial, &path)?;
        Ok(path)
    }

    /// Downloads an archive whose digest the registry does not state. Returns the digest of the received bytes.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch), except that the bytes are not verified.
    pub fn fetch_unverified(
        &self,
        registry: &Registry,
        name: &ExtensionName,
        version: CalVer,
        channel: Channel,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<Digest, RegistryError> {
        registry.check_offline(|| format!("{name}@{version}"))?;
        // The digest is unknown, so the lock and the partial file are named after the version.
        let stand_in = Digest::of(format!("unverified {name}@{version}").as_bytes());
        let _lock = self.lock(&stand_in, registry.longest_download())?;
        let partial_dir = self.dir.join("partial");
        marsh_fs::create_dir_all(&partial_dir)?;
        let partial = partial_dir.join(format!("{stand_in}.tar.gz"));
        let mut file = open_partial(&partial)?;
        // Without a digest, the bytes of an earlier download cannot be checked.
        file.clear()?;
        let wanted = Wanted { name, version, channel, expected: None };
        let found = download::download(registry, &wanted, &mut file, progress)?;
        file.finish(Durability::Atomic)?;
        marsh_fs::rename(&partial, &self.path(&found))?;
        Ok(found)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(format!("{digest}.tar.gz"))
    }

    fn lock(&self, digest: &Digest, timeout: Duration) -> Result<LockFile, RegistryError> {
        let path = self.dir.join("locks").join(digest.to_hex());
        Ok(marsh_fs::lock_exclusive(&path, timeout, "download", &mut |_| {})?)
    }
}

/// Opens a partial download. Anything but a regular file in its place is removed: the directory belongs to the cache.
fn open_partial(path: &Path) -> Result<GrowingFile, RegistryError> {
    match GrowingFile::open(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            marsh_fs::remove_tree(path)?;
            Ok(GrowingFile::open(path)?)
        }
        Err(error) => Err(error.into()),
    }
}
