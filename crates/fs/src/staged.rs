//! A directory that is filled in private and appears as a whole (`tests/staging.rs`).

use std::path::{Path, PathBuf};

use crate::dir::{create_dir_all, create_dir_new, is_taken, remove_tree, rename, rename_dir_new};
use crate::error::FsError;

/// A private directory `.tmp-<uuid>` under a given parent. Dropping it removes it unless it was published. A process that
/// dies leaves the directory behind: readers skip names that begin with a dot, and the owner of the parent may remove them.
#[derive(Debug)]
pub struct StagedDir {
    path: PathBuf,
    published: bool,
}

/// The result of [`StagedDir::publish`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The directory is now at the target.
    Here,
    /// Another directory was at the target first; this one has been removed.
    AlreadyThere,
}

impl StagedDir {
    /// The prefix of the names of staged directories, which cleaning up recognises.
    pub const PREFIX: &'static str = ".tmp-";

    /// Creates an empty private directory below `parent`, and `parent` if it is missing.
    ///
    /// # Errors
    /// A directory cannot be created.
    pub fn new(parent: &Path) -> Result<Self, FsError> {
        let path = parent.join(format!("{}{}", Self::PREFIX, uuid::Uuid::new_v4()));
        match create_dir_new(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create_dir_all(parent)?;
                create_dir_new(&path)?;
            }
            other => {
                // The name is a new UUID, so it is never taken.
                other?;
            }
        }
        Ok(Self { path, published: false })
    }

    /// The private path, to fill.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Renames the directory to `target`, on the same file system. A target with content stays as it is; an empty directory
    /// is replaced. This syncs nothing: the caller syncs files as it writes them, and the parent of `target` with one
    /// [`sync_dir`](crate::sync_dir).
    ///
    /// # Errors
    /// The rename fails for another reason than a target with content.
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

    /// Renames the directory to `target` if that name is free. Otherwise returns the directory, to try another name.
    ///
    /// # Errors
    /// The rename fails for another reason than a taken name.
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
            marsh_types::ignore(
                remove_tree(&self.path),
                "cleaning up removes staged directories that are left",
            );
        }
    }
}
