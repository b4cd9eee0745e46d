//! A bundle that the installed archive brought along, in place of one that is built here.
//!
//! It serves when it is of the same bundler, its recorded fingerprint is that of the sources as they are installed, and its
//! bytes are the recorded ones, now. Else it is as if it were not there. The binary's `tests/it/shipped.rs`.

use std::path::Path;

use marsh_archive::{BUNDLES, BundlesRecord};
use marsh_bundle::{BUNDLER_VERSION, BundleMeta, ExternalMeta, PackageMeta};
use marsh_host::{External, ModuleRef};
use marsh_types::{Digest, RelPath};

use super::Loader;
use super::build::module_url;
use crate::discover::SourceRoot;

impl Loader {
    pub(super) fn shipped(
        &self,
        entry: &Path,
        root: &SourceRoot,
        fingerprint: &str,
    ) -> Option<(ModuleRef, BundleMeta)> {
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
            (Digest::of(&code) == recorded).then_some((path, code.len() as u64))
        };
        let (path, code_bytes) = intact(&bundle.bundle, bundle.sha256)?;
        let mut externals = Vec::new();
        for one in bundle.externals {
            let (path, _) = intact(&one.path, one.sha256)?;
            externals.push(ExternalMeta { specifier: one.specifier, path, sha256: one.sha256.to_hex() });
        }
        let module = ModuleRef {
            url: module_url(&path, fingerprint),
            path,
            externals: externals
                .iter()
                .map(|one| External { specifier: one.specifier.clone(), path: one.path.clone() })
                .collect(),
            limits: self.options.limits,
        };
        let package = |one: marsh_archive::ShippedPackage| PackageMeta {
            name: one.name,
            version: one.version,
            integrity: one.integrity,
        };
        let meta = BundleMeta {
            entry: below,
            code_sha256: bundle.sha256.to_hex(),
            code_bytes,
            externals,
            packages: bundle.packages.into_iter().map(package).collect(),
            warnings: Vec::new(),
        };
        Some((module, meta))
    }
}
