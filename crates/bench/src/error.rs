//! What can keep the bench from running.

use std::fmt;
use std::path::PathBuf;

#[derive(Debug)]
pub enum BenchError {
    NoBinary { path: PathBuf },
    NoDeno { tried: String },
    Io { what: String, source: std::io::Error },
    Fs(marsh_fs::FsError),
    Command { what: String, said: String },
}

impl BenchError {
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
                    "no binary at {}\nhint: `cargo build --release -p marsh`, or --marsh PATH",
                    path.display()
                )
            }
            BenchError::NoDeno { tried } => {
                write!(f, "no Deno: {tried}\nhint: --deno PATH, or make `npm install deno` work")
            }
            BenchError::Io { what, source } => write!(f, "cannot {what}: {source}"),
            BenchError::Fs(error) => error.fmt(f),
            BenchError::Command { what, said } => write!(f, "`{what}` failed: {said}"),
        }
    }
}
