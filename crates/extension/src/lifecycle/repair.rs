//! `doctor extensions --repair`: restores what the lockfile names, and rebuilds everything that is derived from it.
//!
//! It never changes the lockfile. Trees are fetched before the commit lock is taken, as for every other change; under
//! the lock no process can change the set while the derived files are rebuilt.

use marsh_types::ExtensionName;

use super::Lifecycle;
use super::error::LifecycleError;
use super::report::{Event, ItemStatus, Outcome, Reporter};
use super::restore::RestoreRequest;

/// How often the set may change meanwhile.
const ATTEMPTS: usize = 5;

/// What a repair did.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Extensions whose tree was missing or edited.
    pub restored: Vec<ExtensionName>,
    /// Trees whose facts were read again.
    pub catalogued: usize,
    /// Whether links of the views were missing, stale or wrong.
    pub views: bool,
    /// Leftovers of processes that died.
    pub swept: usize,
    /// The restored extensions, and those that could not be restored.
    pub outcome: Outcome,
}

impl Lifecycle {
    /// Restores missing and damaged trees, and rebuilds catalog, views and skills.
    ///
    /// # Errors
    ///
    /// The lockfile or the store cannot be used.
    pub fn repair(&self, reporter: &dyn Reporter) -> Result<Repaired, LifecycleError> {
        let mut repaired = Repaired::default();
        for _ in 0..ATTEMPTS {
            let outcome = self.restore_trees(RestoreRequest { frozen: false, verify: true }, reporter)?;
            let restored = outcome.items.iter().filter(|item| matches!(item.status, ItemStatus::Restored));
            repaired.restored.extend(restored.map(|item| item.name.clone()));
            repaired.outcome = outcome;
            if self.rebuild(&mut repaired, reporter)? {
                break;
            }
        }
        repaired.restored.sort();
        repaired.restored.dedup();
        Ok(repaired)
    }

    /// `false`: the set changed meanwhile, and has trees that were not checked.
    fn rebuild(&self, repaired: &mut Repaired, reporter: &dyn Reporter) -> Result<bool, LifecycleError> {
        let (command, timeout) = (&self.options.command, self.options.lock_timeout);
        let mut on_wait = |holder: &marsh_fs::Holder| reporter.event(Event::Waiting { holder });
        let lock = self.installation.lock_commits(command, timeout, &mut on_wait)?;
        let snapshot = self.installation.snapshot()?;
        let seen = |name: &ExtensionName| repaired.outcome.items.iter().any(|item| item.name == *name);
        if !snapshot.lockfile.entries.keys().all(seen) {
            return Ok(false);
        }
        self.installation.catalog().remove()?;
        repaired.catalogued = self.facts_of(&snapshot.lockfile).len();
        let views = self.installation.check_views(&snapshot)?;
        repaired.views |= views != marsh_store::ViewReport::default();
        marsh_fs::remove_leftover(self.installation.lockfile_path())?;
        self.derive(&mut repaired.outcome);
        drop(lock);
        repaired.swept += self.installation.trees().sweep()?;
        Ok(true)
    }
}
