//! One package, whole and verified, into a directory: for programs that npm distributes.

use std::path::Path;

use deno_semver::Version;

use super::client::no_version;
use super::store::{self, unpack_whole};
use super::{Client, NpmError, Package, integrity, is_safe_name};
use crate::diagnostic::{Diagnostic, DiagnosticCode};

/// A package that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedPackage {
    /// Its exact version.
    pub version: String,
    /// The digest that its bytes have: `sha512-…`.
    pub integrity: String,
}

/// A package of a registry, chosen and not fetched yet.
pub struct ChosenPackage {
    client: Client,
    package: Package,
}

impl std::fmt::Debug for ChosenPackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChosenPackage").field("package", &self.package.id()).finish_non_exhaustive()
    }
}

/// Chooses a version of a package: an exact one, or the one that a tag names. `project`: the directory whose `.npmrc`
/// counts beside the user's.
///
/// # Errors
/// The registry cannot be asked, or has no such package or version.
pub fn choose_package(
    name: &str,
    version: &str,
    project: &Path,
    offline: bool,
) -> Result<ChosenPackage, Diagnostic> {
    choose(name, version, Client::new(project, offline)).map_err(|error| *error.diagnostic)
}

fn choose(name: &str, version: &str, client: Client) -> Result<ChosenPackage, NpmError> {
    if !is_safe_name(name) {
        return Err(NpmError::new(
            DiagnosticCode::MissingPackage,
            format!("{name:?} is not an npm package name"),
        ));
    }
    let metadata = client.metadata(name)?;
    let exact = metadata.tags.get(version).map_or(version, String::as_str).to_owned();
    let Some(info) = metadata.versions.get(&exact) else {
        return Err(no_version(name, version, &metadata));
    };
    let stated = info.dist.integrity.as_deref().and_then(integrity::strongest).map(str::to_owned);
    let integrity = stated.or_else(|| info.dist.shasum.as_deref().and_then(integrity::from_shasum));
    let Some(integrity) = integrity else {
        let message = format!("the registry states no digest of npm package {name}@{exact}");
        return Err(NpmError::new(DiagnosticCode::IntegrityMismatch, message));
    };
    // The version becomes the name of a directory.
    if Version::parse_from_npm(&exact).is_err() {
        return Err(no_version(name, version, &metadata));
    }
    let package = Package {
        name: name.to_owned(),
        version: exact,
        integrity,
        tarball: info.dist.tarball.clone(),
        dependencies: std::collections::BTreeMap::new(),
    };
    Ok(ChosenPackage { client, package })
}

impl ChosenPackage {
    /// The exact version.
    pub fn version(&self) -> &str {
        &self.package.version
    }

    /// Fetches the package, verifies its digest and unpacks it into an empty directory.
    ///
    /// # Errors
    /// The registry cannot be asked, or its bytes are not those that it states.
    pub fn fetch(&self, into: &Path) -> Result<FetchedPackage, Diagnostic> {
        self.fetched(into).map_err(|error| *error.diagnostic)
    }

    fn fetched(&self, into: &Path) -> Result<FetchedPackage, NpmError> {
        let bytes = self.client.tarball(&self.package)?;
        store::verified(&self.package, &bytes)?;
        unpack_whole(&self.package, &bytes, into)?;
        let Package { version, integrity, .. } = &self.package;
        Ok(FetchedPackage { version: version.clone(), integrity: integrity.clone() })
    }
}
