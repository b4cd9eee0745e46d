//! Generations: every committed state of a lockfile, numbered, with the command that made it.
//!
//! `generations/<key>/<number>.json` is a record, `content/<digest>.json` the lockfile's bytes. A commit writes its record
//! as `<number>.pending` before the lockfile changes and renames it afterwards. A process that dies in between leaves a
//! pending record. If the lockfile has the content that the record names, the commit happened; otherwise it did not. So the
//! history has every change and no change that did not happen (`tests/crash.rs`, `tests/history.rs`).

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use marsh_fs::Durability;
use marsh_types::{CalVer, Digest, ExtensionName, Lockfile};
use serde::{Deserialize, Serialize};

use crate::dirs::{above, names};
use crate::error::StoreError;
use crate::snapshot::Snapshot;

/// The change of one extension between two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The extension.
    pub name: ExtensionName,
    /// The version before; `None` if the extension was not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<CalVer>,
    /// The version after; `None` if the extension was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<CalVer>,
}

/// One committed state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generation {
    /// Counts from 1. A number is never used twice.
    pub number: u64,
    /// When it was committed or first seen, ISO 8601.
    pub at: String,
    /// The command that made it; `None` if version control, an editor or another program changed the lockfile.
    pub command: Option<String>,
    /// The digest of the lockfile's bytes.
    pub lockfile: Digest,
    /// The generation that a rollback restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// The changes since the generation before.
    pub changes: Vec<Change>,
}

/// The differences between two states.
pub(crate) fn changes(before: &Lockfile, after: &Lockfile) -> Vec<Change> {
    let mut changes: BTreeMap<&ExtensionName, Change> = BTreeMap::new();
    for (name, entry) in &before.entries {
        if after
            .entries
            .get(name)
            .is_none_or(|now| (now.version, now.checksum) != (entry.version, entry.checksum))
        {
            changes.insert(name, Change { name: name.clone(), from: Some(entry.version), to: None });
        }
    }
    for (name, entry) in &after.entries {
        if before
            .entries
            .get(name)
            .is_none_or(|was| (was.version, was.checksum) != (entry.version, entry.checksum))
        {
            let change =
                changes.entry(name).or_insert_with(|| Change { name: name.clone(), from: None, to: None });
            change.to = Some(entry.version);
        }
    }
    changes.into_values().collect()
}

/// The records of one lockfile.
#[derive(Debug, Clone)]
pub(crate) struct Generations {
    dir: PathBuf,
    top: PathBuf,
}

impl Generations {
    pub(crate) fn new(state: &Path, key: &str) -> Generations {
        Generations { dir: root(state).join(key), top: above(state) }
    }

    /// The records of every lockfile that has used this state directory.
    pub(crate) fn all(state: &Path) -> Vec<Generations> {
        let entries = std::fs::read_dir(root(state)).into_iter().flatten().flatten();
        entries.map(|entry| Generations { dir: entry.path(), top: above(state) }).collect()
    }

    /// The path of the lockfile at its last commit.
    pub(crate) fn lockfile_path(&self) -> Option<PathBuf> {
        let text = marsh_fs::read_to_string(self.dir.join("lockfile.path")).ok()?;
        Some(PathBuf::from(text.trim_end_matches('\n')))
    }

