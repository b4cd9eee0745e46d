//! The installed set of extensions: immutable trees, one commit point, generations, leases, a derived catalog.
//!
//! Invariants, with the tests that hold them:
//!
//! * **The lockfile is the truth.** It changes by one rename, under one lock that every writer takes
//!   ([`Installation::commit`]). Before the rename nothing that a reader sees has changed, after it everything has
//!   (`tests/commit.rs`, and `tests/crash.rs` with kills and errors at every mutation).
//! * **One lock per lockfile, wherever its writers come from**; every waiter gets his turn or hears who is in the way
//!   (`tests/locks.rs`).
//! * **A digest that a commit adds is in the store, whole and leased.** `commit` takes the [`Lease`]s and refuses a
//!   lockfile that names a new digest without one; so no collection can get in between (`tests/commit.rs`, `tests/gc.rs`).
//! * **What has been acknowledged survives a power failure**, and so does all that it needs: the whole way of directories
//!   is synced, also where somebody else made it and did not live to sync it; nothing deleted comes back without its
//!   files (`tests/power.rs`, at every mutation, under the strictest reading of POSIX).
//! * **Trees never change.** A tree is unpacked in private, synced, and published by one rename to the name of its
//!   archive's digest; of several publishers of one digest all succeed (`tests/trees.rs`).
//! * **History tells of every committed state and of no other**; repeated rollbacks go back step by step
//!   (`tests/history.rs`).
//! * **The catalog says what content means, never what is installed.** The active set is computed from the lockfile, so
//!   there are no rows to clean; a catalog that is missing, corrupt, read-only or of another version costs time and never
//!   an answer or an error (`tests/catalog.rs`).
//! * **Readers take no lock.** A [`Snapshot`] is one reading of one file (`tests/commit.rs`).
//! * **Only [`Installation::collect`] deletes trees**, and only those that no lockfile, no generation within the retention
//!   and no lease of a living process names (`tests/gc.rs`).
//! * **Views are links that follow from the lockfile.** Whoever finds them behind derives them again, and whatever others
//!   put in their place is kept (`tests/views.rs`).
//!
//! All of it together, against a model of a few lines: `tests/model.rs`.
//!
//! Lock order: the staging lock (shared by whoever unpacks), then the repair lock (whoever takes an entry away), then the
//! commit lock of a lockfile, then leases, then the views lock. Nobody waits for an earlier one while holding a later
//! one; leases are never waited for.

mod catalog;
mod commit;
mod error;
mod gc;
mod generation;
mod installation;
mod trees;
mod views;

pub use catalog::{Catalog, Facts, Provided};
pub use commit::{CommitError, CommitRequest, Committed};
pub use error::StoreError;
pub use gc::{Collection, Garbage, Retention};
pub use generation::{Change, Generation};
pub use installation::{Installation, Snapshot};
pub use trees::{Lease, Staging, StoredFile, TreeRecord, TreeState, Trees};
pub use views::ViewReport;
