//! The registry protocol: client, directory registry and archive cache.
//!
//! A [`Registry`] sends requests to a [`Location`]: a directory on this machine, a server, or static files behind a web
//! server. A registry is untrusted: its answers are parsed into typed values ([`protocol`]) before they are used. Invariants:
//!
//! * A registry that does not answer and an extension that does not exist are different errors ([`RegistryError`];
//!   `tests/it/http.rs`: `unreachable_registry_is_not_reported_as_not_found`).
//! * Credentials go only to the registry's own origin, and a redirect never leads from https to http
//!   (`client/redirect.rs`).
//! * A file in the cache has the digest in its name ([`ArchiveCache`], `tests/it/cache.rs`).
//! * If many publish one version, one succeeds ([`directory`], `tests/it/publish.rs`).

#![warn(missing_docs)]

mod cache;
mod client;
mod digest;
pub mod directory;
mod error;
mod location;
pub mod protocol;

pub use cache::ArchiveCache;
pub use client::{ClientOptions, Registry};
pub use directory::init;
pub use error::RegistryError;
pub use location::{Location, LocationError};
pub use protocol::{
    Author, ExtensionInfo, Identity, Promoted, Published, PushMetadata, SearchEntry, SearchPage, SearchQuery,
    SearchSort, VersionInfo,
};