    fn record_path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number}.json"))
    }

    fn pending_path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number}.pending"))
    }

    fn content_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("content").join(format!("{digest}.json"))
    }

    fn numbers(&self, extension: &str) -> Result<Vec<u64>, StoreError> {
        let mut numbers: Vec<u64> = names(&self.dir)?
            .iter()
            .filter_map(|name| name.strip_suffix(extension)?.strip_suffix('.')?.parse().ok())
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn read(&self, path: &Path) -> Result<Option<Generation>, StoreError> {
        match marsh_fs::read(path) {
            // A record gets its name after it is written, so an invalid one was damaged later. It is ignored.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Read { path: path.to_owned(), source }),
        }
    }

    /// All generations, oldest first, including a pending one that has happened. Reads only.
    pub(crate) fn list(&self, current: &Snapshot) -> Result<Vec<Generation>, StoreError> {
        // Pending ones are read first: a commit at the same time renames them to records, and none may be missed.
        let mut pending = Vec::new();
        for number in self.numbers("pending")? {
            pending.extend(self.read(&self.pending_path(number))?);
        }
        let mut list: Vec<Generation> = Vec::new();
        for number in self.numbers("json")? {
            list.extend(self.read(&self.record_path(number))?);
        }
        for pending in pending {
            if pending.lockfile == current.digest
                && list.last().is_none_or(|last| last.number < pending.number)
            {
                list.push(pending);
            }
        }
        // A collection removes records oldest first, even while this reads. So records before a gap may be removed by now,
        // unless the gap is a damaged record.
        if list.windows(2).any(|pair| pair[1].number != pair[0].number + 1) {
            list.retain(|one| {
                self.record_path(one.number).exists() || self.pending_path(one.number).exists()
            });
        }
        Ok(list)
    }

    /// Makes the records agree with the lockfile: confirms or removes records that a dead process left pending, and records
    /// the lockfile's state if no record has it. The caller holds the commit lock.
    pub(crate) fn settle(
        &self,
        current: &Snapshot,
        now: &str,
        lockfile: &Path,
    ) -> Result<Vec<Generation>, StoreError> {
        for number in self.numbers("pending")? {
            let path = self.pending_path(number);
            match self.read(&path)? {
                Some(pending) if pending.lockfile == current.digest && !self.record_path(number).exists() => {
                    marsh_fs::rename(&path, &self.record_path(number))?;
                }
                _ => {
                    marsh_fs::remove_file_if_exists(&path)?;
                }
            }
        }
        let mut list = self.list(current)?;
        let is_known = match list.last() {
            Some(last) => last.lockfile == current.digest,
            None => current.text.trim().is_empty(),
        };
        if !is_known {
            let before = match list.last() {
                Some(last) => self.content(&last.lockfile)?.unwrap_or_default(),
                None => Lockfile::default(),
            };
            let found = Generation {
                number: list.last().map_or(1, |last| last.number + 1),
                at: now.to_owned(),
                command: None,
                lockfile: current.digest,
                restores: None,
                changes: changes(&before, &current.lockfile),
            };
            self.write_content(current.digest, &current.text)?;
            self.write_path(lockfile)?;
            self.write(&self.record_path(found.number), &found)?;
            list.push(found);
        }
        Ok(list)
    }

    /// Writes a pending record. The generation takes effect with the rename of the lockfile; [`Generations::confirm`]
    /// follows.
    pub(crate) fn announce(
        &self,
        generation: &Generation,
        text: &str,
        lockfile: &Path,
    ) -> Result<(), StoreError> {
        self.write_content(generation.lockfile, text)?;
        self.write_path(lockfile)?;
        self.write(&self.pending_path(generation.number), generation)
    }

    /// Records the lockfile's path, so that a collection for another lockfile finds this one.
    fn write_path(&self, lockfile: &Path) -> Result<(), StoreError> {
        let path = self.dir.join("lockfile.path");
        let line = format!("{}\n", lockfile.display());
        if marsh_fs::read_to_string(&path).ok().as_deref() != Some(line.as_str()) {
            marsh_fs::atomic_write_locked(&path, line.as_bytes(), Durability::Synced)?;
        }
        Ok(())
    }

    pub(crate) fn confirm(&self, generation: &Generation) -> Result<(), StoreError> {
        marsh_fs::rename(&self.pending_path(generation.number), &self.record_path(generation.number))?;
        Ok(())
    }

    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let content = self.dir.join("content");
        if content.is_dir() {
            marsh_fs::sync_way(&self.top, &content)?;
        }
        Ok(())
    }

    fn write(&self, path: &Path, generation: &Generation) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(generation)
            .map_err(|error| StoreError::Record { path: path.to_owned(), message: error.to_string() })?;
        Ok(marsh_fs::atomic_write_locked(path, &bytes, Durability::Synced)?)
    }

    fn write_content(&self, digest: Digest, text: &str) -> Result<(), StoreError> {
        if self.content_text(&digest)?.is_none() {
            let path = self.content_path(&digest);
            if let Some(dir) = path.parent() {
                marsh_fs::create_dir_all(dir)?;
            }
            marsh_fs::atomic_write_locked(&path, text.as_bytes(), Durability::Synced)?;
        }
        Ok(())
    }

    /// The lockfile's text in a recorded state, or `None` if it is lost or damaged.
    pub(crate) fn content_text(&self, digest: &Digest) -> Result<Option<String>, StoreError> {
        let path = self.content_path(digest);
        match marsh_fs::read_to_string(&path) {
            // A file whose digest differs is damaged.
            Ok(text) => Ok((Digest::of(text.as_bytes()) == *digest).then_some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }

    pub(crate) fn content(&self, digest: &Digest) -> Result<Option<Lockfile>, StoreError> {
        if *digest == Digest::of(b"") {
            return Ok(Some(Lockfile::default()));
        }
        Ok(self.content_text(digest)?.and_then(|text| Lockfile::parse(&text).ok()))
    }

    /// Removes the records of generations, then contents that no record names and leftovers of dead writers. The caller
    /// holds the commit lock.
    pub(crate) fn forget(&self, numbers: &[u64]) -> Result<(), StoreError> {
        for number in numbers {
            marsh_fs::remove_file_if_exists(&self.record_path(*number))?;
        }
        // The removal of the records is durable before their contents are removed.
        if !numbers.is_empty() {
            marsh_fs::sync_dir(&self.dir)?;
        }
        let mut named = HashSet::new();
        for extension in ["json", "pending"] {
            for number in self.numbers(extension)? {
                let path = self.dir.join(format!("{number}.{extension}"));
                named.extend(self.read(&path)?.map(|record| format!("{}.json", record.lockfile)));
            }
        }
        let content = self.dir.join("content");
        for name in names(&content)?.into_iter().filter(|name| !named.contains(name)) {
            marsh_fs::remove_file_if_exists(&content.join(name))?;
        }
        marsh_fs::sweep_leftovers(&self.dir)?;
        Ok(())
    }
}

fn root(state: &Path) -> PathBuf {
    state.join("marsh").join("generations")
}

/// The number of the generation whose content the newest one has: its own number, or that of the generation that it
/// restored, which may be a rollback itself. 0 is the empty set before the first generation.
pub(crate) fn content_of_newest(list: &[Generation]) -> Option<u64> {
    let newest = list.last()?;
    let mut number = newest.number;
    let mut restores = newest.restores;
    while let Some(restored) = restores.filter(|restored| *restored < number) {
        number = restored;
        restores =
            list.iter().find(|generation| generation.number == number).and_then(|found| found.restores);
    }
    Some(number)
}
