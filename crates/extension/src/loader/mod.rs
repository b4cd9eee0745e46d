//! From a type name to a module version that is fresh now.
//!
//! A load passes five stages, each with types of its own that own their inputs:
//!
//! | stage | file | from | to |
//! |---|---|---|---|
//! | discover | `discover.rs` | the type catalog | `Discovered`: entry points |
//! | fingerprint | `fingerprint.rs` | `Discovered` | `VersionParts`: entry points with fingerprints |
//! | build | `build.rs`, `shipped.rs` | `VersionParts` | `Built`: a module |
//! | describe | `describe.rs` | `Built` | `Described`: loaded, checked and described |
//! | commit | `history.rs` | `Described` | a record; then the live version of its line (`live_versions.rs`) |
//!
//! `stages.rs` connects the first four; `transaction.rs` decides what a failure leaves behind. [`Loader`] connects these to the
//! rest of marsh. A [`Loader`] is a handle: clones share everything but the policy and the options of the call.

mod build;
mod describe;
mod discover;
mod files;
mod fingerprint;
mod history;
mod leases;
mod live_versions;
mod load_states;
mod loaded;
mod parts;
mod removal;
mod shipped;
mod stages;
mod trace;
mod transaction;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use marsh_bundle::Worker;
use marsh_host_client::{CancelToken, Hosts, Limits, Line, ModuleRef, Ticket};
use marsh_repo::Repo;
use marsh_types::{Kind, TypeName};

use crate::catalog::TypeCatalog;
use crate::description::{KindDescription, ModelDescription};
use crate::engine::EnginePolicy;
use crate::error::LoadError;
use crate::lifecycle::AutoInstall;
use build::{BundleTools, Bundles};
use describe::{Described, Describer, Description};
use discover::{CatalogReader, Target, builtin_base, unknown_type};
use fingerprint::Fingerprints;
use history::History;
use leases::TreeLeases;
use live_versions::LiveVersions;
use stages::Stages;
use transaction::{Committed, Transaction};

pub use crate::load_failure::{FailureInputs, LoadFailure, LoadFailureState};
pub use crate::part::Part;
pub use describe::LoadOptions;
pub use load_states::{LoadState, load_states};
pub use loaded::{Loaded, LoadedModel, MethodExtension};
pub(crate) use parts::VersionParts;
pub use trace::in_sources;
pub use transaction::OnFailure;

/// What a loader works with.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// The binary and arguments that bundle.
    pub worker: Worker,
    /// The per-user cache of packages and compiled code.
    pub cache_dir: PathBuf,
    /// Use only packages that are in the cache.
    pub offline: bool,
    /// The limits of loaded modules.
    pub limits: Limits,
    /// Which engine runs loaded modules.
    pub engines: EnginePolicy,
    /// Ends a load that is under way.
    pub cancel: CancelToken,
    /// Installs types of trusted collectives when a command names them.
    pub auto: Option<AutoInstall>,
}

/// Resolves types to module versions. Shared by the threads of a process.
#[derive(Debug, Clone)]
pub struct Loader {
    shared: Arc<Shared>,
    policy: OnFailure,
    options: LoadOptions,
}

/// What all handles of a process share.
#[derive(Debug)]
struct Shared {
    repo: Repo,
    catalog: CatalogReader,
    stages: Stages,
    history: History,
    live: LiveVersions,
    auto: Option<AutoInstall>,
}

impl Loader {
    /// A loader for a repository. A load that fails reports its error ([`on_failure`](Self::on_failure)).
    pub fn new(repo: Repo, options: LoaderOptions, hosts: Arc<Hosts>) -> Loader {
        let LoaderOptions { worker, cache_dir, offline, limits, engines, cancel, auto } = options;
        let installation = crate::installed::installation(&repo);
        let trees = installation.trees().clone();
        let leases = TreeLeases::new(installation);
        let tools = BundleTools { worker, cache_dir, offline, limits, engines };
        let derived = repo.layout.derived();
        let shared = Shared {
            catalog: CatalogReader::new(repo.clone()),
            stages: Stages {
                fingerprints: Fingerprints::new(derived.join("fresh"), trees),
                bundles: Bundles::new(repo.layout.bundles(), tools, leases),
                describer: Describer::new(Arc::clone(&hosts), derived.join("describe"), cancel),
            },
            history: History::of(&repo.layout),
            live: LiveVersions::new(hosts),
            auto,
            repo,
        };
        Loader { shared: Arc::new(shared), policy: OnFailure::Report, options: LoadOptions::default() }
    }

