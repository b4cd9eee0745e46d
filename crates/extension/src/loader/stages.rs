//! The stages of a load in their order: discover, fingerprint, build, describe. The fifth, commit, is the transaction's.

use marsh_types::{Kind, TypeName};

use super::build::{Built, Bundles};
use super::describe::{Described, Describer, Description, LoadOptions};
use super::discover::Target;
use super::fingerprint::Fingerprints;
use super::parts::{EntryPoint, VersionParts};
use crate::catalog::TypeCatalog;
use crate::error::LoadError;

/// What the stages work with, shared by all loads of a process.
#[derive(Debug)]
pub(super) struct Stages {
    pub fingerprints: Fingerprints,
    pub bundles: Bundles,
    pub describer: Describer,
}

impl Stages {
    /// Stages 1 and 2: what the target is made of now. Nothing is built, except to identify computed types.
    pub(super) fn find(
        &self,
        target: &Target<'_>,
        catalog: &TypeCatalog,
        options: &LoadOptions,
    ) -> Result<Option<VersionParts>, LoadError> {
        let identify = |kind: Kind, entry: &EntryPoint| self.identify(kind, entry, options);
        target
            .discover(catalog, &identify)?
            .map(|discovered| self.fingerprints.version(discovered))
            .transpose()
    }

    /// Stages 3 and 4, with a new bundle where no stored one serves.
    pub(super) fn load<D: Description>(
        &self,
        parts: VersionParts,
        options: &LoadOptions,
    ) -> Result<Described<D>, LoadError> {
        self.checked(self.bundles.build(parts)?, options)
    }

    /// Stages 3 and 4 with stored bundles alone.
    pub(super) fn load_stored<D: Description>(
        &self,
        parts: VersionParts,
        options: &LoadOptions,
    ) -> Result<Described<D>, LoadError> {
        self.checked(self.bundles.load_stored(parts)?, options)
    }

    fn checked<D: Description>(
        &self,
        built: Built,
        options: &LoadOptions,
    ) -> Result<Described<D>, LoadError> {
        let described: Described<D> = self.describer.describe(built, self.bundles.engines(), options)?;
        described.description.check(&described.built.parts)?;
        Ok(described)
    }

    /// Loads an entry point whose type is computed. One that cannot be loaded has no type.
    fn identify(&self, kind: Kind, entry: &EntryPoint, options: &LoadOptions) -> Option<TypeName> {
        let part = self.fingerprints.part(entry.clone()).ok()?;
        // The name is not known yet, and nothing of it is in the answer.
        let unnamed = TypeName::parse("computed/type").ok()?;
        let built =
            self.bundles.build(VersionParts::new(kind, unnamed, None, Some(part), Vec::new())).ok()?;
        self.describer.type_of(built, self.bundles.engines(), options).ok()
    }
}
