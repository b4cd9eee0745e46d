//! Vaults store secrets, and this crate keeps secrets out of everything else.
//!
//! * [`Secret`] is a value that cannot be printed, formatted or serialized; only [`Secret::expose`] returns it.
//! * [`Secrets`] knows every secret that entered a run. While a run is prepared, a *sentinel* stands for each secret, a text
//!   without meaning. The value replaces it at the last moment, on the way to the code that needs it, and the output of that
//!   code passes through [`Secrets::redact`].
//! * [`Vault`] is one open vault. A [`VaultProvider`] opens vaults of some types. `local_encryption` is built in; extensions
//!   add types through the same trait.
//! * [`Vaults`] manages the vaults of a repository: configuration files, providers, refreshed secrets, the audit trail.
//!
//! Invariants, and the tests that hold them:
//!
//! * `local_encryption` reads and writes the files of existing repositories (`tests/format.rs` reads files that another
//!   implementation of the same primitives wrote, and the reverse).
//! * A file that holds a secret or a key has mode 0600 from its first instant, in a directory of mode 0700. It appears whole,
//!   and processes that use a new vault at the same time end with the same key (`tests/local.rs`).
//! * The name of a vault or a secret cannot lead out of the vault's directory (`tests/local.rs`).
//! * A value never becomes part of a key (`src/input.rs`).
//! * The cryptography is RustCrypto's: AES-GCM, PBKDF2 and SHA-2.

#![warn(missing_docs)]

mod audit;
mod config;
mod error;
mod input;
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
pub use input::{SecretInput, check_new_key};
pub use local::{LOCAL_ENCRYPTION, LocalEncryption};
pub use provider::{Annotation, RefreshHook, Support, Vault, VaultProvider, VaultType};
pub use redact::{MASK, Piece, RedactedStream, Secrets};
pub use reference::{Reference, render, whole_reference};
pub use secret::Secret;
pub use vaults::{VaultLayout, Vaults};
