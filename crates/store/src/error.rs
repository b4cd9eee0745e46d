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
            StoreError::Lock(error) => error.code(),
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
            StoreError::Lock(error) => error.hint(),
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
            StoreError::Lock(error) => error.details(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};
    use std::path::{Path, PathBuf};

    use marsh_fs::{FsError, Holder, LockError};
    use marsh_types::{ErrorClass, ErrorCode, Explain as _};

    use super::StoreError;

    /// Only a lock that another process holds is busy; a lock file that cannot be opened is not.
    #[test]
    fn lock_error_of_the_store_is_busy_only_after_a_timeout() {
        let held = LockError::Timeout {
            path: PathBuf::from("lock"),
            holder: Holder::default(),
            waited: std::time::Duration::ZERO,
        };
        assert_eq!(StoreError::Lock(held).class(), ErrorClass::Busy);
        let broken = || FsError::new("open lock file", Path::new("lock"), Error::from(ErrorKind::NotFound));
        assert_eq!(StoreError::Lock(LockError::Fs(broken())).code(), ErrorCode::Io);
        let without = LockError::Unsupported {
            path: PathBuf::from("lock"),
            source: Error::from(ErrorKind::Unsupported),
        };
        assert_eq!(StoreError::Lock(without).code(), ErrorCode::LockUnsupported);
    }
}
