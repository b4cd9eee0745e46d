//! Directories of the store: the names in one, and the directory above the state.

use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The names in a directory; none if it is missing.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    match std::fs::read_dir(dir) {
        Ok(entries) => {
            Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreError::Read { path: dir.to_owned(), source }),
    }
}

/// The directory that contains the state directory; marsh does not create it.
pub(crate) fn above(state: &Path) -> PathBuf {
    state.parent().unwrap_or(state).to_owned()
}
