//! The host: the process that runs extension code.
//!
//! The main thread only reads requests, so `cancel` and the end of input are seen while extension code runs. Each module
//! version has a runtime on a thread of its own (`engine`). One watchdog thread holds every deadline. The shim
//! (`src/shim`) is the JavaScript between a module and its calls: contracts, validation, the context object.
//!
//! The protocol runs over a channel that extension code cannot open (`channel`). When the channel ends, the parent is
//! gone or wants the host to end: runtimes are closed, which kills the processes that their extensions started.
//!
//! # Invariants
//!
//! * One module URL is one module version: the same URL is never evaluated twice while a healthy runtime for it exists
//!   (`tests/versions.rs`). That the engine keeps URLs apart that differ only in `?fp=` is tried before a host takes
//!   calls (`identity`).
//! * Nothing that leaves the host exceeds the protocol's limits: a result counts against the call's output limit, a
//!   request's payload has a limit, and JSON has limits of depth and of values (`tests/limits.rs`).

#![warn(missing_docs)]

mod channel;
mod deno;
mod engine;
mod engines;
mod identity;
mod memory;
mod module_cache;
mod modules;
mod output;
mod quickjs;
mod server;
mod shim;
#[cfg(test)]
mod shim_tests;
mod watchdog;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use server::main;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked while holding one of these locks left plain collections behind; they stay usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
