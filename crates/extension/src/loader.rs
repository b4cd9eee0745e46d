//! From a type name to a module version that is fresh now.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marsh_bundle::{BundleMeta, BundleRequest, ImportGraph, Worker};
use marsh_fs::{Durability, StagedDir};
use marsh_host::supervisor::NoCallbacks;
use marsh_host::{Call, CancelToken, External, Hosts, Limits, ModuleRef};
use marsh_repo::Repo;
use marsh_store::Lease;
use marsh_types::{Digest, Kind, Origin, TypeName};
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, IndexedType};
use crate::description::ModelDescription;
use crate::discover::SourceRoot;
use crate::error::LoadError;
use crate::stat::{Stat, now_ns};

/// How long bundling one entry point may take, downloads included.
const BUNDLE_TIMEOUT: Duration = Duration::from_secs(120);
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(30);
/// Files whose appearance changes resolution.
const CONFIG_NAMES: [&str; 5] = ["deno.json", "deno.jsonc", "package.json", "deno.lock", ".npmrc"];

#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// The binary and arguments that bundle.
    pub worker: Worker,
    pub cache_dir: PathBuf,
    pub offline: bool,
    pub limits: Limits,
    /// Ends a description that is under way.
    pub cancel: CancelToken,
    /// Installs types of trusted collectives when they are asked for.
    pub auto: Option<crate::lifecycle::AutoInstall>,
}

/// Resolves types to module versions. Shared by the threads of a command.
#[derive(Debug)]
pub struct Loader {
    repo: Repo,
    options: LoaderOptions,
    hosts: Arc<Hosts>,
    described: Mutex<HashMap<String, Arc<ModelDescription>>>,
    describe_deadline: Mutex<Duration>,
    /// Trees of the store that code has been loaded from: they stay as long as this process may call it.
    leases: Mutex<HashMap<Digest, Lease>>,
}

/// A model type with the code that serves it.
#[derive(Debug, Clone)]
pub struct LoadedModel {
    pub type_name: TypeName,
    pub origin: Origin,
    pub entry: PathBuf,
    /// The directory that `extensionFile` paths start from.
    pub base: PathBuf,
    pub fingerprint: String,
    pub bundle_sha256: String,
    pub module: ModuleRef,
    /// Which host process serves it.
    pub host_key: String,
    /// The archive that its sources came from, if they cannot change.
    pub archive: Option<Digest>,
    pub description: Arc<ModelDescription>,
    pub warnings: Vec<String>,
}

impl Loader {
    pub fn new(repo: Repo, options: LoaderOptions, hosts: Arc<Hosts>) -> Loader {
        Loader {
            repo,
            options,
            hosts,
            described: Mutex::new(HashMap::new()),
            describe_deadline: Mutex::new(DESCRIBE_DEADLINE),
            leases: Mutex::new(HashMap::new()),
        }
    }

    /// Bounds loading and describing by what the user gave the whole run.
    pub fn limit_loading(&self, limit: Duration) {
        *self.describe_deadline.lock().unwrap_or_else(PoisonError::into_inner) = limit.min(DESCRIBE_DEADLINE);
    }

    /// The token that ends what the loader does; whoever runs methods uses the same one.
    pub fn cancel(&self) -> &CancelToken {
        &self.options.cancel
    }

    pub fn hosts(&self) -> &Arc<Hosts> {
        &self.hosts
    }

    pub fn catalog(&self) -> Result<Catalog, LoadError> {
        Catalog::load(&self.repo)
    }

    /// The newest code of a model type. Every input of the bundle is compared now, not when it was last loaded. A type
    /// that nothing declares may be installed, where that is allowed.
    pub fn resolve(&self, type_name: &TypeName) -> Result<LoadedModel, LoadError> {
        match (self.resolve_present(type_name), &self.options.auto) {
            (Err(LoadError::UnknownType { .. }), Some(auto)) if auto.provide(type_name) => {
                self.resolve_present(type_name)
            }
            (result, _) => result,
        }
    }

