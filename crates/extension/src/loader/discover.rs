//! Stage 1: which entry points a type consists of now, read from the type catalog.
//!
//! Nothing is built here. An entry point whose type is computed is identified by a function that the caller passes, as
//! only running the code tells its type.

use std::sync::{Arc, Mutex, PoisonError};

use marsh_repo::Repo;
use marsh_types::{Kind, TypeName};
use serde_json::{Value, json};

use super::parts::EntryPoint;
use crate::catalog::{IndexedType, SourceIndex, TypeCatalog};
use crate::description::{ModelDescription, OutputDescription};
use crate::error::LoadError;

/// Tells the type of an entry point of a kind by running it; `None` when it cannot be loaded.
pub(super) type Identify<'a> = &'a dyn Fn(Kind, &EntryPoint) -> Option<TypeName>;

/// The type that a load is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// A type that sources declare.
    Declared { kind: Kind, type_name: &'a TypeName },
    /// The method extensions of a built-in model type, as [`builtin_base`] describes it, under all of its names.
    Builtin { base: &'a Value, type_name: &'a TypeName, names: &'a [&'a TypeName] },
}

/// The entry points of one type.
#[derive(Debug)]
pub(super) struct Discovered {
    pub kind: Kind,
    pub type_name: TypeName,
    pub builtin: Option<Value>,
    pub base: Option<EntryPoint>,
    pub method_extensions: Vec<EntryPoint>,
}

impl Target<'_> {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Target::Declared { kind, .. } => *kind,
            Target::Builtin { .. } => Kind::Model,
        }
    }

    pub(super) fn type_name(&self) -> &TypeName {
        match self {
            Target::Declared { type_name, .. } | Target::Builtin { type_name, .. } => type_name,
        }
    }

    /// The entry points; `None` for a built-in type without method extensions.
    ///
    /// # Errors
    ///
    /// No source declares the type, or two sources of one origin do.
    pub(super) fn discover(
        &self,
        catalog: &TypeCatalog,
        identify: Identify<'_>,
    ) -> Result<Option<Discovered>, LoadError> {
        match *self {
            Target::Declared { kind, type_name } => Ok(Some(Discovered {
                kind,
                type_name: type_name.clone(),
                builtin: None,
                base: Some(find_base(catalog, kind, type_name, identify)?),
                method_extensions: find_extensions(catalog, kind, &[type_name], identify),
            })),
            Target::Builtin { base, type_name, names } => {
                let method_extensions = find_extensions(catalog, Kind::Model, names, identify);
                Ok((!method_extensions.is_empty()).then(|| Discovered {
                    kind: Kind::Model,
                    type_name: type_name.clone(),
                    builtin: Some(base.clone()),
                    base: None,
                    method_extensions,
                }))
            }
        }
    }
}

fn find_base(
    catalog: &TypeCatalog,
    kind: Kind,
    type_name: &TypeName,
    identify: Identify<'_>,
) -> Result<EntryPoint, LoadError> {
    match catalog.find(kind, type_name).as_slice() {
        [one] => Ok(entry_point(one)),
        [first, second, ..] => Err(LoadError::DuplicateType {
            kind,
            name: type_name.clone(),
            first: first.path.clone(),
            second: second.path.clone(),
        }),
        [] => find_computed(catalog, kind, &[type_name], identify)
            .next()
            .ok_or_else(|| unknown_type(catalog, kind, type_name)),
    }
}

/// The entry points of the kinds that extend types of `kind`, for these names of one type.
fn find_extensions(
    catalog: &TypeCatalog,
    kind: Kind,
    names: &[&TypeName],
    identify: Identify<'_>,
) -> Vec<EntryPoint> {
    let mut found = Vec::new();
    for extending in Kind::ALL.into_iter().filter(|one| one.spec().extends == Some(kind)) {
        let is_wanted =
            |indexed: &&IndexedType| indexed.kind == extending && names.contains(&&indexed.type_name);
        found.extend(catalog.types.iter().filter(is_wanted).map(entry_point));
        found.extend(find_computed(catalog, extending, names, identify));
    }
    found
}

/// The entry points whose type is computed and turns out to be one of these.
fn find_computed<'a>(
    catalog: &'a TypeCatalog,
    kind: Kind,
    names: &'a [&TypeName],
    identify: Identify<'a>,
) -> impl Iterator<Item = EntryPoint> + 'a {
    let candidates = catalog.computed.iter().filter(move |computed| computed.kind == kind);
    candidates
        .map(|computed| EntryPoint { path: computed.path.clone(), root: computed.root.clone() })
        .filter(move |entry| identify(kind, entry).is_some_and(|found| names.contains(&&found)))
}

pub(super) fn entry_point(indexed: &IndexedType) -> EntryPoint {
    EntryPoint { path: indexed.path.clone(), root: indexed.root.clone() }
}

/// The error for a type that no source declares.
pub(super) fn unknown_type(catalog: &TypeCatalog, kind: Kind, type_name: &TypeName) -> LoadError {
    LoadError::UnknownType {
        kind,
        name: type_name.clone(),
        known: catalog.of_kind(kind).iter().map(|indexed| indexed.type_name.to_string()).collect(),
        problems: catalog
            .problems
            .iter()
            .map(|problem| (problem.path.clone(), problem.diagnostic.clone()))
            .collect(),
        unrestored: catalog.unrestored.clone(),
        missing: None,
    }
}

/// A built-in type, as the method extensions of it see it.
pub(super) fn builtin_base(description: &ModelDescription) -> Value {
    let specs = |outputs: &[(String, OutputDescription)]| -> Value {
        outputs
            .iter()
            .map(|(name, spec)| {
                let spec = json!({
                    "description": spec.description, "lifetime": spec.lifetime, "tags": spec.tags,
                    "garbageCollection": spec.garbage_collection, "contentType": spec.content_type,
                });
                (name.clone(), spec)
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!({
        "type": description.raw_type,
        "version": description.version,
        "methods": description.method_names().collect::<Vec<_>>(),
        "resources": specs(&description.resources),
        "files": specs(&description.files),
    })
}

/// Reads the type catalog, and remembers what was read from each source file.
#[derive(Debug)]
pub(super) struct CatalogReader {
    repo: Repo,
    index: Mutex<Option<Arc<SourceIndex>>>,
}

impl CatalogReader {
    pub(super) fn new(repo: Repo) -> CatalogReader {
        CatalogReader { repo, index: Mutex::default() }
    }

    /// The catalog as the sources are now.
    ///
    /// # Errors
    ///
    /// The file of mounted sources or the lockfile cannot be read.
    pub(super) fn read(&self) -> Result<TypeCatalog, LoadError> {
        let known = self.index.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = known.unwrap_or_else(|| Arc::new(SourceIndex::read(&self.repo.layout)));
        let (catalog, now) = TypeCatalog::load_with(&self.repo, &known)?;
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = Some(now.map_or(known, Arc::new));
        Ok(catalog)
    }
}
