//! Faults of an extension's source, and failures of bundling.
//!
//! Lines and columns count from 1; columns count characters.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use marsh_types::{Diagnostic, DiagnosticCode};

/// `path` as messages show it: relative to `root` where it is below it.
pub(crate) fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Bundling did not yield a module.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The source, its configuration or a package is at fault. Never empty.
    #[error("{}", list(.0))]
    Diagnostics(Vec<Diagnostic>),
    /// The worker ended without an answer; the fault is marsh's, the bundler's or the system's.
    #[error("the bundler stopped without an answer ({status}){}", tail(.stderr_tail))]
    WorkerDied {
        /// How the process ended.
        status: String,
        /// The end of its standard error.
        stderr_tail: String,
    },
    /// The worker was killed at the deadline.
    #[error("bundling took longer than {} s and was stopped", .after.as_secs())]
    Timeout {
        /// The time that it had.
        after: Duration,
    },
    /// A file or a process could not be used.
    #[error("cannot use {}: {source}", .path.display())]
    Io {
        /// The file, or the worker's program.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl BundleError {
    pub(crate) fn one(diagnostic: Diagnostic) -> Self {
        BundleError::Diagnostics(vec![diagnostic])
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        BundleError::Io { path: path.to_path_buf(), source }
    }
}

impl From<marsh_fs::FsError> for BundleError {
    fn from(error: marsh_fs::FsError) -> Self {
        BundleError::Io { path: error.path, source: error.source }
    }
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn tail(stderr: &str) -> String {
    if stderr.trim().is_empty() { String::new() } else { format!(": {}", stderr.trim()) }
}
