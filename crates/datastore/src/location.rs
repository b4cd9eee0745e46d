//! Where the copy of a datastore is. The extension decides, and readers must not need a host process: the answer is cached
//! while type, configuration and code stay the same.

use std::path::{Path, PathBuf};

use marsh_extension::kinds::DatastoreExtension;
use marsh_fs::Durability;
use marsh_repo::{Environment, Repo};
use marsh_types::{Digest, TypeName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::DatastoreError;

/// The answer of an extension.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DatastoreLocation {
    /// A digest of everything that the answer depends on.
    key: String,
    pub root: PathBuf,
    /// Whether the extension pulls and pushes; if not, `root` is the datastore itself.
    pub syncs: bool,
}

pub(crate) fn of(
    extension: &DatastoreExtension,
    repo: &Repo,
    environment: &Environment,
    type_name: &TypeName,
    config: &Map<String, Value>,
) -> Result<DatastoreLocation, DatastoreError> {
    let fingerprint = &extension.loaded().fingerprint;
    let key = json!([type_name, config, fingerprint, environment.home_dir()]).to_string();
    let key = Digest::of(key.as_bytes()).to_hex();
    let file = repo.layout.derived().join("datastore.json");
    if let Some(location) = cached(&file).filter(|location| location.key == key) {
        return Ok(location);
    }
    let root = repo.layout.root();
    let answer = extension.place(root)?;
    let location = if answer.syncs {
        let copy = match answer.cache_path {
            Some(path) => path,
            None => {
                let home = environment.home_dir().ok_or(DatastoreError::NoHome)?;
                let id = repo
                    .marker
                    .repo_id()
                    .map_or_else(|| Digest::of(root.as_os_str().as_encoded_bytes()).to_hex(), str::to_owned);
                home.join("repos").join(id)
            }
        };
        DatastoreLocation { key, root: root.join(copy), syncs: true }
    } else {
        DatastoreLocation { key, root: root.join(answer.path), syncs: false }
    };
    if let (Some(dir), Ok(text)) = (file.parent(), serde_json::to_vec(&location)) {
        marsh_fs::create_dir_all(dir)?;
        marsh_fs::atomic_write(&file, &text, Durability::Atomic)?;
    }
    Ok(location)
}

/// The cached answer. A cache that is missing or unreadable costs one call of the extension.
fn cached(file: &Path) -> Option<DatastoreLocation> {
    let bytes = match marsh_fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::debug!(%error, file = %file.display(), "no cached location of the datastore");
            return None;
        }
    };
    let parsed = serde_json::from_slice(&bytes);
    parsed.inspect_err(|error| tracing::debug!(%error, "damaged cache of the datastore's location")).ok()
}
