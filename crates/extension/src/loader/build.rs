//! Stage 3: the bundles of a version's parts, and the module that joins them.
//!
//! The bundle of a fingerprint is the stored one when its bytes are the recorded ones, else the one that the archive
//! brought (`shipped.rs`), else a new one. A bundle directory is named by its fingerprint, built in a private directory
//! and published by one rename.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marsh_bundle::{BundleMeta, BundleRequest, EngineWish, Worker};
use marsh_fs::{Durability, Published, StagedDir};
use marsh_host_client::{External, Limits, ModuleEngine, ModuleRef};
use marsh_types::Digest;

use super::files::{put_dir, read_json};
use super::leases::TreeLeases;
use super::parts::{VersionParts, part_specifier};
use super::shipped::shipped_bundle;
use crate::engine::EnginePolicy;
use crate::error::LoadError;
use crate::part::Part;

/// How long bundling one entry point may take, downloads included.
const BUNDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// A version whose code is stored and can be loaded.
#[derive(Debug)]
pub(super) struct Built {
    /// The parts as they were built: a source that was edited meanwhile has the fingerprint of what was built.
    pub parts: VersionParts,
    pub fingerprint: String,
    pub code_sha256: String,
    pub module: ModuleRef,
    pub warnings: Vec<String>,
    /// What the parts ask of an engine.
    pub wish: EngineWish,
}

impl Built {
    /// The version, run by this engine. Its URL says so, as another engine makes another module version of the same code.
    pub(super) fn run_by(mut self, engine: ModuleEngine) -> Built {
        if let ModuleEngine::Deno(_) = &engine {
            self.module.url.push_str(ON_DENO);
        }
        self.module.engine = engine;
        self
    }
}

/// The end of the URL of a module version that Deno runs.
const ON_DENO: &str = "&engine=deno";

/// How to make bundles.
#[derive(Debug)]
pub(super) struct BundleTools {
    pub worker: Worker,
    pub cache_dir: PathBuf,
    pub offline: bool,
    /// The limits of modules that are loaded from the bundles.
    pub limits: Limits,
    /// Which engine runs them.
    pub engines: EnginePolicy,
}

/// The stored bundles of a repository.
#[derive(Debug)]
pub(super) struct Bundles {
    dir: PathBuf,
    tools: BundleTools,
    leases: TreeLeases,
    /// One thread bundles an entry point at a time: a watcher and a call want the same bundle at the same moment.
    turns: Mutex<HashMap<PathBuf, Arc<Mutex<()>>>>,
}

impl Bundles {
    pub(super) fn new(dir: PathBuf, tools: BundleTools, leases: TreeLeases) -> Bundles {
        Bundles { dir, tools, leases, turns: Mutex::default() }
    }

    pub(super) fn engines(&self) -> &EnginePolicy {
        &self.tools.engines
    }

    pub(super) fn leases(&self) -> &TreeLeases {
        &self.leases
    }

    /// Starts a bundler ahead of an expected edit.
    pub(super) fn make_ready(&self) {
        self.tools.worker.make_ready();
    }

    /// The version with its code, bundled where no stored bundle serves.
    ///
    /// # Errors
    ///
    /// A tree is not in the store, or bundling fails.
    pub(super) fn build(&self, parts: VersionParts) -> Result<Built, LoadError> {
        self.assemble(parts, |part| {
            self.leases.hold(&part.root)?;
            match self.stored(&part.fingerprint) {
                Some(meta) => Ok(meta),
                None => self.bundled(part),
            }
        })
    }

    /// The version with its stored code. Reads no source and bundles nothing.
    ///
    /// # Errors
    ///
    /// A bundle is missing or damaged.
    pub(super) fn load_stored(&self, parts: VersionParts) -> Result<Built, LoadError> {
        self.assemble(parts, |part| {
            marsh_types::ignore(
                self.leases.hold(&part.root),
                "a stored bundle does not need the tree it was built from",
            );
            self.stored(&part.fingerprint)
                .ok_or_else(|| LoadError::NoBundle { fingerprint: part.fingerprint.clone() })
        })
    }

