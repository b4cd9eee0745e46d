//! The archives of a user, shared by all repositories.
//!
//! Invariants (`tests/it/cache.rs`):
//!
//! * A file `<dir>/<sha256>.tar.gz` has the bytes of its name. It appears by one rename after they were verified, and
//!   [`ArchiveCache::get`] verifies them again, so that a damaged file is a missing one.
//! * One download per digest at a time, across processes: a kernel lock per digest, waited for within bounds. Whoever
//!   waited finds the file and downloads nothing.
//! * What an interrupted download got stays below `partial/`, and the next one continues there.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::{Durability, GrowingFile, LockFile};
use marsh_types::{CalVer, Channel, Digest, DigestWriter, ExtensionName};

use crate::client::Registry;
use crate::client::download::{self, Wanted};
use crate::error::RegistryError;

#[derive(Debug, Clone)]
pub struct ArchiveCache {
    dir: PathBuf,
}

impl ArchiveCache {
    /// Nothing is created before something is fetched.
    pub fn new(dir: PathBuf) -> ArchiveCache {
        ArchiveCache { dir }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The archive, if it is there and its bytes are right.
    pub fn get(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.path(digest);
        (digest_of(&path).ok()? == *digest).then_some(path)
    }

    /// Downloads, verifies and keeps an archive, unless it is here. `progress` hears of bytes done and, if known, of how
    /// many there are.
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
        // Someone else may have fetched it while this waited.
        if let Some(path) = self.get(expected) {
            return Ok(path);
        }
        let partial_dir = self.dir.join("partial");
        marsh_fs::create_dir_all(&partial_dir)?;
        let partial = partial_dir.join(format!("{expected}.tar.gz"));
        let mut file = open_partial(&partial)?;
        let wanted = Wanted { name, version, channel, expected: Some(*expected) };
        download::download(registry, &wanted, &mut file, progress)?;
        // What a power failure tears is found by `get`: nothing here has to reach the disk first.
        file.finish(Durability::Atomic)?;
        let path = self.path(expected);
        marsh_fs::rename(&partial, &path)?;
        Ok(path)
    }

    /// Downloads an archive of which nobody says what it should be. The digest is that of what came.
    pub fn fetch_unverified(
        &self,
        registry: &Registry,
        name: &ExtensionName,
        version: CalVer,
        channel: Channel,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<Digest, RegistryError> {
        registry.check_offline(|| format!("{name}@{version}"))?;
        // A name for what has none yet, the same for all who want it.
        let stand_in = Digest::of(format!("unverified {name}@{version}").as_bytes());
        let _lock = self.lock(&stand_in, registry.longest_download())?;
        let partial_dir = self.dir.join("partial");
        marsh_fs::create_dir_all(&partial_dir)?;
        let partial = partial_dir.join(format!("{stand_in}.tar.gz"));
        let mut file = open_partial(&partial)?;
        // Nothing tells whether what is there is the start of what will come.
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

/// Something else in its place is removed: it is ours.
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

/// The SHA-256 of a file.
pub(crate) fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut digest = DigestWriter::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(digest.finish()),
            Ok(count) => digest.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
