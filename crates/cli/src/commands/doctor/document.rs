//! The document of `marsh doctor extensions`, made of what the libraries found.

use std::path::Path;

use marsh_api::ErrorReport;
use marsh_api::doctor::{
    AggregateState, CheckStatus, DuplicateType, ExtensionState, ExtensionsReport, FailedRepair, KindStatus,
    LoadInputs, LoadPart, LoadRoot, LoadStage, LoadState, LoaderError, LockfileState, OrphanFile,
    RefusedEntry, RepairMode, RepairReport, SourceDetail, SourceState, StateDistribution, TypeDeclaration,
    UnsatisfiedDependency, ViewState,
};
use marsh_extension::lifecycle::{Inspection, InstalledExtension, ItemStatus, Occupant, Repaired};
use marsh_extension::{FailureInputs, LoadFailureState, SourceProblem};
use marsh_types::{Kind, Origin};

use crate::commands::extension::documents::{install_state, shadowed_types};

pub fn report(
    inspection: &Inspection,
    local: &[SourceProblem],
    loads: &[marsh_extension::LoadState],
    repaired: Option<&Repaired>,
    pass: bool,
) -> ExtensionsReport {
    let problems = super::problems(inspection);
    let kinds = Kind::with_directory().map(|kind| {
        let bad = inspection.duplicates.iter().any(|duplicate| duplicate.kind == kind)
            || problems.iter().any(|(_, path, _)| path.starts_with(kind.directory()));
        (kind, KindStatus { registry: kind, status: CheckStatus::of(!bad) })
    });
    let of_repository = local.iter().map(|problem| LoaderError {
        extension_name: None,
        path: shown(&problem.path),
        diagnostic: problem.diagnostic.clone(),
    });
    let of_extensions = problems.iter().map(|(name, path, diagnostic)| LoaderError {
        extension_name: Some(name.clone()),
        path: path.clone(),
        diagnostic: diagnostic.clone(),
    });
    ExtensionsReport {
        overall_status: CheckStatus::of(pass),
        registries: kinds.collect(),
        orphan_files: inspection.orphans.iter().map(|path| OrphanFile { path: shown(path) }).collect(),
        aggregate_state: aggregate_state(inspection),
        lockfile: lockfile(inspection),
        views: views(inspection),
        shadowed_types: shadowed_types(&inspection.shadowed),
        duplicate_types: duplicates(inspection),
        unsatisfied_dependencies: unsatisfied(inspection),
        loader_errors: of_repository.chain(of_extensions).collect(),
        load_states: loads.iter().map(load_state).collect(),
        repair_report: repaired.map(repair_report),
    }
}

fn shown(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}

fn aggregate_state(inspection: &Inspection) -> AggregateState {
    let mut source_details = Vec::new();
    let mut aggregates = Vec::new();
    for one in &inspection.extensions {
        let facts = one.entry.checksum.and_then(|digest| inspection.facts.get(&digest));
        let sources = facts.into_iter().flat_map(|facts| &facts.provided).map(|provided| SourceDetail {
            source_path: provided.path.to_string(),
            state_tag: SourceState::Indexed,
            kind: provided.kind,
            type_name: provided.raw.clone(),
            extension_name: one.name.to_string(),
        });
        let before = source_details.len();
        source_details.extend(sources);
        let distribution = StateDistribution {
            indexed: source_details.len() - before,
            validation_failed: facts.map_or(0, |facts| facts.problems.len()),
        };
        aggregates.push(extension_state(one, distribution));
    }
    let total = source_details.len();
    AggregateState { aggregates, source_details, total_sources: total, healthy_sources: total }
}

fn extension_state(one: &InstalledExtension, distribution: StateDistribution) -> ExtensionState {
    ExtensionState {
        name: one.name.to_string(),
        version: one.entry.version.to_string(),
        origin: Origin::Pulled,
        state: install_state(one.state.clone()),
        source_count: distribution.indexed,
        state_distribution: distribution,
        path: one.tree.as_ref().map(shown),
    }
}

