//! Immutable trees: `store/v1/<sha256 of the archive>/{entry.json,tree/…}`.
//!
//! A directory of such a name is complete by construction: it was filled under a private name, synced, and renamed.
//! `entry.json` lists what is in it and is the file that leases lock: shared by whoever uses the tree, exclusively by
//! whoever wants to delete it.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::{Durability, LockFile, Published, StagedDir};
use marsh_types::{CalVer, Digest, ExtensionName, RelPath};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::generation::above;

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    pub path: RelPath,
    pub bytes: u64,
    pub sha256: Digest,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// `entry.json`: what a tree is. Everything in it follows from the archive alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TreeRecord {
    pub format: u32,
    pub name: ExtensionName,
    pub version: CalVer,
    /// Of the archive's bytes: the name of the directory.
    pub checksum: Digest,
    /// Of the unpacked tree, as lockfiles record it.
    pub files_checksum: Digest,
    pub archive_bytes: u64,
    /// Sorted by path.
    pub files: Vec<StoredFile>,
}

const RECORD: &str = "entry.json";
const TREE: &str = "tree";
const FORMAT: u32 = 1;
/// For locks that are held for moments only.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// How a stored tree looks when one looks closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeState {
    Missing,
    Whole,
    /// Somebody changed it after it was published.
    Damaged {
        files: Vec<RelPath>,
    },
}

/// The trees of a `.swamp` directory.
#[derive(Debug, Clone)]
pub struct Trees {
    /// The directory that holds the state directory.
    top: PathBuf,
    root: PathBuf,
    staging_lock: PathBuf,
    repair_lock: PathBuf,
}

/// A tree that is being built. While it lives nobody sweeps what unpackers leave behind.
#[derive(Debug)]
pub struct Staging {
    dir: StagedDir,
    _in_progress: LockFile,
}

impl Staging {
    /// Where the archive is unpacked to: an existing empty directory.
    pub fn tree(&self) -> PathBuf {
        self.dir.path().join(TREE)
    }
}

/// Keeps a tree from being collected while this lives, in whatever process.
#[derive(Debug)]
pub struct Lease {
    digest: Digest,
    tree: PathBuf,
    record: TreeRecord,
    _lock: LockFile,
}

impl Lease {
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The unpacked archive, without its top directory.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    pub fn record(&self) -> &TreeRecord {
        &self.record
    }
}

