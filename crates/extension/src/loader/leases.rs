//! Leases of the store's trees: a tree stays as long as this process may call code that was loaded from it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use marsh_store::{Installation, Lease};
use marsh_types::Digest;

use crate::error::LoadError;
use crate::source_root::SourceRoot;

/// The leases that this process holds.
#[derive(Debug)]
pub(super) struct TreeLeases {
    installation: Installation,
    held: Mutex<HashMap<Digest, Lease>>,
}

impl TreeLeases {
    pub(super) fn new(installation: Installation) -> TreeLeases {
        TreeLeases { installation, held: Mutex::default() }
    }

    /// Keeps the tree of a root from being collected. A root outside of the store needs no lease.
    ///
    /// # Errors
    ///
    /// The tree is not in the store.
    pub(super) fn hold(&self, root: &SourceRoot) -> Result<(), LoadError> {
        let Some(digest) = root.digest else { return Ok(()) };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(&digest) {
            return Ok(());
        }
        let lease = self.installation.trees().lease(&digest)?;
        let extension = || root.extension.clone().unwrap_or_default();
        held.insert(digest, lease.ok_or_else(|| LoadError::NotRestored { extension: extension() })?);
        Ok(())
    }

    /// Gives back every lease of a tree that is not in `wanted`.
    pub(super) fn retain(&self, wanted: &HashSet<Digest>) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).retain(|digest, _| wanted.contains(digest));
    }
}
