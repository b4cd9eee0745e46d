//! Loaded versions, as the rest of marsh uses them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use marsh_host_client::ModuleRef;
use marsh_types::manifest::Manifest;
use marsh_types::{Kind, Origin, TypeName};

use super::describe::Described;
use super::parts::VersionParts;
use crate::description::{KindDescription, ModelDescription};
use crate::error::LoadError;
use crate::load_failure::LoadFailure;
use crate::part::Part;

/// A version of a model type that can be called.
#[derive(Debug, Clone)]
pub struct LoadedModel {
    /// The type.
    pub type_name: TypeName,
    /// Where the source comes from that declares the type.
    pub origin: Origin,
    /// The source file that declares the type.
    pub entry: PathBuf,
    /// The directory that `extensionFile` paths start from.
    pub base: PathBuf,
    /// The name of the version.
    pub fingerprint: String,
    /// The digest of the version's code, in hexadecimal.
    pub bundle_sha256: String,
    /// The module that hosts load.
    pub module: ModuleRef,
    /// The key of the host process that serves the version.
    pub host_key: String,
    /// What the version offers.
    pub description: Arc<ModelDescription>,
    /// What the bundler warned of.
    pub warnings: Vec<String>,
    /// The sources that add methods to the type. [`MethodDescription::method_extension`](crate::MethodDescription) is a
    /// position in this list, from 1.
    pub method_extensions: Vec<MethodExtension>,
    /// Why this is the last good version and not the newest; see [`OnFailure::LastGood`](crate::OnFailure).
    pub failure: Option<LoadFailure>,
    /// What the version is made of.
    pub(crate) parts: VersionParts,
}

/// A source that adds methods to a model type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodExtension {
    /// The source file.
    pub entry: PathBuf,
    /// The directory that `extensionFile` paths start from.
    pub base: PathBuf,
    /// Where the source comes from.
    pub origin: Origin,
}

impl LoadedModel {
    pub(super) fn new(
        described: Described<ModelDescription>,
        failure: Option<LoadFailure>,
    ) -> Result<LoadedModel, LoadError> {
        let Described { built, description } = described;
        let main = main_part(&built.parts)?.clone();
        let extension = |part: &Part| MethodExtension {
            entry: part.entry.clone(),
            base: part.root.base.clone(),
            origin: part.root.origin,
        };
        Ok(LoadedModel {
            type_name: built.parts.type_name.clone(),
            origin: main.root.origin,
            entry: main.entry,
            base: main.root.base,
            fingerprint: built.fingerprint,
            bundle_sha256: built.code_sha256,
            module: built.module,
            host_key: built.parts.host_key(),
            description,
            warnings: built.warnings,
            method_extensions: built.parts.method_extensions.iter().map(extension).collect(),
            failure,
            parts: built.parts,
        })
    }

    /// The name of the extension that declares the type, where it is known.
    pub fn extension(&self) -> Option<&str> {
        self.parts.parts().next()?.root.extension.as_deref()
    }

    /// Whether code of this version may run a method of another version.
    ///
    /// # Errors
    ///
    /// The reason, and what to add to the manifest.
    pub fn may_call(&self, other: &LoadedModel) -> Result<(), String> {
        let (Origin::Pulled, Some(own)) = (self.origin, self.extension()) else { return Ok(()) };
        let Some(theirs) = other.extension().filter(|_| other.origin == Origin::Pulled) else {
            return Ok(());
        };
        let collective = |name: &str| name.split('/').next().map(str::to_owned);
        if own == theirs || collective(own) == collective(theirs) {
            return Ok(());
        }
        let path = self.base.join("manifest.yaml");
        let unreadable = |reason: String| format!("cannot read the manifest of `{own}`: {reason}");
        let text = marsh_fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
        let manifest = Manifest::parse(&text).map_err(|error| unreadable(error.to_string()))?;
        if manifest.dependencies.iter().any(|dependency| dependency.name.as_str() == theirs) {
            return Ok(());
        }
        Err(format!("`{theirs}` is not a dependency of `{own}`; add it to `dependencies` in its manifest"))
    }

    /// The source that a method comes from, and the directory that its `extensionFile` paths start from.
    pub fn source_of(&self, method: &str) -> (&Path, &Path) {
        let added_by = self.description.method(method).and_then(|method| method.method_extension);
        match added_by.and_then(|index| self.method_extensions.get(index.checked_sub(1)?)) {
            Some(extension) => (&extension.entry, &extension.base),
            None => (&self.entry, &self.base),
        }
    }
}

/// A version of a type of another kind. What can be called on it is in [`crate::kinds`].
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The kind of the type.
    pub kind: Kind,
    /// The type.
    pub type_name: TypeName,
    /// Where the source comes from that declares the type.
    pub origin: Origin,
    /// The source file that declares the type.
    pub entry: PathBuf,
    /// The directory that `extensionFile` paths start from.
    pub base: PathBuf,
    /// The name of the version.
    pub fingerprint: String,
    /// The digest of the version's code, in hexadecimal.
    pub bundle_sha256: String,
    /// The module that hosts load.
    pub module: ModuleRef,
    /// The key of the host process that serves the version.
    pub host_key: String,
    /// What the version offers.
    pub description: Arc<KindDescription>,
    /// What the bundler warned of.
    pub warnings: Vec<String>,
    /// Why this is the last good version and not the newest; see [`OnFailure::LastGood`](crate::OnFailure).
    pub failure: Option<LoadFailure>,
}

impl Loaded {
    pub(super) fn new(
        described: Described<KindDescription>,
        failure: Option<LoadFailure>,
    ) -> Result<Loaded, LoadError> {
        let Described { built, description } = described;
        let main = main_part(&built.parts)?.clone();
        Ok(Loaded {
            kind: built.parts.kind,
            host_key: built.parts.host_key(),
            type_name: built.parts.type_name,
            origin: main.root.origin,
            entry: main.entry,
            base: main.root.base,
            fingerprint: built.fingerprint,
            bundle_sha256: built.code_sha256,
            module: built.module,
            description,
            warnings: built.warnings,
            failure,
        })
    }
}

/// The part that stands for the version: the base, or the first method extension of a built-in type.
fn main_part(parts: &VersionParts) -> Result<&Part, LoadError> {
    parts.parts().next().ok_or_else(|| LoadError::NoBundle { fingerprint: parts.fingerprint() })
}
