//! The one commit point: lock, read again, change, check, announce, rename.

use std::time::{Duration, Instant};

use marsh_fs::{Durability, Holder};
use marsh_types::time::iso_millis;
use marsh_types::{Digest, Lockfile};

use crate::error::StoreError;
use crate::generation::{Generation, changes, stands_for};
use crate::installation::{Installation, Snapshot};
use crate::trees::Lease;

/// How a commit is made, and for whom.
pub struct CommitRequest<'a> {
    /// What the user ran, for the history and for whoever waits.
    pub command: String,
    pub lock_timeout: Duration,
    /// Hears once, after a second, who is in the way.
    pub on_wait: &'a mut dyn FnMut(&Holder),
    /// For every digest that the change may add.
    pub leases: &'a [Lease],
}

/// What a commit did.
#[derive(Debug)]
pub struct Committed {
    /// `None`: there was nothing to change, and nothing changed.
    pub generation: Option<Generation>,
    pub before: Snapshot,
    pub after: Snapshot,
    /// How long others had to wait for us.
    pub held: Duration,
}

/// The change refused, or the store did.
#[derive(Debug)]
pub enum CommitError<E> {
    Refused(E),
    Store(StoreError),
}

impl<E, S: Into<StoreError>> From<S> for CommitError<E> {
    fn from(error: S) -> CommitError<E> {
        CommitError::Store(error.into())
    }
}

impl Installation {
    /// Changes the installed set. `change` sees the set as it is under the lock and says what it shall be, or why not;
    /// it must be quick, as everyone else waits. Nothing is visible until the whole change is, and when this returns it
    /// is durable.
    pub fn commit<E>(
        &self,
        request: CommitRequest<'_>,
        change: impl FnOnce(&Snapshot) -> Result<Lockfile, E>,
    ) -> Result<Committed, CommitError<E>> {
        self.commit_as(request, |before, _| change(before).map(|after| (after, None)))
    }

    /// The generation that a rollback would go back to, the given one or the one before the current, with its content.
    /// Asked before the lock is taken, so that its trees can be brought back first.
    pub fn target_of_rollback(&self, number: Option<u64>) -> Result<(u64, Lockfile), StoreError> {
        let current = self.snapshot()?;
        let mut list = self.generations.list(&current)?;
        // A state that nobody recorded is a generation of its own as soon as somebody commits.
        let unrecorded = match list.last() {
            Some(last) => last.lockfile != current.digest,
            None => !current.text.trim().is_empty(),
        };
        if unrecorded {
            let number = list.last().map_or(1, |last| last.number + 1);
            list.push(Generation {
                number,
                at: String::new(),
                command: None,
                lockfile: current.digest,
                restores: None,
                changes: Vec::new(),
            });
        }
        self.target_in(&list, &current, number)
    }

    fn target_in(
        &self,
        list: &[Generation],
        current: &Snapshot,
        number: Option<u64>,
    ) -> Result<(u64, Lockfile), StoreError> {
        let target = match number {
            None => self.before_current(list, &current.lockfile)?,
            Some(0) => None,
            Some(number) => {
                let newest = list.last().map_or(0, |last| last.number);
                let found = list.iter().find(|generation| generation.number == number);
                Some(found.ok_or(StoreError::NoGeneration { number, newest })?)
            }
        };
        let Some(target) = target else { return Ok((0, Lockfile::default())) };
        // The current one may be one that nobody has recorded yet.
        if target.lockfile == current.digest {
            return Ok((target.number, current.lockfile.clone()));
        }
        let lockfile = self
            .generations
            .content(&target.lockfile)?
            .ok_or(StoreError::GenerationLost { number: target.number })?;
        Ok((target.number, lockfile))
    }

