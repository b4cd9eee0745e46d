//! The errors of the store.

use std::path::PathBuf;

use marsh_types::lockfile::LockfileError;
use marsh_types::{Digest, ErrorCode, Explain, ExtensionName};

/// An operation on the installed set failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The lockfile is invalid.
    #[error("{path}: {source}", path = path.display())]
    Lockfile {
        /// The lockfile.
        path: PathBuf,
        /// The error, with line and column.
        source: LockfileError,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A lock cannot be taken: another process holds it, or the file system has no locks.
    #[error("cannot lock the installed extensions: {0}")]
    Lock(marsh_fs::LockError),
    /// A file cannot be written.
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    /// The lockfile to commit names a tree without a lease. This is a defect of marsh.
    #[error("cannot commit {name}: its tree {digest} is not leased from the store")]
    NotHeld {
        /// The extension.
        name: ExtensionName,
        /// The tree.
        digest: Digest,
    },
    /// There is no generation of this number.
    #[error("unknown generation {number}: the newest is {newest}")]
    NoGeneration {
        /// The number.
        number: u64,
        /// The number of the newest generation.
        newest: u64,
    },
    /// The set has no earlier generation.
    #[error("cannot roll back: the installed set has no earlier generation")]
    NothingToRollBack,
    /// The record of a generation exists, but its lockfile is missing or damaged.
    #[error("cannot restore generation {number}: its content is missing or damaged")]
    GenerationLost {
        /// The number.
        number: u64,
    },
    /// A record of the store is invalid.
    #[error("invalid record {path} in the store: {message}", path = path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The reason.
        message: String,
    },
}

impl From<marsh_fs::LockError> for StoreError {
    fn from(error: marsh_fs::LockError) -> StoreError {
        match error {
            marsh_fs::LockError::Fs(error) => StoreError::Fs(error),
            other => StoreError::Lock(other),
        }
    }
}

impl Explain for StoreError {
    fn code(&self) -> ErrorCode {
        match self {
            StoreError::Lockfile { .. } => ErrorCode::InvalidLockfile,
            StoreError::Lock(marsh_fs::LockError::Unsupported { .. }) => ErrorCode::LocksUnsupported,
            StoreError::Lock(_) => ErrorCode::LockTimeout,
            StoreError::NotHeld { .. } => ErrorCode::NotInStore,
            StoreError::NoGeneration { .. } | StoreError::GenerationLost { .. } => {
                ErrorCode::NoSuchGeneration
            }
            StoreError::NothingToRollBack => ErrorCode::NothingToRollBack,
            StoreError::Record { .. } => ErrorCode::DamagedStore,
            StoreError::Read { .. } | StoreError::Fs(_) => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            StoreError::Lockfile { .. } => Some(
                "correct the file (it may have a merge conflict) or restore it from version control; nothing was changed"
                    .into(),
            ),
            StoreError::Lock(marsh_fs::LockError::Timeout { .. }) => {
                Some("wait for that process to end, or set a longer wait with `--lock-timeout`".into())
            }
            StoreError::NoGeneration { .. } | StoreError::GenerationLost { .. } => {
                Some("run `marsh extension history` to list the generations".into())
            }
            _ => None,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            StoreError::Lockfile { path, source: LockfileError::Json { line, column, .. } } => {
                Some(serde_json::json!({ "file": path, "line": line, "column": column }))
            }
            StoreError::Lock(marsh_fs::LockError::Timeout { holder, waited, .. }) => {
                Some(serde_json::json!({
                    "holder": holder, "waitedMs": u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
                }))
            }
            _ => None,
        }
    }
}
