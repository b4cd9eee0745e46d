//! [`Durability::Ordered`](crate::Durability::Ordered): file data that a later sync of another file makes durable.
//!
//! ext4 and XFS have one journal for the names, sizes and locations of all their files, and journal entries reach the disk
//! in the order of the changes. So if a file's data is on disk before the file gets its name, a power failure leaves the
//! whole file or no file of that name. Once a later change has been synced, the file is on disk too. This takes a wait for
//! the data ([`settle`]) and no journal write of its own, which costs several times as much.
//!
//! Not every file system keeps that order: ext4 can be made without a journal, btrfs syncs one file without the changes
//! before it, and on overlayfs the call that waits reaches only the upper file system and reports no error. So marsh checks
//! each file system once. If it does not keep the order, or the check fails, each file is synced by itself.
//!
//! Held by `tests/failpoints.rs` (`ordered_write_is_settled_or_synced_before_the_rename`), and for every power failure on
//! such a disk by `marsh-data`'s `tests/power.rs`.

use std::fs::File;
use std::io;

/// Begins to write the data of `file` out. Returns `false` if the file system does not keep the order: the file must be
/// synced.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux can order writes"))]
pub(crate) fn begin(file: &File) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        Ok(linux::keeps_order(file) && linux::write_out(file, libc::SYNC_FILE_RANGE_WRITE)?)
    }
    #[cfg(not(target_os = "linux"))]
    Ok(false)
}

/// Waits until the data of `file` is on disk. Returns `false` as [`begin`] does.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux can order writes"))]
pub(crate) fn settle(file: &File) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        let all = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        Ok(linux::keeps_order(file) && linux::write_out(file, all)?)
    }
    #[cfg(not(target_os = "linux"))]
    Ok(false)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::fs::{self, File};
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, OnceLock, PoisonError};

    use rustix::fs::{Dev, fstat, fstatfs, major, minor};

    const EXT4: u64 = 0xEF53;
    const XFS: u64 = 0x5846_5342;

    /// Whether the file system of `file` has a journal that keeps the order of all changes.
    pub(super) fn keeps_order(file: &File) -> bool {
        static KNOWN: OnceLock<Mutex<HashMap<Dev, bool>>> = OnceLock::new();
        let Ok(stat) = fstat(file) else { return false };
        let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(stat.st_dev).or_insert_with(|| check(file, stat.st_dev))
    }

    fn check(file: &File, dev: Dev) -> bool {
        // Tests of power failure simulate such a file system on any machine.
        #[cfg(feature = "failpoints")]
        if let Some(answer) = std::env::var_os("MARSH_FS_ORDERED") {
            return answer == "1";
        }
        let Ok(kind) = fstatfs(file).map(|stat| u64::try_from(stat.f_type).unwrap_or_default()) else {
            return false;
        };
        match kind {
            XFS => true,
            // ext2 and ext3 have the same number; they have a journal file here only if ext4's code serves them.
            EXT4 => has_journal(dev).unwrap_or(false),
            _ => false,
        }
    }

    /// Whether the ext4 file system on this device has a journal; `None` if the kernel does not say.
    fn has_journal(dev: Dev) -> Option<bool> {
        let link = PathBuf::from(format!("/sys/dev/block/{}:{}", major(dev), minor(dev)));
        let device = fs::read_link(link).ok()?;
        let task =
            fs::read_to_string(Path::new("/sys/fs/ext4").join(device.file_name()?).join("journal_task"));
        // The file holds the id of the process that writes the journal.
        Some(task.ok()?.trim().parse::<u32>().is_ok())
    }

    /// Calls `sync_file_range` for the whole file. Returns `false` if the kernel does not have the call.
    pub(super) fn write_out(file: &File, how: libc::c_uint) -> io::Result<bool> {
        let whole_file = 0;
        loop {
            // SAFETY: the call takes four integers and no memory of ours; the descriptor is open as long as `file` is.
            if unsafe { libc::sync_file_range(file.as_raw_fd(), 0, whole_file, how) } == 0 {
                return Ok(true);
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::ENOSYS | libc::EINVAL | libc::ESPIPE) => return Ok(false),
                _ => return Err(error),
            }
        }
    }
}
