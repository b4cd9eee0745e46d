//! A module version, written down so that it can be loaded again after its sources changed.
//!
//! Bundles are kept under their fingerprints, and nothing changes them: a pin names the parts of a version, the base
//! and the method extensions. Loading a pin reads no source and bundles nothing.

use marsh_types::TypeName;
use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::loader::{LoadedModel, Loader, VersionParts};

/// A module version by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// The type.
    #[serde(rename = "type")]
    pub type_name: TypeName,
    /// The version of the type, `YYYY.MM.DD.MICRO`.
    pub type_version: String,
    /// The name of the module version.
    pub fingerprint: String,
    /// The digest of its code, in hexadecimal.
    pub sha256: String,
    parts: VersionParts,
}

impl From<&LoadedModel> for Pin {
    fn from(loaded: &LoadedModel) -> Pin {
        Pin {
            type_name: loaded.type_name.clone(),
            type_version: loaded.description.version.clone(),
            fingerprint: loaded.fingerprint.clone(),
            sha256: loaded.bundle_sha256.clone(),
            parts: loaded.parts.clone(),
        }
    }
}

impl Loader {
    /// Loads the module version of a pin.
    ///
    /// # Errors
    ///
    /// Its bundles are missing, or the code cannot be loaded.
    pub fn load_pinned(&self, pin: &Pin) -> Result<LoadedModel, LoadError> {
        let gone =
            || LoadError::PinGone { name: pin.type_name.clone(), fingerprint: pin.fingerprint.clone() };
        match self.load_version(&pin.parts) {
            Ok(loaded) if loaded.fingerprint == pin.fingerprint && loaded.bundle_sha256 == pin.sha256 => {
                Ok(loaded)
            }
            Ok(_) | Err(LoadError::NoBundle { .. }) => Err(gone()),
            Err(error) => Err(error),
        }
    }
}
