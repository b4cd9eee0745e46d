//! Names, versions, kinds, manifests, lockfiles and error codes: the types that every other crate shares.
//!
//! This crate does no I/O and reads neither clock nor environment. Every other crate may depend on it.
//!
//! A value of one of its types is valid by construction: a `TypeName`, `ExtensionName`, `CalVer`, `Digest`, `RelPath`,
//! `DefinitionName` or `WorkflowName` exists only if its parser accepted the text (the unit tests are beside each parser).

#![warn(missing_docs)]

pub mod calver;
pub mod channel;
pub mod code;
pub mod diagnostic;
pub mod digest;
pub mod engine;
pub mod explain;
mod ignore;
pub mod kind;
pub mod lockfile;
pub mod manifest;
pub mod names;
pub mod near;
pub mod rel_path;
pub mod requirement;
pub mod retry;
pub mod time;
pub mod yaml;

pub use calver::CalVer;
pub use channel::Channel;
pub use code::{ErrorClass, ErrorCode};
pub use diagnostic::{Diagnostic, DiagnosticCode};
pub use digest::{Digest, DigestWriter};
pub use engine::{EngineError, EngineKind};
pub use explain::Explain;
pub use ignore::ignore;
pub use kind::{KINDS, Kind, KindOperation, KindSpec, Origin};
pub use lockfile::{LockEntry, Lockfile};
pub use manifest::{Manifest, ManifestError};
pub use names::{DefinitionName, ExtensionName, NameError, TypeName, WorkflowName};
pub use rel_path::RelPath;
pub use requirement::{ExtensionRef, Requirement};
pub use retry::RetryClass;
