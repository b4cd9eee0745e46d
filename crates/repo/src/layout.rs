//! Where everything in a repository lives.

use std::path::{Path, PathBuf};

use marsh_types::{Kind, TypeName};

use crate::marker::Marker;

/// The marker's file name, shared with existing repositories.
pub const MARKER: &str = ".swamp.yaml";

/// Paths below one repository root.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    pub fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn marker(&self) -> PathBuf {
        self.root.join(MARKER)
    }

    pub fn gitignore(&self) -> PathBuf {
        self.root.join(".gitignore")
    }

    /// Mounted extension sources, a file that git ignores.
    pub fn sources_file(&self) -> PathBuf {
        self.root.join(".swamp-sources.yaml")
    }

    pub fn definitions(&self) -> PathBuf {
        self.root.join("models")
    }

    pub fn workflows(&self) -> PathBuf {
        self.root.join("workflows")
    }

    /// Configurations of vaults; no secrets.
    pub fn vaults(&self) -> PathBuf {
        self.root.join("vaults")
    }

    pub fn state(&self) -> PathBuf {
        self.root.join(".swamp")
    }

    pub fn auto_definitions(&self) -> PathBuf {
        self.state().join("auto-definitions")
    }

    pub fn evaluated_definitions(&self) -> PathBuf {
        self.state().join("definitions-evaluated")
    }

    pub fn evaluated_workflows(&self) -> PathBuf {
        self.state().join("workflows-evaluated")
    }

    pub fn data(&self) -> PathBuf {
        self.state().join("data")
    }

    pub fn audit(&self) -> PathBuf {
        self.state().join("audit")
    }

    pub fn outputs(&self) -> PathBuf {
        self.state().join("outputs")
    }

    pub fn workflow_runs(&self) -> PathBuf {
        self.state().join("workflow-runs")
    }

    pub fn pulled_extensions(&self) -> PathBuf {
        self.state().join("pulled-extensions")
    }

    /// Which extensions are installed: beside the model sources, wherever the marker puts those.
    pub fn lockfile(&self, marker: &Marker) -> PathBuf {
        self.extension_sources(marker, Kind::Model).join(marsh_types::Lockfile::FILE_NAME)
    }

    /// What marsh alone keeps here; everything below is derived and may be deleted at any moment.
    pub fn derived(&self) -> PathBuf {
        self.state().join("marsh").join("v1")
    }

    /// Bundles by fingerprint.
    pub fn bundles(&self) -> PathBuf {
        self.derived().join("bundles")
    }

    /// The index of local sources: what each file declares, and the stat that this was read under.
    pub fn source_index(&self) -> PathBuf {
        self.derived().join("source-index.json")
    }

    /// Locks; never unlinked.
    pub fn locks(&self) -> PathBuf {
        self.state().join("marsh").join("locks")
    }

    /// The extension sources of a kind: the marker may move them, else `extensions/<kind>s`.
    pub fn extension_sources(&self, marker: &Marker, kind: Kind) -> PathBuf {
        match marker.source_dir(kind) {
            Some(dir) => self.root.join(dir),
            None => self.root.join("extensions").join(kind.directory()),
        }
    }

    /// Definitions of one type below a definition root.
    pub fn of_type(root: &Path, type_name: &TypeName) -> PathBuf {
        root.join(type_name.to_path())
    }

    /// A path as a user reads it: relative to the root where it is below it.
    pub fn display<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}