    fn resolve_present(&self, type_name: &TypeName) -> Result<LoadedModel, LoadError> {
        let catalog = self.catalog()?;
        let found = catalog.find(Kind::Model, type_name);
        match found.as_slice() {
            [one] => self.load(&one.path, &one.root, type_name),
            [first, second, ..] => Err(LoadError::DuplicateType {
                name: type_name.clone(),
                first: first.path.clone(),
                second: second.path.clone(),
            }),
            [] => self.resolve_computed(catalog, type_name),
        }
    }

    /// Types that only running the code tells: each such entry point is described until one matches.
    fn resolve_computed(&self, catalog: Catalog, type_name: &TypeName) -> Result<LoadedModel, LoadError> {
        for (path, root) in &catalog.computed {
            let fingerprint = self.fingerprint(path, root);
            let Ok((module, _)) = self.bundle(path, root, &fingerprint) else { continue };
            let Ok(description) = self.describe(path, &fingerprint, &module, root) else { continue };
            if TypeName::parse(&description.raw_type).is_ok_and(|found| found == *type_name) {
                return self.load(path, root, type_name);
            }
        }
        Err(LoadError::UnknownType {
            name: type_name.clone(),
            known: catalog.models().iter().map(|indexed| indexed.type_name.to_string()).collect(),
            problems: catalog
                .problems
                .iter()
                .map(|problem| (problem.path.clone(), problem.diagnostic.clone()))
                .collect(),
            unrestored: catalog.unrestored,
        })
    }

    /// Loads a type that the catalog lists.
    pub fn load_indexed(&self, indexed: &IndexedType) -> Result<LoadedModel, LoadError> {
        self.load(&indexed.path, &indexed.root, &indexed.type_name)
    }

    fn load(&self, entry: &Path, root: &SourceRoot, type_name: &TypeName) -> Result<LoadedModel, LoadError> {
        self.hold(root)?;
        let fingerprint = self.fingerprint(entry, root);
        let (module, meta) = self.bundle(entry, root, &fingerprint)?;
        let description = self.describe(entry, &fingerprint, &module, root)?;
        let found = TypeName::parse(&description.raw_type);
        if !found.as_ref().is_ok_and(|found| found == type_name) {
            return Err(LoadError::TypeChanged {
                path: entry.to_owned(),
                expected: type_name.clone(),
                found: description.raw_type.clone(),
            });
        }
        Ok(LoadedModel {
            type_name: type_name.clone(),
            origin: root.origin,
            entry: entry.to_owned(),
            base: root.base.clone(),
            fingerprint,
            bundle_sha256: meta.code_sha256,
            module,
            host_key: host_key(root),
            archive: root.digest,
            description,
            warnings: meta.warnings,
        })
    }

    /// Keeps a tree of the store from being collected while this process uses it.
    pub(crate) fn hold(&self, root: &SourceRoot) -> Result<(), LoadError> {
        let Some(digest) = root.digest else { return Ok(()) };
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.contains_key(&digest) {
            return Ok(());
        }
        let lease = crate::lifecycle::installation(&self.repo).trees().lease(&digest)?;
        let extension = || root.extension.clone().unwrap_or_default();
        leases.insert(digest, lease.ok_or_else(|| LoadError::NotRestored { extension: extension() })?);
        Ok(())
    }

    /// The fingerprint of an entry point as its inputs are now.
    fn fingerprint(&self, entry: &Path, root: &SourceRoot) -> String {
        let record_path = self.record_path(entry);
        if let Some(record) = read_json::<FreshnessRecord>(&record_path)
            && record.version == RECORD_VERSION
            && record.bundler == marsh_bundle::BUNDLER_VERSION
            && record.base == root.base
            && record.still_holds()
        {
            return record.fingerprint;
        }
        let read_at_ns = now_ns();
        let graph = marsh_bundle::import_graph(entry, &root.base);
        let fingerprint = marsh_bundle::fingerprint(&graph);
        let record = FreshnessRecord::new(&graph, &root.base, fingerprint.clone(), read_at_ns);
        write_json(&record_path, &record);
        fingerprint
    }

