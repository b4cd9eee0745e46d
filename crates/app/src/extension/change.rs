//! Operations that change the installed set or the store.

use marsh_api::event::{EventSink, InstallEvent};
use marsh_api::extension::{
    ExtensionItem, ExtensionPulled, ExtensionRemoved, ExtensionStatus, ExtensionUpdated, ExtensionsCollected,
    ExtensionsInstalled, ExtensionsRolledBack, PulledExtension, PulledExtensions, RemovedExtension,
    UpdateSummary,
};
use marsh_extension::lifecycle::{self, Outcome, RestoreRequest};
use marsh_store::GenerationRetention;
use marsh_types::{Channel, ExtensionName, ExtensionRef};

use super::Extensions;
use super::documents::{item, items, path_text, set_change, texts, unused_trees, version_changes};
use crate::error::AppError;
use crate::install_events::Events;

/// What to pull.
#[derive(Debug, Clone, Default)]
pub struct PullRequest {
    /// Names and version constraints.
    pub extensions: Vec<ExtensionRef>,
    /// The least stable channel that is accepted; `None`: stable.
    pub channel: Option<Channel>,
    /// Whether damaged and edited trees are replaced.
    pub force: bool,
    /// Whether versions without a checksum in the registry are installed, unverified.
    pub allow_missing_checksum: bool,
}

/// What to remove.
#[derive(Debug, Clone, Default)]
pub struct RemoveRequest {
    /// The extensions.
    pub extensions: Vec<ExtensionName>,
    /// Whether extensions that others need are removed, too.
    pub force: bool,
}

/// What to update.
#[derive(Debug, Clone, Default)]
pub struct UpdateRequest {
    /// The extensions; empty: all.
    pub extensions: Vec<ExtensionName>,
    /// Whether newer versions are only looked up.
    pub check: bool,
}

/// How to install the versions of the lockfile.
#[derive(Debug, Clone, Copy, Default)]
pub struct InstallRequest {
    /// Whether to fail instead of changing anything.
    pub frozen: bool,
    /// Whether every byte of the installed trees is verified.
    pub verify: bool,
}

/// What to collect.
#[derive(Debug, Clone, Copy)]
pub struct CollectRequest {
    /// Whether unneeded trees are removed, not only listed.
    pub apply: bool,
    /// The generations of each lockfile whose trees are kept, at least 1.
    pub keep: usize,
}

/// A change of the installed set.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed<D> {
    /// The document.
    pub document: D,
    /// Every extension of the change in its order, dependencies included, with all warnings.
    pub extensions: Vec<ExtensionItem>,
}

