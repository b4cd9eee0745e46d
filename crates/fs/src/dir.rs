//! Directories and names: create, remove, rename, make durable.
//!
//! Every function that changes something passes a failpoint first and reports the change to `trace.rs` afterwards
//! (`tests/failpoints.rs`: `trace_of_every_kind_of_mutation_is_complete`).

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Context, FsError};
use crate::failpoint;
use crate::trace::{self, Op};

/// Makes the names in `dir` durable. A directory sync is expensive (10 ms, where a file sync takes 0.4 ms): call it once
/// per transaction.
///
/// # Errors
/// The directory cannot be opened or synced.
pub fn sync_dir(dir: &Path) -> Result<(), FsError> {
    failpoint::hit("fs.sync_dir").context("sync", dir)?;
    fs::File::open(dir).and_then(|handle| handle.sync_all()).context("sync", dir)?;
    trace::done(dir, Op::SyncDir);
    Ok(())
}

/// Calls [`sync_dir`] for `dir` and every directory above it up to `top`, `top` included.
///
/// A caller that creates a file below directories that may be new needs all of them: another process may have created a
/// directory without syncing it yet. A directory without new names costs 0.05 ms. If `dir` is not below `top`, only `dir`
/// is synced.
///
/// # Errors
/// The first directory that cannot be synced.
pub fn sync_way(top: &Path, dir: &Path) -> Result<(), FsError> {
    sync_dir(dir)?;
    if dir != top && dir.starts_with(top) {
        for above in dir.ancestors().skip(1) {
            sync_dir(above)?;
            if above == top {
                break;
            }
        }
    }
    Ok(())
}

/// Makes everything in `dirs` durable: the data of all files, and their names. The caller syncs the names of `dirs`
/// themselves, in their parents.
///
/// More than 64 files are synced with the whole file system where the system has a call for that: one journal commit in
/// place of one for each file.
///
/// # Errors
/// A directory cannot be read, or a file cannot be opened or synced.
pub fn sync_trees(dirs: &[&Path]) -> Result<(), FsError> {
    let Some(first) = dirs.first() else { return Ok(()) };
    failpoint::hit("fs.sync_trees").context("sync", first)?;
    let mut found = Vec::new();
    for dir in dirs {
        below(dir, &mut found).context("sync", dir)?;
    }
    // cfg: macOS has no syncfs; the loop below syncs each file
    #[cfg(target_os = "linux")]
    if found.len() > 64 {
        fs::File::open(first)
            .and_then(|handle| rustix::fs::syncfs(&handle).map_err(io::Error::from))
            .context("sync", first)?;
        trace::done(first, Op::SyncFs);
        return Ok(());
    }
    for path in found {
        fs::File::open(&path).and_then(|handle| handle.sync_all()).context("sync", &path)?;
        trace::done(&path, if path.is_dir() { Op::SyncDir } else { Op::SyncFile });
    }
    Ok(())
}

/// Collects `dir`, its files and its directories. Links are names and need no sync of their own.
fn below(dir: &Path, found: &mut Vec<std::path::PathBuf>) -> io::Result<()> {
    found.push(dir.to_path_buf());
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            below(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Creates `dir` and its missing ancestors. Succeeds if the directory exists.
///
/// # Errors
/// A directory cannot be created, or a file has its name.
pub fn create_dir_all(dir: &Path) -> Result<(), FsError> {
    failpoint::hit("fs.create_dir_all").context("create directory", dir)?;
    fs::create_dir_all(dir).context("create directory", dir)?;
    trace::done(dir, Op::Mkdir);
    Ok(())
}

/// Creates `dir`, whose parent must exist. Returns `false` if something has that name already. Of several processes that
/// call this at once, one gets `true`.
///
/// # Errors
/// The directory cannot be created for another reason than a taken name.
pub fn create_dir_new(dir: &Path) -> Result<bool, FsError> {
    failpoint::hit("fs.create_dir_new").context("create directory", dir)?;
    match fs::create_dir(dir) {
        Ok(()) => {
            trace::done(dir, Op::Mkdir);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FsError::new("create directory", dir, error)),
    }
}

/// Removes a file or a link. Returns `false` if there was none.
///
/// # Errors
/// The file exists and cannot be removed.
pub fn remove_file_if_exists(path: &Path) -> Result<bool, FsError> {
    failpoint::hit("fs.remove_file").context("remove", path)?;
    match fs::remove_file(path) {
        Ok(()) => {
            trace::done(path, Op::Unlink);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FsError::new("remove", path, error)),
    }
}

/// Removes the directory if it is empty. Returns `false` if it has content or does not exist.
///
/// # Errors
/// The directory is empty and cannot be removed.
pub fn remove_dir_if_empty(dir: &Path) -> Result<bool, FsError> {
    failpoint::hit("fs.remove_dir").context("remove", dir)?;
    match fs::remove_dir(dir) {
        Ok(()) => {
            trace::done(dir, Op::Rmdir);
            Ok(true)
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Ok(false)
        }
        // POSIX allows this error for "not empty" too.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FsError::new("remove", dir, error)),
    }
}

/// Removes `path` and everything below it. Succeeds if nothing has that name.
///
/// Links are removed, not followed. Directories that their owner made read-only are made writable first. The removal is
/// not atomic: rename the tree to a private name first where readers must not see a part of it.
///
/// # Errors
/// A part of the tree cannot be removed, and stays.
pub fn remove_tree(path: &Path) -> Result<(), FsError> {
    failpoint::hit("fs.remove_tree").context("remove", path)?;
    let result = match remove_any(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_dirs_writable(path);
            remove_any(path)
        }
        other => other,
    };
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FsError::new("remove", path, error)),
        _ => {
            trace::done(path, Op::Rmtree);
            Ok(())
        }
    }
}

