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
    /// Where some of the state is instead of below the root, and which trees that are.
    moved: Option<(PathBuf, Vec<String>)>,
}

impl Layout {
    pub fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into(), moved: None }
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

    /// These trees of the state are below `to` from now on.
    pub fn move_state(&mut self, to: PathBuf, trees: Vec<String>) {
        self.moved = Some((to, trees));
    }

    /// A tree that a datastore may hold.
    fn tree(&self, name: &str) -> PathBuf {
        match &self.moved {
            Some((to, trees)) if trees.iter().any(|tree| tree == name) => to.join(name),
            _ => self.state().join(name),
        }
    }

    /// That something in a datastore's copy was changed and not taken there yet.
    pub fn datastore_note(&self) -> PathBuf {
        self.state().join("marsh").join("datastore-changed")
    }

    pub fn auto_definitions(&self) -> PathBuf {
        self.tree("auto-definitions")
    }

    pub fn evaluated_definitions(&self) -> PathBuf {
        self.tree("definitions-evaluated")
    }

    pub fn evaluated_workflows(&self) -> PathBuf {
        self.tree("workflows-evaluated")
    }

    pub fn data(&self) -> PathBuf {
        self.tree("data")
    }

    pub fn audit(&self) -> PathBuf {
        self.tree("audit")
    }

    pub fn outputs(&self) -> PathBuf {
        self.tree("outputs")
    }

    pub fn workflow_runs(&self) -> PathBuf {
        self.tree("workflow-runs")
    }

    /// What the run records say in short. Derived, and never in a datastore.
    pub fn runs_index(&self) -> PathBuf {
        self.state().join("workflow-runs").join(".runs-index.json")
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
