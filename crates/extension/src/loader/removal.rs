//! Whether a type that is gone was removed on purpose.
//!
//! A user removes a type by a source that can be read and does not declare it, by an extension that is not in the
//! lockfile, or by a mount that is not mounted. A file that vanished is not removed, until
//! [`Loader::accept_removals`](super::Loader::accept_removals).

use std::path::Path;

use marsh_repo::Repo;
use marsh_types::{Diagnostic, ExtensionName, Origin};

use super::parts::VersionParts;
use crate::catalog::{SourceProblem, TypeCatalog};
use crate::error::LoadError;
use crate::part::Part;

/// What the repository says about parts that were there.
pub(super) struct Removals<'a> {
    pub repo: &'a Repo,
    /// `None`: the catalog cannot be read, so nothing is known to be removed.
    pub catalog: Option<&'a TypeCatalog>,
}

impl Removals<'_> {
    /// Why no source declares a type that was there; `None` if it was removed on purpose.
    pub(super) fn broken_base(&self, before: &VersionParts) -> Option<LoadError> {
        before.base.as_ref().and_then(|part| self.broken(part))
    }

    /// Why a method extension that was there is missing from `now`; `None` if it was removed on purpose.
    pub(super) fn lost_extension(
        &self,
        before: &VersionParts,
        now: Option<&VersionParts>,
    ) -> Option<LoadError> {
        let is_there = |part: &&Part| {
            now.is_some_and(|now| now.method_extensions.iter().any(|one| one.entry == part.entry))
        };
        before.method_extensions.iter().filter(|part| !is_there(part)).find_map(|part| self.broken(part))
    }

    fn broken(&self, part: &Part) -> Option<LoadError> {
        let catalog = self.catalog?;
        match (part.root.origin, &part.root.extension) {
            (Origin::Pulled, Some(extension)) => self.broken_pulled(catalog, part, extension),
            _ => self.broken_source(catalog, part),
        }
    }

    fn broken_source(&self, catalog: &TypeCatalog, part: &Part) -> Option<LoadError> {
        let roots = crate::discover::source_roots(self.repo, part.root.kind).ok()?;
        if !roots.iter().any(|root| root.dir == part.root.dir) {
            return None;
        }
        if let Some(problem) = problem_of(catalog, &part.entry) {
            return Some(problem);
        }
        if std::fs::symlink_metadata(&part.entry).is_err() {
            return Some(LoadError::Vanished { path: part.entry.clone() });
        }
        (!part.entry.is_file()).then(|| LoadError::BrokenSource {
            path: part.entry.clone(),
            diagnostic: Box::new(Diagnostic::unreadable(
                &part.entry,
                "expected a file, found a directory or a broken link",
            )),
        })
    }

    fn broken_pulled(&self, catalog: &TypeCatalog, part: &Part, extension: &str) -> Option<LoadError> {
        if catalog.unrestored.iter().any(|name| name.as_str() == extension) {
            return Some(LoadError::NotRestored { extension: extension.to_owned() });
        }
        let installation = crate::installed::installation(self.repo);
        let snapshot = installation.snapshot().ok()?;
        let name = ExtensionName::parse(extension).ok()?;
        let tree = installation.trees().tree(&snapshot.lockfile.get(&name)?.checksum?);
        problem_of(catalog, &tree.join(part.entry.strip_prefix(&part.root.base).ok()?))
    }
}

/// The catalog's problem with a source file, as an error.
pub(super) fn problem_of(catalog: &TypeCatalog, path: &Path) -> Option<LoadError> {
    let SourceProblem { path, diagnostic } = catalog.problems.iter().find(|problem| problem.path == path)?;
    Some(LoadError::BrokenSource { path: path.clone(), diagnostic: Box::new(diagnostic.clone()) })
}
