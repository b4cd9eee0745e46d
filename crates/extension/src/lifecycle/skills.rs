//! Skills of installed extensions, copied to where the repository's AI tools look for them.
//!
//! A copy belongs to marsh only as long as it is what marsh wrote: a record lists every file with its digest. A directory
//! that marsh did not write, or that a user changed, is neither overwritten nor removed; a warning says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use marsh_fs::Durability;
use marsh_types::{Digest, ExtensionName, RelPath};
use serde::{Deserialize, Serialize};

use super::Lifecycle;
use super::error::LifecycleError;

/// What marsh wrote, by directory relative to the repository.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Record {
    dirs: BTreeMap<String, Copied>,
    /// Copies that a process began to write. Not empty only if that process died before it finished.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    writing: BTreeMap<String, Copied>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Copied {
    extension: ExtensionName,
    files: BTreeMap<RelPath, Digest>,
}

impl Lifecycle {
    /// Makes the copies those of the lockfile as it is now. Returns a warning for each copy that was left alone.
    pub(crate) fn derive_skills(&self) -> Result<Vec<String>, LifecycleError> {
        let is_done = |record: &Record, wanted: &BTreeMap<String, (Copied, PathBuf)>| {
            record.writing.is_empty()
                && record.dirs.iter().eq(wanted.iter().map(|(dir, (copied, _))| (dir, copied)))
        };
        if is_done(&self.recorded_skills(), &self.wanted_skills()?) {
            return Ok(Vec::new());
        }
        let lock = self.repo.layout.locks().join("skills.lock");
        let _lock = marsh_fs::lock_exclusive(&lock, self.options.lock_timeout, "copy skills", &mut |_| {})
            .map_err(marsh_store::StoreError::from)?;
        // Read again: the previous holder of the lock changed the record, and other processes may have changed the lockfile.
        let record = self.recorded_skills();
        let wanted = self.wanted_skills()?;
        if is_done(&record, &wanted) {
            return Ok(Vec::new());
        }
        let mut warnings = Vec::new();
        for (dir, copied) in &record.writing {
            let top = self.repo.layout.root().join(dir);
            for parent in copied.files.keys().filter_map(|file| Some(file.below(&top).parent()?.to_owned())) {
                marsh_fs::sweep_leftovers(&parent)?;
            }
            if wanted.get(dir).is_none_or(|(wanted, _)| wanted != copied) {
                self.remove_copy(dir, copied)?;
            }
        }
        let open = wanted.iter().filter(|(dir, (copied, _))| record.dirs.get(*dir) != Some(copied));
        let writing = open.map(|(dir, (copied, _))| (dir.clone(), copied.clone())).collect();
        let record = Record { writing, ..record };
        self.record_skills(&record)?;
        let mut now = Record::default();
        for (dir, copied) in &record.dirs {
            if wanted.get(dir).is_some_and(|(wanted, _)| wanted == copied) {
                continue;
            }
            // The rest of a copy that is wanted again may be the new one; it is checked below.
            if let Some(left) = self.remove_copy(dir, copied)?
                && !wanted.contains_key(dir)
            {
                warnings.push(left);
            }
        }
        for (dir, (copied, from)) in &wanted {
            if record.dirs.get(dir) == Some(copied) || self.copy(dir, copied, from)? {
                now.dirs.insert(dir.clone(), copied.clone());
            } else {
                warnings.push(format!(
                    "the skill of {} was not copied to {dir}: a file or directory that marsh did not write is there",
                    copied.extension
                ));
            }
        }
        self.record_skills(&now)?;
        Ok(warnings)
    }

    fn skills_record(&self) -> PathBuf {
        self.repo.layout.state().join("marsh").join("skills").join("record.json")
    }

