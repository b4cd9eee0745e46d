//! `bundles.json`: what the bundles of an archive were built from, so that whoever installs it need not build them.
//!
//! Archives made by others have bundles and no such file; then nothing here is looked at. Where there is one, the bytes of
//! every bundle are the recorded ones, or the archive is refused (`tests/hostile.rs`). That a bundle was really built from
//! the recorded sources is the publisher's word, as everything in an archive is: the registry's checksum covers it.

use std::collections::HashMap;

use marsh_types::{Digest, RelPath};
use serde::{Deserialize, Serialize};

use crate::error::ArchiveError;
use crate::unpack::UnpackedFile;

/// The file's name, beside the manifest.
pub const BUNDLES: &str = "bundles.json";
pub const BUNDLES_FORMAT: u32 = 1;
/// A record has a few hundred bytes for each entry point.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundlesRecord {
    pub format: u32,
    /// Who built them; another bundler may make something else of the same sources.
    pub bundler: String,
    pub bundles: Vec<ShippedBundle>,
}

/// A bundle and its origin. All paths start below `extension/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedBundle {
    /// The entry point.
    pub entry: RelPath,
    pub bundle: RelPath,
    pub sha256: Digest,
    /// Of the sources as they are in the archive.
    pub fingerprint: String,
    /// The bundle's source map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<ShippedFile>,
    /// Modules that the bundle imports and the host serves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub externals: Vec<ShippedExternal>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<ShippedPackage>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedFile {
    pub path: RelPath,
    pub sha256: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedExternal {
    /// As imported: `npm:zod@4.3.6`.
    pub specifier: String,
    pub path: RelPath,
    pub sha256: Digest,
}

/// A package that is part of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedPackage {
    pub name: String,
    pub version: String,
    pub integrity: String,
}

/// Only to tell which format it is.
#[derive(Deserialize)]
struct Formatted {
    format: u32,
}

impl BundlesRecord {
    /// `None`: it is of a later format, which says nothing to this marsh.
    pub fn parse(bytes: &[u8]) -> Result<Option<BundlesRecord>, ArchiveError> {
        let unreadable = |error: serde_json::Error| mismatch(BUNDLES, &format!("it cannot be read: {error}"));
        let formatted: Formatted = serde_json::from_slice(bytes).map_err(unreadable)?;
        if formatted.format != BUNDLES_FORMAT {
            return Ok(None);
        }
        serde_json::from_slice(bytes).map(Some).map_err(unreadable)
    }

    /// That everything it names is in the archive, byte for byte.
    pub(crate) fn verify(&self, files: &[UnpackedFile]) -> Result<(), ArchiveError> {
        let there: HashMap<&RelPath, &Digest> = files.iter().map(|file| (&file.path, &file.sha256)).collect();
        let holds = |path: &RelPath, recorded: &Digest| match there.get(path) {
            Some(found) if *found == recorded => Ok(()),
            Some(found) => {
                Err(mismatch(path.as_str(), &format!("its SHA-256 is {found}, recorded is {recorded}")))
            }
            None => Err(mismatch(path.as_str(), "it is recorded and not there")),
        };
        for one in &self.bundles {
            if !there.contains_key(&one.entry) {
                return Err(mismatch(one.bundle.as_str(), &format!("its source {} is not there", one.entry)));
            }
            holds(&one.bundle, &one.sha256)?;
            if let Some(map) = &one.map {
                holds(&map.path, &map.sha256)?;
            }
            for external in &one.externals {
                holds(&external.path, &external.sha256)?;
            }
        }
        Ok(())
    }
}

fn mismatch(path: &str, reason: &str) -> ArchiveError {
    ArchiveError::BundleMismatch { path: path.to_owned(), reason: reason.to_owned() }
}
