//! Why the comparison cannot be made. A difference between the engines is a result, not an error.

use std::path::PathBuf;

use marsh_bench::error::BenchError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error("{0}")]
    Deno(BenchError),
    #[error("no result recorded for {case} ({}): record it with `cargo run -p marsh-conformance -- --record`", .path.display())]
    NotRecorded { case: String, path: PathBuf },
    #[error("{}: {source}", .path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("no case matches {0:?}")]
    NoCase(String),
    #[error("cannot start the engine: {0}")]
    Engine(marsh_engine::EngineError),
}

impl Error {
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Error {
        Error::Io { what: what.into(), source }
    }
}

impl From<BenchError> for Error {
    fn from(error: BenchError) -> Error {
        Error::Deno(error)
    }
}
