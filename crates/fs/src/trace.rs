//! What reaches the disk, and when: a record of every mutation, for tests of power loss.
//!
//! With the feature `failpoints`, the environment variable `MARSH_FS_TRACE` names a file that gets one JSON line for each
//! mutation that has happened, in order. A replay of the lines tells what a disk may hold when the power fails after any
//! of them: names whose directory was not synced may be missing, data that was not synced may be gone. Lock files and
//! SQLite's files are not in the record; what they hold is worth nothing after a restart.
//!
//! Lines: `{"op": "mkdir"|"unlink"|"rmdir"|"rmtree"|"sync_file"|"order_file"|"sync_dir", "path"}`, `{"op": "create"|"append", "path",
//! "hex"}` (`append` adds to what is there, and creates), `{"op": "truncate", "path"}`, `{"op": "rename"|"link", "from",
//! "path"}`, `{"op": "symlink", "path", "target"}`, `{"op": "sync_fs", "path"}` (everything).
//! `order_file` is [`Durability::Ordered`](crate::Durability::Ordered): the data is on disk, and durable with the next sync.
//!
//! Without the feature every function is an inlined nothing.

use std::path::Path;

/// What has happened to `path`, or, with data, with `bytes`.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "failpoints"), expect(dead_code, reason = "nobody listens"))]
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

/// Whether anybody listens, where an argument of [`done`] costs something.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn is_on() -> bool {
    false
}

#[cfg(feature = "failpoints")]
pub(crate) use active::{done, is_on};

#[cfg(feature = "failpoints")]
mod active {
    use std::fmt::Write as _;
    use std::fs::File;
    use std::io::Write as _;
    use std::path::Path;
    use std::sync::OnceLock;

    use serde_json::json;

    use super::Op;

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
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
                // Writing to a string cannot fail.
                write!(text, "{byte:02x}").ok();
                text
            })
        };
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
        // A record with a gap proves nothing: better no process than a wrong proof.
        if file.write_all(line.as_bytes()).is_err() {
            std::process::abort();
        }
    }
}