    /// Gets the bundle of each part, which may change the part's fingerprint, and joins them.
    fn assemble(
        &self,
        parts: VersionParts,
        bundle_of: impl Fn(&mut Part) -> Result<BundleMeta, LoadError>,
    ) -> Result<Built, LoadError> {
        let VersionParts { kind, type_name, builtin, base, method_extensions } = parts;
        let with_bundle = |mut part: Part| bundle_of(&mut part).map(|meta| (part, meta));
        let base = base.map(with_bundle).transpose()?;
        let extensions: Vec<(Part, BundleMeta)> =
            method_extensions.into_iter().map(with_bundle).collect::<Result<_, _>>()?;
        let metas: HashMap<PathBuf, BundleMeta> =
            base.iter().chain(&extensions).map(|(part, meta)| (part.entry.clone(), meta.clone())).collect();
        let extensions = extensions.into_iter().map(|(part, _)| part).collect();
        // Sorts the method extensions by their fingerprints as built.
        let parts = VersionParts::new(kind, type_name, builtin, base.map(|(part, _)| part), extensions);
        let metas: Vec<&BundleMeta> = parts.parts().filter_map(|part| metas.get(&part.entry)).collect();
        let (module, code_sha256) = self.module_of(&parts, &metas)?;
        Ok(Built {
            fingerprint: parts.fingerprint(),
            code_sha256,
            module,
            wish: joined(&metas),
            warnings: metas.iter().flat_map(|meta| meta.warnings.iter().cloned()).collect(),
            parts,
        })
    }

    /// The stored bundle of a fingerprint, if it is whole.
    fn stored(&self, fingerprint: &str) -> Option<BundleMeta> {
        intact_bundle(&self.dir.join(fingerprint))
    }

