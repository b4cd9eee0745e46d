//! Why an archive was refused.

use marsh_types::{Explain, ManifestError};

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
    fn code(&self) -> &'static str {
        match self {
            ArchiveError::Traversal { .. } => "archive_traversal",
            ArchiveError::AbsolutePath { .. } => "archive_absolute_path",
            ArchiveError::Link { .. } => "archive_link",
            ArchiveError::Device { .. } => "archive_device",
            ArchiveError::Duplicate { .. } => "archive_duplicate_entry",
            ArchiveError::CaseCollision { .. } => "archive_case_collision",
            ArchiveError::FileAndDirectory { .. } => "archive_file_and_directory",
            ArchiveError::BadName { .. } => "archive_bad_name",
            ArchiveError::OutsideTop { .. } => "archive_outside_top",
            ArchiveError::TooLarge { .. } => "archive_too_large",
            ArchiveError::Bomb { .. } => "archive_bomb",
            ArchiveError::TooManyEntries { .. } => "archive_too_many_entries",
            ArchiveError::NoManifest => "archive_no_manifest",
            ArchiveError::BadManifest(_) => "archive_bad_manifest",
            ArchiveError::BundleMismatch { .. } => "bundle_mismatch",
            ArchiveError::Corrupt { .. } => "archive_corrupt",
            ArchiveError::Fs(_) | ArchiveError::Read { .. } | ArchiveError::Write(_) => "io",
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
