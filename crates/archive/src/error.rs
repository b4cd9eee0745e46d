//! Why an archive was refused.

use marsh_types::{ErrorCode, Explain, ManifestError};

#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("the entry {path:?} leaves the archive's directory")]
    Traversal { path: String },
    #[error("the entry {path:?} is absolute")]
    AbsolutePath { path: String },
    #[error("the entry {path:?} is a link to {target:?}; archives may hold files and directories only")]
    Link { path: String, target: String },
    #[error("the entry {path:?} is a {what}; archives may hold files and directories only")]
    Device { path: String, what: &'static str },
    #[error("the entry {path:?} stands twice in the archive")]
    Duplicate { path: String },
    #[error("the entries {path:?} and {other:?} are one file where case does not count")]
    CaseCollision { path: String, other: String },
    #[error("the entry {path:?} is a file, and others lie below it")]
    FileAndDirectory { path: String },
    #[error("the entry {path:?} has a name that cannot be used: {reason}")]
    BadName { path: String, reason: String },
    #[error("the entry {path:?} does not lie below `extension/`")]
    OutsideTop { path: String },
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("the archive unpacks to more than {limit} bytes")]
    Bomb { limit: u64 },
    #[error("the archive holds more than {limit} entries")]
    TooManyEntries { limit: u64 },
    #[error("the archive holds no `extension/manifest.yaml`")]
    NoManifest,
    #[error(transparent)]
    BadManifest(#[from] ManifestError),
    #[error("the bundle {path:?} is not the one that the archive's record describes: {reason}")]
    BundleMismatch { path: String, reason: String },
    #[error("the archive is damaged: {reason}")]
    Corrupt { reason: String },
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: std::path::PathBuf, source: std::io::Error },
    #[error("cannot write the archive: {0}")]
    Write(std::io::Error),
}

impl Explain for ArchiveError {
    fn code(&self) -> ErrorCode {
        match self {
            ArchiveError::Traversal { .. } => ErrorCode::ArchiveTraversal,
            ArchiveError::AbsolutePath { .. } => ErrorCode::ArchiveAbsolutePath,
            ArchiveError::Link { .. } => ErrorCode::ArchiveLink,
            ArchiveError::Device { .. } => ErrorCode::ArchiveDevice,
            ArchiveError::Duplicate { .. } => ErrorCode::ArchiveDuplicateEntry,
            ArchiveError::CaseCollision { .. } => ErrorCode::ArchiveCaseCollision,
            ArchiveError::FileAndDirectory { .. } => ErrorCode::ArchiveFileAndDirectory,
            ArchiveError::BadName { .. } => ErrorCode::ArchiveBadName,
            ArchiveError::OutsideTop { .. } => ErrorCode::ArchiveOutsideTop,
            ArchiveError::TooLarge { .. } => ErrorCode::ArchiveTooLarge,
            ArchiveError::Bomb { .. } => ErrorCode::ArchiveBomb,
            ArchiveError::TooManyEntries { .. } => ErrorCode::ArchiveTooManyEntries,
            ArchiveError::NoManifest => ErrorCode::ArchiveNoManifest,
            ArchiveError::BadManifest(_) => ErrorCode::ArchiveBadManifest,
            ArchiveError::BundleMismatch { .. } => ErrorCode::BundleMismatch,
            ArchiveError::Corrupt { .. } => ErrorCode::ArchiveCorrupt,
            ArchiveError::Fs(_) | ArchiveError::Read { .. } | ArchiveError::Write(_) => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ArchiveError::Fs(_) | ArchiveError::Read { .. } | ArchiveError::Write(_) => None,
            _ => Some("nothing of it was kept; tell whoever published it".into()),
        }
    }
}

pub(crate) fn corrupt(error: std::io::Error) -> ArchiveError {
    damaged(&error.to_string())
}

pub(crate) fn damaged(reason: &str) -> ArchiveError {
    ArchiveError::Corrupt { reason: reason.to_owned() }
}
