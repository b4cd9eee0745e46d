//! What this process wrote last below each name, so that its next write need not list and parse what it knows.
//!
//! Nothing here is believed without a look at the disk: a number counts as long as `latest` says the same, an owner as long
//! as the version's `metadata.yaml` is the very file that was written. Every writer of marsh moves `latest` before it lets go
//! of the model's latch, and a deletion of the highest version moves it first, so under the latch `latest` cannot say a
//! number that others have gone past (`tests/store.rs`: `what_a_process_wrote_last_…`, `tests/race.rs`, `tests/crash.rs`); one who knows nothing of the latch is met by
//! the exclusive rename that claims the number.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::metadata::Owner;
use crate::read::pointed_at;
use crate::{DataError, Metadata};

/// Names that are remembered; then it begins anew. An entry has some 300 bytes.
const MOST: usize = 4096;

/// Shared by the clones of a store.
#[derive(Debug, Clone, Default)]
pub(crate) struct WrittenVersions {
    names: Arc<Mutex<HashMap<PathBuf, Entry>>>,
}

#[derive(Debug, Clone)]
struct Entry {
    number: u32,
    owner: Owner,
    stamp: Option<Stamp>,
}

/// The newest version of a name, when it is the one that this process wrote.
#[derive(Debug)]
pub(crate) struct Last {
    /// Under the latch, the highest number that is taken.
    pub number: u32,
    /// `None`: its file is another one now.
    pub owner: Option<Owner>,
}

/// Which file it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    size: u64,
    inode: u64,
}

impl WrittenVersions {
    /// The version that this process wrote last, if no other process wrote since.
    pub fn last(&self, name_dir: &Path) -> Result<Option<Last>, DataError> {
        let Some(entry) = self.entry(name_dir, Clone::clone) else { return Ok(None) };
        if pointed_at(name_dir)? != Some(entry.number) {
            return Ok(None);
        }
        let is_same = entry.stamp.is_some() && stamp(name_dir, entry.number) == entry.stamp;
        Ok(Some(Last { number: entry.number, owner: is_same.then_some(entry.owner) }))
    }

    /// The number that this process wrote last. Other processes may have written since.
    pub fn guess(&self, name_dir: &Path) -> Option<u32> {
        self.entry(name_dir, |entry| entry.number)
    }

    pub fn note(&self, name_dir: &Path, metadata: &Metadata) {
        let number = metadata.version;
        let entry =
            Entry { number, owner: metadata.owner_definition.clone(), stamp: stamp(name_dir, number) };
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MOST {
            names.clear();
        }
        names.insert(name_dir.to_owned(), entry);
    }

    fn entry<T>(&self, name_dir: &Path, pick: impl Fn(&Entry) -> T) -> Option<T> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).get(name_dir).map(pick)
    }
}

fn stamp(name_dir: &Path, number: u32) -> Option<Stamp> {
    let metadata = std::fs::metadata(name_dir.join(number.to_string()).join("metadata.yaml")).ok()?;
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    Some(Stamp { modified: metadata.modified().ok()?, size: metadata.len(), inode })
}
