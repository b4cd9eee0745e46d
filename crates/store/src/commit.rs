//! The commit of a change to the installed set: lock, read again, change, check, announce, rename.

use std::time::{Duration, Instant};

use marsh_fs::{Durability, Holder};
use marsh_types::time::iso_millis;
use marsh_types::{Digest, Lockfile};

use crate::error::StoreError;
use crate::generation::{Generation, changes, content_of_newest};
use crate::installation::Installation;
use crate::snapshot::Snapshot;
use crate::trees::Lease;

/// The parameters of a commit.
pub struct CommitRequest<'a> {
    /// The command that the user ran, for the history and for processes that wait.
    pub command: String,
    /// How long to wait for the commit lock.
    pub lock_timeout: Duration,
    /// Called once with the holder of the lock, after one second of waiting.
    pub on_wait: &'a mut dyn FnMut(&Holder),
    /// A lease for every digest that the change may add.
    pub leases: &'a [Lease],
}

/// The result of a commit.
#[derive(Debug)]
pub struct Committed {
    /// The new generation; `None` if the change changed nothing.
    pub generation: Option<Generation>,
    /// The set before.
    pub before: Snapshot,
    /// The set after.
    pub after: Snapshot,
    /// How long this commit held the lock.
    pub held: Duration,
}

/// A commit failed, and the set is as before.
#[derive(Debug)]
pub enum CommitError<E> {
    /// The caller's function refused the change.
    Refused(E),
    /// The store failed.
    Store(StoreError),
}

impl<E, S: Into<StoreError>> From<S> for CommitError<E> {
    fn from(error: S) -> CommitError<E> {
        CommitError::Store(error.into())
    }
}

impl Installation {
    /// Changes the installed set. `change` gets the set as it is under the lock and returns the new one, or an error. It must
    /// be quick, because all other writers wait for it. Readers see the old set or the whole new one. When this returns, the
    /// change is durable.
    ///
    /// # Errors
    /// [`CommitError::Refused`] with the error of `change`; [`CommitError::Store`] if the lock cannot be taken, a new digest
    /// is not leased, or a file cannot be read or written.
    pub fn commit<E>(
        &self,
        request: CommitRequest<'_>,
        change: impl FnOnce(&Snapshot) -> Result<Lockfile, E>,
    ) -> Result<Committed, CommitError<E>> {
        self.commit_as(request, |before, _| change(before).map(|after| (after, None)))
    }

    /// The generation that a rollback would restore, with its content: generation `number`, or the one before the current
    /// one. Takes no lock, so that the caller can download missing trees before the commit.
    ///
    /// # Errors
    /// There is no such generation, its content is lost, or a file cannot be read.
    pub fn target_of_rollback(&self, number: Option<u64>) -> Result<(u64, Lockfile), StoreError> {
        let current = self.snapshot()?;
        let mut list = self.generations.list(&current)?;
        // A state without a record becomes a generation with the next commit.
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
        // The current state may have no record yet.
        if target.lockfile == current.digest {
            return Ok((target.number, current.lockfile.clone()));
        }
        let lockfile = self
            .generations
            .content(&target.lockfile)?
            .ok_or(StoreError::GenerationLost { number: target.number })?;
        Ok((target.number, lockfile))
    }

    /// The generation before the one whose content the newest has, so that repeated rollbacks go back step by step.
    /// Generations that differ from the current set only in spelling are skipped. `None` is the empty set before the first
    /// generation.
    fn before_current<'a>(
        &self,
        list: &'a [Generation],
        current: &Lockfile,
    ) -> Result<Option<&'a Generation>, StoreError> {
        let Some(now) = content_of_newest(list) else { return Err(StoreError::NothingToRollBack) };
        let mut first = now;
        for generation in list.iter().rev().filter(|generation| generation.number < now) {
            first = generation.number;
            if self.generations.content(&generation.lockfile)?.as_ref() != Some(current) {
                return Ok(Some(generation));
            }
        }
        // The empty set is before generation 1. If older generations were forgotten, the state before is unknown.
        let is_step = first == 1 && *current != Lockfile::default();
        if is_step { Ok(None) } else { Err(StoreError::NothingToRollBack) }
    }

    /// Commits the content of generation `number`, whose trees are leased. `check` may refuse it.
    ///
    /// # Errors
    /// As [`Installation::commit`]; also, there is no such generation or its content is lost.
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
        // The process that published a leased tree may have died before it synced the tree's name.
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
            // "Nothing to change" is an acknowledgement too, and the process that made this state may not have synced it.
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

    /// Makes the names of the lockfile and the records durable, the lockfile's first: a record without its change would be a
    /// change that did not happen. Runs outside the lock: the next commit syncs the same directories before it reports.
    fn sync(&self) -> Result<(), StoreError> {
        if let Some(dir) = self.lockfile.parent().filter(|dir| dir.is_dir()) {
            marsh_fs::sync_way(self.home.as_deref().unwrap_or(dir), dir)?;
        }
        self.generations.sync()
    }

    /// Checks that the caller has a lease for every new digest, so that its tree is in the store and stays there.
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

    /// All generations, oldest first. A state that another program wrote is listed after the next commit.
    ///
    /// # Errors
    /// A file cannot be read, or the lockfile is invalid.
    pub fn history(&self) -> Result<Vec<Generation>, StoreError> {
        self.generations.list(&self.snapshot()?)
    }
}
