//! A lockfile and the `.swamp` directory with the trees of its extensions.

use std::path::{Path, PathBuf};

use marsh_types::{Digest, ExtensionName, Lockfile};

use crate::catalog::StoreCatalog;
use crate::error::StoreError;
use crate::generation::Generations;
use crate::snapshot::Snapshot;
use crate::trees::Trees;

/// The installed set of one lockfile.
///
/// Several installations can share a state directory (worktrees whose `.swamp` is a link). They share trees and catalog,
/// which depend on content alone. Lock, generations and views belong to the lockfile.
#[derive(Debug, Clone)]
pub struct Installation {
    pub(crate) state: PathBuf,
    pub(crate) lockfile: PathBuf,
    pub(crate) commit_lock: PathBuf,
    pub(crate) trees: Trees,
    pub(crate) generations: Generations,
    pub(crate) catalog: StoreCatalog,
    /// Sixteen hex digits of the digest of the lockfile's canonical path.
    pub(crate) key: String,
    pub(crate) owns_state: bool,
    /// The nearest directory above the lockfile that has a marker.
    pub(crate) home: Option<PathBuf>,
}

impl Installation {
    /// The installation of `lockfile`, whether the file exists or not. `state` is the `.swamp` directory, `marker` the file
    /// name of the repository's marker. Creates nothing.
    ///
    /// The commit lock's path follows from the lockfile's canonical path and not from `state`, so that every process that
    /// writes the file takes the same lock. It is in the `.swamp` of the nearest directory above the lockfile that has a
    /// marker, else beside the lockfile.
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
            catalog: StoreCatalog::new(&state),
            state,
            lockfile,
            commit_lock,
            key,
            owns_state,
        }
    }

    /// The lockfile's canonical path.
    pub fn lockfile_path(&self) -> &Path {
        &self.lockfile
    }

    /// The path of the lock that every commit takes.
    pub fn commit_lock_path(&self) -> &Path {
        &self.commit_lock
    }

    /// The trees of the state directory.
    pub fn trees(&self) -> &Trees {
        &self.trees
    }

    /// The catalog of the state directory.
    pub fn catalog(&self) -> &StoreCatalog {
        &self.catalog
    }

    /// Reads the lockfile once. A missing file is an empty set.
    ///
    /// # Errors
    /// The file cannot be read or is invalid.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let text = match marsh_fs::read_to_string(&self.lockfile) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(StoreError::Read { path: self.lockfile.clone(), source }),
        };
        Snapshot::of_text(&self.lockfile, text)
    }

    /// Takes the commit lock, to repair files that are derived from the lockfile while no process changes it. `on_wait` is
    /// called once with the holder after one second of waiting.
    ///
    /// # Errors
    /// The lock is held until `timeout`, or cannot be taken.
    pub fn lock_commits(
        &self,
        command: &str,
        timeout: std::time::Duration,
        on_wait: &mut dyn FnMut(&marsh_fs::Holder),
    ) -> Result<marsh_fs::LockFile, StoreError> {
        Ok(marsh_fs::lock_exclusive(&self.commit_lock, timeout, command, on_wait)?)
    }

    /// The installed extensions whose tree the store does not have, which a restore downloads.
    pub fn missing(&self, snapshot: &Snapshot) -> Vec<ExtensionName> {
        let missing = snapshot
            .lockfile
            .entries
            .iter()
            .filter(|(_, entry)| !entry.checksum.is_some_and(|digest| self.trees.contains(&digest)));
        missing.map(|(name, _)| name.clone()).collect()
    }
}

/// The path without links. Of a path that does not exist, the part that exists is resolved and the rest is kept.
fn canonical(path: &Path) -> PathBuf {
    canonical_below(path, 0)
}

fn canonical_below(path: &Path, depth: u32) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    // A link to a missing file: the file will be created at the link's target.
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
