//! Derived JSON files.

use std::path::Path;

use marsh_fs::Durability;
use serde::Serialize;

pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Writes a derived file; a disk that refuses it costs the next command the same work, nothing else.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) {
    let Ok(bytes) = serde_json::to_vec(value) else { return };
    if let Some(parent) = path.parent()
        && marsh_fs::create_dir_all(parent).is_ok()
    {
        drop(marsh_fs::atomic_write(path, &bytes, Durability::Atomic));
    }
}
