//! File data that a later sync of another file makes durable.
//!
//! ext4 and XFS have one journal for the names, sizes and places of all their files, and what is in it reaches the disk in
//! the order in which it happened. So where a file's data is on disk before the file gets its name, a power failure leaves
//! the file whole or leaves no such name; and once anything that happened later has been synced, the file is sure to be
//! there. That takes a wait for the data ([`settle`]), and no journal write of its own, which costs several times as much.
//!
//! It is asked of the file system, once for each: ext4 can be made without a journal, other file systems (btrfs) sync one
//! file without what came before, and on a stack of two (overlayfs) the call that waits reaches only the upper one and
//! says nothing. Where the answer is no, or cannot be had, the file is synced by itself.
//!
//! Held by `tests/failpoints.rs`, and with every power failure on such a disk by `marsh-data`'s `tests/power.rs`.

use std::fs::File;
use std::io;

/// Begins to write the data of `file` out. `false`: that is not enough here, the file has to be synced.
pub(crate) fn begin(file: &File) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        Ok(linux::keeps_order(file) && linux::write_out(file, libc::SYNC_FILE_RANGE_WRITE)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        Ok(false)
    }
}

/// Waits until the data of `file` is on disk. `false`: as for [`begin`].
pub(crate) fn settle(file: &File) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        let all = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        Ok(linux::keeps_order(file) && linux::write_out(file, all)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        Ok(false)
    }
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

    /// Whether the file system of `file` is one whose journal keeps the order of everything.
    pub(super) fn keeps_order(file: &File) -> bool {
        static KNOWN: OnceLock<Mutex<HashMap<Dev, bool>>> = OnceLock::new();
        let Ok(stat) = fstat(file) else { return false };
        let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(stat.st_dev).or_insert_with(|| asked(file, stat.st_dev))
    }

    fn asked(file: &File, dev: Dev) -> bool {
        // Tests of power failure replay what such a file system would have done, wherever they run.
        #[cfg(feature = "failpoints")]
        if let Some(answer) = std::env::var_os("MARSH_FS_ORDERED") {
            return answer == "1";
        }
        let Ok(kind) = fstatfs(file).map(|stat| u64::try_from(stat.f_type).unwrap_or_default()) else {
            return false;
        };
        match kind {
            XFS => true,
            // ext2 and ext3 have the same number, and no such file unless ext4's code serves them.
            EXT4 => has_journal(dev).unwrap_or(false),
            _ => false,
        }
    }

    /// `None`: nobody says.
    fn has_journal(dev: Dev) -> Option<bool> {
        let link = PathBuf::from(format!("/sys/dev/block/{}:{}", major(dev), minor(dev)));
        let device = fs::read_link(link).ok()?;
        let says =
            fs::read_to_string(Path::new("/sys/fs/ext4").join(device.file_name()?).join("journal_task"));
        // The process that writes the journal.
        Some(says.ok()?.trim().parse::<u32>().is_ok())
    }

    /// `false`: not in this kernel.
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
