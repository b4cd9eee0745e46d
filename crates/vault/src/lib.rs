//! Vaults: where secrets are kept, and how they are kept out of everything else.
//!
//! * [`Secret`] is a value that cannot be printed, formatted or serialised; only [`Secret::expose`] gives it away.
//! * [`Secrets`] knows every secret that entered a run. While a run is prepared, a secret is a *sentinel*, a text that
//!   means nothing; it becomes the value at the last moment, on the way to the code that needs it. Whatever comes back
//!   from that code goes through [`Secrets::redact`].
//! * [`Vault`] is one open vault, [`VaultProvider`] what opens vaults of some types. `local_encryption` is built in;
//!   vaults of extensions join through the same trait.
//! * [`Vaults`] is all the vaults of a repository: configuration files, providers, the refreshing of values, the audit.
//!
//! Invariants, and the tests that hold them:
//!
//! * The files of `local_encryption` are those of existing repositories, byte for byte of the format
//!   (`tests/format.rs`: files made from its description by another implementation of the same primitives are read, and
//!   the reverse).
//! * A file that holds a secret or a key is 0600 from its first instant, in a directory that is 0700; it appears whole,
//!   and of many first users of a vault all end with the same key (`tests/local.rs`).
//! * No name of a vault or a key leaves the vault's directory (`tests/local.rs`).
//! * No cryptography is written here: AES-GCM, PBKDF2 and SHA-2 are those of RustCrypto.

mod audit;
mod config;
mod error;
mod local;
mod provider;
mod redact;
mod reference;
mod refresh;
mod secret;
mod ssh;
mod vaults;

pub use audit::{Action, Audit, AuditEntry, AuditQuery};
pub use config::{ConfigStore, VaultConfig};
pub use error::VaultError;
pub use local::{LOCAL_ENCRYPTION, LocalEncryption};
pub use provider::{Annotation, RefreshHook, Support, Vault, VaultProvider, VaultType};
pub use redact::{MASK, Piece, RedactedStream, Secrets};
pub use reference::{Reference, render, whole_reference};
pub use secret::Secret;
pub use vaults::{VaultLayout, Vaults};
