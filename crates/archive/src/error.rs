//! The errors of packing and unpacking.

use marsh_types::{ErrorCode, Explain, ManifestError};

/// An archive cannot be packed or unpacked. In each variant, `path` is the entry's path in the archive, shortened if it is
/// long.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the comment above describes the field that all variants share")]
pub enum ArchiveError {
    /// The path contains `..`.
    #[error("invalid archive entry {path:?}: its path contains \"..\"")]
    Traversal { path: String },
    /// The path begins with `/`.
    #[error("invalid archive entry {path:?}: its path is absolute")]
    AbsolutePath { path: String },
    /// The entry is a hard or symbolic link to `target`.
    #[error("invalid archive entry {path:?}: expected a file or directory, found a link to {target:?}")]
    Link { path: String, target: String },
    /// The entry is a device or another special file, which `what` names.
    #[error("invalid archive entry {path:?}: expected a file or directory, found a {what}")]
    Device { path: String, what: &'static str },
    /// Two entries have this path.
    #[error("duplicate archive entry {path:?}")]
    Duplicate { path: String },
    /// Two entries have paths that differ only in case.
    #[error("the archive entries {path:?} and {other:?} differ only in case")]
    CaseCollision { path: String, other: String },
    /// The path is a file, and other entries are below it.
    #[error("the archive entry {path:?} is a file, but other entries are below it")]
    FileAndDirectory { path: String },
    /// The path is invalid or not portable; `reason` is a clause.
    #[error("invalid path of archive entry {path:?}: {reason}")]
    BadName { path: String, reason: String },
    /// The path is not below `extension/`.
    #[error("invalid archive entry {path:?}: expected a path below `extension/`")]
    OutsideTop { path: String },
    /// A part of the archive, or the whole of it, exceeds a limit in bytes.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    /// All files together exceed the limit in bytes.
    #[error("the archive unpacks to more than {limit} bytes")]
    Bomb { limit: u64 },
    /// The archive has more entries than allowed.
    #[error("the archive has more than {limit} entries")]
    TooManyEntries { limit: u64 },
    /// The archive has no manifest.
    #[error("missing `extension/manifest.yaml` in the archive")]
    NoManifest,
    /// The manifest is invalid.
    #[error(transparent)]
    BadManifest(#[from] ManifestError),
    /// A file differs from the archive's record of bundles.
    #[error("the bundle {path:?} does not match the archive's record of bundles: {reason}")]
    BundleMismatch { path: String, reason: String },
    /// The bytes are not a whole gzip'd tar.
    #[error("damaged archive: {reason}")]
    Corrupt { reason: String },
    /// A file cannot be created.
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: std::path::PathBuf, source: std::io::Error },
    /// The archive's bytes cannot be written.
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
            _ => Some("nothing was unpacked; report the problem to the publisher of the extension".into()),
        }
    }
}

pub(crate) fn corrupt(error: std::io::Error) -> ArchiveError {
    damaged(&error.to_string())
}

pub(crate) fn damaged(reason: &str) -> ArchiveError {
    ArchiveError::Corrupt { reason: reason.to_owned() }
}
