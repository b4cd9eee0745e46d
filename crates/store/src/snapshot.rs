//! One reading of the lockfile.

use std::path::Path;

use marsh_types::{Digest, Lockfile};

use crate::error::StoreError;

/// The installed set at one moment: one reading of the lockfile.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The parsed lockfile.
    pub lockfile: Lockfile,
    /// The digest of the file's bytes; of no bytes if the file is missing.
    pub digest: Digest,
    /// The file's text.
    pub text: String,
}

impl Snapshot {
    pub(crate) fn of_text(path: &Path, text: String) -> Result<Snapshot, StoreError> {
        let lockfile = Lockfile::parse(&text)
            .map_err(|source| StoreError::Lockfile { path: path.to_owned(), source })?;
        Ok(Snapshot { lockfile, digest: Digest::of(text.as_bytes()), text })
    }
}
