//! The one error of file operations: the operation, the path, and the error of the operating system.

use std::io;
use std::path::{Path, PathBuf};

use marsh_types::{ErrorCode, Explain};

/// A file system operation failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {op} {}: {source}", path.display())]
pub struct FsError {
    /// A verb phrase that reads after "cannot": `write`, `create directory`.
    pub op: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The error of the operating system.
    pub source: io::Error,
}

impl FsError {
    /// An error of `op`, a verb phrase that reads after "cannot".
    pub fn new(op: &'static str, path: &Path, source: io::Error) -> Self {
        Self { op, path: path.to_path_buf(), source }
    }

    /// The kind of the operating system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl Explain for FsError {
    fn code(&self) -> ErrorCode {
        ErrorCode::Io
    }
}

/// Attaches operation and path to an [`io::Error`].
pub(crate) trait Context<T> {
    fn context(self, op: &'static str, path: &Path) -> Result<T, FsError>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, op: &'static str, path: &Path) -> Result<T, FsError> {
        self.map_err(|source| FsError::new(op, path, source.into()))
    }
}
