//! `bundles.json`, an archive's record of bundles: the sources that each bundle was built from, so that an installation
//! need not build it again.
//!
//! Archives of other implementations have bundles and no such record; marsh then ignores their bundles. If there is a
//! record, every bundle must have the recorded digest, or the archive is refused (`tests/hostile.rs`). Nothing proves that
//! a bundle was really built from the recorded sources: users trust the publisher for that, as for the sources themselves.
//! The registry's checksum covers both.

use std::collections::HashMap;

use marsh_types::{Digest, RelPath};
use serde::{Deserialize, Serialize};

use crate::error::ArchiveError;

/// The file's name, beside the manifest.
pub const BUNDLES: &str = "bundles.json";
/// The format version that this version of marsh writes and reads.
pub const BUNDLES_FORMAT: u32 = 1;
/// A record has a few hundred bytes for each entry point.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundlesRecord {
    /// The format version, [`BUNDLES_FORMAT`].
    pub format: u32,
    /// The bundler and its version. Another bundler may build a different bundle from the same sources.
    pub bundler: String,
    /// The bundles, one for each entry point.
    pub bundles: Vec<ShippedBundle>,
}

/// A bundle and its origin. All paths are relative to `extension/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedBundle {
    /// The entry point.
    pub entry: RelPath,
    /// The bundle.
    pub bundle: RelPath,
    /// The bundle's digest.
    pub sha256: Digest,
    /// The fingerprint of the sources in the archive.
    pub fingerprint: String,
    /// The bundle's source map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<ShippedFile>,
    /// Modules that the bundle imports and that are not part of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub externals: Vec<ShippedExternal>,
    /// Packages that are part of the bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<ShippedPackage>,
}

/// A file in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedFile {
    /// The file's path.
    pub path: RelPath,
    /// The file's digest.
    pub sha256: Digest,
}

/// A module that bundles import, as a file in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedExternal {
    /// The specifier in the import: `npm:zod@4.3.6`.
    pub specifier: String,
    /// The module's path.
    pub path: RelPath,
    /// The module's digest.
    pub sha256: Digest,
}

/// A package that is part of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedPackage {
    /// The name in its registry.
    pub name: String,
    /// The exact version.
    pub version: String,
    /// The package's digest, in the form of its registry: `sha512-…`.
    pub integrity: String,
}

/// Reads the format version, whatever else is in the file.
#[derive(Deserialize)]
struct Formatted {
    format: u32,
}

impl BundlesRecord {
    /// Parses the file. Returns `None` if it has another format version, which this version of marsh ignores.
    ///
    /// # Errors
    /// The text is not JSON or does not have the shape of a record.
    pub fn parse(bytes: &[u8]) -> Result<Option<BundlesRecord>, ArchiveError> {
        let unreadable = |error: serde_json::Error| mismatch(BUNDLES, &format!("invalid record: {error}"));
        let formatted: Formatted = serde_json::from_slice(bytes).map_err(unreadable)?;
        if formatted.format != BUNDLES_FORMAT {
            return Ok(None);
        }
        serde_json::from_slice(bytes).map(Some).map_err(unreadable)
    }

    /// Checks that every recorded file is in the archive and has the recorded digest. `files` are the archive's files with
    /// their digests.
    pub(crate) fn verify<'a>(
        &self,
        files: impl Iterator<Item = (&'a RelPath, &'a Digest)>,
    ) -> Result<(), ArchiveError> {
        let there: HashMap<&RelPath, &Digest> = files.collect();
        let holds = |path: &RelPath, recorded: &Digest| match there.get(path) {
            Some(found) if *found == recorded => Ok(()),
            Some(found) => {
                Err(mismatch(path.as_str(), &format!("expected SHA-256 {recorded}, found {found}")))
            }
            None => Err(mismatch(path.as_str(), "the file is missing")),
        };
        for one in &self.bundles {
            if !there.contains_key(&one.entry) {
                return Err(mismatch(one.bundle.as_str(), &format!("its source {} is missing", one.entry)));
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
