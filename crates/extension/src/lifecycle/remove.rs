//! Remove and roll back: commits that fetch nothing or little.

use marsh_store::{Generation, Lease};
use marsh_types::{CalVer, ExtensionName, LockEntry};

use super::Lifecycle;
use super::check::{Waive, check};
use super::error::LifecycleError;
use super::pick::{Pick, locked_pick};
use super::report::{Event, Outcome, Reporter};

/// An extension that was removed.
#[derive(Debug)]
pub struct Removed {
    /// Its name.
    pub name: ExtensionName,
    /// Its version.
    pub version: CalVer,
    /// Its files, as the lockfile listed them.
    pub files: Vec<String>,
    /// Installed extensions that need it.
    pub left_without: Vec<ExtensionName>,
}

impl Lifecycle {
    /// Removes extensions in one commit.
    ///
    /// # Errors
    ///
    /// One is not installed, or, without `force`, another extension needs it.
    pub fn remove(
        &self,
        names: &[ExtensionName],
        force: bool,
        reporter: &dyn Reporter,
    ) -> Result<(Vec<Removed>, Outcome), LifecycleError> {
        let mut removed = Vec::new();
        let mut on_wait = |holder: &marsh_fs::Holder| reporter.event(Event::Waiting { holder });
        let committed = self.installation.commit(self.request(&[], &mut on_wait), |now| {
            let mut after = now.lockfile.clone();
            for name in names {
                let Some(entry) = after.entries.remove(name) else {
                    return Err(self.not_installed(name, &now.lockfile));
                };
                removed.push(Removed {
                    name: name.clone(),
                    version: entry.version,
                    files: entry.files,
                    left_without: Vec::new(),
                });
            }
            let facts = self.facts_of(&now.lockfile);
            check(&now.lockfile, &after, &facts, Waive { dependents: force })?;
            for one in &mut removed {
                let needs = |other: &LockEntry| {
                    other.checksum.and_then(|digest| facts.get(&digest)).is_some_and(|facts| {
                        facts.dependencies.iter().any(|dependency| dependency.name == one.name)
                    })
                };
                one.left_without = after
                    .entries
                    .iter()
                    .filter(|(_, other)| needs(other))
                    .map(|(other, _)| other.clone())
                    .collect();
            }
            Ok(after)
        });
        let committed = committed.map_err(LifecycleError::from)?;
        let mut outcome = Outcome {
            generation: committed.generation.map(|generation| generation.number),
            held: committed.held,
            ..Outcome::default()
        };
        self.derive(&mut outcome);
        Ok((removed, outcome))
    }

    /// Restores the set of an earlier generation; without a number, of the one before the current. Returns its number.
    ///
    /// # Errors
    ///
    /// There is no such generation, or one of its trees cannot be fetched.
    pub fn rollback(
        &self,
        number: Option<u64>,
        reporter: &dyn Reporter,
    ) -> Result<(u64, Option<Generation>, Outcome), LifecycleError> {
        let (number, target) = self.installation.target_of_rollback(number)?;
        let current = self.installation.snapshot()?;
        let have: std::collections::HashSet<_> = current.lockfile.digests().collect();
        let picks: Vec<Pick> = target
            .entries
            .iter()
            .filter_map(|(name, entry)| Some(locked_pick(name, entry, entry.checksum?)))
            .collect();
        // Trees of the current set are in the store; others may have been collected and must be fetched.
        let (kept, to_bring): (Vec<Pick>, Vec<Pick>) =
            picks.into_iter().partition(|pick| have.contains(&pick.checksum));
        let mut leases: Vec<Lease> =
            self.acquire(&to_bring, false, reporter)?.into_iter().collect::<Result<_, _>>()?;
        for pick in kept {
            leases.extend(self.installation.trees().lease(&pick.checksum)?);
        }
        let mut on_wait = |holder: &marsh_fs::Holder| reporter.event(Event::Waiting { holder });
        let committed = self.installation.commit_rollback(
            self.request(&leases, &mut on_wait),
            number,
            // The set was valid once, and nothing in it is new.
            |_, _| Ok::<(), LifecycleError>(()),
        );
        let committed = committed.map_err(LifecycleError::from)?;
        let mut outcome = Outcome {
            generation: committed.generation.as_ref().map(|generation| generation.number),
            held: committed.held,
            ..Outcome::default()
        };
        self.derive(&mut outcome);
        Ok((number, committed.generation, outcome))
    }
}