    fn recorded_skills(&self) -> Record {
        let known = marsh_fs::read(self.skills_record()).ok();
        known.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn record_skills(&self, record: &Record) -> Result<(), LifecycleError> {
        let path = self.skills_record();
        let bytes = serde_json::to_vec(record).map_err(|error| marsh_store::StoreError::Record {
            path: path.clone(),
            message: error.to_string(),
        })?;
        if let Some(parent) = path.parent() {
            marsh_fs::create_dir_all(parent)?;
        }
        Ok(marsh_fs::atomic_write_locked(&path, &bytes, Durability::Atomic)?)
    }

    /// The copies that the lockfile as it is now calls for, by directory, with where they come from.
    fn wanted_skills(&self) -> Result<BTreeMap<String, (Copied, PathBuf)>, LifecycleError> {
        let snapshot = self.installation.snapshot()?;
        let targets = self.repo.marker.skill_dirs(&marsh_repo::tools::custom::read(&self.repo.layout)?);
        let mut wanted: BTreeMap<String, (Copied, PathBuf)> = BTreeMap::new();
        for (name, entry) in &snapshot.lockfile.entries {
            let Some(digest) = entry.checksum else { continue };
            let Some(tree) = self.installation.trees().record(&digest)? else { continue };
            for file in &tree.files {
                let mut segments = file.path.segments();
                let (Some("skills"), Some(skill)) = (segments.next(), segments.next()) else { continue };
                let rest: Vec<&str> = segments.collect();
                let Ok(rest) = RelPath::parse(&rest.join("/")) else { continue };
                let from = self.installation.trees().tree(&digest).join("skills").join(skill);
                for target in &targets {
                    let copied = wanted.entry(format!("{target}/{skill}")).or_insert_with(|| {
                        (Copied { extension: name.clone(), files: BTreeMap::new() }, from.clone())
                    });
                    // Of two extensions with one skill name the first keeps it.
                    if copied.0.extension == *name {
                        copied.0.files.insert(rest.clone(), file.sha256);
                    }
                }
            }
        }
        Ok(wanted)
    }

    /// `false`: another file or directory is there.
    fn copy(&self, dir: &str, copied: &Copied, from: &Path) -> Result<bool, LifecycleError> {
        let to = self.repo.layout.root().join(dir);
        if std::fs::symlink_metadata(&to).is_ok() && !is_exactly(&to, copied) {
            return Ok(false);
        }
        for path in copied.files.keys() {
            let target = path.below(&to);
            if let Some(parent) = target.parent() {
                marsh_fs::create_dir_all(parent)?;
            }
            let bytes = marsh_fs::read(path.below(from))
                .map_err(|source| LifecycleError::Read { path: path.below(from), source })?;
            marsh_fs::atomic_write_locked(&target, &bytes, Durability::Atomic)?;
        }
        Ok(true)
    }

    /// Removes the files that are still what marsh wrote, and the directories that this empties. Says what stays.
    fn remove_copy(&self, dir: &str, copied: &Copied) -> Result<Option<String>, LifecycleError> {
        let top = self.repo.layout.root().join(dir);
        let mut emptied = BTreeSet::new();
        for (path, digest) in &copied.files {
            let file = path.below(&top);
            let found = marsh_fs::read(&file);
            if found.as_ref().is_ok_and(|bytes| Digest::of(bytes) == *digest) {
                marsh_fs::remove_file_if_exists(&file)?;
            } else if found.is_ok() {
                continue;
            }
            // Also after a process that removed the files and died before it removed the directories.
            emptied
                .extend(file.ancestors().skip(1).take_while(|dir| dir.starts_with(&top)).map(Path::to_owned));
        }
        for dir in emptied.into_iter().rev() {
            marsh_fs::remove_dir_if_empty(&dir)?;
        }
        Ok(top.exists().then(|| format!("{dir} was changed after {} wrote it, and stays", copied.extension)))
    }
}

/// Whether the directory holds these files and no others.
fn is_exactly(dir: &Path, copied: &Copied) -> bool {
    let mut pending = vec![dir.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(path);
                continue;
            }
            let below =
                path.strip_prefix(dir).ok().and_then(|below| RelPath::parse(&below.to_string_lossy()).ok());
            let expected = below.and_then(|below| copied.files.get(&below));
            let found = marsh_fs::read(&path).ok().map(|bytes| Digest::of(&bytes));
            if expected.is_none() || found.as_ref() != expected {
                return false;
            }
        }
    }
    true
}
