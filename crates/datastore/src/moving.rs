//! Moves trees of data to another place, so that no data are lost or out of view at any moment.
//!
//! 1. [`TreeMoves::copy`] copies what is not there yet, and makes it durable. The old place is still the one in use.
//! 2. The caller switches the marker.
//! 3. [`TreeMoves::finish`] copies what other processes wrote to the old place meanwhile, and removes from it the files that
//!    are the same in the new one. Any other file stays, with a warning.
//!
//! A process that dies leaves a note in the new place. The next one continues: it may replace files that the first one
//! copied. Without a note a file that differs is another repository's, and nothing is copied (tests of `app`,
//! `it/datastore_setup.rs`).

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use marsh_fs::{Durability, Published, StagedDir};
use serde::{Deserialize, Serialize};

use crate::error::DatastoreError;

/// Derived files of the repository, which stay.
const DERIVED: &str = ".runs-index.json";

/// A tree, where it is, and where it will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TreeMove {
    name: String,
    from: PathBuf,
    to: PathBuf,
}

/// The trees that change their place. It is the content of the note, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeMoves {
    repo: String,
    trees: Vec<TreeMove>,
}

/// What was moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// The names of trees with files.
    pub directories: Vec<String>,
    /// How many files were copied.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl TreeMoves {
    /// The move of these trees: name, old and new place. Trees that stay are left out.
    pub fn new(repo: &str, trees: impl IntoIterator<Item = (String, PathBuf, PathBuf)>) -> TreeMoves {
        let moves = trees.into_iter().filter(|(_, from, to)| from != to);
        let trees = moves.map(|(name, from, to)| TreeMove { name, from, to }).collect();
        TreeMoves { repo: repo.to_owned(), trees }
    }

    /// Whether a tree would be moved into itself or into another one.
    pub fn is_nested(&self) -> bool {
        self.trees.iter().any(|one| self.trees.iter().any(|other| one.to.starts_with(&other.from)))
    }

    /// How many files are at the old place.
    ///
    /// # Errors
    ///
    /// A directory cannot be read.
    pub fn count(&self) -> Result<usize, DatastoreError> {
        let mut count = 0;
        for tree in &self.trees {
            count += files_below(&tree.from)?.len();
        }
        Ok(count)
    }

    /// Copies the trees, and makes the copies durable.
    ///
    /// # Errors
    ///
    /// A workflow run is in progress, the new place has other files of the same names, or a file cannot be copied. The old
    /// place is as it was.
    pub fn copy(&self) -> Result<Moved, DatastoreError> {
        for tree in &self.trees {
            refuse_running(&tree.from)?;
        }
        let notes = self.notes();
        let is_ours = notes.iter().any(|note| note.exists());
        if !is_ours {
            let mut differ = Vec::new();
            let mut to = PathBuf::new();
            for tree in &self.trees {
                for file in files_below(&tree.from)? {
                    let target = tree.to.join(&file);
                    if target.symlink_metadata().is_ok() && !is_same(&tree.from.join(&file), &target)? {
                        to = tree.to.clone();
                        differ.push(Path::new(&tree.name).join(file));
                    }
                }
            }
            if !differ.is_empty() {
                return Err(DatastoreError::Occupied { to, files: differ });
            }
        }
        let text = serde_json::to_vec(self).map_err(|error| DatastoreError::Read {
            path: note_name(&self.repo).into(),
            source: error.into(),
        })?;
        for note in &notes {
            if let Some(dir) = note.parent() {
                marsh_fs::create_dir_all(dir)?;
            }
            marsh_fs::atomic_write(note, &text, Durability::Synced)?;
        }
        let mut moved = Moved::default();
        for tree in &self.trees {
            marsh_fs::create_dir_all(&tree.to)?;
            let files = files_below(&tree.from)?;
            if !files.is_empty() {
                moved.directories.push(tree.name.clone());
            }
            for file in files {
                let (from, to) = (tree.from.join(&file), tree.to.join(&file));
                if to.symlink_metadata().is_err() || !is_same(&from, &to)? {
                    moved.bytes += copy_one(&from, &to)?;
                    moved.files += 1;
                }
            }
        }
        let dirs: Vec<&Path> = self.trees.iter().map(|tree| tree.to.as_path()).collect();
        marsh_fs::sync_trees(&dirs)?;
        for dir in dirs.iter().filter_map(|dir| dir.parent()) {
            marsh_fs::sync_dir(dir)?;
        }
        Ok(moved)
    }

    /// Cleans the old place up, after the new one is in use. Returns warnings about files that stay.
    ///
    /// # Errors
    ///
    /// A file cannot be read, copied or removed.
    pub fn finish(&self) -> Result<Vec<String>, DatastoreError> {
        let mut warnings = Vec::new();
        for tree in &self.trees {
            bring_new(&tree.from, &tree.to)?;
            let dirs = [tree.to.as_path()];
            marsh_fs::sync_trees(&dirs)?;
            for file in files_below(&tree.from)? {
                let (from, to) = (tree.from.join(&file), tree.to.join(&file));
                if is_same(&from, &to)? {
                    marsh_fs::remove_file_if_exists(&from)?;
                } else {
                    warnings.push(format!(
                        "{} stays: {} is newer or another process changed one of them",
                        from.display(),
                        to.display()
                    ));
                }
            }
            remove_empty(&tree.from)?;
        }
        self.close()?;
        Ok(warnings)
    }

    /// Ends a move whose old place stays as it is.
    ///
    /// # Errors
    ///
    /// The note cannot be removed.
    pub fn close(&self) -> Result<(), DatastoreError> {
        for note in self.notes() {
            marsh_fs::remove_file_if_exists(&note)?;
        }
        Ok(())
    }

    /// The move whose process died between the switch and the end, if its new place is one of these directories.
    ///
    /// # Errors
    ///
    /// The note cannot be read.
    pub fn unfinished(repo: &str, dirs: &[PathBuf]) -> Result<Option<TreeMoves>, DatastoreError> {
        for dir in dirs {
            let path = dir.join(note_name(repo));
            let failed = |source| DatastoreError::Read { path: path.clone(), source };
            match marsh_fs::read(&path) {
                Ok(bytes) => {
                    let moves = serde_json::from_slice(&bytes);
                    return Ok(Some(moves.map_err(|error| failed(error.into()))?));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(failed(source)),
            }
        }
        Ok(None)
    }

    fn notes(&self) -> Vec<PathBuf> {
        let mut notes: Vec<PathBuf> = Vec::new();
        for note in self.trees.iter().filter_map(|tree| Some(tree.to.parent()?.join(note_name(&self.repo)))) {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        notes
    }
}

/// The name of the note in the new place.
fn note_name(repo: &str) -> String {
    format!(".marsh-move-{repo}.json")
}

/// A journal that a process has locked is a run in progress.
fn refuse_running(tree: &Path) -> Result<(), DatastoreError> {
    for file in files_below(tree)? {
        let path = tree.join(file);
        if path.extension().is_some_and(|ending| ending == "journal")
            && marsh_fs::try_lock_existing_exclusive(&path)?.is_none()
            && path.exists()
        {
            return Err(DatastoreError::RunInProgress { journal: path });
        }
    }
    Ok(())
}

/// Files and links below a directory, relative to it, sorted; none if it does not exist.
fn files_below(top: &Path) -> Result<Vec<PathBuf>, DatastoreError> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(dir) = pending.pop() {
        let full = top.join(&dir);
        let failed = |source| DatastoreError::Read { path: full.clone(), source };
        let entries = match std::fs::read_dir(&full) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(failed(source)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let path = dir.join(entry.file_name());
            if entry.file_type().map_err(failed)?.is_dir() {
                pending.push(path);
            } else if entry.file_name() != DERIVED {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn copy_one(from: &Path, to: &Path) -> Result<u64, DatastoreError> {
    if let Some(dir) = to.parent() {
        marsh_fs::create_dir_all(dir)?;
    }
    match std::fs::read_link(from) {
        Ok(target) => {
            marsh_fs::symlink_atomic(&target, to)?;
            Ok(0)
        }
        Err(_) => Ok(marsh_fs::copy_file(from, to, Durability::Atomic)?),
    }
}

/// Whether two files have the same content, or two links the same target.
fn is_same(one: &Path, other: &Path) -> Result<bool, DatastoreError> {
    match (std::fs::read_link(one), std::fs::read_link(other)) {
        (Ok(one), Ok(other)) => return Ok(one == other),
        (Err(_), Err(_)) => {}
        _ => return Ok(false),
    }
    let open = |path: &Path| {
        let failed = |source| DatastoreError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok::<_, DatastoreError>((BufReader::new(file).bytes(), length))
    };
    if !other.exists() {
        return Ok(false);
    }
    let ((mut one_bytes, one_length), (mut other_bytes, other_length)) = (open(one)?, open(other)?);
    if one_length != other_length {
        return Ok(false);
    }
    loop {
        let failed = |source| DatastoreError::Read { path: one.to_owned(), source };
        match (one_bytes.next().transpose().map_err(failed)?, other_bytes.next().transpose().map_err(failed)?)
        {
            (None, None) => return Ok(true),
            (one, other) if one != other => return Ok(false),
            _ => {}
        }
    }
}

/// Copies what the new place lacks. A directory appears as a whole, because readers use the place already.
fn bring_new(from: &Path, to: &Path) -> Result<(), DatastoreError> {
    let failed = |source| DatastoreError::Read { path: from.to_owned(), source };
    let entries = match std::fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(source)),
    };
    marsh_fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_name() == DERIVED {
            continue;
        }
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let is_dir = entry.file_type().map_err(failed)?.is_dir();
        match (is_dir, target.symlink_metadata().is_ok()) {
            (true, true) => bring_new(&source, &target)?,
            (true, false) => {
                let staged = StagedDir::new(to)?;
                for file in files_below(&source)? {
                    copy_one(&source.join(&file), &staged.path().join(&file))?;
                }
                let _: Published = staged.publish(&target)?;
            }
            (false, false) => drop(copy_one(&source, &target)?),
            (false, true) => {}
        }
    }
    Ok(())
}

/// Removes directories without files.
fn remove_empty(dir: &Path) -> Result<(), DatastoreError> {
    let failed = |source| DatastoreError::Read { path: dir.to_owned(), source };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(source)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            remove_empty(&entry.path())?;
        }
    }
    marsh_fs::remove_dir_if_empty(dir)?;
    Ok(())
}
