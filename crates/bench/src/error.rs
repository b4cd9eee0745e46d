//! The errors of the bench.

use std::fmt;
use std::path::PathBuf;

/// A measurement cannot run.
#[derive(Debug)]
pub enum BenchError {
    /// There is no release binary of marsh.
    NoBinary {
        /// The expected path.
        path: PathBuf,
    },
    /// Deno is not available.
    NoDeno {
        /// The failed attempt, with its reason.
        tried: String,
    },
    /// A file or process operation failed.
    Io {
        /// A verb phrase that reads after "cannot".
        what: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file cannot be written.
    Fs(marsh_fs::FsError),
    /// A command failed or did not print the expected text.
    Command {
        /// The command.
        what: String,
        /// Its output.
        said: String,
    },
}

impl BenchError {
    /// An error of `what`, a verb phrase that reads after "cannot".
    pub fn io(what: impl Into<String>, source: std::io::Error) -> BenchError {
        BenchError::Io { what: what.into(), source }
    }
}

impl From<marsh_fs::FsError> for BenchError {
    fn from(error: marsh_fs::FsError) -> BenchError {
        BenchError::Fs(error)
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BenchError::NoBinary { path } => {
                write!(
                    f,
                    "missing binary {}\nhint: run `cargo build --release -p marsh`, or name a binary with --marsh",
                    path.display()
                )
            }
            BenchError::NoDeno { tried } => {
                write!(
                    f,
                    "Deno is not available: {tried}\nhint: name a binary with --deno, or make `npm install deno` work"
                )
            }
            BenchError::Io { what, source } => write!(f, "cannot {what}: {source}"),
            BenchError::Fs(error) => error.fmt(f),
            BenchError::Command { what, said } => write!(f, "`{what}` failed: {said}"),
        }
    }
}
