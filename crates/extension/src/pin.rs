//! A module version, written down so that it can be loaded again whatever became of its sources.
//!
//! Bundles are kept under their fingerprints, and nothing changes them: a pin is a fingerprint with what else it takes to
//! call the code. Loading a pin reads no source and bundles nothing.

use std::path::PathBuf;
use std::sync::Arc;

use marsh_types::{Digest, Origin, TypeName};
use serde::{Deserialize, Serialize};

use crate::discover::SourceRoot;
use crate::error::LoadError;
use crate::loader::{LoadedModel, Loader, intact_bundle};

/// A module version by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    #[serde(rename = "type")]
    pub type_name: TypeName,
    pub type_version: String,
    pub fingerprint: String,
    pub sha256: String,
    pub origin: Origin,
    pub entry: PathBuf,
    pub base: PathBuf,
    pub host_key: String,
    /// The archive that the sources came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Digest>,
}

impl From<&LoadedModel> for Pin {
    fn from(loaded: &LoadedModel) -> Pin {
        Pin {
            type_name: loaded.type_name.clone(),
            type_version: loaded.description.version.clone(),
            fingerprint: loaded.fingerprint.clone(),
            sha256: loaded.bundle_sha256.clone(),
            origin: loaded.origin,
            entry: loaded.entry.clone(),
            base: loaded.base.clone(),
            host_key: loaded.host_key.clone(),
            archive: loaded.archive,
        }
    }
}

impl Loader {
    /// The code of a pin, as it was.
    pub fn load_pinned(&self, pin: &Pin) -> Result<LoadedModel, LoadError> {
        let gone =
            || LoadError::PinGone { name: pin.type_name.clone(), fingerprint: pin.fingerprint.clone() };
        let dir = self.bundle_dir(&pin.fingerprint);
        let meta = intact_bundle(&dir).filter(|meta| meta.code_sha256 == pin.sha256).ok_or_else(gone)?;
        let root = SourceRoot {
            origin: pin.origin,
            dir: pin.base.clone(),
            base: pin.base.clone(),
            kind: marsh_types::Kind::Model,
            extension: None,
            digest: pin.archive,
        };
        // The tree is needed for the extension's own files only; whoever collected it took them, not the code.
        drop(self.hold(&root));
        let module = self.module_ref(&dir, &pin.fingerprint, &meta);
        let description = self.describe_for(&pin.entry, &pin.fingerprint, &module, &pin.host_key)?;
        Ok(LoadedModel {
            type_name: pin.type_name.clone(),
            origin: pin.origin,
            entry: pin.entry.clone(),
            base: pin.base.clone(),
            fingerprint: pin.fingerprint.clone(),
            bundle_sha256: meta.code_sha256,
            module,
            host_key: pin.host_key.clone(),
            archive: pin.archive,
            description: Arc::clone(&description),
            warnings: Vec::new(),
        })
    }
}
