//! Directories and names: create, remove, rename, make durable.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Context, FsError};
use crate::failpoint;
use crate::trace::{self, Op};

/// Makes the names in `dir` durable. Expensive (10 ms where a file costs 0.4): once per transaction.
pub fn sync_dir(dir: &Path) -> Result<(), FsError> {
    failpoint::hit("fs.sync_dir").context("sync", dir)?;
    fs::File::open(dir).and_then(|handle| handle.sync_all()).context("sync", dir)?;
    trace::done(dir, Op::SyncDir);
    Ok(())
}

/// Makes the names that lead from `top` to `dir`, and those in `dir`, durable: [`sync_dir`] of each of them, `top`
/// included. Whoever creates a file below directories that may be new, to him or to a process that has not synced them
/// yet, needs the whole way; a directory that has nothing new costs a twentieth of a millisecond. When `dir` is not below
/// `top`, it is synced alone.
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

/// Makes everything in `dirs` durable: the data of all files, and their names. The names of `dirs` themselves are the
/// caller's to sync, in their parents. Many files are cheaper to sync with the whole file system, where there is a call
/// for that (1,000 files: one journal commit in place of 1,000).
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

/// `dir`, its files and its directories; links are names and need no sync of their own.
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

/// Creates `dir` and its missing ancestors; fine when it exists.
pub fn create_dir_all(dir: &Path) -> Result<(), FsError> {
    failpoint::hit("fs.create_dir_all").context("create directory", dir)?;
    fs::create_dir_all(dir).context("create directory", dir)?;
    trace::done(dir, Op::Mkdir);
    Ok(())
}

/// Creates `dir`, whose parent exists. `false`: something of that name existed already. Of several processes that call
/// this at once, one gets `true`.
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

/// `false`: there was no such file.
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

/// Removes the directory if nothing is in it. `false`: it has content, or does not exist.
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
        // What POSIX also allows for "not empty".
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FsError::new("remove", dir, error)),
    }
}

/// Removes from `dir` itself what writers under a lock ([`atomic_write_locked`](crate::atomic_write_locked)) left when they
/// died. Only under the lock that all of them take. Returns how many.
pub fn sweep_leftovers(dir: &Path) -> Result<usize, FsError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(FsError::new("read directory", dir, error)),
    };
    let mut swept = 0;
    let is_left = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(crate::file::is_leftover);
    for entry in entries.flatten().filter(is_left) {
        swept += usize::from(remove_file_if_exists(&entry.path())?);
    }
    Ok(swept)
}

/// Removes `path` and all below it; fine when there is nothing. Links are removed, not followed, and directories that
/// their owner made read-only are opened up first. Not atomic: rename the tree to a private name first where that matters.
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

/// Best effort: what stays closed makes the removal fail with the path that it is about.
fn make_dirs_writable(dir: &Path) {
    let Ok(metadata) = fs::symlink_metadata(dir) else { return };
    if !metadata.is_dir() {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(metadata.permissions().mode() | 0o700)).ok();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        make_dirs_writable(&entry.path());
    }
}

/// Renames within one file system, replacing a file (or an empty directory, by a directory) of the new name.
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    failpoint::hit("fs.rename").context("rename to", to)?;
    fs::rename(from, to).context("rename to", to)?;
    trace::done(to, Op::Rename { from });
    Ok(())
}

/// Renames a directory to a name that nothing has. `false`: the name is taken, be it by an empty directory, and `from`
/// is where it was. Of several processes that race for one name, by this function or by `mkdir`, one wins.
///
/// Where the kernel or the file system has no exclusive rename, the name is claimed by `mkdir` and the claim replaced by
/// rename, so that others may see an empty directory of that name for a moment (or for good, after a crash in between).
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
        // Someone put content into the directory we claimed: it is theirs.
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

/// `None`: this system cannot.
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

    /// The path that systems without an exclusive rename take has the same outcomes.
    #[test]
    fn the_fallback_of_an_exclusive_rename_does_not_clobber() {
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
