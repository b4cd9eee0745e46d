//! A record of every change to the file system, in order, for tests of power loss.
//!
//! With the feature `failpoints`, the environment variable `MARSH_FS_TRACE` names a file that gets one JSON line for each
//! change that has happened. `marsh_testkit::Disk` replays the lines to find the states that a disk may have when the power
//! fails after any of them: names whose directory was not synced may be missing, and data that was not synced may be lost.
//! Lock files and SQLite's files are not recorded, because their content means nothing after a restart.
//!
//! Lines: `{"op": "mkdir"|"unlink"|"rmdir"|"rmtree"|"sync_file"|"order_file"|"sync_dir", "path"}`, `{"op": "create"|"append", "path",
//! "hex"}` (`append` creates a missing file and adds to an existing one), `{"op": "truncate", "path"}`, `{"op":
//! "rename"|"link", "from", "path"}`, `{"op": "symlink", "path", "target"}`, `{"op": "sync_fs", "path"}` (the whole file
//! system). `order_file` is [`Durability::Ordered`](crate::Durability::Ordered): the data is on disk, and the next sync makes
//! it durable.
//!
//! Without the feature every function is inlined and does nothing.

use std::path::Path;

/// A change to a path, with the bytes that were written.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "failpoints"),
    expect(dead_code, reason = "without the feature nothing reads the fields")
)]
pub(crate) enum Op<'a> {
    Mkdir,
    Create(&'a [u8]),
    Append(&'a [u8]),
    Truncate,
    Rename { from: &'a Path },
    Link { from: &'a Path },
    Symlink { target: &'a Path },
    Unlink,
    Rmdir,
    Rmtree,
    SyncFile,
    OrderFile,
    SyncDir,
    SyncFs,
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn done(_path: &Path, _op: Op<'_>) {}

/// Whether changes are recorded. Ask before computing an argument of [`done`] that is expensive.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn is_on() -> bool {
    false
}

#[cfg(feature = "failpoints")]
pub(crate) use active::{done, is_on};

#[cfg(feature = "failpoints")]
mod active {
    use std::fs::File;
    use std::io::Write as _;
    use std::path::Path;
    use std::sync::OnceLock;

    use serde_json::json;

    use super::Op;
    use marsh_types::digest::hex;

    fn trace() -> Option<&'static File> {
        static FILE: OnceLock<Option<File>> = OnceLock::new();
        FILE.get_or_init(|| {
            let path = std::env::var_os("MARSH_FS_TRACE")?;
            std::fs::OpenOptions::new().append(true).create(true).open(path).ok()
        })
        .as_ref()
    }

    pub(crate) fn is_on() -> bool {
        trace().is_some()
    }

    pub(crate) fn done(path: &Path, op: Op<'_>) {
        let Some(mut file) = trace() else { return };
        let line = match op {
            Op::Mkdir => json!({ "op": "mkdir", "path": path }),
            Op::Create(bytes) => json!({ "op": "create", "path": path, "hex": hex(bytes) }),
            Op::Append(bytes) => json!({ "op": "append", "path": path, "hex": hex(bytes) }),
            Op::Truncate => json!({ "op": "truncate", "path": path }),
            Op::Rename { from } => json!({ "op": "rename", "from": from, "path": path }),
            Op::Link { from } => json!({ "op": "link", "from": from, "path": path }),
            Op::Symlink { target } => json!({ "op": "symlink", "path": path, "target": target }),
            Op::Unlink => json!({ "op": "unlink", "path": path }),
            Op::Rmdir => json!({ "op": "rmdir", "path": path }),
            Op::Rmtree => json!({ "op": "rmtree", "path": path }),
            Op::SyncFile => json!({ "op": "sync_file", "path": path }),
            Op::OrderFile => json!({ "op": "order_file", "path": path }),
            Op::SyncDir => json!({ "op": "sync_dir", "path": path }),
            Op::SyncFs => json!({ "op": "sync_fs", "path": path }),
        };
        let line = format!("{line}\n");
        // A record with a gap would make a test of power loss pass wrongly, so the process dies.
        if file.write_all(line.as_bytes()).is_err() {
            std::process::abort();
        }
    }
}