    /// The loader with another policy for loads that fail.
    #[must_use]
    pub fn on_failure(self, policy: OnFailure) -> Loader {
        Loader { policy, ..self }
    }

    /// A handle for one call: every load through it and through its clones is bound by these options. The timeout never
    /// exceeds that of `self`.
    #[must_use]
    pub fn for_call(&self, options: LoadOptions) -> Loader {
        Loader { options: LoadOptions { timeout: options.timeout.min(self.options.timeout) }, ..self.clone() }
    }

    /// The options of this handle.
    pub fn options(&self) -> LoadOptions {
        self.options
    }

    /// The token that ends what the loader does. Runs of methods use the same one.
    pub fn cancel(&self) -> &CancelToken {
        self.shared.stages.describer.cancel()
    }

    /// The host processes of this process.
    pub fn hosts(&self) -> &Arc<Hosts> {
        self.shared.stages.describer.hosts()
    }

    /// What all sources declare now.
    ///
    /// # Errors
    ///
    /// The file of mounted sources or the lockfile cannot be read.
    pub fn catalog(&self) -> Result<TypeCatalog, LoadError> {
        self.shared.catalog.read()
    }

    /// Starts a bundler ahead of an expected edit.
    pub fn expect_edits(&self) {
        self.shared.stages.bundles.make_ready();
    }

    /// The newest code of a model type and of all its method extensions. Every input of the bundles is compared now, not
    /// when they were last loaded. A type that no source declares may be installed, where that is allowed.
    ///
    /// # Errors
    ///
    /// No source declares the type, or its code cannot be built, loaded or described.
    pub fn resolve(&self, type_name: &TypeName) -> Result<LoadedModel, LoadError> {
        let ticket = self.shared.live.ticket();
        let (described, failure) = self.load_declared::<ModelDescription>(Kind::Model, type_name)?;
        let loaded = LoadedModel::new(described, failure)?;
        self.advance(Kind::Model, &loaded.type_name, ticket, &loaded.host_key, &loaded.module);
        Ok(loaded)
    }

    /// The newest code of a type of another kind.
    ///
    /// # Errors
    ///
    /// No source declares the type, or its code cannot be built, loaded or described.
    pub fn resolve_kind(&self, kind: Kind, type_name: &TypeName) -> Result<Loaded, LoadError> {
        let ticket = self.shared.live.ticket();
        let (described, failure) = self.load_declared::<KindDescription>(kind, type_name)?;
        let loaded = Loaded::new(described, failure)?;
        self.advance(kind, &loaded.type_name, ticket, &loaded.host_key, &loaded.module);
        Ok(loaded)
    }

    /// Builds and loads every type that the repository's own and mounted sources declare. What fails is remembered, and
    /// [`load_states`](crate::load_states) lists it.
    ///
    /// # Errors
    ///
    /// The sources cannot be listed, or the caller cancelled.
    pub fn load_own_sources(&self) -> Result<(), LoadError> {
        let catalog = TypeCatalog::load_unpulled(&self.shared.repo)?;
        let declared = |kind: Kind, name: &TypeName| {
            catalog.types.iter().any(|indexed| indexed.kind == kind && indexed.type_name == *name)
        };
        let mut tried = HashSet::new();
        for indexed in &catalog.types {
            // A method extension is loaded with its base; without one in these sources there is nothing to load it with.
            let kind = indexed.kind.home();
            if !declared(kind, &indexed.type_name) || !tried.insert((kind, &indexed.type_name)) {
                continue;
            }
            let loaded = match kind {
                Kind::Model => self.resolve(&indexed.type_name).map(drop),
                _ => self.resolve_kind(kind, &indexed.type_name).map(drop),
            };
            match loaded {
                Err(error) if error.is_cancelled() => return Err(error),
                loaded => marsh_types::ignore(loaded, "the history of loads has it"),
            }
        }
        Ok(())
    }

