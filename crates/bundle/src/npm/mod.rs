//! npm packages: which versions ([`resolve`]), from where ([`client`]), with which bytes ([`integrity`]), kept where
//! ([`store`]).

mod client;
mod integrity;
mod names;
mod resolve;
mod settings;
mod single;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::diagnostic::{BundleError, Diagnostic, DiagnosticCode};
use crate::lock::Lock;
use crate::specifier::NpmRef;

pub(crate) use client::{Client, agent};
pub(crate) use settings::names_jsr_registry;
pub use single::{ChosenPackage, FetchedPackage, choose_package};
pub(crate) use store::Store;

/// The packages that a set of requirements stands for, with all they depend on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Closure {
    /// By `name@version`.
    pub packages: BTreeMap<String, Package>,
    /// Requirement (`zod@4`) to `name@version`.
    pub roots: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Package {
    pub name: String,
    pub version: String,
    /// `sha512-…`, or `sha1-…` where a registry knows no better.
    pub integrity: String,
    /// Where the bytes are, if it is known; else by the registry's convention.
    pub tarball: Option<String>,
    /// Name as imported, to `name@version`.
    pub dependencies: BTreeMap<String, String>,
}

impl Package {
    pub(crate) fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

impl Closure {
    /// The first requirement that leads to the package `id`.
    fn root_of(&self, id: &str) -> Option<String> {
        let leads = |root: &String| {
            let mut seen = BTreeSet::new();
            let mut pending = vec![root];
            while let Some(next) = pending.pop() {
                if next == id {
                    return true;
                }
                if seen.insert(next) {
                    pending.extend(
                        self.packages.get(next).into_iter().flat_map(|package| package.dependencies.values()),
                    );
                }
            }
            false
        };
        self.roots.iter().find(|(_, root)| leads(root)).map(|(requirement, _)| requirement.clone())
    }

    pub(crate) fn root(&self, reference: &NpmRef) -> Option<&Package> {
        self.packages.get(self.roots.get(&reference.requirement())?)
    }
}

/// What can go wrong with a package.
#[derive(Debug)]
pub(crate) struct NpmError {
    pub diagnostic: Box<Diagnostic>,
    /// The root requirement in whose closure it happened, where that is known.
    pub root: Option<String>,
}

impl NpmError {
    pub(crate) fn new(code: DiagnosticCode, message: String) -> Self {
        Self { diagnostic: Box::new(Diagnostic::new(code, message)), root: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.diagnostic.hint = Some(hint.into());
        self
    }
}

impl From<marsh_fs::FsError> for NpmError {
    fn from(error: marsh_fs::FsError) -> Self {
        Self::new(DiagnosticCode::CacheError, format!("the package cache is not usable: {error}"))
    }
}

impl From<NpmError> for BundleError {
    fn from(error: NpmError) -> Self {
        BundleError::one(*error.diagnostic)
    }
}

/// Resolves and installs. `project`: the directory whose `.npmrc` counts beside the user's.
pub(crate) fn install(
    roots: &[NpmRef],
    lock: Option<&Lock>,
    cache: &Path,
    project: &Path,
    offline: bool,
) -> Result<(Closure, Store, Vec<String>), NpmError> {
    let store = Store::new(cache);
    let client = Client::new(project, offline);
    let mut warnings = Vec::new();
    let closure = resolve::closure(roots, lock, &client, &store, &mut warnings)?;
    let packages: Vec<&Package> = closure.packages.values().filter(|package| !store.has(package)).collect();
    let outcomes = in_parallel(&packages, |package| store.install(package, &client));
    for (package, outcome) in packages.iter().zip(outcomes) {
        outcome.map_err(|error| NpmError { root: closure.root_of(&package.id()), ..error })?;
    }
    Ok((closure, store, warnings))
}

/// Downloads wait for the network, not for the processor.
const THREADS: usize = 8;

/// Results in the order of `items`; one that a panicking thread owed is missing.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(index, result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).into_values().collect()
}

/// `name` as one path component.
pub(crate) fn flat(name: &str) -> String {
    name.replace('/', "+")
}

/// A package name that is safe as a path below `node_modules`.
pub(crate) fn is_safe_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let scoped = name.starts_with('@');
    parts.len() == if scoped { 2 } else { 1 }
        && parts.iter().all(|part| {
            let part = part.strip_prefix('@').unwrap_or(part);
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~!*'()".contains(c))
        })
}

/// Below the cache: everything of this format version.
pub(crate) fn home(cache: &Path) -> PathBuf {
    cache.join("npm").join("v1")
}