    /// The generation before what the newest one stands for, so that repeated rollbacks go back step by step. One that
    /// differs from the current set in spelling only is no step. `None` is the empty set before the first generation.
    fn before_current<'a>(
        &self,
        list: &'a [Generation],
        current: &Lockfile,
    ) -> Result<Option<&'a Generation>, StoreError> {
        let Some(now) = stands_for(list) else { return Err(StoreError::NothingToRollBack) };
        let mut first = now;
        for generation in list.iter().rev().filter(|generation| generation.number < now) {
            first = generation.number;
            if self.generations.content(&generation.lockfile)?.as_ref() != Some(current) {
                return Ok(Some(generation));
            }
        }
        // Nothing preceded the first one, unless older ones have been forgotten.
        let is_step = first == 1 && *current != Lockfile::default();
        if is_step { Ok(None) } else { Err(StoreError::NothingToRollBack) }
    }

    /// [`Installation::commit`] of the content of generation `number`, whose trees are leased.
    pub fn commit_rollback<E>(
        &self,
        request: CommitRequest<'_>,
        number: u64,
        check: impl FnOnce(&Snapshot, &Lockfile) -> Result<(), E>,
    ) -> Result<Committed, CommitError<E>> {
        let mut lost = None;
        let result = self.commit_as(request, |before, list| {
            let target = match self.target_in(list, before, Some(number)) {
                Ok((_, target)) => target,
                Err(error) => {
                    lost = Some(error);
                    return Ok((before.lockfile.clone(), None));
                }
            };
            check(before, &target)?;
            Ok((target, Some(number)))
        });
        match lost {
            Some(error) => Err(CommitError::Store(error)),
            None => result,
        }
    }

    fn commit_as<E>(
        &self,
        request: CommitRequest<'_>,
        change: impl FnOnce(&Snapshot, &[Generation]) -> Result<(Lockfile, Option<u64>), E>,
    ) -> Result<Committed, CommitError<E>> {
        if let Some(dir) = self.lockfile.parent() {
            marsh_fs::create_dir_all(dir)?;
        }
        // Whoever published a leased tree may not have synced its name yet, and may be dead.
        if !request.leases.is_empty() {
            self.trees.sync_names()?;
        }
        let lock = marsh_fs::lock_exclusive(
            &self.commit_lock,
            request.lock_timeout,
            &request.command,
            request.on_wait,
        )?;
        let since = Instant::now();
        let now = iso_millis(jiff::Timestamp::now());
        let before = self.snapshot()?;
        marsh_fs::remove_leftover(&self.lockfile)?;
        let list = self.generations.settle(&before, &now, &self.lockfile)?;
        let (lockfile, restores) = change(&before, &list).map_err(CommitError::Refused)?;
        self.check_held(&before.lockfile, &lockfile, request.leases)?;
        if lockfile == before.lockfile {
            drop(lock);
            let held = since.elapsed();
            // "It is so already" is a promise too, and whoever made it so may not have synced it yet.
            self.sync()?;
            return Ok(Committed { generation: None, after: before.clone(), before, held });
        }
        let text = lockfile.to_json();
        let after = Snapshot { digest: Digest::of(text.as_bytes()), text, lockfile };
        let generation = Generation {
            number: list.last().map_or(1, |last| last.number + 1),
            at: now,
            command: Some(request.command),
            lockfile: after.digest,
            restores,
            changes: changes(&before.lockfile, &after.lockfile),
        };
        self.generations.announce(&generation, &after.text, &self.lockfile)?;
        marsh_fs::atomic_write_locked(&self.lockfile, after.text.as_bytes(), Durability::Synced)?;
        self.generations.confirm(&generation)?;
        drop(lock);
        let held = since.elapsed();
        self.sync()?;
        Ok(Committed { generation: Some(generation), before, after, held })
    }

    /// Makes the names of lockfile and records durable, the lockfile's first: a record without its change would tell of
    /// what never was. Outside the lock: whoever commits next syncs the same directories before it reports.
    fn sync(&self) -> Result<(), StoreError> {
        if let Some(dir) = self.lockfile.parent().filter(|dir| dir.is_dir()) {
            marsh_fs::sync_way(self.home.as_deref().unwrap_or(dir), dir)?;
        }
        self.generations.sync()
    }

    /// Every digest that is new must be leased by whoever commits: then it is in the store and stays there.
    fn check_held(&self, before: &Lockfile, after: &Lockfile, leases: &[Lease]) -> Result<(), StoreError> {
        let known: std::collections::HashSet<Digest> = before.digests().collect();
        for (name, entry) in &after.entries {
            let Some(digest) = entry.checksum else { continue };
            if !known.contains(&digest) && !leases.iter().any(|lease| lease.digest() == digest) {
                return Err(StoreError::NotHeld { name: name.clone(), digest });
            }
        }
        Ok(())
    }

    /// All generations, oldest first. A state that somebody else wrote and no commit has seen yet is not among them.
    pub fn history(&self) -> Result<Vec<Generation>, StoreError> {
        self.generations.list(&self.snapshot()?)
    }
}