    fn record_path(&self, entry: &Path) -> PathBuf {
        let name = Digest::of(entry.as_os_str().as_encoded_bytes()).to_hex();
        self.repo.layout.derived().join("fresh").join(format!("{}.json", &name[..32]))
    }

    /// The bundle of a fingerprint: the stored one when its bytes are the recorded ones, else a new one.
    fn bundle(
        &self,
        entry: &Path,
        root: &SourceRoot,
        fingerprint: &str,
    ) -> Result<(ModuleRef, BundleMeta), LoadError> {
        let dir = self.repo.layout.bundles().join(fingerprint);
        if let Some(meta) = intact_bundle(&dir) {
            return Ok((self.module_ref(&dir, fingerprint, &meta), meta));
        }
        // Present but not whole: nothing that marsh writes, so it must not stand in the way.
        marsh_fs::remove_tree(&dir)?;
        let parent = self.repo.layout.bundles();
        marsh_fs::create_dir_all(&parent)?;
        let mut fingerprint = fingerprint.to_owned();
        // An edit while bundling would attach new code to the old fingerprint, so it is computed again afterwards.
        for _ in 0..3 {
            let staged = StagedDir::new(&parent)?;
            let request = BundleRequest {
                entry: entry.to_owned(),
                root: root.base.clone(),
                out_dir: staged.path().to_owned(),
                cache_dir: self.options.cache_dir.clone(),
                offline: self.options.offline,
            };
            let outcome = marsh_bundle::bundle_in_worker(&self.options.worker, &request, BUNDLE_TIMEOUT);
            let after = marsh_bundle::fingerprint(&marsh_bundle::import_graph(entry, &root.base));
            if after != fingerprint {
                fingerprint = after;
                continue;
            }
            let meta = outcome.map_err(|source| LoadError::Bundle { entry: entry.to_owned(), source })?;
            let dir = parent.join(&fingerprint);
            staged.publish(&dir)?;
            return Ok((self.module_ref(&dir, &fingerprint, &meta), meta));
        }
        Err(LoadError::Read {
            path: entry.to_owned(),
            source: std::io::Error::other("the sources keep changing while they are bundled"),
        })
    }

    pub(crate) fn module_ref(&self, dir: &Path, fingerprint: &str, meta: &BundleMeta) -> ModuleRef {
        let path = dir.join("bundle.js");
        ModuleRef {
            url: module_url(&path, fingerprint),
            path,
            externals: meta
                .externals
                .iter()
                .map(|external| External {
                    specifier: external.specifier.clone(),
                    path: external.path.clone(),
                })
                .collect(),
            limits: self.options.limits,
        }
    }

    pub(crate) fn bundle_dir(&self, fingerprint: &str) -> PathBuf {
        self.repo.layout.bundles().join(fingerprint)
    }

    fn describe(
        &self,
        entry: &Path,
        fingerprint: &str,
        module: &ModuleRef,
        root: &SourceRoot,
    ) -> Result<Arc<ModelDescription>, LoadError> {
        self.describe_for(entry, fingerprint, module, &host_key(root))
    }

    /// The description of a fingerprint, from memory, from disk, or from a host.
    pub(crate) fn describe_for(
        &self,
        entry: &Path,
        fingerprint: &str,
        module: &ModuleRef,
        host_key: &str,
    ) -> Result<Arc<ModelDescription>, LoadError> {
        if let Some(known) = self.described.lock().unwrap_or_else(PoisonError::into_inner).get(fingerprint) {
            return Ok(Arc::clone(known));
        }
        let path = self.repo.layout.derived().join("describe").join(format!("{fingerprint}.json"));
        let description = match read_json::<ModelDescription>(&path) {
            Some(description) => description,
            None => {
                let host_error = |source| LoadError::Host { entry: entry.to_owned(), source };
                let host = self.hosts.get(host_key).map_err(host_error)?;
                let call = Call {
                    op: "describe",
                    params: serde_json::json!({}),
                    deadline: *self.describe_deadline.lock().unwrap_or_else(PoisonError::into_inner),
                    cancel: &self.options.cancel,
                    grace: Duration::ZERO,
                };
                let value = host.call(module, &call, &NoCallbacks).map_err(host_error)?;
                let description = serde_json::from_value(value)
                    .map_err(|source| LoadError::Description { entry: entry.to_owned(), source })?;
                write_json(&path, &description);
                description
            }
        };
        let description = Arc::new(description);
        self.described
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(fingerprint.to_owned(), Arc::clone(&description));
        Ok(description)
    }
}

