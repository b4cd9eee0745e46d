//! An entry point with the fingerprint of the code that it reaches. The JSON form is in run journals and load records.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::source_root::SourceRoot;

/// An entry point with the fingerprint of the code that it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub(crate) entry: PathBuf,
    pub(crate) root: SourceRoot,
    pub(crate) fingerprint: String,
}

impl Part {
    /// The source file.
    pub fn entry(&self) -> &Path {
        &self.entry
    }

    /// The directory that it was found in.
    pub fn root(&self) -> &SourceRoot {
        &self.root
    }

    /// The fingerprint of the code that it reaches.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