impl Trees {
    /// The trees below `<state>/marsh/store`. Touches nothing.
    pub fn new(state: &Path) -> Trees {
        let store = state.join("marsh").join("store");
        Trees {
            top: above(state),
            staging_lock: store.join("staging.lock"),
            repair_lock: store.join("repair.lock"),
            root: store.join("v1"),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of an entry, present or not.
    pub fn dir(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.to_hex())
    }

    /// The unpacked tree of an entry, present or not.
    pub fn tree(&self, digest: &Digest) -> PathBuf {
        self.dir(digest).join(TREE)
    }

    pub fn contains(&self, digest: &Digest) -> bool {
        self.dir(digest).join(RECORD).is_file()
    }

    /// The record of an entry; `None` when the store does not hold it.
    pub fn record(&self, digest: &Digest) -> Result<Option<TreeRecord>, StoreError> {
        let path = self.dir(digest).join(RECORD);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Read { path, source }),
        };
        let record: TreeRecord = serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::Record { path: path.clone(), message: error.to_string() })?;
        if record.checksum != *digest || record.format != FORMAT {
            return Err(StoreError::Record { path, message: "it is of another entry or format".into() });
        }
        Ok(Some(record))
    }

    /// Uses an entry. `None`: the store does not hold it (any more).
    pub fn lease(&self, digest: &Digest) -> Result<Option<Lease>, StoreError> {
        let path = self.dir(digest).join(RECORD);
        // A collector may hold the lock for the moment in which it renames the entry away.
        for _ in 0..100 {
            if !path.is_file() {
                return Ok(None);
            }
            let lock = match marsh_fs::lock_existing_shared(&path, Duration::from_secs(10)) {
                Ok(Some(lock)) => lock,
                Ok(None) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            // Locked too late, it is the file of an entry that has been renamed away.
            if !lock.is_at(&path) {
                continue;
            }
            let Some(record) = self.record(digest)? else { continue };
            return Ok(Some(Lease { digest: *digest, tree: self.tree(digest), record, _lock: lock }));
        }
        Ok(None)
    }

    /// Begins an entry.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        marsh_fs::create_dir_all(&self.root)?;
        let in_progress = marsh_fs::lock_shared(&self.staging_lock, LOCK_WAIT, &mut |_| {})?;
        let dir = StagedDir::new(&self.root)?;
        marsh_fs::create_dir_all(&dir.path().join(TREE))?;
        Ok(Staging { dir, _in_progress: in_progress })
    }

    /// Publishes entries, all durable when this returns: their files are synced, then their names. A digest that is there
    /// already is as good as ours.
    pub fn publish(&self, staged: Vec<(Staging, TreeRecord)>) -> Result<(), StoreError> {
        if staged.is_empty() {
            return Ok(());
        }
        for (staging, record) in &staged {
            let bytes =
                serde_json::to_vec(&TreeRecord { format: FORMAT, ..record.clone() }).map_err(|error| {
                    StoreError::Record { path: staging.dir.path().join(RECORD), message: error.to_string() }
                })?;
            let mut file = marsh_fs::NewFile::create_with_mode(&staging.dir.path().join(RECORD), 0o444)?;
            file.write(&bytes)?;
            file.finish(Durability::Atomic)?;
        }
        let dirs: Vec<&Path> = staged.iter().map(|(staging, _)| staging.dir.path()).collect();
        marsh_fs::sync_trees(&dirs)?;
        for (staging, record) in staged {
            let target = self.dir(&record.checksum);
            // What is there and has no record is of nobody's making.
            if target.exists() && !matches!(self.record(&record.checksum), Ok(Some(_))) {
                self.set_aside(&record.checksum)?;
            }
            match staging.dir.publish(&target)? {
                Published::Here | Published::AlreadyThere => {}
            }
        }
        self.sync_names()
    }

    /// Makes the names of all entries durable, and those of the directories above them.
    pub(crate) fn sync_names(&self) -> Result<(), StoreError> {
        Ok(marsh_fs::sync_way(&self.top, &self.root)?)
    }

    /// Puts a damaged entry out of the way, so that it can be built again. Processes that have it open keep it. One that
    /// somebody else has made whole meanwhile stays: it may be leased.
    pub fn set_aside(&self, digest: &Digest) -> Result<(), StoreError> {
        let _in_progress = marsh_fs::lock_shared(&self.staging_lock, LOCK_WAIT, &mut |_| {})?;
        let _alone = marsh_fs::lock_exclusive(&self.repair_lock, LOCK_WAIT, "set aside", &mut |_| {})?;
        if !matches!(self.check(digest, true)?, TreeState::Damaged { .. }) {
            return Ok(());
        }
        let aside = if self.dir(digest).join(RECORD).is_file() {
            self.rename_away(digest)?
        } else {
            self.rename_away_without_record(digest)?
        };
        self.discard(aside.into_iter().collect())
    }

    fn rename_away(&self, digest: &Digest) -> Result<Option<StagedDir>, StoreError> {
        let aside = StagedDir::new(&self.root)?;
        marsh_fs::rename(&self.dir(digest), aside.path())?;
        Ok(Some(aside))
    }

    /// Only under the repair lock, so that a directory with something in it stays where it is: a publisher replaces
    /// empty ones only, and what he puts there has a record and may be leased at once. `None`: there is none, any more.
    fn rename_away_without_record(&self, digest: &Digest) -> Result<Option<StagedDir>, StoreError> {
        let dir = self.dir(digest);
        if marsh_fs::remove_dir_if_empty(&dir)? || names(&dir)?.is_empty() || dir.join(RECORD).is_file() {
            return Ok(None);
        }
        self.rename_away(digest)
    }

    /// Deletes what has been renamed away, once that is durable: else a power failure could bring back the name and not
    /// the files.
    fn discard(&self, asides: Vec<StagedDir>) -> Result<(), StoreError> {
        if !asides.is_empty() {
            marsh_fs::sync_dir(&self.root)?;
        }
        drop(asides);
        Ok(())
    }

    /// Looks at every file of an entry; with `contents`, at every byte.
    pub fn check(&self, digest: &Digest, contents: bool) -> Result<TreeState, StoreError> {
        let record = match self.record(digest) {
            Ok(Some(record)) => record,
            Ok(None) if self.dir(digest).exists() => return Ok(TreeState::Damaged { files: Vec::new() }),
            Ok(None) => return Ok(TreeState::Missing),
            Err(StoreError::Record { .. }) => return Ok(TreeState::Damaged { files: Vec::new() }),
            Err(error) => return Err(error),
        };
        let tree = self.tree(digest);
        let mut damaged = Vec::new();
        for file in &record.files {
            let path = file.path.below(&tree);
            let whole = match std::fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_file() && metadata.len() == file.bytes => {
                    !contents || digest_file(&path).is_some_and(|found| found == file.sha256)
                }
                _ => false,
            };
            if !whole {
                damaged.push(file.path.clone());
            }
        }
        if contents {
            let listed: HashSet<&str> = record.files.iter().map(|file| file.path.as_str()).collect();
            damaged.extend(files_below(&tree).into_iter().filter(|path| !listed.contains(path.as_str())));
        }
        Ok(if damaged.is_empty() { TreeState::Whole } else { TreeState::Damaged { files: damaged } })
    }

    /// The digests of all entries, sorted.
    pub fn list(&self) -> Result<Vec<Digest>, StoreError> {
        let mut digests: Vec<Digest> =
            names(&self.root)?.iter().filter_map(|name| name.parse().ok()).collect();
        digests.sort();
        Ok(digests)
    }

    /// Removes what unpackers that died left behind. Does nothing while anybody unpacks. Returns how many.
    pub fn sweep(&self) -> Result<usize, StoreError> {
        let left: Vec<String> =
            names(&self.root)?.into_iter().filter(|name| name.starts_with(StagedDir::PREFIX)).collect();
        if left.is_empty() {
            return Ok(0);
        }
        let Some(_alone) = marsh_fs::try_lock_exclusive(&self.staging_lock, "sweep")? else { return Ok(0) };
        // Listed again under the lock: what is there now has no living owner.
        // Some may have been entries whose new name is not durable yet.
        marsh_fs::sync_dir(&self.root)?;
        let mut swept = 0;
        for name in names(&self.root)?.into_iter().filter(|name| name.starts_with(StagedDir::PREFIX)) {
            marsh_fs::remove_tree(&self.root.join(name))?;
            swept += 1;
        }
        Ok(swept)
    }

    /// Those of the entries that nobody uses now.
    pub(crate) fn unused(&self, digests: &[Digest]) -> Result<HashSet<Digest>, StoreError> {
        let mut unused = HashSet::new();
        for digest in digests {
            let record = self.dir(digest).join(RECORD);
            if !record.is_file() || marsh_fs::try_lock_existing_exclusive(&record)?.is_some() {
                unused.insert(*digest);
            }
        }
        Ok(unused)
    }

    /// Deletes those of the entries that nobody uses and `still_wanted` does not name, asked while nobody can begin to use
    /// them. Returns what has been deleted.
    pub(crate) fn remove_unused(
        &self,
        digests: &[Digest],
        still_wanted: impl Fn(&Digest) -> Result<bool, StoreError>,
    ) -> Result<HashSet<Digest>, StoreError> {
        let mut removed = HashSet::new();
        if digests.is_empty() {
            return Ok(removed);
        }
        let _in_progress = marsh_fs::lock_shared(&self.staging_lock, LOCK_WAIT, &mut |_| {})?;
        let _alone = marsh_fs::lock_exclusive(&self.repair_lock, LOCK_WAIT, "collect", &mut |_| {})?;
        let mut asides = Vec::new();
        for digest in digests {
            let path = self.dir(digest).join(RECORD);
            match marsh_fs::try_lock_existing_exclusive(&path)? {
                Some(lock) if lock.is_at(&path) && !still_wanted(digest)? => {
                    asides.extend(self.rename_away(digest)?);
                    removed.insert(*digest);
                }
                Some(_) => continue,
                None if path.is_file() => continue,
                // Without a record nothing can be leased.
                None => {
                    asides.extend(self.rename_away_without_record(digest)?);
                    if !self.dir(digest).exists() {
                        removed.insert(*digest);
                    }
                }
            }
        }
        self.discard(asides)?;
        Ok(removed)
    }
}

/// The names in a directory; none when it is not there.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    match std::fs::read_dir(dir) {
        Ok(entries) => {
            Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreError::Read { path: dir.to_owned(), source }),
    }
}

fn digest_file(path: &Path) -> Option<Digest> {
    let mut writer = marsh_types::DigestWriter::new();
    std::io::copy(&mut File::open(path).ok()?, &mut writer).ok()?;
    Some(writer.finish())
}

fn files_below(root: &Path) -> Vec<RelPath> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(path);
            } else if let Ok(below) = path.strip_prefix(root) {
                let text = below.to_string_lossy().replace('\\', "/");
                found.extend(RelPath::parse(&text));
            }
        }
    }
    found
}
