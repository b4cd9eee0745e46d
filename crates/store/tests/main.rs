//! Tests of the store through its public functions, with threads, processes, kills and power failures.
//!
//! A child process is this test binary, which reads its task from the environment (`support/child.rs`).

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "these tests create the files that the store then works on"
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
