//! Garbage collection, the only operation that deletes trees.

use std::collections::HashSet;
use std::time::Duration;

use marsh_types::{CalVer, Digest, ExtensionName};
use serde::Serialize;

use crate::error::StoreError;
use crate::generation::{Generation, Generations};
use crate::installation::Installation;
use crate::snapshot::Snapshot;

/// The generations that a rollback can restore without a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenerationRetention {
    /// How many of the newest generations of each lockfile keep their trees; at least 1.
    pub generations: usize,
}

impl Default for GenerationRetention {
    fn default() -> GenerationRetention {
        GenerationRetention { generations: 50 }
    }
}

/// A tree that no lockfile and no kept generation names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Garbage {
    /// The digest of its archive.
    pub digest: Digest,
    /// The extension; `None` if the tree's record is damaged.
    pub name: Option<ExtensionName>,
    /// The extension's version.
    pub version: Option<CalVer>,
    /// The size of its files in bytes; 0 if the tree's record is damaged.
    pub bytes: u64,
}

/// The result of a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Collection {
    /// The removed trees, or those that `apply` would remove.
    pub removed: Vec<Garbage>,
    /// Trees that no lockfile or generation names, but that a process uses.
    pub in_use: Vec<Garbage>,
    /// The number of trees that a lockfile or a kept generation names.
    pub kept: usize,
    /// The number of directories that processes left when they died while unpacking.
    pub swept: usize,
    /// The number of generations beyond the retention, whose records are removed.
    pub forgotten: usize,
}

impl Installation {
    /// Finds trees that no lockfile, no kept generation and no lease names, and deletes them if `apply` is true. Otherwise
    /// nothing changes.
    ///
    /// # Errors
    /// The commit lock cannot be taken within `lock_timeout`, a lockfile is invalid, or a file cannot be read or removed.
    pub fn collect(
        &self,
        retention: GenerationRetention,
        apply: bool,
        command: &str,
        lock_timeout: Duration,
    ) -> Result<Collection, StoreError> {
        let forgotten = if apply {
            self.forget(retention, command, lock_timeout)?
        } else {
            beyond(&self.history()?, retention).len()
        };
        let named = self.named(retention)?;
        let (kept, unnamed): (Vec<Digest>, Vec<Digest>) =
            self.trees.list()?.into_iter().partition(|digest| named.contains(digest));
        let garbage: Vec<Garbage> = unnamed.iter().map(|digest| self.garbage(*digest)).collect();
        let unused = if apply {
            // Checked again under the entry's lock: a commit may have named the tree meanwhile.
            self.trees.remove_unused(&unnamed, |digest| Ok(self.named(retention)?.contains(digest)))?
        } else {
            self.trees.unused(&unnamed)?
        };
        let (removed, mut in_use): (Vec<Garbage>, Vec<Garbage>) =
            garbage.into_iter().partition(|garbage| unused.contains(&garbage.digest));
        // Another collection may have removed some of them.
        in_use.retain(|garbage| self.trees.dir(&garbage.digest).exists());
        let swept = if apply { self.trees.sweep()? } else { 0 };
        Ok(Collection { removed, in_use, kept: kept.len(), swept, forgotten })
    }

    fn garbage(&self, digest: Digest) -> Garbage {
        match self.trees.record(&digest) {
            Ok(Some(record)) => Garbage {
                digest,
                bytes: record.files.iter().map(|file| file.bytes).sum(),
                name: Some(record.name),
                version: Some(record.version),
            },
            _ => Garbage { digest, name: None, version: None, bytes: 0 },
        }
    }

    /// Every digest that a lockfile of this state directory names, now or in a kept generation.
    fn named(&self, retention: GenerationRetention) -> Result<HashSet<Digest>, StoreError> {
        let mut named: HashSet<Digest> = self.snapshot()?.lockfile.digests().collect();
        for generations in Generations::all(&self.state) {
            let current = match generations.lockfile_path() {
                Some(path) => match marsh_fs::read_to_string(&path) {
                    // An invalid lockfile may become valid with the next checkout, so its history counts.
                    Ok(text) => Snapshot::of_text(&path, text).ok(),
                    Err(_) => None,
                },
                None => None,
            };
            if let Some(current) = &current {
                named.extend(current.lockfile.digests());
            }
            let empty = Snapshot::of_text(&self.lockfile, String::new())?;
            let list = generations.list(current.as_ref().unwrap_or(&empty))?;
            for generation in list.iter().rev().take(retention.generations.max(1)) {
                if let Some(lockfile) = generations.content(&generation.lockfile)? {
                    named.extend(lockfile.digests());
                }
            }
        }
        Ok(named)
    }

    fn forget(
        &self,
        retention: GenerationRetention,
        command: &str,
        timeout: Duration,
    ) -> Result<usize, StoreError> {
        let _lock = marsh_fs::lock_exclusive(&self.commit_lock, timeout, command, &mut |_| {})?;
        let list = self.generations.list(&self.snapshot()?)?;
        let numbers = beyond(&list, retention);
        self.generations.forget(&numbers)?;
        marsh_fs::remove_leftover(&self.lockfile)?;
        Ok(numbers.len())
    }
}

/// The numbers of the generations beyond the retention.
fn beyond(list: &[Generation], retention: GenerationRetention) -> Vec<u64> {
    let excess = list.len().saturating_sub(retention.generations.max(1));
    list.iter().take(excess).map(|generation| generation.number).collect()
}
