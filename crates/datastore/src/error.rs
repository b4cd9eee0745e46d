//! Why a datastore could not be used.

use marsh_extension::kinds::KindError;
use marsh_types::{ErrorCode, Explain};
use serde_json::Value;

#[derive(Debug, thiserror::Error)]
pub enum DatastoreError {
    #[error("{place}: {reason}")]
    Choice { place: String, reason: String },
    #[error(transparent)]
    Kind(Box<KindError>),
    #[error("the results are kept here and were not pushed: {source}")]
    NotPushed { source: Box<KindError> },
    #[error("the lock of the datastore was not free within {seconds} s")]
    LockTimeout { seconds: u64 },
    #[error("the lock of the datastore could not be taken: {source}")]
    Lock { source: Box<KindError> },
    #[error("the datastore `{type_name}` gave up its lock while it was needed")]
    LockLost { type_name: String },
    #[error("the datastore `{type_name}` has nothing to synchronize: data are where it says")]
    NothingToSync { type_name: String },
    #[error("there is no directory for the copies of datastores: neither a home nor MARSH_HOME is set")]
    NoHome,
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
}

impl From<KindError> for DatastoreError {
    fn from(error: KindError) -> DatastoreError {
        DatastoreError::Kind(Box::new(error))
    }
}

impl Explain for DatastoreError {
    fn code(&self) -> ErrorCode {
        match self {
            DatastoreError::Choice { .. } => ErrorCode::InvalidDatastore,
            DatastoreError::Kind(error) => error.code(),
            DatastoreError::NotPushed { .. } => ErrorCode::NotPushed,
            DatastoreError::LockTimeout { .. } => ErrorCode::LockTimeout,
            DatastoreError::Lock { .. } | DatastoreError::LockLost { .. } => ErrorCode::DatastoreLockFailed,
            DatastoreError::NothingToSync { .. } => ErrorCode::Unsupported,
            DatastoreError::NoHome | DatastoreError::Fs(_) => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            DatastoreError::Kind(error) => error.hint(),
            DatastoreError::NotPushed { .. } => {
                Some("`marsh datastore sync --push` tries again, and so does the next change".into())
            }
            DatastoreError::LockTimeout { .. } | DatastoreError::Lock { .. } => {
                Some("`marsh datastore lock status` says who holds it".into())
            }
            _ => None,
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            DatastoreError::Kind(error) => error.details(),
            DatastoreError::NotPushed { source } | DatastoreError::Lock { source } => source.details(),
            _ => None,
        }
    }
}
