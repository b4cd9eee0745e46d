//! Telling "unchanged" from a file's metadata, with git's rule for racy time stamps.
//!
//! Size, modification time, change time and inode together notice every edit that moves the clock: tools that restore
//! the modification time cannot restore the change time, and an atomic save brings a new inode. What they cannot
//! notice is a second edit within the clock's granularity of the first reading. So a reading is trusted only when the
//! file had been quiet for a while before it; a file touched later than that is read again.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The coarsest time stamps in use (FAT) step by two seconds.
const GRANULARITY_NS: u64 = 2_000_000_000;

/// What a file looked like. `None` fields never occur on Unix; elsewhere they make the stat less sharp, not wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    size: u64,
    modified_ns: u64,
    changed_ns: u64,
    inode: u64,
}

impl Stat {
    /// The stat of a regular file, links followed; `None` when there is none or it cannot be read.
    pub fn of(path: &Path) -> Option<Stat> {
        let metadata = std::fs::metadata(path).ok()?;
        if !metadata.is_file() {
            return None;
        }
        Some(Stat::from_metadata(&metadata))
    }

    pub fn from_metadata(metadata: &std::fs::Metadata) -> Stat {
        use std::os::unix::fs::MetadataExt as _;
        let ns = |seconds: i64, nanos: i64| {
            u64::try_from(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)).unwrap_or(0)
        };
        Stat {
            size: metadata.len(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Whether a reading made at `read_at_ns` saw the last change that this stat can tell apart.
    pub fn was_quiet_at(&self, read_at_ns: u64) -> bool {
        self.modified_ns.max(self.changed_ns).saturating_add(GRANULARITY_NS) < read_at_ns
    }
}

/// Now, in nanoseconds since the epoch.
pub fn now_ns() -> u64 {
    nanos(SystemTime::now())
}

fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Stat, now_ns};

    #[test]
    fn a_fresh_file_is_not_trusted_and_an_old_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ts");
        marsh_fs::atomic_write(&path, b"1", marsh_fs::Durability::Atomic).unwrap();
        let stat = Stat::of(&path).unwrap();
        assert!(!stat.was_quiet_at(now_ns()));
        assert!(stat.was_quiet_at(now_ns() + 3_000_000_000));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an edit in place, as careless tools make it")]
    fn restoring_the_modification_time_does_not_hide_an_edit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ts");
        std::fs::write(&path, "one").unwrap();
        let (before, read_at) = (Stat::of(&path).unwrap(), now_ns());
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        // Same file, same size, same modification time: only the change time can tell, or the doubt about a young file.
        std::fs::write(&path, "two").unwrap();
        std::fs::File::open(&path).unwrap().set_modified(modified).unwrap();
        let after = Stat::of(&path).unwrap();
        assert!(after != before || !after.was_quiet_at(read_at), "{before:?} {after:?}");
    }

    #[test]
    fn a_directory_or_nothing_has_no_stat() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Stat::of(dir.path()).is_none());
        assert!(Stat::of(&dir.path().join("none")).is_none());
    }
}
