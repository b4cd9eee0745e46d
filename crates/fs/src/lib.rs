//! Atomic writes, staged directories and locks: the only crate that changes the file system.
//!
//! A lint keeps every other crate from changing files (`clippy.toml`, `disallowed-methods`), so that each guarantee is
//! proven once, here:
//!
//! * **A file is replaced as a whole.** [`atomic_write`] writes a private sibling and renames it. A reader sees the old
//!   bytes or the new ones, and a writer that dies leaves at most a dot file (`tests/atomic.rs`).
//! * **A directory is published as a whole.** [`StagedDir`] is filled in private and appears by one rename. Two processes
//!   that publish the same name both end with a complete directory (`tests/staging.rs`).
//! * **The caller asks for durability.** [`Durability::Synced`] makes a file's data durable before its name appears. The
//!   caller makes the *name* durable with [`sync_dir`], once per transaction, because that costs twenty-five times as
//!   much. [`Durability::Ordered`] leaves even the data to that one sync, where the file system's journal allows it
//!   (`order.rs`).
//! * **Locks are kernel locks on an open descriptor** ([`lock_exclusive`]). The kernel frees them when the process ends,
//!   lock files are never unlinked, and every wait is bounded and can name the process that holds the lock
//!   (`tests/lock.rs`).
//! * **Every change passes a named [`failpoint`]**, so that tests can kill a real binary at each of them
//!   (`tests/failpoints.rs`), and is recorded when a test of power loss asks for it (`trace.rs`).
//!
//! * **A read of a file that others left is bounded and never blocks** ([`read`](read())): no pipe, device or file of holes
//!   stops the reader (`read.rs`).

#![warn(missing_docs)]
#![expect(clippy::disallowed_methods, reason = "the lint sends every other crate to this one")]

mod dir;
mod error;
pub mod failpoint;
mod file;
mod growing;
mod lock;
mod order;
mod path;
mod read;
mod staged;
mod trace;

pub use dir::{
    create_dir_all, create_dir_new, remove_dir_if_empty, remove_file_if_exists, remove_tree, rename,
    rename_dir_new, sync_dir, sync_trees, sync_way,
};
pub use error::FsError;
pub use file::symlink_atomic;
pub use file::{
    Durability, LogFile, NewFile, Settling, append, atomic_write, atomic_write_locked, atomic_write_new,
    atomic_write_new_private, atomic_write_private, copy_file, is_leftover, remove_leftover, set_mode,
    sweep_leftovers,
};
pub use growing::{GrowingFile, GrowingSync};
pub use lock::{
    Holder, LockError, LockFile, lock_exclusive, lock_existing_shared, lock_latch, lock_shared,
    try_lock_exclusive, try_lock_existing_exclusive,
};
pub use path::{UnsafePath, safe_join};
pub use read::{MAX_FILE, open_own, open_regular, read, read_own, read_own_to_string, read_to_string};
pub use staged::{Published, StagedDir};
