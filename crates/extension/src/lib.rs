//! Extension code in a repository: where sources are, what they declare, and how a type becomes a module version.
//!
//! Invariants:
//! * What a file declares is read from its syntax tree and cached by the file's stat; a stat never decides when the
//!   file may have changed within one clock tick of the reading (`stat.rs`, tests there).
//! * Freshness is asked at the moment of use: `Loader::resolve` compares every input of the bundle before it hands out
//!   a module version (the binary's `tests/it/freshness.rs`).
//! * A bundle directory is named by its fingerprint, built in a private directory and published by one rename. Its
//!   code is checked against its recorded digest before it is handed to a host.
//! * Everything written here is derived; deleting it costs time, never answers.

mod catalog;
mod description;
mod discover;
mod error;
mod installed;
pub mod kinds;
pub mod lifecycle;
mod loader;
pub mod mounts;
mod pin;
pub mod publish;
mod stat;

pub use catalog::{ComputedType, IndexedType, SourceProblem, TypeCatalog, local_problems};
pub use description::{
    ArgumentsDescription, CheckDescription, KindDescription, MethodDescription, ModelDescription,
    OutputDescription, SensitiveField,
};
pub use discover::{SourceRoot, kinds_in, source_roots};
pub use error::LoadError;
pub use loader::{
    LoadFailure, LoadFailureState, LoadOptions, LoadState, Loaded, LoadedModel, Loader, LoaderOptions,
    MethodExtension, OnFailure, in_sources, load_states,
};
pub use pin::Pin;
