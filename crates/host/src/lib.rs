//! Host processes: the children that run extension code, and the protocol spoken with them.
//!
//! A host is the same binary under a hidden subcommand. The parent (`supervisor`) starts it, sends requests and serves
//! what extension code asks of its context; the child (`server`) keeps one engine runtime per module version.
//!
//! Invariants:
//! * Extension code runs in a host process only; the process that owns data and locks never evaluates it. Nothing in
//!   `supervisor` or `protocol` depends on the engine.
//! * Every request ends: with an answer, at its deadline, or because the host died. A deadline missed means abort
//!   signal, then interrupt, then kill (`tests/host.rs`).
//! * A host that dies takes its own calls and nothing else; what its extensions started dies with it: by the process
//!   groups it told of, and on Linux by the session it leads (`tests/host.rs`: `children_of_a_killed_host_die`; the
//!   binary's `tests/it/processes.rs`).
//! * One module URL is one module version: the child never evaluates the same URL twice while a healthy runtime for it
//!   exists (`tests/versions.rs`). That an engine keeps URLs apart that differ only in `?fp=` is tried before a host
//!   takes calls (`server/identity.rs`).
//! * A version that was superseded goes with its last call, and nothing of it stays: its runtime, its thread, its heap
//!   (`tests/versions.rs`). What is idle is kept within `supervisor::Retention`.

pub mod error;
pub mod protocol;
pub mod server;
pub mod supervisor;

pub use marsh_engine::allocator;

pub use error::{CallError, ErrorKind, HostError};
pub use protocol::{External, HostStats, Limits, ModuleRef, ModuleState, ModuleStats};
pub use supervisor::{
    Call, CallbackError, Callbacks, CancelToken, Host, HostCommand, HostStatus, Hosts, Line, Place,
    Retention, Ticket,
};

/// The hidden subcommand under which the binary becomes a host.
pub const SUBCOMMAND: &str = "__host";
