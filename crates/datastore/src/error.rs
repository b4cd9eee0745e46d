//! Errors of datastores.

use std::path::PathBuf;

use marsh_extension::kinds::KindError;
use marsh_types::{ErrorCode, Explain};
use serde_json::Value;

/// Why a datastore could not be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
pub enum DatastoreError {
    #[error("{place}: {reason}")]
    Choice { place: String, reason: String },
    #[error(transparent)]
    Kind(Box<KindError>),
    #[error("the results are kept here and were not pushed: {source}")]
    NotPushed { source: Box<KindError> },
    #[error("the lock of the datastore was not free within {seconds} s")]
    LockTimeout { seconds: u64 },
    #[error("cannot take the lock of the datastore: {source}")]
    Lock { source: Box<KindError> },
    #[error("the datastore `{type_name}` gave up its lock before the work was done")]
    LockLost { type_name: String },
    #[error("the datastore `{type_name}` has nothing to synchronize: marsh works on its directory")]
    NothingToSync { type_name: String },
    #[error("the datastore `{type_name}` describes the holder of its lock without a `nonce`")]
    NoNonce { type_name: String },
    #[error("no directory for the copies of datastores: set MARSH_HOME or HOME")]
    NoHome,
    #[error("{} of the files to move differ from files that are in {to} already: {}", files.len(), shown(files), to = to.display())]
    Occupied { to: PathBuf, files: Vec<PathBuf> },
    #[error("a run owns {journal}", journal = journal.display())]
    RunInProgress { journal: PathBuf },
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    RunLock(#[from] marsh_fs::LockError),
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
}

/// The first files of a list.
fn shown(files: &[PathBuf]) -> String {
    const SHOWN: usize = 3;
    let mut names: Vec<String> = files.iter().take(SHOWN).map(|file| file.display().to_string()).collect();
    if files.len() > SHOWN {
        names.push("…".to_owned());
    }
    names.join(", ")
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
            DatastoreError::Lock { .. }
            | DatastoreError::LockLost { .. }
            | DatastoreError::NoNonce { .. } => ErrorCode::DatastoreLockFailed,
            DatastoreError::NothingToSync { .. } => ErrorCode::Unsupported,
            DatastoreError::Occupied { .. } => ErrorCode::DataExists,
            DatastoreError::RunInProgress { .. } => ErrorCode::RunOwned,
            DatastoreError::RunLock(error) => error.code(),
            DatastoreError::NoHome | DatastoreError::Read { .. } | DatastoreError::Fs(_) => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            DatastoreError::Kind(error) => error.hint(),
            DatastoreError::NotPushed { .. } => {
                Some("push again with `marsh datastore sync --push`; the next change does, too".into())
            }
            DatastoreError::LockTimeout { .. } | DatastoreError::Lock { .. } => {
                Some("`marsh datastore lock status` shows its holder".into())
            }
            DatastoreError::Occupied { .. } => Some(
                "nothing was changed; choose another place, or a namespace: `marsh datastore namespace set <name>`".into(),
            ),
            DatastoreError::RunInProgress { .. } => {
                Some("wait for its end, or cancel it: `marsh workflow cancel --all`".into())
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
