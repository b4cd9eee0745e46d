//! Everything that needs more than one module of the crate. One binary, because each one links the bundler.

#![expect(clippy::disallowed_methods, reason = "scratch trees are written without ceremony")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]

mod bundle;
#[path = "../../src/parse/constructs.rs"]
mod constructs;
mod declarations;
mod diagnostics;
mod graph;
mod jsr;
mod nesting;
mod npm;
mod registry;
mod remote;
mod scratch;
mod web;
mod worker;
