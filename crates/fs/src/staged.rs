//! A directory that is filled in private and appears as a whole.

use std::path::{Path, PathBuf};

use crate::dir::{create_dir_all, create_dir_new, is_taken, remove_tree, rename, rename_dir_new};
use crate::error::FsError;

/// A private directory `.tmp-<uuid>` under a given parent, gone on drop unless published. A process that dies leaves
/// it behind: readers skip dot names, and whoever owns the parent may sweep them.
#[derive(Debug)]
pub struct StagedDir {
    path: PathBuf,
    published: bool,
}

/// What [`StagedDir::publish`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The directory is now at the target.
    Here,
    /// Someone else's was there first; ours has been removed.
    AlreadyThere,
}

impl StagedDir {
    /// The prefix by which a sweep recognises directories that a dead process left.
    pub const PREFIX: &'static str = ".tmp-";

    /// Creates the parent if it is missing.
    pub fn new(parent: &Path) -> Result<Self, FsError> {
        let path = parent.join(format!("{}{}", Self::PREFIX, uuid::Uuid::new_v4()));
        match create_dir_new(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create_dir_all(parent)?;
                create_dir_new(&path)?;
            }
            other => drop(other?),
        }
        Ok(Self { path, published: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Renames to `target`, on the same file system. A target with content stays as it is; an empty directory, which
    /// nobody publishes, is replaced. Syncs nothing: files are synced as they are written, the parent of `target` by
    /// the caller's one [`sync_dir`](crate::sync_dir).
    pub fn publish(mut self, target: &Path) -> Result<Published, FsError> {
        match rename(&self.path, target) {
            Ok(()) => {
                self.published = true;
                Ok(Published::Here)
            }
            Err(error) if is_taken(&error.source) => Ok(Published::AlreadyThere),
            Err(error) => Err(error),
        }
    }

    /// Renames to `target` if nothing at all has that name; else gives the directory back, to try another name.
    pub fn publish_new(mut self, target: &Path) -> Result<Option<Self>, FsError> {
        if rename_dir_new(&self.path, target)? {
            self.published = true;
            return Ok(None);
        }
        Ok(Some(self))
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        if !self.published {
            remove_tree(&self.path).ok();
        }
    }
}