fn remove_any(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Makes `dir` and the directories below it writable by their owner, where that is possible. The removal that follows
/// reports the directories that stay closed.
fn make_dirs_writable(dir: &Path) {
    let Ok(metadata) = fs::symlink_metadata(dir) else { return };
    if !metadata.is_dir() {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    marsh_types::ignore(
        fs::set_permissions(dir, fs::Permissions::from_mode(metadata.permissions().mode() | 0o700)),
        "the removal that follows reports a directory that stays closed",
    );
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        make_dirs_writable(&entry.path());
    }
}

/// Renames `from` to `to` within one file system. A file replaces a file of the new name, and a directory replaces an
/// empty directory.
///
/// # Errors
/// `from` is missing, `to` cannot be replaced, or the two are on different file systems.
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    failpoint::hit("fs.rename").context("rename to", to)?;
    fs::rename(from, to).context("rename to", to)?;
    trace::done(to, Op::Rename { from });
    Ok(())
}

/// Renames a directory to a name that must be free. Returns `false` if the name is taken, even by an empty directory;
/// `from` then stays where it is. Of several processes that race for one name, by this function or by `mkdir`, one wins.
///
/// Where the kernel or the file system has no exclusive rename, `mkdir` claims the name and a rename replaces the claim.
/// Others may then see an empty directory of that name for a moment, or forever after a crash in between.
///
/// # Errors
/// The rename fails for another reason than a taken name.
pub fn rename_dir_new(from: &Path, to: &Path) -> Result<bool, FsError> {
    failpoint::hit("fs.rename_dir_new").context("rename to", to)?;
    match rename_exclusive(from, to) {
        Some(Ok(())) => Ok(true),
        Some(Err(error)) if is_taken(&error) => Ok(false),
        Some(Err(error)) => Err(FsError::new("rename to", to, error)),
        None => claim_and_rename(from, to),
    }
}

fn claim_and_rename(from: &Path, to: &Path) -> Result<bool, FsError> {
    if !create_dir_new(to)? {
        return Ok(false);
    }
    match fs::rename(from, to) {
        Ok(()) => {
            trace::done(to, Op::Rename { from });
            Ok(true)
        }
        // Another process put content into the claimed directory: the directory belongs to that process now.
        Err(error) if is_taken(&error) => Ok(false),
        Err(error) => {
            if fs::remove_dir(to).is_ok() {
                trace::done(to, Op::Rmdir);
            }
            Err(FsError::new("rename to", to, error))
        }
    }
}

pub(crate) fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty)
}

/// Renames `from` to `to` unless `to` exists. Returns `None` if the kernel or the file system cannot do that.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(crate) fn rename_exclusive(from: &Path, to: &Path) -> Option<io::Result<()>> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => None,
        other => {
            if other.is_ok() {
                trace::done(to, Op::Rename { from });
            }
            Some(other.map_err(io::Error::from))
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(crate) fn rename_exclusive(_from: &Path, _to: &Path) -> Option<io::Result<()>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Systems without an exclusive rename take this path; it has the same outcomes.
    #[test]
    fn claim_and_rename_onto_an_existing_directory_fails() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("f"), "mine").unwrap();
        fs::create_dir(&to).unwrap();
        assert!(!claim_and_rename(&from, &to).unwrap(), "an empty directory is a claim");
        fs::remove_dir(&to).unwrap();
        assert!(claim_and_rename(&from, &to).unwrap());
        assert_eq!(fs::read_to_string(to.join("f")).unwrap(), "mine");
    }
}
