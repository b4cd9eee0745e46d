//! Extension code in a repository: where sources are, what they declare, how a type becomes a module version, and how the
//! installed set changes.
//!
//! Invariants:
//! * Declarations are read from the syntax tree of a file and cached under the file's stat; a stat decides nothing while
//!   the file may have changed within one clock tick of the reading (`stat.rs`, tests there).
//! * Freshness is checked at the moment of use: [`Loader::resolve`] compares every input of a bundle before it returns a
//!   module version (the binary's `tests/it/freshness.rs`).
//! * A bundle directory is named by its fingerprint, built in a private directory and published by one rename. Its code
//!   is compared with its recorded digest before a host gets it.
//! * Every file below `.swamp/marsh/v1` is derived; deleting it costs time, never answers.

#![warn(missing_docs)]

mod catalog;
mod description;
mod discover;
pub mod engine;
mod error;
mod installed;
#[expect(missing_docs, reason = "its methods are the operations of the table of kinds, which documents them")]
pub mod kinds;
pub mod lifecycle;
mod load_failure;
mod loader;
pub mod mounts;
mod part;
mod pin;
pub mod publish;
mod source_root;
mod stat;

pub use catalog::{ComputedType, IndexedType, SourceProblem, TypeCatalog, local_problems};
pub use description::{
    ArgumentsDescription, CheckDescription, KindDescription, MethodDescription, ModelDescription,
    OutputDescription, SensitiveField,
};
pub use discover::{kinds_in, source_roots};
pub use error::{LoadError, unsupported_hint};
pub use loader::{
    FailureInputs, LoadFailure, LoadFailureState, LoadOptions, LoadState, Loaded, LoadedModel, Loader,
    LoaderOptions, MethodExtension, OnFailure, Part, in_sources, load_states,
};
pub use pin::Pin;
pub use source_root::SourceRoot;
