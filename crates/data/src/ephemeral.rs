//! Ephemeral data: in memory, for one run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use marsh_types::TypeName;
use sha2::{Digest, Sha256};

use crate::name::{check_data_name, check_model_id};
use crate::pending::hex;
use crate::{DataError, Metadata, NewVersion};

/// The default budget of ephemeral data, in bytes.
pub const DEFAULT_EPHEMERAL_BUDGET: u64 = 512 * 1024 * 1024;

/// Reads a budget such as `64m`: bytes, or with `k`, `m` or `g` (powers of 1024).
pub fn parse_budget(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let (number, unit) = match text.char_indices().last()? {
        (at, 'k') => (&text[..at], 1 << 10),
        (at, 'm') => (&text[..at], 1 << 20),
        (at, 'g') => (&text[..at], 1 << 30),
        _ => (text.as_str(), 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[derive(Debug, Clone)]
struct Version {
    metadata: Metadata,
    content: Arc<[u8]>,
}

type Key = (TypeName, String, String);

/// The same interface as [`DataStore`](crate::DataStore), in memory and within a budget. Cheap to clone; clones share.
#[derive(Debug, Clone)]
pub struct EphemeralStore {
    data: Arc<Mutex<BTreeMap<Key, Vec<Version>>>>,
    budget: Arc<Budget>,
}

impl Default for EphemeralStore {
    fn default() -> Self {
        Self::new(DEFAULT_EPHEMERAL_BUDGET)
    }
}

impl EphemeralStore {
    /// `budget` bounds the bytes of all contents together, unfinished ones included.
    pub fn new(budget: u64) -> Self {
        let budget = Budget { limit: budget, used: AtomicU64::new(0) };
        EphemeralStore { data: Arc::default(), budget: Arc::new(budget) }
    }

    /// Appends a version.
    ///
    /// # Errors
    ///
    /// The budget is exceeded, or another owner holds the name.
    pub fn write(&self, new: &NewVersion<'_>, content: &[u8]) -> Result<Metadata, DataError> {
        let mut pending = self.begin(new)?;
        pending.append(content)?;
        pending.finalize()
    }

    /// Starts a version whose content arrives in pieces.
    ///
    /// # Errors
    ///
    /// The name is invalid.
    pub fn begin(&self, new: &NewVersion<'_>) -> Result<EphemeralPending, DataError> {
        check_model_id(new.model_id)?;
        check_data_name(new.name)?;
        Ok(EphemeralPending {
            store: self.clone(),
            key: (new.type_path.clone(), new.model_id.to_owned(), new.name.to_owned()),
            metadata: new.draft(),
            content: Vec::new(),
            after: 0,
        })
    }

    /// The latest version.
    pub fn latest(&self, ty: &TypeName, model_id: &str, name: &str) -> Option<Metadata> {
        self.last(ty, model_id, name).map(|version| version.metadata)
    }

    /// One version.
    pub fn metadata(&self, ty: &TypeName, model_id: &str, name: &str, version: u32) -> Option<Metadata> {
        self.exactly(ty, model_id, name, version).map(|version| version.metadata)
    }

    /// All versions, ascending.
    pub fn versions(&self, ty: &TypeName, model_id: &str, name: &str) -> Vec<Metadata> {
        let data = self.data();
        let versions = data.get(&key(ty, model_id, name)).into_iter().flatten();
        versions.map(|version| version.metadata.clone()).collect()
    }

    /// The content of a version; without a number that of the latest.
    pub fn content(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Option<Arc<[u8]>> {
        let found = match version {
            Some(version) => self.exactly(ty, model_id, name, version),
            None => self.last(ty, model_id, name),
        };
        found.map(|version| version.content)
    }

    /// The latest version of each name of a model.
    pub fn list_model(&self, ty: &TypeName, model_id: &str) -> Vec<Metadata> {
        let data = self.data();
        let versions = data.iter().filter(|(key, _)| key.0 == *ty && key.1 == model_id);
        versions.filter_map(|(_, versions)| Some(versions.last()?.metadata.clone())).collect()
    }

    /// The models that have ephemeral data.
    pub fn list_models(&self) -> Vec<(TypeName, String)> {
        let mut models: Vec<_> = self.data().keys().map(|key| (key.0.clone(), key.1.clone())).collect();
        models.dedup();
        models
    }

    /// Deletes data, or one version of them. Returns how many versions were deleted.
    pub fn delete(&self, ty: &TypeName, model_id: &str, name: &str, version: Option<u32>) -> usize {
        let mut data = self.data();
        let key = key(ty, model_id, name);
        let Some(versions) = data.get_mut(&key) else { return 0 };
        let before = versions.len();
        let mut freed = 0;
        versions.retain(|kept| {
            let goes = version.is_none_or(|version| kept.metadata.version == version);
            freed += if goes { kept.content.len() as u64 } else { 0 };
            !goes
        });
        let gone = before - versions.len();
        if versions.is_empty() {
            data.remove(&key);
        }
        self.budget.release(freed);
        gone
    }

    fn last(&self, ty: &TypeName, model_id: &str, name: &str) -> Option<Version> {
        self.data().get(&key(ty, model_id, name))?.last().cloned()
    }

    fn exactly(&self, ty: &TypeName, model_id: &str, name: &str, version: u32) -> Option<Version> {
        let data = self.data();
        data.get(&key(ty, model_id, name))?.iter().find(|found| found.metadata.version == version).cloned()
    }

    /// A panic of another thread leaves the map whole: every change is one insertion or removal.
    fn data(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<Version>>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(ty: &TypeName, model_id: &str, name: &str) -> Key {
    (ty.clone(), model_id.to_owned(), name.to_owned())
}

/// An ephemeral version that is being written. If it is dropped, its bytes return to the budget.
#[derive(Debug)]
pub struct EphemeralPending {
    store: EphemeralStore,
    key: Key,
    metadata: Metadata,
    content: Vec<u8>,
    after: u32,
}

impl EphemeralPending {
    /// The id that the version will have.
    pub fn id(&self) -> &str {
        &self.metadata.id
    }

    /// The name of the data.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Appends content.
    ///
    /// # Errors
    ///
    /// The budget is exceeded.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.store.budget.take(bytes.len() as u64)?;
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    /// Numbers continue after `version`, which the same name has elsewhere.
    pub(crate) fn number_after(&mut self, version: u32) {
        self.after = version;
    }

    /// Publishes the version.
    ///
    /// # Errors
    ///
    /// Another owner holds the name.
    pub fn finalize(mut self) -> Result<Metadata, DataError> {
        let store = self.store.clone();
        let mut data = store.data();
        let existing = data.get(&self.key).and_then(|versions| versions.last());
        if let Some(existing) = existing.map(|version| &version.metadata)
            && !existing.owner_definition.is_same(&self.metadata.owner_definition)
        {
            return Err(DataError::OwnerMismatch {
                name: self.metadata.name.clone(),
                existing: existing.owner_definition.describe(),
                writer: self.metadata.owner_definition.describe(),
            });
        }
        let highest = existing.map_or(0, |version| version.metadata.version).max(self.after);
        // Taken out of `self`, whose drop gives back only what is still there.
        let content = std::mem::take(&mut self.content);
        let mut metadata = self.metadata.clone();
        metadata.version = highest.saturating_add(1);
        metadata.size = Some(content.len() as u64);
        metadata.checksum = Some(hex(Sha256::new_with_prefix(&content)));
        let version = Version { metadata: metadata.clone(), content: content.into() };
        data.entry(self.key.clone()).or_default().push(version);
        Ok(metadata)
    }
}

impl Drop for EphemeralPending {
    fn drop(&mut self) {
        self.store.budget.release(self.content.len() as u64);
    }
}

#[derive(Debug)]
struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    fn take(&self, bytes: u64) -> Result<(), DataError> {
        let fits = |used: u64| used.checked_add(bytes).filter(|wanted| *wanted <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(()),
            Err(used) => {
                Err(DataError::EphemeralBudget { wanted: used.saturating_add(bytes), budget: self.limit })
            }
        }
    }

    fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::parse_budget;

    #[test]
    fn budgets_have_units() {
        for (text, bytes) in [("0", 0), ("1000", 1000), ("64k", 65_536), ("2M", 2 << 20), (" 1g ", 1 << 30)] {
            assert_eq!(parse_budget(text), Some(bytes), "{text}");
        }
        for text in ["", "k", "-1", "1t", "1.5g", "99999999999g"] {
            assert_eq!(parse_budget(text), None, "{text}");
        }
    }
}
