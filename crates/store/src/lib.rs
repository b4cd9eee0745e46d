//! The installed set of extensions: immutable trees, commits of the lockfile, generations, leases, a derived catalog.
//!
//! Installing is: publish a tree ([`Trees`]), lease it ([`Lease`]), commit a lockfile that names it
//! ([`Installation::commit`]), derive the links that show it ([`Installation::derive_views`]). Invariants, with the tests
//! that hold them:
//!
//! * **The lockfile is the truth.** It changes by one rename, under one lock that every writer takes
//!   ([`Installation::commit`]). Before the rename a reader sees the old set, after it the new one (`tests/commit.rs`, and
//!   `tests/crash.rs` with kills and errors at every step).
//! * **Each lockfile has one lock**, which all its writers take, whatever directory they start from. Every waiting process
//!   gets the lock or an error that names the holder (`tests/locks.rs`).
//! * **A digest that a commit adds is in the store, whole and leased.** `commit` takes the [`Lease`]s and refuses a
//!   lockfile that names a new digest without one, so a collection cannot delete the tree in between (`tests/commit.rs`,
//!   `tests/gc.rs`).
//! * **An acknowledged commit survives a power failure**, and so do the trees that it needs. All directories on the way are
//!   synced, even those that another process created and died before syncing. A deleted tree does not come back without its
//!   files (`tests/power.rs`, at every step, under the strictest reading of POSIX).
//! * **Trees never change.** A tree is unpacked in private, synced, and published by one rename to the name of its
//!   archive's digest. If several processes publish one digest, all succeed (`tests/trees.rs`).
//! * **The history lists every committed state and no other.** Repeated rollbacks go back step by step
//!   (`tests/history.rs`).
//! * **The catalog records the content of trees, never what is installed.** The installed set is computed from the lockfile,
//!   so the catalog has no rows to clean. A catalog that is missing, corrupt, read-only or of another version costs time,
//!   but every answer stays right and no command fails (`tests/catalog.rs`).
//! * **Readers take no lock.** A [`Snapshot`] is one reading of one file (`tests/commit.rs`).
//! * **Only [`Installation::collect`] deletes trees**, and only those that no lockfile, no kept generation and no lease of a
//!   living process names (`tests/gc.rs`).
//! * **Views are links that follow from the lockfile.** A command that finds them out of date derives them again. Files and
//!   directories that others put in their place are kept (`tests/views.rs`).
//!
//! `tests/model.rs` compares any sequence of operations with a simple model.
//!
//! Lock order: the staging lock (shared, by processes that unpack), then the repair lock (taken to remove an entry), then the
//! commit lock of a lockfile, then leases, then the views lock. A process never waits for an earlier one while it holds a
//! later one, and never waits for leases.

#![warn(missing_docs)]

mod catalog;
mod commit;
mod dirs;
mod error;
mod gc;
mod generation;
mod installation;
mod snapshot;
mod trees;
mod views;

pub use catalog::{Facts, Provided, StoreCatalog};
pub use commit::{CommitError, CommitRequest, Committed};
pub use error::StoreError;
pub use gc::{Collection, Garbage, GenerationRetention};
pub use generation::{Change, Generation};
pub use installation::Installation;
pub use snapshot::Snapshot;
pub use trees::{Lease, Staging, StoredFile, TreeRecord, TreeState, Trees};
pub use views::ViewReport;
