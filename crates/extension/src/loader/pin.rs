//! A module version, written down so that it can be loaded again whatever became of its sources.
//!
//! Bundles are kept under their fingerprints, and nothing changes them. What else it takes to call the code is written
//! beside them, once for each fingerprint: `pins/<fingerprint>.json`. Loading a pin reads no source and bundles nothing.

use std::path::PathBuf;
use std::sync::Arc;

use marsh_fs::Durability;
use marsh_host::ModuleRef;
use marsh_types::{Digest, Origin, TypeName};
use serde::{Deserialize, Serialize};

use super::files::read_json;
use super::{LoadedModel, Loader};
use crate::description::ModelDescription;
use crate::error::LoadError;

/// A module version by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    #[serde(rename = "type")]
    pub type_name: TypeName,
    pub type_version: String,
    pub fingerprint: String,
    pub sha256: String,
}

/// All of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pinned {
    pin: Pin,
    origin: Origin,
    entry: PathBuf,
    base: PathBuf,
    host_key: String,
    module: ModuleRef,
    /// Of the module's file.
    module_sha256: String,
    description: ModelDescription,
}

impl Loader {
    fn pin_path(&self, fingerprint: &str) -> PathBuf {
        self.repo.layout.bundles().with_file_name("pins").join(format!("{fingerprint}.json"))
    }

    /// Writes a module version down.
    pub fn pin(&self, loaded: &LoadedModel) -> Result<Pin, LoadError> {
        let pin = Pin {
            type_name: loaded.type_name.clone(),
            type_version: loaded.description.version.clone(),
            fingerprint: loaded.fingerprint.clone(),
            sha256: loaded.bundle_sha256.clone(),
        };
        let path = self.pin_path(&pin.fingerprint);
        if self.load_pinned(&pin).is_ok() {
            return Ok(pin);
        }
        let code = std::fs::read(&loaded.module.path)
            .map_err(|source| LoadError::Read { path: loaded.module.path.clone(), source })?;
        let pinned = Pinned {
            pin: pin.clone(),
            origin: loaded.origin,
            entry: loaded.entry.clone(),
            base: loaded.base.clone(),
            host_key: loaded.host_key.clone(),
            module: loaded.module.clone(),
            module_sha256: Digest::of(&code).to_hex(),
            description: (*loaded.description).clone(),
        };
        let bytes = serde_json::to_vec(&pinned)
            .map_err(|source| LoadError::Description { entry: loaded.entry.clone(), source })?;
        if let Some(parent) = path.parent() {
            marsh_fs::create_dir_all(parent)?;
        }
        marsh_fs::atomic_write(&path, &bytes, Durability::Synced)?;
        Ok(pin)
    }

    /// The code of a pin, as it was.
    pub fn load_pinned(&self, pin: &Pin) -> Result<LoadedModel, LoadError> {
        let gone =
            || LoadError::PinGone { name: pin.type_name.clone(), fingerprint: pin.fingerprint.clone() };
        let pinned: Pinned = read_json(&self.pin_path(&pin.fingerprint)).ok_or_else(gone)?;
        let code = std::fs::read(&pinned.module.path).map_err(|_| gone())?;
        let is_whole = Digest::of(&code).to_hex() == pinned.module_sha256
            && pinned.module.externals.iter().all(|external| external.path.is_file());
        if pinned.pin != *pin || !is_whole {
            return Err(gone());
        }
        Ok(LoadedModel {
            type_name: pinned.pin.type_name,
            origin: pinned.origin,
            entry: pinned.entry,
            base: pinned.base,
            fingerprint: pinned.pin.fingerprint,
            bundle_sha256: pinned.pin.sha256,
            module: pinned.module,
            host_key: pinned.host_key,
            description: Arc::new(pinned.description),
            warnings: Vec::new(),
        })
    }
}
