//! The store: writing, deleting, renaming.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use marsh_fs::{LockError, LockFile};
use marsh_types::TypeName;

use crate::name::{LATCH, check_data_name, is_private};
use crate::pending::{advance_latest, trash};
use crate::read::{found, latest_in, version_numbers};
use crate::written::{Last, WrittenVersions};
use crate::{DataError, Metadata, NewVersion, PendingVersion};

/// The latch is held for microseconds: a wait this long means that its holder is stopped.
const LATCH_TIMEOUT: Duration = Duration::from_secs(30);

/// Versioned data below one directory.
#[derive(Debug, Clone)]
pub struct DataStore {
    root: PathBuf,
    durable: bool,
    ordered: bool,
    pub(crate) written: WrittenVersions,
}

impl DataStore {
    /// `root` is `<repository>/.swamp/data`. It need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        DataStore { root: root.into(), durable: true, ordered: true, written: WrittenVersions::default() }
    }

    /// Whether a write ends with a directory sync, so that the version survives a power failure (the default).
    ///
    /// File data are on disk before their version appears in any case: without this, a power failure may lose the newest
    /// versions but never tears one (`tests/power.rs`). A command that writes several versions and then syncs one record
    /// may turn it off, since the journals of ext4, XFS and APFS keep the order.
    pub fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Whether file data are on disk before their version appears (the default). Without this, a power failure may tear a
    /// version where the file system does not keep the order: for what is derived from something that is on disk.
    pub fn with_ordered(mut self, ordered: bool) -> Self {
        self.ordered = ordered;
        self
    }

    pub(crate) fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// The directory of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.durable
    }

    /// Appends a version.
    ///
    /// # Errors
    ///
    /// A file cannot be written, or another owner holds the name.
    pub fn write(&self, new: &NewVersion<'_>, content: &[u8]) -> Result<Metadata, DataError> {
        let mut pending = self.begin(new)?;
        pending.append(content)?;
        pending.finalize()
    }

    /// [`write`](Self::write) for a caller that holds the latch of the model.
    fn write_latched(
        &self,
        new: &NewVersion<'_>,
        content: &[u8],
        latch: Option<&LockFile>,
    ) -> Result<Metadata, DataError> {
        let mut pending = self.begin(new)?;
        pending.append(content)?;
        pending.finalize_latched(latch)
    }

    /// Starts a version whose content arrives in pieces. It is invisible until it is finalized.
    ///
    /// # Errors
    ///
    /// A file cannot be written, or another owner holds the name.
    pub fn begin(&self, new: &NewVersion<'_>) -> Result<PendingVersion, DataError> {
        let draft = new.draft();
        let name_dir = self.name_dir(new.type_path, new.model_id, new.name)?;
        self.check_owner(&draft, &name_dir, self.written.last(&name_dir)?.as_ref())?;
        PendingVersion::new(self, new.type_path, new.model_id, draft)
    }

    /// Deletes data, or one version of them. Returns how many versions were deleted.
    ///
    /// # Errors
    ///
    /// A file cannot be removed, or the latch was not free in time.
    pub fn delete(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<usize, DataError> {
        let model_dir = self.model_dir(ty, model_id)?;
        let name_dir = self.name_dir(ty, model_id, name)?;
        if !name_dir.is_dir() {
            return Ok(0);
        }
        let latch = self.latch(ty, model_id)?;
        if !name_dir.is_dir() {
            // Another process deleted it during the wait.
            return Ok(0);
        }
        let versions = self.versions_present(&name_dir)?;
        let gone = match version {
            Some(version) if !versions.contains(&version) => return Ok(0),
            Some(version) if versions.len() > 1 => {
                let rest = versions.iter().filter(|other| **other != version).max();
                if let Some(rest) = rest.filter(|rest| **rest < version) {
                    // Before the version goes, so that `latest` never points at nothing.
                    let latest = name_dir.join("latest");
                    marsh_fs::atomic_write(
                        &latest,
                        rest.to_string().as_bytes(),
                        marsh_fs::Durability::Atomic,
                    )?;
                }
                let gone = trash(&model_dir);
                marsh_fs::rename(&name_dir.join(version.to_string()), &gone)?;
                advance_latest(&name_dir)?;
                gone
            }
            _ => {
                let gone = trash(&model_dir);
                marsh_fs::rename(&name_dir, &gone)?;
                gone
            }
        };
        drop(latch);
        if self.durable {
            sync_if_there(if name_dir.is_dir() { &name_dir } else { &model_dir })?;
        }
        marsh_fs::remove_tree(&gone)?;
        Ok(if version.is_some() { 1 } else { versions.len() })
    }

    /// Renames data: the newest content gets the new name, and the old name a tombstone that names the new one. Older versions
    /// stay under the old name.
    ///
    /// # Errors
    ///
    /// The old name has no data, the new name has some or is invalid, or a file cannot be written.
    pub fn rename(&self, ty: &TypeName, model_id: &str, old: &str, new: &str) -> Result<Metadata, DataError> {
        let no_such_data = || DataError::NoSuchData { name: old.to_owned() };
        check_data_name(new)?;
        if !self.name_dir(ty, model_id, old)?.is_dir() {
            return Err(no_such_data());
        }
        // Held throughout: no process writes to the old name between copy and tombstone, and of two processes that want one
        // new name, one gets it.
        let latch = self.latch(ty, model_id)?;
        let source = latest_in(&self.name_dir(ty, model_id, old)?)?.ok_or_else(no_such_data)?;
        if source.is_deleted() {
            return Err(no_such_data());
        }
        let content = self.content(ty, model_id, old, Some(source.version))?.ok_or_else(no_such_data)?;
        if latest_in(&self.name_dir(ty, model_id, new)?)?.is_some_and(|target| !target.is_deleted()) {
            return Err(DataError::TargetExists { name: new.to_owned() });
        }
        let mut version = NewVersion {
            type_path: ty,
            model_id,
            name: new,
            content_type: &source.content_type,
            lifetime: source.lifetime.clone(),
            garbage_collection: source.garbage_collection.clone(),
            streaming: source.streaming,
            tags: source.tags.clone(),
            owner: source.owner_definition.clone(),
            lifecycle: None,
            renamed_to: None,
        };
        let copy = self.write_latched(&version, &content, latch.as_ref())?;
        let renamed_at = marsh_types::time::iso_millis(jiff::Timestamp::now());
        let tombstone = serde_json::json!({"renamedTo": new, "renamedAt": renamed_at}).to_string();
        version.name = old;
        version.content_type = "application/json";
        version.streaming = false;
        version.lifecycle = Some(Metadata::DELETED.to_owned());
        version.renamed_to = Some(new.to_owned());
        let buried = self.write_latched(&version, tombstone.as_bytes(), latch.as_ref());
        drop(latch);
        match buried {
            Ok(_) => Ok(copy),
            Err(error) => {
                self.delete(ty, model_id, new, Some(copy.version))?;
                Err(error)
            }
        }
    }

    /// Removes unfinished versions that are older than `age` and returns how many there were. It only frees space. `age` must be
    /// longer than any run, as the versions of a running writer look the same.
    ///
    /// # Errors
    ///
    /// A directory cannot be read or removed.
    pub fn sweep(&self, age: Duration) -> Result<usize, DataError> {
        let mut swept = 0;
        sweep_below(&self.root, SystemTime::now() - age, &mut swept)?;
        Ok(swept)
    }

    /// Only the owner of existing data can write them. `last`: what this process knows of the newest version.
    pub(crate) fn check_owner(
        &self,
        new: &Metadata,
        name_dir: &Path,
        last: Option<&Last>,
    ) -> Result<(), DataError> {
        let existing = match last.and_then(|last| last.owner.clone()) {
            Some(owner) => Some(owner),
            None => latest_in(name_dir)?.map(|latest| latest.owner_definition),
        };
        match existing {
            Some(existing) if !existing.is_same(&new.owner_definition) => Err(DataError::OwnerMismatch {
                name: new.name.clone(),
                existing: existing.describe(),
                writer: new.owner_definition.describe(),
            }),
            _ => Ok(()),
        }
    }

    /// Serializes the writers of one model while they take a number and move `latest`. `None`: the file system has no locks.
    /// Numbers are claimed by exclusive renames all the same, but `latest` may step back for an instant.
    pub(crate) fn latch(&self, ty: &TypeName, model_id: &str) -> Result<Option<LockFile>, DataError> {
        let path = self.model_dir(ty, model_id)?.join(LATCH);
        match marsh_fs::lock_latch(&path, LATCH_TIMEOUT, "data write") {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::Unsupported { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn versions_present(&self, name_dir: &Path) -> Result<Vec<u32>, DataError> {
        let mut numbers = version_numbers(name_dir)?;
        numbers.retain(|number| name_dir.join(number.to_string()).join("metadata.yaml").is_file());
        Ok(numbers)
    }
}

/// Makes the names in a directory durable, unless the directory is gone.
pub(crate) fn sync_if_there(dir: &Path) -> Result<(), DataError> {
    match marsh_fs::sync_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => Ok(other?),
    }
}

fn sweep_below(dir: &Path, before: SystemTime, swept: &mut usize) -> Result<(), DataError> {
    let Some(entries) = found(dir, std::fs::read_dir(dir))? else { return Ok(()) };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_dir() {
            continue;
        }
        if !is_private(&name) {
            sweep_below(&path, before, swept)?;
        } else if metadata.modified().is_ok_and(|modified| modified < before) {
            marsh_fs::remove_tree(&path)?;
            *swept += 1;
        }
    }
    Ok(())
}
