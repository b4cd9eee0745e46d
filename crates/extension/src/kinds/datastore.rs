//! Datastore extensions: a lock, a verifier and synchronization for a repository's data elsewhere.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use marsh_host::supervisor::NoCallbacks;
use marsh_host::{CallbackError, Callbacks};
use marsh_types::{Kind, TypeName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{CallOptions, Export, KindError};
use crate::loader::{Loaded, Loader};

/// A datastore of an extension's type, with its configuration.
#[derive(Debug, Clone)]
pub struct DatastoreExtension {
    export: Export,
    config: Map<String, Value>,
    options: CallOptions,
}

/// What a verifier found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    pub healthy: bool,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub latency_ms: f64,
    #[serde(default)]
    pub datastore_type: String,
    #[serde(default)]
    pub details: Value,
}

/// Where an extension has its data, or wants our copy of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataPlace {
    /// Whether it brings and takes.
    pub syncs: bool,
    pub path: PathBuf,
    #[serde(default)]
    pub cache_path: Option<PathBuf>,
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
        self.call("verify", json!({}), &NoCallbacks)
    }

    pub fn place(&self, repo_dir: &Path) -> Result<DataPlace, KindError> {
        self.call("place", json!({ "repoDir": repo_dir }), &NoCallbacks)
    }

    pub fn resolve_path(&self, repo_dir: &Path) -> Result<String, KindError> {
        self.call("resolvePath", json!({ "repoDir": repo_dir }), &NoCallbacks)
    }

    pub fn resolve_cache_path(&self, repo_dir: &Path) -> Result<Option<String>, KindError> {
        self.call("resolveCachePath", json!({ "repoDir": repo_dir }), &NoCallbacks)
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
        let params = json!({ "path": path, "options": lock });
        self.call::<Value>("withLock", params, &held)?;
        Ok(held.done.into_inner())
    }

    pub fn inspect_lock(&self, path: &str, lock: &Value) -> Result<Option<Value>, KindError> {
        self.call("inspectLock", json!({ "path": path, "options": lock }), &NoCallbacks)
    }

    pub fn force_release_lock(&self, path: &str, lock: &Value, nonce: &str) -> Result<Value, KindError> {
        self.call("forceReleaseLock", json!({ "path": path, "options": lock, "nonce": nonce }), &NoCallbacks)
    }

    /// Brings what changed there; how many files that were, if the extension counts them.
    pub fn pull(&self, trees: &Trees<'_>, options: &Value) -> Result<Option<f64>, KindError> {
        self.sync("pull", trees, options)
    }

    pub fn push(&self, trees: &Trees<'_>, options: &Value) -> Result<Option<f64>, KindError> {
        self.sync("push", trees, options)
    }

    /// Tells that a file is about to change.
    pub fn mark_dirty(&self, trees: &Trees<'_>, options: &Value) -> Result<(), KindError> {
        self.sync("markDirty", trees, options).map(drop)
    }

    pub fn capabilities(&self, trees: &Trees<'_>) -> Result<Value, KindError> {
        let params = json!({ "repoDir": trees.repo_dir, "cachePath": trees.cache_path });
        self.call("capabilities", params, &NoCallbacks)
    }

    fn sync(
        &self,
        operation: &'static str,
        trees: &Trees<'_>,
        options: &Value,
    ) -> Result<Option<f64>, KindError> {
        let params = json!({ "repoDir": trees.repo_dir, "cachePath": trees.cache_path, "options": options });
        self.call::<Value>(operation, params, &NoCallbacks).map(|count| count.as_f64())
    }

    fn call<T: serde::de::DeserializeOwned>(
        &self,
        operation: &'static str,
        mut params: Value,
        callbacks: &dyn Callbacks,
    ) -> Result<T, KindError> {
        params["config"] = json!(self.config);
        self.export.call(operation, params, &self.options, callbacks)
    }
}

/// Does the work when the lock is held.
struct Held<F, T> {
    work: RefCell<Option<F>>,
    done: RefCell<Option<T>>,
}

impl<T, F: FnOnce() -> T> Callbacks for Held<F, T> {
    fn request(&self, method: &str, params: Value) -> Result<Value, CallbackError> {
        if method != "datastore/locked" {
            return NoCallbacks.request(method, params);
        }
        if let Some(work) = self.work.borrow_mut().take() {
            *self.done.borrow_mut() = Some(work());
        }
        Ok(Value::Null)
    }

    fn notify(&self, _method: &str, _params: Value) {}
}
