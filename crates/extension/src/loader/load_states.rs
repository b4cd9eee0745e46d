//! The failures that stand, for listings. Nothing is built and no code runs.

use std::path::Path;

use marsh_repo::Repo;
use serde::Serialize;

use super::history::History;
use super::removal::problem_of;
use crate::catalog::TypeCatalog;
use crate::load_failure::{FailureInputs, LoadFailure};

/// A load that failed, and whose inputs are still the ones that failed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadState {
    /// What failed.
    #[serde(flatten)]
    pub failure: LoadFailure,
    /// The fingerprint of the version that a server serves meanwhile.
    pub serving: Option<String>,
}

/// The failures that stand.
pub fn load_states(repo: &Repo) -> Vec<LoadState> {
    let history = History::of(&repo.layout);
    let good = history.good_versions();
    let catalog = TypeCatalog::load(repo).ok();
    let serving = |failure: &LoadFailure| {
        let of = good.iter().find(|good| good.kind == failure.kind && good.type_name == failure.type_name);
        of.map(|good| good.fingerprint())
    };
    let failures = history.failures().into_iter().filter(|failure| stands(failure, catalog.as_ref()));
    failures.map(|failure| LoadState { serving: serving(&failure), failure }).collect()
}

/// Whether the inputs that failed are still the inputs.
fn stands(failure: &LoadFailure, catalog: Option<&TypeCatalog>) -> bool {
    let has_problem = |path: &Path| catalog.is_none_or(|catalog| problem_of(catalog, path).is_some());
    match failure.reason {
        FailureInputs::Vanished => !failure.entry.exists(),
        FailureInputs::Source => {
            has_problem(&failure.entry) || (failure.entry.exists() && !failure.entry.is_file())
        }
        FailureInputs::Parts => {
            !failure.parts.is_empty()
                && failure.parts.iter().all(|part| {
                    let graph = marsh_bundle::import_graph(&part.entry, &part.root.base);
                    part.entry.exists() && marsh_bundle::fingerprint(&graph) == part.fingerprint
                })
        }
        FailureInputs::Duplicate => {
            catalog.is_none_or(|catalog| catalog.find(failure.kind, &failure.type_name).len() > 1)
        }
        FailureInputs::Unrestored => catalog.is_none_or(|catalog| !catalog.unrestored.is_empty()),
        FailureInputs::Everything => catalog.is_none(),
    }
}
