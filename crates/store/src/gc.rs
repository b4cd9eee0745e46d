//! Collection: the only thing that deletes trees.

use std::collections::HashSet;
use std::time::Duration;

use marsh_types::{CalVer, Digest, ExtensionName};
use serde::Serialize;

use crate::error::StoreError;
use crate::generation::{Generation, Generations};
use crate::installation::{Installation, Snapshot};

/// What of the past stays usable without a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The newest generations of each lockfile whose trees are kept.
    pub generations: usize,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { generations: 50 }
    }
}

/// A tree that nothing names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Garbage {
    pub digest: Digest,
    /// `None`: its record is damaged.
    pub name: Option<ExtensionName>,
    pub version: Option<CalVer>,
    pub bytes: u64,
}

/// What a collection found, and with `apply` removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Collection {
    pub removed: Vec<Garbage>,
    /// Unnamed, and in use by a living process.
    pub in_use: Vec<Garbage>,
    pub kept: usize,
    /// Leftovers of processes that died while unpacking.
    pub swept: usize,
    /// Generations beyond the retention, forgotten.
    pub forgotten: usize,
}

impl Installation {
    /// Finds trees that no lockfile, no generation within the retention and no lease names; deletes them with `apply`.
    /// Without `apply` nothing changes, and `removed` is what would be removed.
    pub fn collect(
        &self,
        retention: Retention,
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
            // Asked again under the entry's lock: a commit may have named it since.
            self.trees.remove_unused(&unnamed, |digest| Ok(self.named(retention)?.contains(digest)))?
        } else {
            self.trees.unused(&unnamed)?
        };
        let (removed, mut in_use): (Vec<Garbage>, Vec<Garbage>) =
            garbage.into_iter().partition(|garbage| unused.contains(&garbage.digest));
        // Not those that another collection has removed.
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

    /// Every digest that some lockfile of this state directory names, now or in a generation that is kept.
    fn named(&self, retention: Retention) -> Result<HashSet<Digest>, StoreError> {
        let mut named: HashSet<Digest> = self.snapshot()?.lockfile.digests().collect();
        for generations in Generations::all(&self.state) {
            let current = match generations.lockfile_path() {
                Some(path) => match std::fs::read_to_string(&path) {
                    // A lockfile that cannot be understood now may come back with the next checkout: its history counts.
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

    fn forget(&self, retention: Retention, command: &str, timeout: Duration) -> Result<usize, StoreError> {
        let _lock = marsh_fs::lock_exclusive(&self.commit_lock, timeout, command, &mut |_| {})?;
        let list = self.generations.list(&self.snapshot()?)?;
        let numbers = beyond(&list, retention);
        self.generations.forget(&numbers)?;
        marsh_fs::remove_leftover(&self.lockfile)?;
        Ok(numbers.len())
    }
}

/// The numbers of the generations that are not kept.
fn beyond(list: &[Generation], retention: Retention) -> Vec<u64> {
    let excess = list.len().saturating_sub(retention.generations.max(1));
    list.iter().take(excess).map(|generation| generation.number).collect()
}