    /// The code of the method extensions of a built-in type; `None` when there are none. `names`: the names that the type
    /// goes by.
    ///
    /// # Errors
    ///
    /// The code of a method extension cannot be built, loaded or described.
    pub fn resolve_method_extensions(
        &self,
        builtin: &ModelDescription,
        names: &[&TypeName],
    ) -> Result<Option<LoadedModel>, LoadError> {
        let Some(type_name) = names.first() else { return Ok(None) };
        let ticket = self.shared.live.ticket();
        let base = builtin_base(builtin);
        let target = Target::Builtin { base: &base, type_name, names };
        let loaded = match self.transact::<ModelDescription>(target) {
            // Without a catalog no method extension is known, and the type's own methods need none.
            Err(LoadError::Yaml { .. } | LoadError::Store(_)) => None,
            found => found?.map(|(described, failure)| LoadedModel::new(described, failure)).transpose()?,
        };
        if let Some(loaded) = &loaded {
            self.advance(Kind::Model, type_name, ticket, &loaded.host_key, &loaded.module);
        }
        Ok(loaded)
    }

    /// A version by its parts, from stored bundles alone.
    ///
    /// # Errors
    ///
    /// A bundle is not stored, or the code cannot be loaded.
    pub(crate) fn load_version(&self, parts: &VersionParts) -> Result<LoadedModel, LoadError> {
        LoadedModel::new(self.shared.stages.load_stored(parts.clone(), &self.options)?, None)
    }

    fn load_declared<D: Description>(
        &self,
        kind: Kind,
        type_name: &TypeName,
    ) -> Result<(Described<D>, Option<crate::LoadFailure>), LoadError> {
        let target = Target::Declared { kind, type_name };
        let found = match (self.transact(target), &self.shared.auto) {
            (Err(error @ LoadError::UnknownType { .. }), Some(auto)) => match auto.provide(type_name) {
                Ok(()) => self.transact(target),
                Err(missing) => Err(error.with_missing(missing)),
            },
            (Err(error @ LoadError::TreeChanged { .. }), Some(auto)) if error.only_lacks_files() => {
                match auto.restore_missing(&error) {
                    true => self.transact(target),
                    false => Err(error),
                }
            }
            (found, _) => found,
        };
        found?.ok_or_else(|| unknown_type(&TypeCatalog::default(), kind, type_name))
    }

    fn transact<D: Description>(&self, target: Target<'_>) -> Result<Committed<D>, LoadError> {
        let transaction = Transaction {
            repo: &self.shared.repo,
            stages: &self.shared.stages,
            history: self.shared.history.of_type(target.kind(), target.type_name()),
            target,
            options: &self.options,
        };
        transaction.run(self.policy, self.catalog())
    }

    fn advance(&self, kind: Kind, type_name: &TypeName, ticket: Ticket, host_key: &str, module: &ModuleRef) {
        self.shared.live.advance(kind, type_name, ticket, host_key, &module.url);
    }

    /// Takes files that vanished for removed: types whose sources are gone are served no longer. Answers with those types.
    pub fn accept_removals(&self) -> Vec<(Kind, TypeName)> {
        let mut removed = Vec::new();
        for good in self.shared.history.good_versions() {
            if good.parts().any(|part| !part.entry.exists()) {
                self.shared.history.of_type(good.kind, &good.type_name).forget();
                removed.push((good.kind, good.type_name));
            }
        }
        removed
    }

    /// Has a host load a module version now, so that the next call does not wait for it.
    ///
    /// # Errors
    ///
    /// No host starts, or the module cannot be loaded.
    pub fn prepare(&self, host_key: &str, module: &ModuleRef) -> Result<(), LoadError> {
        self.shared.stages.describer.load(host_key, module, &self.options)
    }

    /// The live version of a type; `None` if this process never loaded it.
    pub fn line(&self, kind: Kind, type_name: &TypeName) -> Option<Line> {
        self.shared.live.line(kind, type_name)
    }

    /// The types that have a live version.
    pub fn lines(&self) -> Vec<(Kind, TypeName)> {
        self.shared.live.types()
    }

    /// Drops the live version of a type once no call uses it; the next call loads it again. `false`: there was none.
    pub fn evict(&self, kind: Kind, type_name: &TypeName) -> bool {
        self.shared.live.evict(kind, type_name)
    }

    /// Ends the line of a type that is gone: its last version goes with its last call.
    pub fn close_line(&self, kind: Kind, type_name: &TypeName) {
        self.shared.live.close(kind, type_name);
    }

    /// Gives back the trees of extensions that are not in the catalog any more, and ends hosts that hold no version.
    pub fn sweep(&self, catalog: &TypeCatalog) {
        let wanted = catalog
            .types
            .iter()
            .filter_map(|indexed| indexed.root.digest)
            .chain(catalog.computed.iter().filter_map(|computed| computed.root.digest))
            .collect();
        self.shared.stages.bundles.leases().retain(&wanted);
        self.hosts().end_idle();
    }
}
