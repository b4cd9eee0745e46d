//! Datastore extensions: a lock, a verifier and synchronization for a repository's data elsewhere.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use marsh_host_client::protocol::Nothing;
use marsh_host_client::{
    Ask, CallbackError, Callbacks, ContextAnswer, ContextNotice, ContextRequest, NoCallbacks,
};
use marsh_types::{Kind, TypeName};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{CallOptions, Export, KindError};
use crate::loader::{Loaded, Loader};

/// A datastore of an extension's type, with its configuration.
#[derive(Debug, Clone)]
pub struct DatastoreExtension {
    export: Export,
    config: Map<String, Value>,
    options: CallOptions,
}

/// Where data is synchronized from and to.
#[derive(Debug, Clone)]
pub struct Trees<'a> {
    pub repo_dir: &'a Path,
    pub cache_path: &'a Path,
}

impl DatastoreExtension {
    pub fn open(
        loader: &Loader,
        type_name: &TypeName,
        config: &Map<String, Value>,
    ) -> Result<DatastoreExtension, KindError> {
        let loaded = loader.resolve_kind(Kind::Datastore, type_name)?;
        Ok(DatastoreExtension {
            export: Export { loaded, hosts: loader.hosts().clone() },
            config: config.clone(),
            options: CallOptions { cancel: loader.cancel().clone(), ..CallOptions::default() },
        })
    }

    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> DatastoreExtension {
        self.options = options;
        self
    }

    pub fn loaded(&self) -> &Loaded {
        &self.export.loaded
    }

    pub fn verify(&self) -> Result<Health, KindError> {
        self.ask(DatastoreVerify { config: self.config() })
    }

    pub fn place(&self, repo_dir: &Path) -> Result<DataPlace, KindError> {
        self.ask(DatastorePlace { config: self.config(), repo_dir: repo_dir.to_owned() })
    }

    pub fn resolve_path(&self, repo_dir: &Path) -> Result<String, KindError> {
        self.ask(DatastoreResolvePath { config: self.config(), repo_dir: repo_dir.to_owned() })
    }

    pub fn resolve_cache_path(&self, repo_dir: &Path) -> Result<Option<String>, KindError> {
        self.ask(DatastoreResolveCachePath { config: self.config(), repo_dir: repo_dir.to_owned() })
    }

    /// Holds the datastore's lock while `work` runs, and releases it whatever `work` returns. The deadline counts for the
    /// whole of it.
    pub fn with_lock<T>(
        &self,
        path: &str,
        lock: &Value,
        work: impl FnOnce() -> T,
    ) -> Result<Option<T>, KindError> {
        let held = Held { work: RefCell::new(Some(work)), done: RefCell::new(None) };
        let params =
            DatastoreWithLock { config: self.config(), path: path.to_owned(), options: lock.clone() };
        self.export.call(params, &self.options, &held)?;
        Ok(held.done.into_inner())
    }

    pub fn inspect_lock(&self, path: &str, lock: &Value) -> Result<Option<Value>, KindError> {
        self.ask(DatastoreInspectLock { config: self.config(), path: path.to_owned(), options: lock.clone() })
    }

    pub fn force_release_lock(&self, path: &str, lock: &Value, nonce: &str) -> Result<Value, KindError> {
        self.ask(DatastoreForceReleaseLock {
            config: self.config(),
            path: path.to_owned(),
            options: lock.clone(),
            nonce: nonce.to_owned(),
        })
    }

    /// Copies remote changes. Returns how many files changed, if the extension counts them.
    pub fn pull(&self, trees: &Trees<'_>, options: &Value) -> Result<Option<f64>, KindError> {
        let (repo_dir, cache_path) = trees.owned();
        self.ask(DatastorePull { config: self.config(), repo_dir, cache_path, options: options.clone() })
    }

    pub fn push(&self, trees: &Trees<'_>, options: &Value) -> Result<Option<f64>, KindError> {
        let (repo_dir, cache_path) = trees.owned();
        self.ask(DatastorePush { config: self.config(), repo_dir, cache_path, options: options.clone() })
    }

    /// Announces that a file is about to change.
    pub fn mark_dirty(&self, trees: &Trees<'_>, options: &Value) -> Result<(), KindError> {
        let (repo_dir, cache_path) = trees.owned();
        let options = options.clone();
        self.ask(DatastoreMarkDirty { config: self.config(), repo_dir, cache_path, options }).map(|_| ())
    }