    /// The bundle of a part, made by one thread at a time.
    fn bundled(&self, part: &mut Part) -> Result<BundleMeta, LoadError> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(part.entry.clone()).or_default())
        };
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.stored(&part.fingerprint) {
            Some(meta) => Ok(meta),
            None => self.bundle(part),
        }
    }

    /// Takes over the shipped bundle of a part, or builds one. The part gets the fingerprint of what was built, which
    /// differs when the source was edited meanwhile.
    fn bundle(&self, part: &mut Part) -> Result<BundleMeta, LoadError> {
        marsh_fs::create_dir_all(&self.dir)?;
        let staged = StagedDir::new(&self.dir)?;
        if let Some(shipped) = shipped_bundle(part) {
            let meta = shipped.write(staged.path())?;
            return self.publish(staged, &part.fingerprint, meta);
        }
        let request = BundleRequest {
            entry: part.entry.clone(),
            root: part.root.base.clone(),
            out_dir: staged.path().to_owned(),
            cache_dir: self.tools.cache_dir.clone(),
            offline: self.tools.offline,
        };
        // The worker bundles the very bytes that it fingerprints, whatever happens to the files meanwhile.
        let meta = marsh_bundle::bundle_in_worker(&self.tools.worker, &request, BUNDLE_TIMEOUT)
            .map_err(|source| LoadError::Bundle { entry: part.entry.clone(), source })?;
        if let Some(digest) = part.root.digest
            && meta.fingerprint != part.fingerprint
        {
            // The fingerprint is that of the archive's files, so these are others.
            return Err(LoadError::TreeChangedMeanwhile {
                extension: part.root.extension.clone().unwrap_or_default(),
                digest,
            });
        }
        part.fingerprint.clone_from(&meta.fingerprint);
        self.publish(staged, &part.fingerprint, meta)
    }

    /// Makes a bundle the stored one of its fingerprint, unless another process did.
    fn publish(
        &self,
        staged: StagedDir,
        fingerprint: &str,
        meta: BundleMeta,
    ) -> Result<BundleMeta, LoadError> {
        let dir = self.dir.join(fingerprint);
        match put_dir(staged, &dir, |dir| intact_bundle(dir).is_some())? {
            Published::Here => Ok(meta),
            Published::AlreadyThere => Ok(self.stored(fingerprint).unwrap_or(meta)),
        }
    }

    /// The module of a version: its only bundle, or a module that joins the bundles of its parts.
    fn module_of(
        &self,
        parts: &VersionParts,
        metas: &[&BundleMeta],
    ) -> Result<(ModuleRef, String), LoadError> {
        let fingerprint = parts.fingerprint();
        let dir = self.dir.join(&fingerprint);
        let path = dir.join("bundle.js");
        let mut externals: Vec<External> = Vec::new();
        let (sha256, code_sha256) = if let (None, [meta]) = (&parts.builtin, metas) {
            externals.extend(meta.externals.iter().map(external));
            (meta.code_sha256.clone(), meta.code_sha256.clone())
        } else {
            let text = parts.joining_module();
            self.put_joining_module(&dir, &text)?;
            for (index, (part, meta)) in parts.parts().zip(metas).enumerate() {
                let path = self.dir.join(&part.fingerprint).join("bundle.js");
                let sha256 = meta.code_sha256.clone();
                externals.push(External { specifier: part_specifier(index), sha256, path });
                for one in &meta.externals {
                    if !externals.iter().any(|known| known.specifier == one.specifier) {
                        externals.push(external(one));
                    }
                }
            }
            let hashes: Vec<&str> = metas.iter().map(|meta| meta.code_sha256.as_str()).collect();
            let code_sha256 = Digest::of(format!("{text}{}", hashes.join("\n")).as_bytes()).to_hex();
            (Digest::of(text.as_bytes()).to_hex(), code_sha256)
        };
        let url = module_url(&path, &fingerprint);
        let limits = self.tools.limits;
        let module = ModuleRef { url, sha256, path, externals, limits, engine: ModuleEngine::Embedded };
        Ok((module, code_sha256))
    }

    fn put_joining_module(&self, dir: &Path, text: &str) -> Result<(), LoadError> {
        let is_whole =
            |dir: &Path| marsh_fs::read(dir.join("bundle.js")).is_ok_and(|bytes| bytes == text.as_bytes());
        if !is_whole(dir) {
            let staged = StagedDir::new(&self.dir)?;
            marsh_fs::atomic_write(&staged.path().join("bundle.js"), text.as_bytes(), Durability::Atomic)?;
            put_dir(staged, dir, is_whole)?;
        }
        Ok(())
    }
}

/// The wishes of the parts as one: a part that names Deno has its way.
fn joined(metas: &[&BundleMeta]) -> EngineWish {
    let declared = metas.iter().filter_map(|meta| meta.engine).max();
    let needs = metas.iter().flat_map(|meta| meta.needs.iter().cloned()).collect();
    EngineWish { declared, needs }
}

fn external(meta: &marsh_bundle::ExternalMeta) -> External {
    External { specifier: meta.specifier.clone(), sha256: meta.sha256.clone(), path: meta.path.clone() }
}

/// `file:///…/bundle.js?fp=<fingerprint>`, the identity of loaded code everywhere.
fn module_url(path: &Path, fingerprint: &str) -> String {
    let mut url = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' | b'@' | b'+' | b':' => url.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(*byte)),
            byte => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url.push_str("?fp=");
    url.push_str(fingerprint);
    url
}

fn intact_bundle(dir: &Path) -> Option<BundleMeta> {
    let meta: BundleMeta = read_json(&dir.join("bundle.json"))?;
    let code = marsh_fs::read(dir.join("bundle.js")).ok()?;
    let whole = Digest::of(&code).to_hex() == meta.code_sha256;
    let externals = meta.externals.iter().all(|external| external.path.is_file());
    (whole && externals).then_some(meta)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::module_url;

    #[test]
    fn module_url_of_a_path_with_special_characters_is_escaped() {
        assert_eq!(module_url(Path::new("/a b/ü/x.js"), "ff"), "file:///a%20b/%C3%BC/x.js?fp=ff");
        assert_eq!(module_url(Path::new("/a?#/x.js"), "ff"), "file:///a%3F%23/x.js?fp=ff");
    }
}
