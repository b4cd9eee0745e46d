//! Prefetching: several threads read the state of every directory that the catalog knows.
//!
//! It precedes the comparison, which is one walk. Each directory is read by its name in its parent, so the kernel resolves the
//! parent's path once for all children. The walk reads what fails here again, and reports why.

use std::path::Path;

use super::tree::Known;

/// Below so many directories threads cost more than they save.
const FEW: usize = 1000;

pub(super) fn prefetch(root: &Path, known: &mut Known) {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let mut parents = Vec::new();
    if let Some(at) = known.root {
        unix::parents(known, at, root.to_owned(), &mut parents);
    }
    let next = AtomicUsize::new(0);
    let look = |known: &Known| {
        let mut looked = Vec::new();
        while let Some((path, children)) = parents.get(next.fetch_add(1, Ordering::Relaxed)) {
            unix::look(known, path, children, &mut looked);
        }
        looked
    };
    let shared: &Known = known;
    let threads = if shared.dirs.len() < FEW { 1 } else { super::rows::READERS };
    let looked = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| look(shared))).collect();
        let mut looked = look(shared);
        // What a thread that panicked has not said, the walk finds.
        looked.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
        looked
    });
    for (at, stamp) in looked {
        if let Some(dir) = known.dirs.get_mut(at) {
            dir.looked = Some(stamp);
        }
    }
}

mod unix {
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, statat};

    use super::Known;
    use crate::catalog::tree::Stamp;

    /// A directory that is only passed through need not be readable.
    #[cfg(target_os = "linux")]
    const WAY: OFlags = OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    const WAY: OFlags = OFlags::RDONLY;

    /// Directories that hold directories which the catalog knows, and which those are.
    pub(super) fn parents(known: &Known, at: usize, path: PathBuf, out: &mut Vec<(PathBuf, Vec<usize>)>) {
        let Some(dir) = known.dirs.get(at) else { return };
        let Some(children) = known.by_parent.get(&dir.id) else { return };
        for child in children {
            if let Some(dir) = known.dirs.get(*child)
                && !dir.holder
            {
                parents(known, *child, path.join(&dir.name), out);
            }
        }
        out.push((path, children.clone()));
    }

    pub(super) fn look(known: &Known, path: &Path, children: &[usize], out: &mut Vec<(usize, Stamp)>) {
        let Ok(parent) = open(path, WAY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) else { return };
        for at in children {
            let Some(dir) = known.dirs.get(*at) else { continue };
            let Ok(stat) = statat(&parent, dir.name.as_str(), AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                out.push((*at, Stamp::of_stat(&stat)));
            }
        }
    }
}
