//! Immutable trees: `store/v1/<sha256 of the archive>/{entry.json,tree/…}`.
//!
//! A directory of such a name is complete by construction: it was filled under a private name, synced, and renamed
//! (`tests/trees.rs`). `entry.json` lists the tree's files, and leases lock it: shared to use the tree, exclusively to
//! delete it.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::{Durability, LockFile, Published, StagedDir};
use marsh_types::{CalVer, Digest, ExtensionName, RelPath};
use serde::{Deserialize, Serialize};

use crate::dirs::{above, names};
use crate::error::StoreError;

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// The path, relative to the tree.
    pub path: RelPath,
    /// The size in bytes.
    pub bytes: u64,
    /// The content's digest.
    pub sha256: Digest,
    /// Whether the file has mode 0555 in place of 0444.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// `entry.json`: the description of a tree. It is computed from the archive alone, so it is the same for every process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TreeRecord {
    /// The format version of this file.
    pub format: u32,
    /// The extension.
    pub name: ExtensionName,
    /// Its version.
    pub version: CalVer,
    /// The digest of the archive's bytes, which is the name of the directory.
    pub checksum: Digest,
    /// The digest of the unpacked tree, as lockfiles record it.
    pub files_checksum: Digest,
    /// The archive's size in bytes.
    pub archive_bytes: u64,
    /// All files, sorted by path.
    pub files: Vec<StoredFile>,
}

