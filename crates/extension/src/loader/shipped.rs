//! A bundle that the installed archive brought along, in place of one that is built here.
//!
//! It is taken over when it is of the same bundler, its recorded fingerprint is that of the sources as they are installed, and
//! its bytes are the recorded ones, now. Else it is as if it were not there. What is taken over is copied among the built
//! bundles, so that a fingerprint's bundle is always in one place. The binary's `tests/it/shipped.rs`.

use std::path::Path;

use marsh_archive::{BUNDLES, BundlesRecord};
use marsh_bundle::{BUNDLER_VERSION, BundleMeta, ExternalMeta, PackageMeta, SourceMap};
use marsh_fs::{Durability, StagedDir};
use marsh_types::{Digest, RelPath};

use super::Loader;
use crate::discover::SourceRoot;
use crate::error::LoadError;

impl Loader {
    /// Makes the shipped bundle of a fingerprint the stored one. `None`: there is none that serves.
    pub(super) fn adopt_shipped(
        &self,
        entry: &Path,
        root: &SourceRoot,
        fingerprint: &str,
    ) -> Result<Option<BundleMeta>, LoadError> {
        let Some((code, map, meta)) = shipped(entry, root, fingerprint) else { return Ok(None) };
        let Ok(record) = serde_json::to_vec(&meta) else { return Ok(None) };
        let parent = self.repo.layout.bundles();
        marsh_fs::create_dir_all(&parent)?;
        let staged = StagedDir::new(&parent)?;
        marsh_fs::atomic_write(&staged.path().join("bundle.js"), &code, Durability::Atomic)?;
        if let Some(map) = map {
            marsh_fs::atomic_write(&staged.path().join(SourceMap::FILE), &map, Durability::Atomic)?;
        }
        marsh_fs::atomic_write(&staged.path().join("bundle.json"), &record, Durability::Atomic)?;
        self.put_bundle(staged, fingerprint, meta).map(Some)
    }
}

/// Code, source map and description.
type Shipped = (Vec<u8>, Option<Vec<u8>>, BundleMeta);

fn shipped(entry: &Path, root: &SourceRoot, fingerprint: &str) -> Option<Shipped> {
    // Only trees whose archive was verified when it was unpacked.
    root.digest?;
    let record = BundlesRecord::parse(&std::fs::read(root.base.join(BUNDLES)).ok()?).ok()??;
    if record.bundler != BUNDLER_VERSION {
        return None;
    }
    let below = entry.strip_prefix(&root.base).ok()?.to_string_lossy().replace('\\', "/");
    let bundle = record
        .bundles
        .into_iter()
        .find(|one| one.entry.as_str() == below && one.fingerprint == fingerprint)?;
    let intact = |path: &RelPath, recorded: Digest| {
        let path = path.below(&root.base);
        let code = std::fs::read(&path).ok()?;
        (Digest::of(&code) == recorded).then_some((path, code))
    };
    let (_, code) = intact(&bundle.bundle, bundle.sha256)?;
    // Without its map a bundle runs as well.
    let map = bundle.map.and_then(|map| intact(&map.path, map.sha256)).map(|(_, map)| map);
    let mut externals = Vec::new();
    for one in bundle.externals {
        let (path, _) = intact(&one.path, one.sha256)?;
        externals.push(ExternalMeta { specifier: one.specifier, path, sha256: one.sha256.to_hex() });
    }
    let package = |one: marsh_archive::ShippedPackage| PackageMeta {
        name: one.name,
        version: one.version,
        integrity: one.integrity,
    };
    let meta = BundleMeta {
        fingerprint: fingerprint.to_owned(),
        entry: below,
        code_sha256: bundle.sha256.to_hex(),
        code_bytes: code.len() as u64,
        externals,
        packages: bundle.packages.into_iter().map(package).collect(),
        warnings: Vec::new(),
    };
    Some((code, map, meta))
}
