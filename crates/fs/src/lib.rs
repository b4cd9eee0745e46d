//! The only crate that mutates the file system.
//!
//! Everything else is kept out by lint (`clippy.toml`, `disallowed-methods`), so that each guarantee is argued once:
//!
//! * **A file is replaced as a whole.** [`atomic_write`] writes a private sibling and renames it; a reader sees the old
//!   bytes or the new ones, and a writer that dies leaves at most a dot file (`tests/atomic.rs`).
//! * **A directory is published as a whole.** [`StagedDir`] is filled in private and appears by one rename; two
//!   publishers of one name both come out with a complete directory (`tests/staging.rs`).
//! * **Durability is asked for, not assumed.** [`Durability::Synced`] makes file data durable before its name appears;
//!   the one [`sync_dir`] that makes the *name* durable belongs to the caller, once per transaction, because it costs
//!   twenty-five times as much. [`Durability::Ordered`] leaves even the data to that one sync, where the file system's
//!   journal allows it (`order.rs`).
//! * **Locks are kernel locks on an open descriptor** ([`lock_exclusive`]): the kernel frees them with the process, lock
//!   files are never unlinked, every wait is bounded and can say whom it waits for (`tests/lock.rs`).
//! * **Every mutation passes a named [`failpoint`]**, so that the crash driver can stop a real binary at each of them
//!   (`tests/failpoints.rs`), and is recorded when a test of power loss asks for it (`trace.rs`).
//!
//! Reading needs no crate: use `std::fs`.

#![expect(clippy::disallowed_methods, reason = "this is the crate that the ban points to")]

mod dir;
mod error;
pub mod failpoint;
mod file;
mod growing;
mod lock;
mod order;
mod path;
mod staged;
mod trace;

pub use dir::{
    create_dir_all, create_dir_new, remove_dir_if_empty, remove_file_if_exists, remove_tree, rename,
    rename_dir_new, sweep_leftovers, sync_dir, sync_trees, sync_way,
};
pub use error::FsError;
pub use file::symlink_atomic;
pub use file::{
    Durability, LogFile, NewFile, Settling, append, atomic_write, atomic_write_locked, atomic_write_new,
    atomic_write_new_private, atomic_write_private, copy_file, is_leftover, remove_leftover, set_mode,
};
pub use growing::{GrowingFile, GrowingSync};
pub use lock::{
    Holder, LockError, LockFile, lock_exclusive, lock_existing_shared, lock_latch, lock_shared,
    try_lock_exclusive, try_lock_existing_exclusive,
};
pub use path::{UnsafePath, safe_join};
pub use staged::{Published, StagedDir};
