//! The data that one run sees: what is stored, and over it what lives in memory for the run alone.

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
    pub fn new(store: DataStore, ephemeral: EphemeralStore) -> Self {
        RunData { store, ephemeral }
    }

    pub fn store(&self) -> &DataStore {
        &self.store
    }

    pub fn write(&self, new: &NewVersion<'_>, content: &[u8]) -> Result<Metadata, DataError> {
        let mut pending = self.begin(new)?;
        pending.append(content)?;
        pending.finalize()
    }

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

    pub fn latest(&self, ty: &TypeName, model_id: &str, name: &str) -> Result<Option<Metadata>, DataError> {
        match self.ephemeral.latest(ty, model_id, name) {
            Some(metadata) => Ok(Some(metadata)),
            None => self.store.latest(ty, model_id, name),
        }
    }

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

    pub fn list_models(&self) -> Result<Vec<(TypeName, String)>, DataError> {
        let stored = self.store.list_models()?;
        Ok(merge(self.ephemeral.list_models(), stored, Clone::clone))
    }

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

/// A version on its way to memory or to disk.
#[derive(Debug)]
pub enum RunPending {
    Stored(PendingVersion),
    Ephemeral(EphemeralPending),
}

impl RunPending {
    pub fn id(&self) -> &str {
        match self {
            RunPending::Stored(pending) => pending.id(),
            RunPending::Ephemeral(pending) => pending.id(),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            RunPending::Stored(pending) => pending.name(),
            RunPending::Ephemeral(pending) => pending.name(),
        }
    }

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

    pub fn finalize(self) -> Result<Metadata, DataError> {
        match self {
            RunPending::Stored(pending) => pending.finalize(),
            RunPending::Ephemeral(pending) => pending.finalize(),
        }
    }
}
