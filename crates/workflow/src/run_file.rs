//! The file of a run's record.

use std::path::PathBuf;

/// A record by its place alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunFile {
    pub workflow_id: String,
    pub run_id: String,
    pub path: PathBuf,
}
