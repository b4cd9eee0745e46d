//! The registry protocol: client, directory registry and archive cache.
//!
//! [`Registry`] asks a [`Location`]: a directory on this machine, a server, or static files behind a web server.
//! Everything a registry says is hostile until it has become a typed value ([`protocol`]).
//!
//! * "Unreachable" is never "not found" ([`RegistryError`]; `tests/it/http.rs`).
//! * Credentials go to the registry's own origin only, and https never becomes http (`client/redirect.rs`).
//! * Bytes never appear under a digest they do not have ([`ArchiveCache`], `tests/it/cache.rs`).
//! * Of many publishers of one version one wins ([`directory`], `tests/it/publish.rs`).

mod cache;
mod client;
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
