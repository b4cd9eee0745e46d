//! Directories and versions, as the catalog knows them and as a scan finds them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use super::{CatalogError, Refreshed};
use crate::DataError;
use crate::read::found;

/// How old a directory's last change must be before its listing is trusted. File systems keep times in steps.
pub const SETTLING: Duration = Duration::from_secs(2);

/// The root's id.
pub(super) const ROOT: i64 = 0;

/// Distinguishes the states of a directory. Programs can set neither field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub inode: i64,
    /// Nanoseconds since 1970.
    pub changed: i64,
}

impl Stamp {
    /// `None`: there is no such directory.
    pub fn of(path: &Path) -> Result<Option<Stamp>, DataError> {
        let Some(metadata) = found(path, std::fs::symlink_metadata(path))? else { return Ok(None) };
        if !metadata.is_dir() {
            return Ok(None);
        }
        use std::os::unix::fs::MetadataExt as _;
        let changed = metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
        Ok(Some(Stamp { inode: metadata.ino().cast_signed(), changed }))
    }

    /// [`Stamp::of`] for the result of a system call on a directory.
    pub(super) fn of_stat(stat: &rustix::fs::Stat) -> Stamp {
        let seconds = stat.st_ctime;
        // Its type differs between systems.
        let nanoseconds = i64::try_from(stat.st_ctime_nsec).unwrap_or(0);
        Stamp {
            inode: stat.st_ino.cast_signed(),
            changed: seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
        }
    }

    pub(super) fn is_settled(self, now: SystemTime) -> bool {
        let age = nanos(now).saturating_sub(self.changed);
        age > i64::try_from(SETTLING.as_nanos()).unwrap_or(i64::MAX)
    }
}

pub(super) fn nanos(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// A directory above versions.
#[derive(Debug, Clone)]
pub struct Dir {
    pub id: i64,
    pub parent: i64,
    pub name: String,
    pub stamp: Stamp,
    /// Its listing can be trusted as long as the stamp is the same.
    pub settled: bool,
    /// It holds versions: it is the directory of a name.
    pub holder: bool,
    /// What it is now, where that was looked at ahead (`prefetch.rs`).
    pub looked: Option<Stamp>,
}

/// The directories in the catalog.
#[derive(Debug, Default)]
pub struct Known {
    pub(super) dirs: Vec<Dir>,
    pub(super) by_parent: HashMap<i64, Vec<usize>>,
    pub(super) root: Option<usize>,
    pub(super) next: i64,
}

impl Known {
    pub fn load(connection: &Connection) -> Result<Known, CatalogError> {
        let mut known = Known { next: 1, ..Known::default() };
        let mut statement = connection
            .prepare("SELECT id, parent, name, inode, changed, settled, holder FROM dirs ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let dir = Dir {
                id: row.get(0)?,
                parent: row.get(1)?,
                name: row.get(2)?,
                stamp: Stamp { inode: row.get(3)?, changed: row.get(4)? },
                settled: row.get(5)?,
                holder: row.get(6)?,
                looked: None,
            };
            known.next = known.next.max(dir.id + 1);
            let at = known.dirs.len();
            if dir.id == ROOT {
                known.root = Some(at);
            } else {
                known.by_parent.entry(dir.parent).or_default().push(at);
            }
            known.dirs.push(dir);
        }
        Ok(known)
    }

    pub(super) fn children(&self, id: i64) -> impl Iterator<Item = &Dir> {
        self.by_parent.get(&id).into_iter().flatten().filter_map(|at| self.dirs.get(*at))
    }
}

/// The directory of a name.
#[derive(Debug)]
pub struct VersionDirectory {
    pub dir: i64,
    pub type_path: String,
    pub model_id: String,
    pub name: String,
    pub path: PathBuf,
}

/// A version to read, if it is one.
#[derive(Debug)]
pub struct Version {
    pub place: Arc<VersionDirectory>,
    pub number: u32,
    /// `None`: the reader determines it.
    pub stamp: Option<Stamp>,
}

/// The differences.
#[derive(Debug, Default)]
pub struct Seen {
    /// New, or with another stamp.
    pub dirs: Vec<Dir>,
    /// Directories that are gone, with everything below them.
    pub gone: Vec<i64>,
    pub versions: Vec<Version>,
    /// Versions that are gone or replaced.
    pub stale: Vec<(i64, u32)>,
    /// Names whose versions changed.
    pub touched: Vec<i64>,
    pub listed: usize,
    pub read: usize,
    pub damaged: usize,
}

impl Seen {
    pub fn is_unchanged(&self) -> bool {
        self.dirs.is_empty() && self.gone.is_empty() && self.versions.is_empty() && self.stale.is_empty()
    }

    pub fn refreshed(&self) -> Refreshed {
        Refreshed { rebuilt: false, read: self.read, listed: self.listed, damaged: self.damaged }
    }
}
