//! The store, through its public seams: threads, real processes, kills and power failures.
//!
//! Processes are this binary again, told what to do by its environment (`support/child.rs`).

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: they set the scene that the store then acts on"
)]

mod support;

mod catalog;
mod commit;
#[cfg(feature = "failpoints")]
mod crash;
mod gc;
mod history;
mod locks;
mod model;
#[cfg(feature = "failpoints")]
mod power;
mod trees;
mod views;
