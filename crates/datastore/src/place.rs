//! Where the copy of a datastore is. Only the extension knows, and readers must not have to ask it: the answer is kept
//! for as long as type and configuration stay the same.

use std::path::PathBuf;

use marsh_extension::kinds::DatastoreExtension;
use marsh_fs::Durability;
use marsh_repo::{Environment, Repo};
use marsh_types::{Digest, TypeName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::DatastoreError;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    /// What the answer depends on.
    key: String,
    pub root: PathBuf,
    /// Whether the extension brings and takes; if not, `root` is the datastore itself.
    pub syncs: bool,
}

pub(crate) fn of(
    extension: &DatastoreExtension,
    repo: &Repo,
    environment: &Environment,
    type_name: &TypeName,
    config: &Map<String, Value>,
) -> Result<Place, DatastoreError> {
    let fingerprint = &extension.loaded().fingerprint;
    let key = json!([type_name, config, fingerprint, environment.home_dir()]).to_string();
    let key = Digest::of(key.as_bytes()).to_hex();
    let file = repo.layout.derived().join("datastore.json");
    // Derived: what cannot be read is asked for again.
    let known = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Place>(&bytes).ok());
    if let Some(place) = known.filter(|place| place.key == key) {
        return Ok(place);
    }
    let root = repo.layout.root();
    let answer = extension.place(root)?;
    let place = if answer.syncs {
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
        Place { key, root: root.join(copy), syncs: true }
    } else {
        Place { key, root: root.join(answer.path), syncs: false }
    };
    if let (Some(dir), Ok(text)) = (file.parent(), serde_json::to_vec(&place)) {
        marsh_fs::create_dir_all(dir)?;
        marsh_fs::atomic_write(&file, &text, Durability::Atomic)?;
    }
    Ok(place)
}
