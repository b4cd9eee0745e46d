//! The data of one run: stored data, and ephemeral data in memory that hide them.

use std::path::PathBuf;

use marsh_types::TypeName;

use crate::ephemeral::EphemeralPending;
use crate::read::version_numbers;
use crate::{DataError, DataStore, EphemeralStore, Lifetime, Metadata, NewVersion, PendingVersion};

/// Routes writes by lifetime, and reads memory first. Cheap to clone, and shared by the threads of a run.
#[derive(Debug, Clone)]
pub struct RunData {
    store: DataStore,
    ephemeral: EphemeralStore,
}

impl RunData {
    /// The data of one run.
    pub fn new(store: DataStore, ephemeral: EphemeralStore) -> Self {
        RunData { store, ephemeral }
    }

    /// The same data, for writes that need no sync: see [`DataStore::with_ordered`].
    #[must_use]
    pub fn unordered(&self) -> RunData {
        RunData { store: self.store.clone().with_ordered(false), ephemeral: self.ephemeral.clone() }
    }

    /// The stored data.
    pub fn store(&self) -> &DataStore {
        &self.store
    }

    /// Appends a version.
    ///
    /// # Errors
    ///
    /// A file cannot be written, the budget is exceeded, or another owner holds the name.
    pub fn write(&self, new: &NewVersion<'_>, content: &[u8]) -> Result<Metadata, DataError> {
        let mut pending = self.begin(new)?;
        pending.append(content)?;
        pending.finalize()
    }

    /// Starts a version whose content arrives in pieces.
    ///
    /// # Errors
    ///
    /// A file cannot be written, or another owner holds the name.
    pub fn begin(&self, new: &NewVersion<'_>) -> Result<RunPending, DataError> {
        if new.lifetime != Lifetime::Ephemeral {
            return self.store.begin(new).map(RunPending::Stored);
        }
        let mut pending = self.ephemeral.begin(new)?;
        let stored = self.store.name_dir(new.type_path, new.model_id, new.name)?;
        if let Some(highest) = version_numbers(&stored)?.last() {
            self.store.check_owner(&new.draft(), &stored, None)?;
            pending.number_after(*highest);
        }
        Ok(RunPending::Ephemeral(pending))
    }

    /// The latest version; see [`DataStore::latest`].
    ///
    /// # Errors
    ///
    /// A file cannot be read, or metadata are damaged.
    pub fn latest(&self, ty: &TypeName, model_id: &str, name: &str) -> Result<Option<Metadata>, DataError> {
        match self.ephemeral.latest(ty, model_id, name) {
            Some(metadata) => Ok(Some(metadata)),
            None => self.store.latest(ty, model_id, name),
        }
    }

    /// One version.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or metadata are damaged.
    pub fn metadata(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        version: u32,
    ) -> Result<Option<Metadata>, DataError> {
        match self.ephemeral.metadata(ty, model_id, name, version) {
            Some(metadata) => Ok(Some(metadata)),
            None => self.store.metadata(ty, model_id, name, version),
        }
    }

    /// All versions, ascending. Where both have a number, memory's is the one.
    pub fn versions(&self, ty: &TypeName, model_id: &str, name: &str) -> Result<Vec<Metadata>, DataError> {
        let stored = self.store.versions(ty, model_id, name)?;
        Ok(merge(self.ephemeral.versions(ty, model_id, name), stored, |metadata| metadata.version))
    }

    /// The content of a version; without a number that of the latest.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or metadata are damaged.
    pub fn content(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<Vec<u8>>, DataError> {
        match self.ephemeral.content(ty, model_id, name, version) {
            Some(content) => Ok(Some(content.to_vec())),
            None => self.store.content(ty, model_id, name, version),
        }
    }

    /// `None` also for what is in memory only.
    pub fn content_path(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<PathBuf>, DataError> {
        match self.ephemeral.content(ty, model_id, name, version) {
            Some(_) => Ok(None),
            None => self.store.content_path(ty, model_id, name, version),
        }
    }

    /// The latest version of each name of a model, by name.
    pub fn list_model(&self, ty: &TypeName, model_id: &str) -> Result<Vec<Metadata>, DataError> {
        let stored = self.store.list_model(ty, model_id)?;
        Ok(merge(self.ephemeral.list_model(ty, model_id), stored, |metadata| metadata.name.clone()))
    }

    /// The models that have data, sorted by type and id.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or metadata are damaged.
    pub fn list_models(&self) -> Result<Vec<(TypeName, String)>, DataError> {
        let stored = self.store.list_models()?;
        Ok(merge(self.ephemeral.list_models(), stored, Clone::clone))
    }

    /// Deletes data, or one version of them. Returns how many versions were deleted.
    ///
    /// # Errors
    ///
    /// A file cannot be removed.
    pub fn delete(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<usize, DataError> {
        let in_memory = self.ephemeral.delete(ty, model_id, name, version);
        if version.is_some() && in_memory > 0 {
            return Ok(in_memory);
        }
        Ok(in_memory + self.store.delete(ty, model_id, name, version)?)
    }
}

/// Sorted by `key`; of two with the same key the one from `first` stays.
fn merge<T, K: Ord>(first: Vec<T>, second: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut all = first;
    all.extend(second);
    all.sort_by_key(&key);
    all.dedup_by(|later, earlier| key(later) == key(earlier));
    all
}

/// A version that is being written, to memory or to disk.
#[derive(Debug)]
pub enum RunPending {
    /// For the disk.
    Stored(PendingVersion),
    /// For memory.
    Ephemeral(EphemeralPending),
}

impl RunPending {
    /// The id that the version will have.
    pub fn id(&self) -> &str {
        match self {
            RunPending::Stored(pending) => pending.id(),
            RunPending::Ephemeral(pending) => pending.id(),
        }
    }

    /// The name of the data.
    pub fn name(&self) -> &str {
        match self {
            RunPending::Stored(pending) => pending.name(),
            RunPending::Ephemeral(pending) => pending.name(),
        }
    }

    /// Appends content.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or the budget is exceeded.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        match self {
            RunPending::Stored(pending) => pending.append(bytes),
            RunPending::Ephemeral(pending) => pending.append(bytes),
        }
    }

    /// See [`PendingVersion::path`]; what is in memory has none.
    pub fn path(&mut self) -> Option<&std::path::Path> {
        match self {
            RunPending::Stored(pending) => Some(pending.path()),
            RunPending::Ephemeral(_) => None,
        }
    }

    /// Publishes the version.
    ///
    /// # Errors
    ///
    /// A file cannot be written, or another owner holds the name.
    pub fn finalize(self) -> Result<Metadata, DataError> {
        match self {
            RunPending::Stored(pending) => pending.finalize(),
            RunPending::Ephemeral(pending) => pending.finalize(),
        }
    }
}
