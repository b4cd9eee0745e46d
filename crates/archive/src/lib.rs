//! Extension archives: packed, and unpacked within limits.
//!
//! Invariants:
//! * An archive is hostile until it is unpacked. Every path in it is a [`RelPath`](marsh_types::RelPath) below
//!   `extension/` before anything is created; links, devices and everything else that is no file or directory are refused
//!   by code, never passed over.
//! * Limits hold while bytes arrive: a bomb fills neither memory nor disk.
//! * What was refused leaves nothing but the private directory that the caller gave, which is the caller's to remove.
//! * A bundle is what the archive's record of bundles says, byte for byte ([`BundlesRecord`]).
//! * Packing is deterministic: the same files make the same bytes, whatever order they come in.
//!
//! Held by `tests/roundtrip.rs`, `tests/hostile.rs` and `tests/property.rs`; `examples/fuzz_unpack.rs` looks for more.

mod bundles;
mod digest;
mod error;
mod extended;
mod names;
mod pack;
pub mod rules;
mod unpack;

pub use bundles::{
    BUNDLES, BUNDLES_FORMAT, BundlesRecord, ShippedBundle, ShippedExternal, ShippedFile, ShippedPackage,
};
pub use digest::{digest_dir, files_checksum};
pub use error::ArchiveError;
pub use pack::{PackEntry, Packed, Source, pack};
pub use unpack::{Limits, Unpacked, UnpackedFile, read_manifest, unpack};

/// The one top directory of an archive.
pub const TOP: &str = "extension";
