//! The health of the installed set, and of the repository's own sources as far as they were loaded
//! ([`OwnSources::load`]). Files change only when a repair is asked for.

use std::path::Path;

use marsh_api::ErrorReport;
use marsh_api::doctor::{
    AggregateState, CheckStatus, DuplicateType, ExtensionState, ExtensionsReport, FailedRepair, KindStatus,
    LoadInputs, LoadPart, LoadRoot, LoadStage, LoadState, LoaderError, LockfileState, OrphanFile,
    RefusedEntry, RepairMode, RepairReport, SourceDetail, SourceState, StateDistribution, TypeDeclaration,
    UnsatisfiedDependency, ViewState,
};
use marsh_api::event::{EventSink, InstallEvent};
use marsh_extension::lifecycle::{
    Inspection, InstallState, InstalledExtension, ItemStatus, Occupant, Repaired,
};
use marsh_extension::{FailureInputs, LoadFailureState, Loader, OnFailure, SourceProblem};
use marsh_host_client::Retention;
use marsh_types::{Diagnostic, Kind, Origin};

use crate::error::AppError;
use crate::extension::Extensions;
use crate::extension::documents::{install_state, shadowed_types};
use crate::install_events::Events;
use crate::session::{App, Canceller};

/// How to check the installed set.
#[derive(Debug, Clone, Copy, Default)]
pub struct DoctorRequest {
    /// Whether every byte of every tree is verified.
    pub verify: bool,
    /// Whether missing and edited trees are restored and derived files rebuilt, before the check.
    pub repair: bool,
    /// Whether the repair is only computed.
    pub dry_run: bool,
}

/// The repository's own and mounted sources, without its data.
#[derive(Debug)]
pub struct OwnSources {
    loader: Loader,
}

impl App {
    /// The repository's own and mounted sources. A failure that stands is not repeated.
    ///
    /// # Errors
    ///
    /// When there is no repository, or the user has no cache directory.
    pub fn own_sources(&self) -> Result<OwnSources, AppError> {
        let loader = self.loader(&self.repo()?, Retention::default(), OnFailure::LastGood)?;
        Ok(OwnSources { loader })
    }
}

impl OwnSources {
    /// Builds and loads them all. What fails is in the next [`Extensions::diagnose`].
    ///
    /// # Errors
    ///
    /// When the sources cannot be listed, or the caller cancelled.
    pub fn load(&self) -> Result<(), AppError> {
        Ok(self.loader.load_own_sources()?)
    }

    /// Stops the loading.
    pub fn canceller(&self) -> Canceller {
        Canceller::of(&self.loader)
    }
}

/// The health of the installed set.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// The document.
    pub report: ExtensionsReport,
    /// What the repair left undone, besides the extensions that the document names.
    pub warnings: Vec<String>,
}

impl Extensions {
    /// Checks the installed set, after repairing it when the request says so.
    ///
    /// # Errors
    ///
    /// When the lockfile or the store cannot be read, or a repair cannot take its lock. A set that is not sound is reported
    /// by the document.
    pub fn diagnose(
        &self,
        request: DoctorRequest,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<Diagnosis, AppError> {
        let applies = request.repair && !request.dry_run;
        let lifecycle = self.lifecycle(if applies { "doctor --repair" } else { "doctor" });
        let repaired = match applies {
            true => Some(lifecycle.repair(&Events(sink))?),
            false => None,
        };
        let inspection = lifecycle.inspect(request.verify || request.repair || request.dry_run)?;
        let local = marsh_extension::local_problems(self.repo())?;
        let loads = marsh_extension::load_states(self.repo());
        let mut report = report(&inspection, &local, &loads, repaired.as_ref());
        if request.dry_run {
            report.repair_report = Some(planned_repair(&inspection));
        }
        let warnings = repaired.map(|repaired| repaired.outcome.warnings).unwrap_or_default();
        Ok(Diagnosis { report, warnings })
    }
}

/// Whether the set itself is right.
fn is_sound(inspection: &Inspection) -> bool {
    let present =
        |one: &InstalledExtension| matches!(one.state, InstallState::Stored | InstallState::Foreign);
    inspection.refused.is_empty()
        && inspection.unsatisfied.is_empty()
        && inspection.duplicates.is_empty()
        && inspection.extensions.iter().all(present)
}

/// The sources of installed extensions that cannot be read: extension, path, diagnostic.
fn problems(inspection: &Inspection) -> Vec<(String, String, Diagnostic)> {
    let mut found = Vec::new();
    for one in &inspection.extensions {
        let Some(facts) = one.entry.checksum.and_then(|digest| inspection.facts.get(&digest)) else {
            continue;
        };
        for (path, diagnostic) in &facts.problems {
            found.push((one.name.to_string(), path.to_string(), diagnostic.clone()));
        }
    }
    found
}

fn report(
    inspection: &Inspection,
    local: &[SourceProblem],
    loads: &[marsh_extension::LoadState],
    repaired: Option<&Repaired>,
) -> ExtensionsReport {
    let problems = problems(inspection);
    let pass = is_sound(inspection) && local.is_empty() && problems.is_empty() && loads.is_empty();
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

/// What a repair would do now.
fn planned_repair(inspection: &Inspection) -> RepairReport {
    let damaged =
        |one: &&InstalledExtension| !matches!(one.state, InstallState::Stored | InstallState::Foreign);
    let restored = inspection.extensions.iter().filter(damaged).map(|one| one.name.to_string());
    RepairReport {
        mode: RepairMode::DryRun,
        restored: restored.collect(),
        catalogued_trees: inspection.extensions.len(),
        views_rebuilt: inspection.views.stale,
        swept: 0,
        failed: Vec::new(),
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
