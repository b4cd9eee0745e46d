//! From a type name to a module version that is fresh now.

mod build;
mod describe;
mod failure;
mod files;
mod fresh;
mod last_good;
mod shipped;
mod standing;
mod trace;
mod unit;

pub use trace::in_sources;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marsh_bundle::Worker;
use marsh_host::{CancelToken, Hosts, Limits, ModuleRef};
use marsh_repo::Repo;
use marsh_store::Lease;
use marsh_types::{Digest, Kind, Origin, TypeName};

use crate::catalog::{IndexedType, SourceIndex, TypeCatalog};
use crate::description::{KindDescription, ModelDescription};
use crate::discover::SourceRoot;
use crate::error::LoadError;
use crate::stat::Stat;
use describe::{Described, expect_type};
use unit::Part;

pub(crate) use unit::Unit;

pub use failure::LoadFailure;
pub use last_good::{LoadState, OnFailure, load_states};

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
    models: Described<ModelDescription>,
    plugins: Described<KindDescription>,
    /// Whether a failure leaves the last good version serving.
    last_good: AtomicBool,
    /// The records of last good versions, with their files as they were when read.
    recorded: Mutex<HashMap<(Kind, TypeName), (Stat, Unit)>>,
    describe_deadline: Mutex<Duration>,
    /// Trees of the store that code has been loaded from: they stay as long as this process may call it.
    leases: Mutex<HashMap<Digest, Lease>>,
    /// What was read off sources so far.
    index: Mutex<Option<Arc<SourceIndex>>>,
    /// Whoever bundles an entry point: a second one waits, and then finds the bundle.
    bundling: Mutex<HashMap<PathBuf, Arc<Mutex<()>>>>,
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
    /// Who adds methods to the type; a method's `graft` is its place here, from 1.
    pub method_extensions: Vec<MethodExtension>,
    /// Why this is the last good version and not the newest; see [`OnFailure::LastGood`].
    pub failure: Option<LoadFailure>,
    /// What the version is made of.
    pub(crate) unit: Unit,
}

/// A source that adds to a model type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodExtension {
    pub entry: PathBuf,
    pub base: PathBuf,
    pub origin: Origin,
}

impl LoadedModel {
    /// The source that a method comes from, and the directory that its `extensionFile` paths start from.
    pub fn source_of(&self, method: &str) -> (&Path, &Path) {
        let added_by = self.description.method(method).and_then(|method| method.method_extension);
        match added_by.and_then(|index| self.method_extensions.get(index.checked_sub(1)?)) {
            Some(extension) => (&extension.entry, &extension.base),
            None => (&self.entry, &self.base),
        }
    }
}

/// A type of any other kind with the code that serves it. What can be called on it is in [`crate::kinds`].
#[derive(Debug, Clone)]
pub struct Loaded {
    pub kind: Kind,
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
    pub description: Arc<KindDescription>,
    pub warnings: Vec<String>,
    /// Why this is the last good version and not the newest; see [`OnFailure::LastGood`].
    pub failure: Option<LoadFailure>,
}

impl Loader {
    pub fn new(repo: Repo, options: LoaderOptions, hosts: Arc<Hosts>) -> Loader {
        Loader {
            repo,
            options,
            hosts,
            models: Mutex::default(),
            plugins: Mutex::default(),
            last_good: AtomicBool::new(false),
            recorded: Mutex::default(),
            describe_deadline: Mutex::new(DESCRIBE_DEADLINE),
            leases: Mutex::new(HashMap::new()),
            index: Mutex::default(),
            bundling: Mutex::default(),
        }
    }

    /// Bounds loading and describing by what the user gave the whole run.
    pub fn limit_loading(&self, limit: Duration) {
        *self.describe_deadline.lock().unwrap_or_else(PoisonError::into_inner) = limit.min(DESCRIBE_DEADLINE);
    }

