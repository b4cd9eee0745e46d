//! Derived files, which many processes make at once.

use std::path::Path;
use std::time::Duration;

use marsh_fs::{Durability, FsError, Published, StagedDir};
use serde::Serialize;

pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&marsh_fs::read(path).ok()?).ok()
}

/// Writes a derived file. If the disk refuses it, the next command does the same work again.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) {
    let Some(parent) = path.parent() else { return };
    let Ok(bytes) = serde_json::to_vec(value) else { return };
    let written = marsh_fs::create_dir_all(parent)
        .and_then(|()| marsh_fs::atomic_write(path, &bytes, Durability::Atomic));
    marsh_types::ignore(written, "without this derived file, the next command does its work again");
}

/// How long another process may take to move an incomplete directory away.
const REPAIR_TIMEOUT: Duration = Duration::from_secs(10);

/// Gives a directory its name. A complete directory that has the name already stays, as another process may be about to
/// load it. An incomplete one is moved away under a lock, so that no complete one has taken its place by then. Held by
/// `put_dir_never_removes_a_complete_directory`, and by the `fresh` example with `--alone`.
///
/// # Errors
///
/// The directory cannot be renamed.
pub(super) fn put_dir(
    mut staged: StagedDir,
    dir: &Path,
    is_whole: impl Fn(&Path) -> bool,
) -> Result<Published, FsError> {
    loop {
        match staged.publish_new(dir)? {
            None => return Ok(Published::Here),
            Some(back) => staged = back,
        }
        if is_whole(dir) {
            return Ok(Published::AlreadyThere);
        }
        // Without locks, or when another process keeps this one, the incomplete directory is moved all the same.
        let lock = dir.with_file_name(".repair.lock");
        let _turn = marsh_fs::lock_exclusive(&lock, REPAIR_TIMEOUT, "bundle repair", &mut |_| {}).ok();
        if is_whole(dir) {
            return Ok(Published::AlreadyThere);
        }
        let aside = dir.with_file_name(format!("{}{}", StagedDir::PREFIX, uuid::Uuid::new_v4()));
        match marsh_fs::rename(dir, &aside) {
            Ok(()) => marsh_fs::remove_tree(&aside)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use marsh_fs::{Durability, StagedDir};

    use super::put_dir;

    fn is_whole(dir: &Path) -> bool {
        ["a", "b"].iter().all(|name| std::fs::read(dir.join(name)).is_ok_and(|bytes| bytes == b"whole"))
    }

    fn staged(parent: &Path) -> StagedDir {
        let staged = StagedDir::new(parent).unwrap();
        for name in ["a", "b"] {
            marsh_fs::atomic_write(&staged.path().join(name), b"whole", Durability::Atomic).unwrap();
        }
        staged
    }

    #[test]
    fn put_dir_never_removes_a_complete_directory() {
        let top = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let dir = top.path().join(round.to_string());
            // Every other round begins with an incomplete directory.
            if round % 2 == 0 {
                marsh_fs::create_dir_all(&dir).unwrap();
                marsh_fs::atomic_write(&dir.join("a"), b"torn", Durability::Atomic).unwrap();
            }
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let writers: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            put_dir(staged(top.path()), &dir, is_whole).unwrap();
                            assert!(is_whole(&dir), "after it was put");
                        })
                    })
                    .collect();
                scope.spawn(|| {
                    let mut seen = false;
                    while !done.load(Ordering::Relaxed) {
                        let whole = is_whole(&dir);
                        assert!(whole || !seen, "it was whole before");
                        seen |= whole;
                    }
                });
                writers.into_iter().for_each(|writer| writer.join().unwrap());
                done.store(true, Ordering::Relaxed);
            });
        }
        let left: Vec<_> = std::fs::read_dir(top.path()).unwrap().flatten().collect();
        // The directories, and the lock.
        assert_eq!(left.len(), 51, "no leftovers");
    }
}
