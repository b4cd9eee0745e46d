//! A directory of sources.

use std::path::PathBuf;

use marsh_types::{Digest, Kind, Origin};
use serde::{Deserialize, Serialize};

/// A directory of entry points of one kind, and the directory that its configuration may not lie above.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRoot {
    /// Where the sources come from.
    pub origin: Origin,
    /// Searched for entry points.
    pub dir: PathBuf,
    /// The repository, the mounted directory or the pulled extension: configuration is looked for up to here, and
    /// relative paths in fingerprints start here.
    pub base: PathBuf,
    /// The kind whose entry points it holds.
    pub kind: Kind,
    /// The extension's name where it is known.
    pub extension: Option<String>,
    /// The archive that the tree was unpacked from: the content can never change.
    pub digest: Option<Digest>,
}

impl SourceRoot {
    /// The key of the host process that serves sources of this root: one for each installed extension and each mounted
    /// directory; the repository's own sources share one.
    pub(crate) fn host_key(&self) -> String {
        match (self.origin, &self.extension) {
            (Origin::Pulled, Some(extension)) => extension.clone(),
            (Origin::Source, _) => self.base.display().to_string(),
            _ => "local".to_owned(),
        }
    }
}
