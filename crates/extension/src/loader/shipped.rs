//! The bundle that an installed archive brought, used in place of one that is built here.
//!
//! It serves if the same bundler made it, its recorded fingerprint is that of the sources as installed, and its bytes
//! are the recorded ones now. Otherwise it is ignored. It is copied among the built bundles, so that the bundle of a
//! fingerprint is always in one place (the binary's `tests/it/shipped.rs`).

use std::path::Path;

use marsh_archive::{BUNDLES, BundlesRecord, ShippedPackage};
use marsh_bundle::{BUNDLER_VERSION, BundleMeta, ExternalMeta, PackageMeta, SourceMap, engine_wish_of};
use marsh_fs::{Durability, FsError};
use marsh_types::{Digest, RelPath};

use crate::part::Part;

/// A shipped bundle that serves.
pub(super) struct Shipped {
    code: Vec<u8>,
    /// A bundle runs without its map, too.
    map: Option<Vec<u8>>,
    meta: BundleMeta,
    record: Vec<u8>,
}

impl Shipped {
    /// Writes the bundle into a directory.
    ///
    /// # Errors
    ///
    /// The directory cannot be written.
    pub(super) fn write(self, dir: &Path) -> Result<BundleMeta, FsError> {
        marsh_fs::atomic_write(&dir.join("bundle.js"), &self.code, Durability::Atomic)?;
        if let Some(map) = self.map {
            marsh_fs::atomic_write(&dir.join(SourceMap::FILE), &map, Durability::Atomic)?;
        }
        marsh_fs::atomic_write(&dir.join("bundle.json"), &self.record, Durability::Atomic)?;
        Ok(self.meta)
    }
}

/// The shipped bundle of a part; `None`: none serves.
pub(super) fn shipped_bundle(part: &Part) -> Option<Shipped> {
    let root = &part.root;
    // Only trees of the store: their archives were verified before they were unpacked.
    root.digest?;
    let record = BundlesRecord::parse(&marsh_fs::read(root.base.join(BUNDLES)).ok()?).ok()??;
    if record.bundler != BUNDLER_VERSION {
        return None;
    }
    let below = part.entry.strip_prefix(&root.base).ok()?.to_string_lossy().replace('\\', "/");
    let bundle = record
        .bundles
        .into_iter()
        .find(|one| one.entry.as_str() == below && one.fingerprint == part.fingerprint)?;
    let intact = |path: &RelPath, recorded: Digest| {
        let path = path.below(&root.base);
        let code = marsh_fs::read(&path).ok()?;
        (Digest::of(&code) == recorded).then_some((path, code))
    };
    let (_, code) = intact(&bundle.bundle, bundle.sha256)?;
    let map = bundle.map.and_then(|map| intact(&map.path, map.sha256)).map(|(_, map)| map);
    let mut externals = Vec::new();
    for one in bundle.externals {
        let (path, _) = intact(&one.path, one.sha256)?;
        externals.push(ExternalMeta { specifier: one.specifier, path, sha256: one.sha256.to_hex() });
    }
    let package =
        |one: ShippedPackage| PackageMeta { name: one.name, version: one.version, integrity: one.integrity };
    // The archive does not say it; its sources do, and their fingerprint is the recorded one.
    let wish = engine_wish_of(&part.entry, &root.base).ok()?;
    let meta = BundleMeta {
        fingerprint: part.fingerprint.clone(),
        entry: below,
        code_sha256: bundle.sha256.to_hex(),
        code_bytes: code.len() as u64,
        externals,
        packages: bundle.packages.into_iter().map(package).collect(),
        modules: Vec::new(),
        warnings: Vec::new(),
        engine: wish.declared,
        needs: wish.needs,
    };
    let record = serde_json::to_vec(&meta).ok()?;
    Some(Shipped { code, map, meta, record })
}