fn lockfile(inspection: &Inspection) -> LockfileState {
    let refused = inspection.refused.iter();
    let refused = refused.map(|entry| RefusedEntry { key: entry.key.clone(), reason: entry.reason.clone() });
    LockfileState { digest: inspection.snapshot.digest.to_string(), refused_entries: refused.collect() }
}

fn views(inspection: &Inspection) -> ViewState {
    let views = &inspection.views;
    ViewState {
        stale: views.stale,
        missing: views.missing.iter().map(shown).collect(),
        orphans: views.orphans.iter().map(shown).collect(),
        dangling: views.dangling.iter().map(shown).collect(),
    }
}

fn duplicates(inspection: &Inspection) -> Vec<DuplicateType> {
    let declaration = |occupant: &Occupant| TypeDeclaration {
        extension_name: occupant.extension.to_string(),
        extension_version: occupant.version.to_string(),
        canonical_path: occupant.path.clone(),
    };
    let rows = inspection.duplicates.iter().map(|duplicate| DuplicateType {
        kind: duplicate.kind,
        type_name: duplicate.type_name.to_string(),
        existing: declaration(&duplicate.existing),
        conflicting: declaration(&duplicate.conflicting),
    });
    rows.collect()
}

fn unsatisfied(inspection: &Inspection) -> Vec<UnsatisfiedDependency> {
    let rows = inspection.unsatisfied.iter().map(|unsatisfied| UnsatisfiedDependency {
        by: unsatisfied.by.to_string(),
        dependency: unsatisfied.dependency.to_string(),
        found: unsatisfied.found.map(|version| version.to_string()),
    });
    rows.collect()
}

fn load_state(load: &marsh_extension::LoadState) -> LoadState {
    let failure = &load.failure;
    let parts = failure.parts().iter().map(|part| {
        let root = part.root();
        LoadPart {
            entry: shown(part.entry()),
            root: LoadRoot {
                origin: root.origin,
                dir: shown(&root.dir),
                base: shown(&root.base),
                kind: root.kind,
                extension: root.extension.clone(),
                digest: root.digest.map(|digest| digest.to_string()),
            },
            fingerprint: part.fingerprint().to_owned(),
        }
    });
    LoadState {
        kind: failure.kind,
        type_name: failure.type_name.to_string(),
        state: match failure.state {
            LoadFailureState::BundleBuildFailed => LoadStage::BundleBuildFailed,
            LoadFailureState::ValidationFailed => LoadStage::ValidationFailed,
            LoadFailureState::EntryPointUnreadable => LoadStage::EntryPointUnreadable,
            LoadFailureState::SourceVanished => LoadStage::SourceVanished,
        },
        code: failure.code,
        message: failure.message.clone(),
        entry: shown(&failure.entry),
        file: failure.file.clone(),
        line: failure.line,
        hint: failure.hint.clone(),
        since: failure.since.clone(),
        attempts: failure.attempts,
        retry_at_ms: failure.retry_at_ms,
        fingerprint: failure.fingerprint.clone(),
        reason: match failure.inputs() {
            FailureInputs::Parts => LoadInputs::Parts,
            FailureInputs::Source => LoadInputs::Source,
            FailureInputs::Vanished => LoadInputs::Vanished,
            FailureInputs::Duplicate => LoadInputs::Duplicate,
            FailureInputs::Unrestored => LoadInputs::Unrestored,
            FailureInputs::Everything => LoadInputs::Everything,
        },
        parts: parts.collect(),
        transient: failure.is_transient(),
        serving: load.serving.clone(),
    }
}

fn repair_report(repaired: &Repaired) -> RepairReport {
    let failed = repaired.outcome.items.iter().filter_map(|item| match &item.status {
        ItemStatus::Failed { error } => {
            Some(FailedRepair { name: item.name.to_string(), error: ErrorReport::of(error) })
        }
        _ => None,
    });
    RepairReport {
        mode: RepairMode::Applied,
        restored: repaired.restored.iter().map(ToString::to_string).collect(),
        catalogued_trees: repaired.catalogued,
        views_rebuilt: repaired.views,
        swept: repaired.swept,
        failed: failed.collect(),
    }
}