    fn loading_limit(&self) -> Duration {
        *self.describe_deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token that ends what the loader does; whoever runs methods uses the same one.
    pub fn cancel(&self) -> &CancelToken {
        &self.options.cancel
    }

    pub fn hosts(&self) -> &Arc<Hosts> {
        &self.hosts
    }

    pub fn catalog(&self) -> Result<TypeCatalog, LoadError> {
        let known = self.index.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = known.unwrap_or_else(|| Arc::new(SourceIndex::read(&self.repo.layout)));
        let (catalog, now) = TypeCatalog::load_with(&self.repo, &known)?;
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = Some(now.map_or(known, Arc::new));
        Ok(catalog)
    }

    /// The newest code of a model type and of all method_extensions onto it. Every input of the bundles is compared now, not when
    /// they were last loaded. A type that nothing declares may be installed, where that is allowed.
    pub fn resolve(&self, type_name: &TypeName) -> Result<LoadedModel, LoadError> {
        let ticket = self.hosts.ticket();
        let loaded = self.with_install(type_name, || self.resolve_present(type_name))?;
        self.stand(Kind::Model, &loaded.type_name, ticket, &loaded.host_key, &loaded.module.url);
        Ok(loaded)
    }

    /// The newest code of a type of another kind.
    pub fn resolve_kind(&self, kind: Kind, type_name: &TypeName) -> Result<Loaded, LoadError> {
        let ticket = self.hosts.ticket();
        let loaded = self.with_install(type_name, || {
            let found = self.transact(
                kind,
                type_name,
                |catalog| self.find_unit(catalog, kind, type_name).map(Some),
                |unit, anew| self.open_kind(unit, anew),
            )?;
            let (loaded, failure) = found.ok_or_else(|| nothing(type_name))?;
            Ok(Loaded { failure, ..loaded })
        })?;
        self.stand(kind, &loaded.type_name, ticket, &loaded.host_key, &loaded.module.url);
        Ok(loaded)
    }

    fn with_install<T>(
        &self,
        type_name: &TypeName,
        resolve: impl Fn() -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        match (resolve(), &self.options.auto) {
            (Err(LoadError::UnknownType { .. }), Some(auto)) if auto.provide(type_name) => resolve(),
            (result, _) => result,
        }
    }

    fn resolve_present(&self, type_name: &TypeName) -> Result<LoadedModel, LoadError> {
        let found = self.transact(
            Kind::Model,
            type_name,
            |catalog| self.find_unit(catalog, Kind::Model, type_name).map(Some),
            |unit, anew| self.open_model(unit, anew).map(|loaded| (loaded.unit.clone(), loaded)),
        )?;
        let (loaded, failure) = found.ok_or_else(|| nothing(type_name))?;
        Ok(LoadedModel { failure, ..loaded })
    }

    /// The code of the method_extensions onto a type that is built in; `None` when there are none. `names`: the names that the
    /// type goes by.
    pub fn resolve_method_extensions(
        &self,
        builtin: &ModelDescription,
        names: &[&TypeName],
    ) -> Result<Option<LoadedModel>, LoadError> {
        let Some(first) = names.first() else { return Ok(None) };
        let ticket = self.hosts.ticket();
        let base = unit::builtin_base(builtin);
        let found = self.transact(
            Kind::Model,
            first,
            |catalog| {
                let method_extensions = self.find_method_extensions(catalog, names);
                let unit = Unit::new(Kind::Model, first, Some(base.clone()), None, method_extensions);
                Ok((!unit.method_extensions.is_empty()).then_some(unit))
            },
            |unit, anew| self.open_model(unit, anew).map(|loaded| (loaded.unit.clone(), loaded)),
        );
        match found {
            // Without an index nobody knows of method_extensions; the type's own methods need none.
            Err(LoadError::Yaml { .. } | LoadError::Store(_)) => Ok(None),
            found => {
                let loaded = found?.map(|(loaded, failure)| LoadedModel { failure, ..loaded });
                if let Some(loaded) = &loaded {
                    self.stand(Kind::Model, first, ticket, &loaded.host_key, &loaded.module.url);
                }
                Ok(loaded)
            }
        }
    }

    /// Loads a type that the catalog lists.
    pub fn load_indexed(&self, indexed: &IndexedType) -> Result<LoadedModel, LoadError> {
        let catalog = self.catalog()?;
        let method_extensions = self.find_method_extensions(&catalog, &[&indexed.type_name]);
        let base = self.part(&indexed.path, &indexed.root);
        self.open_model(
            &Unit::new(Kind::Model, &indexed.type_name, None, Some(base), method_extensions),
            true,
        )
    }

    pub(crate) fn open_model(&self, unit: &Unit, anew: bool) -> Result<LoadedModel, LoadError> {
        let (unit, built) = self.build(unit, anew)?;
        let description = self.describe_model(&unit, &built)?;
        let Some(main) = unit.parts().next() else {
            return Err(LoadError::NoBundle { fingerprint: built.fingerprint });
        };
        if unit.base.is_some() {
            expect_type(&description.raw_type, &unit.type_name, main.entry.clone())?;
        }
        let grafted = |part: &Part| MethodExtension {
            entry: part.entry.clone(),
            base: part.root.base.clone(),
            origin: part.root.origin,
        };
        Ok(LoadedModel {
            type_name: unit.type_name.clone(),
            origin: main.root.origin,
            entry: main.entry.clone(),
            base: main.root.base.clone(),
            fingerprint: built.fingerprint,
            bundle_sha256: built.code_sha256,
            module: built.module,
            host_key: self.host_of(&unit),
            description,
            warnings: built.warnings,
            method_extensions: unit.method_extensions.iter().map(grafted).collect(),
            failure: None,
            unit,
        })
    }

    fn open_kind(&self, unit: &Unit, anew: bool) -> Result<(Unit, Loaded), LoadError> {
        let (unit, built) = self.build(unit, anew)?;
        let description = self.describe_kind(&unit, &built)?;
        let Some(main) = unit.parts().next() else {
            return Err(LoadError::NoBundle { fingerprint: built.fingerprint });
        };
        expect_type(&description.raw_type, &unit.type_name, main.entry.clone())?;
        let loaded = Loaded {
            kind: unit.kind,
            type_name: unit.type_name.clone(),
            origin: main.root.origin,
            entry: main.entry.clone(),
            base: main.root.base.clone(),
            fingerprint: built.fingerprint,
            bundle_sha256: built.code_sha256,
            module: built.module,
            host_key: self.host_of(&unit),
            description,
            warnings: built.warnings,
            failure: None,
        };
        Ok((unit, loaded))
    }

    /// Keeps a tree of the store from being collected while this process uses it.
    fn hold(&self, root: &SourceRoot) -> Result<(), LoadError> {
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
}

/// `find` of a declared type always has an answer.
fn nothing(type_name: &TypeName) -> LoadError {
    LoadError::NoBundle { fingerprint: format!("of {type_name}") }
}

/// One host per extension; the local sources of a repository share one.
fn host_key(root: &SourceRoot) -> String {
    match (root.origin, &root.extension) {
        (Origin::Pulled, Some(extension)) => extension.clone(),
        (Origin::Source, _) => root.base.display().to_string(),
        _ => "local".to_owned(),
    }
}
