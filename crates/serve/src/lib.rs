//! `marsh serve`: a long-running server for one repository.
//!
//! The server answers JSON-RPC 2.0, one object per line, on a local socket or on its own standard input and output
//! ([`protocol`]). It calls methods, runs workflows, reloads, tells its state and evicts module versions. If it is asked to, it
//! starts workflows at their times and when a webhook is called (`triggers`).
//!
//! Invariants:
//! * Freshness is asked when a call starts, as a command of its own would ask it. Reloading and watching only make the
//!   answer ready earlier; so nothing that a watcher misses can make a call stale, and a reload is acknowledged when
//!   everything that is loaded has been asked for once more (the binary's `tests/serve/fresh.rs`).
//! * A call finishes on the version that it started with. No call fails because of a reload
//!   (`tests/serve/fresh.rs`, `crates/host-server/tests/versions.rs`).
//! * One server per repository, by a kernel lock; a server that died leaves nothing that stands in the way of the next
//!   (`tests/serve/lifecycle.rs`).
//! * The socket is in a directory that only its owner can enter.
//! * This crate writes to no terminal and reads no environment; both come from the caller.

#![warn(missing_docs)]

mod call_counters;
mod client;
mod clients;
mod connection;
mod error;
mod heap_trimmer;
pub mod protocol;
mod reload;
mod server;
mod service;
mod socket;
mod spool;
mod status;
mod triggers;
mod watch;

pub use client::{Answer, Client};
pub use error::ServeError;
pub use marsh_api::ErrorReport;
pub use server::{Listening, Serving, serve_socket, serve_stdio};
pub use service::Service;
pub use socket::{Endpoint, find as find_server};
pub use triggers::TriggerOptions;