    pub fn capabilities(&self, trees: &Trees<'_>) -> Result<Value, KindError> {
        let (repo_dir, cache_path) = trees.owned();
        self.ask(DatastoreCapabilities { config: self.config(), repo_dir, cache_path })
    }

    fn config(&self) -> Map<String, Value> {
        self.config.clone()
    }

    fn ask<A: Ask>(&self, params: A) -> Result<A::Answer, KindError> {
        self.export.call(params, &self.options, &NoCallbacks)
    }
}

impl Trees<'_> {
    fn owned(&self) -> (PathBuf, PathBuf) {
        (self.repo_dir.to_owned(), self.cache_path.to_owned())
    }
}

/// Does the work when the lock is held.
struct Held<F, T> {
    work: RefCell<Option<F>>,
    done: RefCell<Option<T>>,
}

impl<T, F: FnOnce() -> T> Callbacks for Held<F, T> {
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        let ContextRequest::DatastoreLocked(_) = request else { return NoCallbacks.request(request) };
        if let Some(work) = self.work.borrow_mut().take() {
            *self.done.borrow_mut() = Some(work());
        }
        Ok(ContextAnswer::Nothing)
    }

    fn notice(&self, _notice: ContextNotice) {}
}

operations! {
    /// Parameters of `datastore.verify`.
    DatastoreVerify {
        /// The configuration, as it is written.
        config: Map<String, Value>,
    } -> Health;
    /// Parameters of `datastore.place`.
    DatastorePlace {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The repository.
        repo_dir: PathBuf,
    } -> DataPlace;
    /// Parameters of `datastore.resolvePath`.
    DatastoreResolvePath {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The repository.
        repo_dir: PathBuf,
    } -> String;
    /// Parameters of `datastore.resolveCachePath`.
    DatastoreResolveCachePath {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The repository.
        repo_dir: PathBuf,
    } -> Option<String>;
    /// Parameters of `datastore.withLock`.
    DatastoreWithLock {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The datastore's path.
        path: String,
        /// Options of the lock.
        options: Value,
    } -> Nothing;
    /// Parameters of `datastore.inspectLock`.
    DatastoreInspectLock {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The datastore's path.
        path: String,
        /// Options of the lock.
        options: Value,
    } -> Option<Value>;
    /// Parameters of `datastore.forceReleaseLock`.
    DatastoreForceReleaseLock {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The datastore's path.
        path: String,
        /// Options of the lock.
        options: Value,
        /// The holder's nonce.
        nonce: String,
    } -> Value;
    /// Parameters of `datastore.pull`.
    DatastorePull {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The repository.
        repo_dir: PathBuf,
        /// The local copy.
        cache_path: PathBuf,
        /// Options of the sync service.
        options: Value,
    } -> Option<f64>;
    /// Parameters of `datastore.push`.
    DatastorePush {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The repository.
        repo_dir: PathBuf,
        /// The local copy.
        cache_path: PathBuf,
        /// Options of the sync service.
        options: Value,
    } -> Option<f64>;
    /// Parameters of `datastore.markDirty`.
    DatastoreMarkDirty {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The repository.
        repo_dir: PathBuf,
        /// The local copy.
        cache_path: PathBuf,
        /// Options of the sync service.
        options: Value,
    } -> Nothing;
    /// Parameters of `datastore.capabilities`.
    DatastoreCapabilities {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The repository.
        repo_dir: PathBuf,
        /// The local copy.
        cache_path: PathBuf,
    } -> Value;
}

/// What a datastore's verifier found.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Whether the datastore works.
    pub healthy: bool,
    /// What the verifier says.
    #[serde(default)]
    pub message: String,
    /// Milliseconds that the check took.
    #[serde(default)]
    pub latency_ms: f64,
    /// The datastore's type.
    #[serde(default)]
    pub datastore_type: String,
    /// Details of the extension's own.
    #[serde(default)]
    pub details: Value,
}

/// Where a datastore keeps its data, or wants marsh's copy of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataPlace {
    /// Whether the datastore synchronizes.
    pub syncs: bool,
    /// The path of the data.
    pub path: PathBuf,
    /// The path of the local copy, if the extension chooses it.
    #[serde(default)]
    pub cache_path: Option<PathBuf>,
}
