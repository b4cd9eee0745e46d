//! What can go wrong with the store itself.

use std::path::PathBuf;

use marsh_types::lockfile::LockfileError;
use marsh_types::{Digest, ErrorCode, Explain, ExtensionName};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path}: {source}", path = path.display())]
    Lockfile { path: PathBuf, source: LockfileError },
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the set of installed extensions is locked: {0}")]
    Lock(marsh_fs::LockError),
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    /// A lockfile that names what the store does not hold must not be committed; a fault of marsh.
    #[error("{name} cannot be committed: its tree {digest} is not held in the store")]
    NotHeld { name: ExtensionName, digest: Digest },
    #[error("there is no generation {number}; the newest is {newest}")]
    NoGeneration { number: u64, newest: u64 },
    #[error("there is nothing to roll back to: the installed set has no earlier generation")]
    NothingToRollBack,
    #[error("the content of generation {number} is not there any more")]
    GenerationLost { number: u64 },
    #[error("the store's record {path} cannot be understood: {message}", path = path.display())]
    Record { path: PathBuf, message: String },
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
            StoreError::Lock(marsh_fs::LockError::Unsupported { .. }) => ErrorCode::LockUnsupported,
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
                "mend the file by hand (a merge conflict?) or take it from version control; nothing was changed".into(),
            ),
            StoreError::Lock(marsh_fs::LockError::Timeout { .. }) => {
                Some("wait for it to end, or allow a longer wait with `--lock-timeout`".into())
            }
            StoreError::NoGeneration { .. } | StoreError::GenerationLost { .. } => {
                Some("`marsh extension history` lists the generations there are".into())
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
