//! `install`: makes the store hold the trees that the lockfile names. The lockfile does not change, except that missing
//! dependencies are added.

use marsh_store::{Snapshot, TreeState};
use marsh_types::{ExtensionName, ExtensionRef, LockEntry};

use super::Lifecycle;
use super::error::LifecycleError;
use super::inspect::InstallState;
use super::pick::{Pick, locked_pick};
use super::report::{ItemReport, ItemStatus, Outcome, Reporter};

/// How to restore.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreRequest {
    /// Fail when anything would have to change.
    pub frozen: bool,
    /// Compare every byte, not only names and sizes.
    pub verify: bool,
}

impl Lifecycle {
    /// Restores every installed extension, several at once. One that fails does not stop the others.
    ///
    /// # Errors
    ///
    /// The lockfile or the store cannot be used, or `frozen` forbids a necessary change.
    pub fn restore(
        &self,
        request: RestoreRequest,
        reporter: &dyn Reporter,
    ) -> Result<Outcome, LifecycleError> {
        let snapshot = self.installation.snapshot()?;
        let mut outcome = self.restore_locked(&snapshot, request, reporter)?;
        self.restore_dependencies(&snapshot, &mut outcome, reporter)?;
        // A merged lockfile was never checked as a whole.
        let now = self.installation.snapshot()?;
        let (unsatisfied, duplicates) = super::check::problems(&now.lockfile, &self.facts_of(&now.lockfile));
        outcome.warnings.extend(unsatisfied.iter().map(ToString::to_string));
        outcome.warnings.extend(duplicates.iter().map(ToString::to_string));
        outcome.items.sort_by(|a, b| a.name.cmp(&b.name));
        self.derive(&mut outcome);
        Ok(outcome)
    }

    /// Restores the trees, without dependencies.
    pub(crate) fn restore_trees(
        &self,
        request: RestoreRequest,
        reporter: &dyn Reporter,
    ) -> Result<Outcome, LifecycleError> {
        self.restore_locked(&self.installation.snapshot()?, request, reporter)
    }

    fn restore_locked(
        &self,
        snapshot: &Snapshot,
        request: RestoreRequest,
        reporter: &dyn Reporter,
    ) -> Result<Outcome, LifecycleError> {
        let mut outcome = Outcome::default();
        for refused in &snapshot.lockfile.refused {
            outcome.warnings.push(format!(
                "invalid entry `{}` in the lockfile, ignored: {}",
                refused.key, refused.reason
            ));
        }
        let mut picks: Vec<Pick> = Vec::new();
        for (name, entry) in &snapshot.lockfile.entries {
            match entry.checksum {
                Some(checksum) => {
                    let state = self.installation.trees().check(&checksum, request.verify)?;
                    if state == TreeState::Whole {
                        outcome.items.push(self.restored(name, entry, ItemStatus::UpToDate));
                    } else {
                        picks.push(locked_pick(name, entry, checksum));
                    }
                }
                None if self.install_state(name, entry)? == InstallState::Foreign => {
                    outcome.items.push(self.restored(name, entry, ItemStatus::UpToDate));
                }
                None => outcome
                    .items
                    .push(ItemReport::failed(name, LifecycleError::NoLockedChecksum { name: name.clone() })),
            }
        }
        let lacking = self.lacking(snapshot);
        if request.frozen && !(picks.is_empty() && lacking.is_empty()) {
            let mut names: Vec<ExtensionName> = picks.into_iter().map(|pick| pick.name).collect();
            names.extend(lacking.into_iter().map(|reference| reference.name));
            return Err(LifecycleError::Frozen { names });
        }
        let leases = self.acquire(&picks, true, reporter)?;
        for (pick, lease) in picks.iter().zip(&leases) {
            let Some(entry) = snapshot.lockfile.get(&pick.name) else { continue };
            let item = match lease {
                Ok(_) => self.restored(&pick.name, entry, ItemStatus::Restored),
                // The tree of another implementation serves while the archive is unavailable.
                Err(_) if self.install_state(&pick.name, entry)? == InstallState::Foreign => {
                    let mut item = self.restored(&pick.name, entry, ItemStatus::UpToDate);
                    item.warnings.push(
                        "its archive is unavailable; the tree in .swamp/pulled-extensions is used".into(),
                    );
                    item
                }
                Err(_) => continue,
            };
            outcome.items.push(item);
        }
        for (pick, lease) in picks.iter().zip(leases) {
            if let Err(error) = lease
                && !outcome.items.iter().any(|item| item.name == pick.name)
            {
                outcome.items.push(ItemReport::failed(&pick.name, error));
            }
        }
        Ok(outcome)
    }

    /// Dependencies that the lockfile itself lacks, now that the manifests of all that it names can be read.
    fn restore_dependencies(
        &self,
        snapshot: &Snapshot,
        outcome: &mut Outcome,
        reporter: &dyn Reporter,
    ) -> Result<(), LifecycleError> {
        let lacking = self.lacking(snapshot);
        if lacking.is_empty() {
            return Ok(());
        }
        let request = super::PullRequest { references: lacking.clone(), channel: None, force: false };
        match self.pull(&request, reporter) {
            Ok(pulled) => {
                outcome.generation = pulled.generation;
                outcome
                    .items
                    .extend(pulled.items.into_iter().map(|item| ItemReport { dependency: true, ..item }));
                outcome.warnings.extend(pulled.warnings);
            }
            Err(error @ LifecycleError::Store(_)) => return Err(error),
            Err(error) => outcome.items.push(ItemReport::failed(&lacking[0].name, error)),
        }
        Ok(())
    }

    fn lacking(&self, snapshot: &Snapshot) -> Vec<ExtensionRef> {
        let facts = self.facts_of(&snapshot.lockfile);
        let mut lacking: Vec<ExtensionRef> = facts
            .values()
            .flat_map(|facts| &facts.dependencies)
            .filter(|dependency| snapshot.lockfile.get(&dependency.name).is_none())
            .cloned()
            .collect();
        lacking.sort_by(|a, b| a.name.cmp(&b.name));
        lacking.dedup_by(|a, b| a.name == b.name);
        lacking
    }

    fn restored(&self, name: &ExtensionName, entry: &LockEntry, status: ItemStatus) -> ItemReport {
        ItemReport {
            name: name.clone(),
            version: Some(entry.version),
            channel: entry.channel,
            status,
            dependency: false,
            files: entry.files.clone(),
            tree: entry.checksum.map(|digest| self.installation.trees().tree(&digest)),
            description: None,
            warnings: Vec::new(),
        }
    }
}