/// One host per extension; the local sources of a repository share one.
fn host_key(root: &SourceRoot) -> String {
    match (root.origin, &root.extension) {
        (Origin::Pulled, Some(extension)) => extension.clone(),
        (Origin::Source, _) => root.base.display().to_string(),
        _ => "local".to_owned(),
    }
}

/// `file:///…/bundle.js?fp=<fingerprint>`, the identity of loaded code everywhere.
pub fn module_url(path: &Path, fingerprint: &str) -> String {
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

pub(crate) fn intact_bundle(dir: &Path) -> Option<BundleMeta> {
    let meta: BundleMeta = read_json(&dir.join("bundle.json"))?;
    let code = std::fs::read(dir.join("bundle.js")).ok()?;
    let whole = Digest::of(&code).to_hex() == meta.code_sha256;
    let externals = meta.externals.iter().all(|external| external.path.is_file());
    (whole && externals).then_some(meta)
}

const RECORD_VERSION: u32 = 1;

/// The inputs that a fingerprint was computed from, as they looked then.
#[derive(Debug, Serialize, Deserialize)]
struct FreshnessRecord {
    version: u32,
    bundler: String,
    base: PathBuf,
    fingerprint: String,
    read_at_ns: u64,
    /// `None`: the file was not there.
    inputs: Vec<(PathBuf, Option<Stat>)>,
}

impl FreshnessRecord {
    fn new(graph: &ImportGraph, base: &Path, fingerprint: String, read_at_ns: u64) -> FreshnessRecord {
        let listed = graph.files.iter().chain(&graph.config).map(|file| file.path.clone());
        let mut paths: Vec<PathBuf> = listed.collect();
        // A configuration file that appears changes what names resolve to.
        for dir in graph.entry.ancestors().skip(1) {
            paths.extend(CONFIG_NAMES.iter().map(|name| dir.join(name)));
            if dir == base {
                break;
            }
        }
        paths.sort();
        paths.dedup();
        let inputs = paths.into_iter().map(|path| (path.clone(), Stat::of(&path))).collect();
        FreshnessRecord {
            version: RECORD_VERSION,
            bundler: marsh_bundle::BUNDLER_VERSION.to_owned(),
            base: base.to_owned(),
            fingerprint,
            read_at_ns,
            inputs,
        }
    }

    fn still_holds(&self) -> bool {
        self.inputs.iter().all(|(path, then)| match (Stat::of(path), then) {
            (Some(now), Some(then)) => now == *then && now.was_quiet_at(self.read_at_ns),
            (None, None) => true,
            _ => false,
        })
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Writes a derived file; a disk that refuses it costs the next command the same work, nothing else.
fn write_json<T: Serialize>(path: &Path, value: &T) {
    let Ok(bytes) = serde_json::to_vec(value) else { return };
    if let Some(parent) = path.parent()
        && marsh_fs::create_dir_all(parent).is_ok()
    {
        drop(marsh_fs::atomic_write(path, &bytes, Durability::Atomic));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::module_url;

    #[test]
    fn module_urls_escape_what_urls_cannot_hold() {
        assert_eq!(module_url(Path::new("/a b/ü/x.js"), "ff"), "file:///a%20b/%C3%BC/x.js?fp=ff");
        assert_eq!(module_url(Path::new("/a?#/x.js"), "ff"), "file:///a%3F%23/x.js?fp=ff");
    }
}
