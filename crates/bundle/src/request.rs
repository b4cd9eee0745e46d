//! What is bundled, and what came of it.

use std::path::PathBuf;

use marsh_types::EngineKind;
use serde::{Deserialize, Serialize};

use crate::engine_wish::EngineWish;

/// What to bundle, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleRequest {
    /// The entry point.
    pub entry: PathBuf,
    /// The source root; see [`import_graph`](crate::import_graph).
    pub root: PathBuf,
    /// An existing private directory; gets `bundle.js`, its source map and `bundle.json`.
    pub out_dir: PathBuf,
    /// The user's cache; packages go to `npm/v1` below it.
    pub cache_dir: PathBuf,
    /// No network: everything has to be in the cache.
    pub offline: bool,
}

/// The result of bundling; also in `bundle.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleMeta {
    /// Relative to the root.
    pub entry: String,
    /// Of exactly what was bundled. Empty in records of bundles that were not made here.
    #[serde(default)]
    pub fingerprint: String,
    /// 64 hex digits.
    pub code_sha256: String,
    /// The size of `bundle.js`.
    pub code_bytes: u64,
    /// Modules that the bundle imports.
    pub externals: Vec<ExternalMeta>,
    /// The whole closure, sorted.
    pub packages: Vec<PackageMeta>,
    /// The modules that were imported by address, sorted; the files of jsr packages are not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<ModuleMeta>,
    /// For the author of the extension.
    pub warnings: Vec<String>,
    /// The engine that the entry point names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineKind>,
    /// What the sources use and the embedded engine lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}

impl BundleMeta {
    /// What the sources ask of an engine.
    pub fn engine_wish(&self) -> EngineWish {
        EngineWish { declared: self.engine, needs: self.needs.clone() }
    }
}

/// A module that was imported by address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleMeta {
    /// After all redirects.
    pub url: String,
    /// Of what the server sent, 64 hex digits.
    pub sha256: String,
}

/// A module that the bundle imports and the host has to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalMeta {
    /// As imported: `npm:zod@4.3.6`.
    pub specifier: String,
    /// An ES module without imports, in the cache.
    pub path: PathBuf,
    /// Of its text, 64 hex digits.
    pub sha256: String,
}

/// A package in the closure of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageMeta {
    /// As the registry names it.
    pub name: String,
    /// The exact version.
    pub version: String,
    /// As in `package-lock.json`: `sha512-…`.
    pub integrity: String,
}
