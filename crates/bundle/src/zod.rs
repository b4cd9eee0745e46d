//! zod 4 stays outside of bundles.
//!
//! A bundle imports `npm:zod@<exact version>`; the host serves that from one module per version, made here once and kept
//! in the cache. So the host can compile zod once, and all parts of an extension share one instance.

use std::path::Path;

use marsh_fs::{Durability, atomic_write, create_dir_all};
use sha2::{Digest, Sha256};

use crate::BUNDLER_VERSION;
use crate::build;
use crate::diagnostic::BundleError;
use crate::hex::hex;
use crate::npm::{Closure, Package, Store};
use crate::plugin::Names;
use crate::request::ExternalMeta;
use crate::zod_names::specifier;

/// The module of `package`, made if it is not in the cache.
pub(crate) fn provide(
    package: &Package,
    closure: &Closure,
    store: &Store,
) -> Result<ExternalMeta, BundleError> {
    let digest = hex(&Sha256::digest(format!("{}\n{BUNDLER_VERSION}", package.integrity)));
    let dir = store.externals().join(format!("{}-{}", package.id(), &digest[..16]));
    let path = dir.join("index.js");
    if !path.is_file() {
        make(package, closure, store, &dir)?;
    }
    let bytes = marsh_fs::read(&path).map_err(|source| BundleError::io(&path, source))?;
    Ok(ExternalMeta { specifier: specifier(package), path, sha256: hex(&Sha256::digest(&bytes)) })
}

fn make(package: &Package, closure: &Closure, store: &Store, dir: &Path) -> Result<(), BundleError> {
    let names = Names::of_package(package.clone(), closure.clone(), store.clone());
    let built = build::run(&package.name, &store.entry(package), names)?;
    let staged = store.stage()?;
    atomic_write(&staged.path().join("index.js"), built.code.as_bytes(), Durability::Synced)?;
    create_dir_all(&store.externals())?;
    staged.publish(dir)?;
    Ok(())
}
