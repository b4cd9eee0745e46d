//! Packing extension archives, and unpacking them within limits.
//!
//! Publishing packs an archive, installing unpacks it into a private directory of the store. Invariants:
//!
//! * An archive is untrusted. Every path in it is parsed as a [`RelPath`](marsh_types::RelPath) below `extension/` before
//!   anything is created. Links, devices and all other entries that are not files or directories are refused with an error
//!   code, never skipped (`hostile_archives_are_refused_with_their_codes`).
//! * Limits hold while bytes arrive: an archive that unpacks to a huge size fills neither memory nor disk
//!   (`unpack_of_a_gibibyte_stops_before_reading_half_of_it`).
//! * A refused archive leaves files only in the private directory that the caller gave. The caller removes it.
//! * A bundle has the bytes that the archive's record of bundles states ([`BundlesRecord`]).
//! * Packing is deterministic: the same files give the same bytes, in whatever order they are passed
//!   (`pack_of_the_same_files_gives_the_same_bytes`).
//!
//! Held by `tests/roundtrip.rs`, `tests/hostile.rs` and `tests/property.rs`; `examples/fuzz_unpack.rs` searches for more.

#![warn(missing_docs)]

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
pub use unpack::{ArchiveLimits, Unpacked, UnpackedFile, read_manifest, unpack};

/// The top directory of every archive. Paths in this crate's types are relative to it.
pub const TOP: &str = "extension";
