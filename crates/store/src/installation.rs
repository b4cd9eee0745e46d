//! One lockfile and the `.swamp` directory that serves it.

use std::path::{Path, PathBuf};

use marsh_types::{Digest, ExtensionName, Lockfile};

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::generation::Generations;
use crate::trees::Trees;

/// What is installed according to one lockfile, and everything that keeps it so.
///
/// Several installations can share a state directory (worktrees whose `.swamp` is a link): trees and catalog are shared,
/// because content is content; lock, generations and views belong to the lockfile.
#[derive(Debug, Clone)]
pub struct Installation {
    pub(crate) state: PathBuf,
    pub(crate) lockfile: PathBuf,
    pub(crate) commit_lock: PathBuf,
    pub(crate) trees: Trees,
    pub(crate) generations: Generations,
    pub(crate) catalog: Catalog,
    /// Sixteen hex digits that stand for the canonical path of the lockfile.
    pub(crate) key: String,
    pub(crate) owns_state: bool,
    /// The nearest directory above the lockfile that has a marker.
    pub(crate) home: Option<PathBuf>,
}

/// One reading of the lockfile: one generation of the installed set.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub lockfile: Lockfile,
    /// Of the bytes as read; of no bytes when there is no lockfile.
    pub digest: Digest,
    pub text: String,
}

impl Snapshot {
    pub(crate) fn of_text(path: &Path, text: String) -> Result<Snapshot, StoreError> {
        let lockfile = Lockfile::parse(&text)
            .map_err(|source| StoreError::Lockfile { path: path.to_owned(), source })?;
        Ok(Snapshot { lockfile, digest: Digest::of(text.as_bytes()), text })
    }
}

impl Installation {
    /// `state` is the `.swamp` directory, `lockfile` the file (present or not). Touches nothing.
    ///
    /// The lock lies where the lockfile's own canonical path leads, not where `state` is, so that everyone who writes the
    /// file takes the same lock: in the `.swamp` of the nearest directory above it that has a marker, else beside it.
    pub fn new(state: &Path, lockfile: &Path, marker: &str) -> Installation {
        let lockfile = canonical(lockfile);
        let state = canonical(state);
        let key = Digest::of(lockfile.as_os_str().as_encoded_bytes()).to_hex()[..16].to_owned();
        let home = lockfile.ancestors().skip(1).find(|dir| dir.join(marker).is_file());
        let commit_lock = match home {
            Some(home) => {
                home.join(".swamp").join("marsh").join("locks").join(format!("lockfile-{key}.lock"))
            }
            None => lockfile.with_file_name(format!(".{}.marsh.lock", Lockfile::FILE_NAME)),
        };
        let owns_state = home
            .is_some_and(|home| canonical(&home.join(".swamp")) == state && { state.parent() == Some(home) });
        let home = home.map(Path::to_owned);
        Installation {
            home,
            trees: Trees::new(&state),
            generations: Generations::new(&state, &key),
            catalog: Catalog::new(&state),
            state,
            lockfile,
            commit_lock,
            key,
            owns_state,
        }
    }

    pub fn lockfile_path(&self) -> &Path {
        &self.lockfile
    }

    pub fn commit_lock_path(&self) -> &Path {
        &self.commit_lock
    }

    pub fn trees(&self) -> &Trees {
        &self.trees
    }

    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Reads the lockfile, once. A missing one is an empty set.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let text = match std::fs::read_to_string(&self.lockfile) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(StoreError::Read { path: self.lockfile.clone(), source }),
        };
        Snapshot::of_text(&self.lockfile, text)
    }

    /// Keeps every other writer of the lockfile out, for whoever mends what follows from it.
    pub fn lock_commits(
        &self,
        command: &str,
        timeout: std::time::Duration,
        on_wait: &mut dyn FnMut(&marsh_fs::Holder),
    ) -> Result<marsh_fs::LockFile, StoreError> {
        Ok(marsh_fs::lock_exclusive(&self.commit_lock, timeout, command, on_wait)?)
    }

    /// The locked extensions whose tree the store does not hold: what a restore has to fetch.
    pub fn missing(&self, snapshot: &Snapshot) -> Vec<ExtensionName> {
        let missing = snapshot
            .lockfile
            .entries
            .iter()
            .filter(|(_, entry)| !entry.checksum.is_some_and(|digest| self.trees.contains(&digest)));
        missing.map(|(name, _)| name.clone()).collect()
    }
}

/// The real path, also of something that is not there yet: then of what is, with the rest as it is.
fn canonical(path: &Path) -> PathBuf {
    canonical_below(path, 0)
}

fn canonical_below(path: &Path, depth: u32) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    // A link to what is not there yet leads to where it will be.
    if let (Ok(target), Some(parent)) = (std::fs::read_link(path), path.parent())
        && depth < 32
    {
        return canonical_below(&parent.join(target), depth + 1);
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => {
            canonical_below(parent, depth + 1).join(name)
        }
        _ => path.to_owned(),
    }
}
