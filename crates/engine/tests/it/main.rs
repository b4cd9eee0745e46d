//! The engine as its callers see it, by topic. (`tests/lifecycle.rs` watches the whole process and is on its own.)
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and prepare files that marsh does not own"
)]

mod bytecode;
mod calls;
mod common;
mod crypto;
mod deno_command;
mod deno_files;
mod deno_io;
mod fetch;
mod limits;
mod locale;
mod node;
mod node_io;
mod serve;
mod server;
mod source;
mod sqlite;
mod stack;
mod streams;
mod wasm;
mod web;
mod websocket;
mod wrapper;