const RECORD: &str = "entry.json";
const TREE: &str = "tree";
const FORMAT: u32 = 1;
/// The timeout for locks that every process holds only briefly.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// The result of [`Trees::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeState {
    /// The store does not have the tree.
    Missing,
    /// Every file is as it was published.
    Whole,
    /// The tree was changed after it was published.
    Damaged {
        /// Missing, changed and added files. Empty if the record itself is damaged.
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

/// A tree that is being built. While a value of this type exists, no process removes leftovers of unpacking.
#[derive(Debug)]
pub struct Staging {
    dir: StagedDir,
    _in_progress: LockFile,
}

impl Staging {
    /// The existing empty directory to unpack the archive into.
    pub fn tree(&self) -> PathBuf {
        self.dir.path().join(TREE)
    }
}

/// The use of a tree by this process. No process deletes the tree while a value of this type exists.
#[derive(Debug)]
pub struct Lease {
    digest: Digest,
    tree: PathBuf,
    record: TreeRecord,
    _lock: LockFile,
}

impl Lease {
    /// The digest of the archive.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The directory with the unpacked archive, without the archive's top directory.
    pub fn tree(&self) -> &Path {
        &self.tree
    }

    /// The description of the tree.
    pub fn record(&self) -> &TreeRecord {
        &self.record
    }
}

impl Trees {
    /// The trees below `<state>/marsh/store`. Creates and reads nothing.
    pub fn new(state: &Path) -> Trees {
        let store = state.join("marsh").join("store");
        Trees {
            top: above(state),
            staging_lock: store.join("staging.lock"),
            repair_lock: store.join("repair.lock"),
            root: store.join("v1"),
        }
    }

    /// The directory that contains the entries.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of an entry, whether it exists or not.
    pub fn dir(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.to_hex())
    }

    /// The unpacked tree of an entry, whether it exists or not.
    pub fn tree(&self, digest: &Digest) -> PathBuf {
        self.dir(digest).join(TREE)
    }

    /// Whether the store has this tree.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.dir(digest).join(RECORD).is_file()
    }

    /// Reads the record of an entry. Returns `None` if the store does not have the entry.
    ///
    /// # Errors
    /// The file cannot be read, is not a record, or describes another entry.
    pub fn record(&self, digest: &Digest) -> Result<Option<TreeRecord>, StoreError> {
        let path = self.dir(digest).join(RECORD);
        let bytes = match marsh_fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Read { path, source }),
        };
        let record: TreeRecord = serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::Record { path: path.clone(), message: error.to_string() })?;
        if record.checksum != *digest || record.format != FORMAT {
            return Err(StoreError::Record {
                path,
                message: "it describes another entry or has another format".into(),
            });
        }
        Ok(Some(record))
    }

    /// Leases an entry. Returns `None` if the store does not have it.
    ///
    /// # Errors
    /// The record cannot be read or locked.
    pub fn lease(&self, digest: &Digest) -> Result<Option<Lease>, StoreError> {
        let path = self.dir(digest).join(RECORD);
        // A collection holds the lock briefly while it renames the entry away.
        for _ in 0..100 {
            if !path.is_file() {
                return Ok(None);
            }
            let lock = match marsh_fs::lock_existing_shared(&path, Duration::from_secs(10)) {
                Ok(Some(lock)) => lock,
                Ok(None) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            // The entry may have been renamed away before the lock was taken; the lock is then on a file that is going.
            if !lock.is_at(&path) {
                continue;
            }
            let Some(record) = self.record(digest)? else { continue };
            return Ok(Some(Lease { digest: *digest, tree: self.tree(digest), record, _lock: lock }));
        }
        Ok(None)
    }

    /// Creates a private directory for a new entry.
    ///
    /// # Errors
    /// A directory cannot be created or the staging lock cannot be taken.
    pub fn stage(&self) -> Result<Staging, StoreError> {
        marsh_fs::create_dir_all(&self.root)?;
        let in_progress = marsh_fs::lock_shared(&self.staging_lock, LOCK_WAIT, &mut |_| {})?;
        let dir = StagedDir::new(&self.root)?;
        marsh_fs::create_dir_all(&dir.path().join(TREE))?;
        Ok(Staging { dir, _in_progress: in_progress })
    }

    /// Publishes entries. All are durable when this returns: their files are synced, then their names. An entry whose digest
    /// the store has already is dropped, because the two are equal.
    ///
    /// # Errors
    /// A file cannot be written, synced or renamed.
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
            // A directory without a record was not made by `publish`.
            if target.exists() && !matches!(self.record(&record.checksum), Ok(Some(_))) {
                self.set_aside(&record.checksum)?;
            }
            match staging.dir.publish(&target)? {
                Published::Here | Published::AlreadyThere => {}
            }
        }
        self.sync_names()
    }

    /// Makes the names of all entries durable, and the names of the directories above them.
    pub(crate) fn sync_names(&self) -> Result<(), StoreError> {
        Ok(marsh_fs::sync_way(&self.top, &self.root)?)
    }

    /// Removes a damaged entry, so that it can be built again. Processes that have its files open keep them. An entry that
    /// another process has rebuilt meanwhile stays, because it may be leased.
    ///
    /// # Errors
    /// A lock cannot be taken, or a file cannot be read or renamed.
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

    /// Renames away a directory that has no record, and returns `None` if there is none any more. The caller holds the repair
    /// lock, so a directory with content stays where it is: publishing replaces only empty directories, and a published
    /// entry has a record and may be leased at once.
    fn rename_away_without_record(&self, digest: &Digest) -> Result<Option<StagedDir>, StoreError> {
        let dir = self.dir(digest);
        if marsh_fs::remove_dir_if_empty(&dir)? || names(&dir)?.is_empty() || dir.join(RECORD).is_file() {
            return Ok(None);
        }
        self.rename_away(digest)
    }

    /// Deletes entries that were renamed away, after the renames are durable. Otherwise a power failure could bring back the
    /// name without the files.
    fn discard(&self, asides: Vec<StagedDir>) -> Result<(), StoreError> {
        if !asides.is_empty() {
            marsh_fs::sync_dir(&self.root)?;
        }
        drop(asides);
        Ok(())
    }

    /// Checks that every file of an entry exists with its size; with `contents`, also every byte and that there are no other
    /// files.
    ///
    /// # Errors
    /// The record exists and cannot be read.
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
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list(&self) -> Result<Vec<Digest>, StoreError> {
        let mut digests: Vec<Digest> =
            names(&self.root)?.iter().filter_map(|name| name.parse().ok()).collect();
        digests.sort();
        Ok(digests)
    }

    /// Removes the directories that processes left when they died while unpacking. Does nothing while a process unpacks.
    /// Returns how many were removed.
    ///
    /// # Errors
    /// A directory cannot be read or removed, or the staging lock cannot be opened.
    pub fn sweep(&self) -> Result<usize, StoreError> {
        let left: Vec<String> =
            names(&self.root)?.into_iter().filter(|name| name.starts_with(StagedDir::PREFIX)).collect();
        if left.is_empty() {
            return Ok(0);
        }
        let Some(_alone) = marsh_fs::try_lock_exclusive(&self.staging_lock, "sweep")? else { return Ok(0) };
        // Listed again under the lock: no living process owns the directories that are there now. Some may be entries that
        // were renamed away, and that name may not be durable yet.
        marsh_fs::sync_dir(&self.root)?;
        let mut swept = 0;
        for name in names(&self.root)?.into_iter().filter(|name| name.starts_with(StagedDir::PREFIX)) {
            marsh_fs::remove_tree(&self.root.join(name))?;
            swept += 1;
        }
        Ok(swept)
    }

    /// The entries among `digests` that no process uses now.
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

    /// Deletes the entries among `digests` that no process uses and for which `still_wanted` returns false. It is called
    /// while the entry is locked, so that no process can lease the entry meanwhile. Returns the deleted entries.
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
                // An entry without a record cannot be leased.
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
