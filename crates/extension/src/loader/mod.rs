//! From a type name to a module version that is fresh now.

mod build;
mod describe;
mod files;
mod fresh;
mod shipped;
mod standing;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marsh_bundle::Worker;
use marsh_host::{CancelToken, Hosts, Limits, ModuleRef};
use marsh_repo::Repo;
use marsh_store::Lease;
use marsh_types::{Digest, Kind, Origin, TypeName};

use crate::catalog::{Catalog, IndexedType};
use crate::description::ModelDescription;
use crate::discover::SourceRoot;
use crate::error::LoadError;

const DESCRIBE_DEADLINE: Duration = Duration::from_secs(30);

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
    /// Trees of the store that code has been loaded from: they stay as long as this process may call it; see `standing.rs`.
    leases: Mutex<HashMap<Digest, Arc<Lease>>>,
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
    pub description: Arc<ModelDescription>,
    pub warnings: Vec<String>,
    /// Keeps the tree of the store that the code comes from.
    pub lease: Option<Arc<Lease>>,
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
        let lease = self.hold(root)?;
        let ticket = self.hosts.ticket();
        let fingerprint = self.fingerprint(entry, root);
        let (module, meta) = self.bundle(entry, root, &fingerprint)?;
        // An edit while it was bundled makes it the bundle of another fingerprint.
        let fingerprint = standing::fingerprint_of(&module.url).unwrap_or(&fingerprint).to_owned();
        let description = self.describe(entry, &fingerprint, &module, root)?;
        let found = TypeName::parse(&description.raw_type);
        if !found.as_ref().is_ok_and(|found| found == type_name) {
            return Err(LoadError::TypeChanged {
                path: entry.to_owned(),
                expected: type_name.clone(),
                found: description.raw_type.clone(),
            });
        }
        self.stand(entry, ticket, &host_key(root), &module.url);
        Ok(LoadedModel {
            type_name: type_name.clone(),
            origin: root.origin,
            entry: entry.to_owned(),
            base: root.base.clone(),
            fingerprint,
            bundle_sha256: meta.code_sha256,
            module,
            host_key: host_key(root),
            description,
            warnings: meta.warnings,
            lease,
        })
    }

    /// Keeps a tree of the store from being collected while this process uses it.
    fn hold(&self, root: &SourceRoot) -> Result<Option<Arc<Lease>>, LoadError> {
        let Some(digest) = root.digest else { return Ok(None) };
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = leases.get(&digest) {
            return Ok(Some(Arc::clone(lease)));
        }
        let lease = crate::lifecycle::installation(&self.repo).trees().lease(&digest)?;
        let extension = || root.extension.clone().unwrap_or_default();
        let lease = Arc::new(lease.ok_or_else(|| LoadError::NotRestored { extension: extension() })?);
        leases.insert(digest, Arc::clone(&lease));
        Ok(Some(lease))
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
