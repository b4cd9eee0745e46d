//! Errors of data and run records.

use std::io;
use std::path::{Path, PathBuf};

use marsh_fs::{FsError, LockError};
use marsh_types::yaml::{YamlError, YamlWriteError};
use marsh_types::{ErrorCode, Explain};

use crate::policy::PolicyError;

/// Why an operation on data or records failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
pub enum DataError {
    #[error("invalid {what} {name:?}: {reason}")]
    InvalidName { what: &'static str, name: String, reason: &'static str },
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error("data {name:?} belong to {existing}: {writer} cannot write them")]
    OwnerMismatch { name: String, existing: String, writer: String },
    #[error("unknown data {name:?}")]
    NoSuchData { name: String },
    #[error("data {name:?} exists already")]
    TargetExists { name: String },
    #[error("found no free version number for data {name:?} after {tries} tries")]
    NoFreeVersion { name: String, tries: u32 },
    #[error("ephemeral data need {wanted} bytes, and the budget of this run is {budget}")]
    EphemeralBudget { wanted: u64, budget: u64 },
    #[error("{} is damaged: {}", path.display(), source.message)]
    Damaged { path: PathBuf, source: YamlError },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Encode(#[from] YamlWriteError),
    #[error(transparent)]
    Fs(#[from] FsError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("id prefix {prefix:?} is too short: expected at least 3 hexadecimal digits")]
    PrefixTooShort { prefix: String },
    #[error("id prefix {prefix:?} matches {} records: {}", matches.len(), matches.join(", "))]
    AmbiguousId { prefix: String, matches: Vec<String> },
}

impl DataError {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        DataError::Read { path: path.to_path_buf(), source }
    }
}

impl Explain for DataError {
    fn code(&self) -> ErrorCode {
        match self {
            DataError::InvalidName { .. } => ErrorCode::InvalidDataName,
            DataError::Policy(_) => ErrorCode::InvalidDataPolicy,
            DataError::OwnerMismatch { .. } => ErrorCode::DataOwnerMismatch,
            DataError::NoSuchData { .. } => ErrorCode::DataNotFound,
            DataError::TargetExists { .. } => ErrorCode::DataExists,
            DataError::NoFreeVersion { .. } => ErrorCode::DataVersionExhausted,
            DataError::EphemeralBudget { .. } => ErrorCode::EphemeralBudgetExceeded,
            DataError::Damaged { .. } => ErrorCode::FileDamaged,
            DataError::Read { .. } | DataError::Fs(_) => ErrorCode::Io,
            DataError::Encode(_) => ErrorCode::Internal,
            DataError::Lock(error) => error.code(),
            DataError::PrefixTooShort { .. } => ErrorCode::IdTooShort,
            DataError::AmbiguousId { .. } => ErrorCode::IdAmbiguous,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            DataError::EphemeralBudget { .. } => Some(
                "raise SWAMP_EPHEMERAL_BUDGET (for example 1g), or give the data another lifetime".to_owned(),
            ),
            DataError::AmbiguousId { .. } => Some("give more digits of the id".to_owned()),
            _ => None,
        }
    }
}
