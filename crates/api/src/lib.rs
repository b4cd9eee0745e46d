//! Every public document of marsh: what commands print with `--json`, what `--events` streams, what the server answers.
//!
//! The command line, the local socket and every later interface send these types and nothing else. A document is a
//! struct that derives `Serialize`, `Deserialize` and `JsonSchema`; its schema is made from the type (`marsh schema`).
//! This crate does no I/O and knows neither terminal nor store.
//!
//! Invariants:
//! * The schemas in `docs/reference/schemas` equal the types (`tests/schemas.rs`). The binary's `tests/it/schemas.rs` runs
//!   most commands, successful and failing, and validates what they print. No test finds a document without a row in
//!   [`schema::DOCUMENTS`].
//! * A field keeps its name and its meaning for as long as scripts may read it; fields are added, never renamed.
//!
//! To add a document: write the struct in the module of its noun, add a row to [`schema::DOCUMENTS`].

#![warn(missing_docs)]

pub mod audit;
pub mod auth;
pub mod checkup;
pub mod data;
pub mod datastore;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod event;
pub mod extension;
pub mod help;
pub mod model;
pub mod preferences;
pub mod publish;
pub mod registry;
pub mod report;
pub mod repository;
pub mod run;
pub mod schema;
pub mod server;
pub mod source;
pub mod telemetry;
pub mod vault;
pub mod workflow;

pub use error::{ErrorDocument, ErrorReport, SourceLocation};
pub use marsh_types::{ErrorClass, ErrorCode};