impl Extensions {
    /// Installs extensions and their dependencies, in one commit.
    ///
    /// # Errors
    ///
    /// When an extension cannot be found, fetched or combined with the installed ones. Nothing has changed then.
    pub fn pull(
        &self,
        request: &PullRequest,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<Changed<ExtensionPulled>, AppError> {
        let mut lifecycle = self.lifecycle("pull");
        if request.allow_missing_checksum {
            lifecycle.accept_missing_checksums();
        }
        let pull = lifecycle::PullRequest {
            references: request.extensions.clone(),
            channel: request.channel,
            force: request.force,
        };
        let outcome = lifecycle.pull(&pull, &Events(sink))?;
        Ok(changed(pulled(&outcome), &outcome))
    }

    /// Removes extensions, in one commit.
    ///
    /// # Errors
    ///
    /// When one is not installed, or, without `force`, another extension needs it.
    pub fn remove(
        &self,
        request: &RemoveRequest,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<Changed<ExtensionRemoved>, AppError> {
        let lifecycle = self.lifecycle("rm");
        let (removed, outcome) = lifecycle.remove(&request.extensions, request.force, &Events(sink))?;
        let removed: Vec<RemovedExtension> = removed
            .iter()
            .map(|one| RemovedExtension {
                name: one.name.to_string(),
                version: one.version.to_string(),
                files_deleted: one.files.len(),
                files_skipped: 0,
                dirs_removed: 0,
                left_without: texts(&one.left_without),
            })
            .collect();
        let document = ExtensionRemoved { removed: removed.into(), change: set_change(&outcome) };
        Ok(changed(document, &outcome))
    }

    /// Brings extensions to the newest version of their channel, in one commit. `Ok` also when some could not be
    /// updated: the document says so.
    ///
    /// # Errors
    ///
    /// When a named extension is not installed, or the store cannot be used.
    pub fn update(
        &self,
        request: &UpdateRequest,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<Changed<ExtensionUpdated>, AppError> {
        let outcome = self.lifecycle("update").update(&request.extensions, request.check, &Events(sink))?;
        let extensions = items(&outcome);
        let summary = UpdateSummary {
            total: extensions.len(),
            up_to_date: count(&extensions, &[ExtensionStatus::UpToDate, ExtensionStatus::Deprecated]),
            updated: count(&extensions, &[ExtensionStatus::Updated, ExtensionStatus::Installed]),
            available: count(&extensions, &[ExtensionStatus::UpdateAvailable]),
            failed: outcome.failed(),
        };
        let document = ExtensionUpdated { extensions, summary, change: set_change(&outcome) };
        Ok(changed(document, &outcome))
    }

    /// Installs the versions that the lockfile names. `Ok` also when some could not be installed: the document says so.
    ///
    /// # Errors
    ///
    /// When the lockfile or the store cannot be used, or `frozen` forbids a change that is needed.
    pub fn install(
        &self,
        request: InstallRequest,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<Changed<ExtensionsInstalled>, AppError> {
        let restore = RestoreRequest { frozen: request.frozen, verify: request.verify };
        let outcome = self.lifecycle("install").restore(restore, &Events(sink))?;
        let entries = items(&outcome);
        let new = [ExtensionStatus::Restored, ExtensionStatus::Installed, ExtensionStatus::Updated];
        let document = ExtensionsInstalled {
            installed: count(&entries, &new),
            migrated: 0,
            up_to_date: count(&entries, &[ExtensionStatus::UpToDate]),
            failed: outcome.failed(),
            warning: entries.is_empty().then(|| "the lockfile names no extension".to_owned()),
            change: set_change(&outcome),
            entries,
        };
        Ok(changed(document, &outcome))
    }

    /// Restores the set of an earlier generation; without a number, of the one before the current.
    ///
    /// # Errors
    ///
    /// When there is no such generation, or one of its trees cannot be fetched.
    pub fn rollback(
        &self,
        generation: Option<u64>,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<Changed<ExtensionsRolledBack>, AppError> {
        let (restored, made, outcome) = self.lifecycle("rollback").rollback(generation, &Events(sink))?;
        let changes = made.as_ref().map(|made| version_changes(&made.changes)).unwrap_or_default();
        let document = ExtensionsRolledBack { restored, changes, change: set_change(&outcome) };
        Ok(changed(document, &outcome))
    }

    /// Lists the trees of the store that no lockfile, no kept generation and no living process needs; removes them with
    /// `apply`.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or changed, or its lock cannot be taken.
    pub fn collect(&self, request: CollectRequest) -> Result<ExtensionsCollected, AppError> {
        let lifecycle = self.lifecycle("gc");
        let options = lifecycle.options();
        let collection = lifecycle.installation().collect(
            GenerationRetention { generations: request.keep.max(1) },
            request.apply,
            &options.command,
            options.lock_timeout,
        )?;
        Ok(ExtensionsCollected {
            applied: request.apply,
            bytes: collection.removed.iter().map(|one| one.bytes).sum(),
            removed: unused_trees(&collection.removed),
            in_use: unused_trees(&collection.in_use),
            kept: collection.kept,
            swept: collection.swept,
            forgotten: collection.forgotten,
        })
    }
}

fn changed<D>(document: D, outcome: &Outcome) -> Changed<D> {
    Changed { document, extensions: items(outcome) }
}

fn pulled(outcome: &Outcome) -> ExtensionPulled {
    let (asked, came_along): (Vec<_>, Vec<_>) = outcome.items.iter().partition(|item| !item.dependency);
    let dependency_results = came_along.into_iter().map(item).collect();
    let change = set_change(outcome);
    if let [one] = asked.as_slice() {
        // One extension is the document, as scripts expect it.
        let mut item = item(one);
        if !change.warnings.is_empty() {
            // Both have the same key; those about the set are written.
            item.warnings.clear();
        }
        return ExtensionPulled::One(Box::new(PulledExtension {
            item,
            extracted_files: one.files.clone(),
            path: one.tree.as_deref().map(path_text),
            dependency_results,
            change,
        }));
    }
    let extensions = asked.into_iter().map(item).collect();
    ExtensionPulled::Several(PulledExtensions { extensions, dependency_results, change })
}

/// How many have one of these statuses.
fn count(items: &[ExtensionItem], statuses: &[ExtensionStatus]) -> usize {
    items.iter().filter(|item| statuses.contains(&item.status)).count()
}
