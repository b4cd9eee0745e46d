//! The paths of everything in a repository.

use std::path::{Path, PathBuf};

use marsh_types::{Kind, TypeName};

use crate::marker::Marker;

/// The marker's file name, shared with existing repositories.
pub const MARKER: &str = ".swamp.yaml";

/// The paths below one repository root.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    /// A directory outside the root, and the names of the state trees that are below it.
    moved: Option<(PathBuf, Vec<String>)>,
}

impl Layout {
    /// The paths below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Layout {
        Layout { root: root.into(), moved: None }
    }

    /// The repository's root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The marker file, `.swamp.yaml`.
    pub fn marker(&self) -> PathBuf {
        self.root.join(MARKER)
    }

    /// `.gitignore` at the root.
    pub fn gitignore(&self) -> PathBuf {
        self.root.join(".gitignore")
    }

    /// The file that lists mounted extension sources. Git ignores it.
    pub fn sources_file(&self) -> PathBuf {
        self.root.join(".swamp-sources.yaml")
    }

    /// The AI tools that the repository describes itself.
    pub fn custom_tools(&self) -> PathBuf {
        self.root.join(".swamp-custom-tools.yaml")
    }

    /// The definitions of models.
    pub fn definitions(&self) -> PathBuf {
        self.root.join("models")
    }

    /// The definitions of workflows.
    pub fn workflows(&self) -> PathBuf {
        self.root.join("workflows")
    }

    /// The configurations of vaults, without secrets.
    pub fn vaults(&self) -> PathBuf {
        self.root.join("vaults")
    }

    /// The runtime state, `.swamp`.
    pub fn state(&self) -> PathBuf {
        self.root.join(".swamp")
    }

    /// The settings of a server.
    pub fn serve_config(&self) -> PathBuf {
        self.state().join("serve.yaml")
    }

    /// Moves these trees of the state below `to`, for this value of `Layout`.
    pub fn move_state(&mut self, to: PathBuf, trees: Vec<String>) {
        self.moved = Some((to, trees));
    }

    /// A tree of the state that a datastore may hold, by name.
    pub fn tree(&self, name: &str) -> PathBuf {
        match &self.moved {
            Some((to, trees)) if trees.iter().any(|tree| tree == name) => to.join(name),
            _ => self.state().join(name),
        }
    }

    /// The file that exists while local changes have not been pushed to the datastore.
    pub fn datastore_note(&self) -> PathBuf {
        self.state().join("marsh").join("datastore-changed")
    }

    /// Definitions that marsh creates itself.
    pub fn auto_definitions(&self) -> PathBuf {
        self.tree("auto-definitions")
    }

    /// Definitions with their expressions evaluated.
    pub fn evaluated_definitions(&self) -> PathBuf {
        self.tree("definitions-evaluated")
    }

    /// Workflows with their expressions evaluated.
    pub fn evaluated_workflows(&self) -> PathBuf {
        self.tree("workflows-evaluated")
    }

    /// Versioned data.
    pub fn data(&self) -> PathBuf {
        self.tree("data")
    }

    /// The audit log.
    pub fn audit(&self) -> PathBuf {
        self.tree("audit")
    }

    /// The output records of method runs.
    pub fn outputs(&self) -> PathBuf {
        self.tree("outputs")
    }

    /// The records, journals and logs of workflow runs.
    pub fn workflow_runs(&self) -> PathBuf {
        self.tree("workflow-runs")
    }

    /// A summary of the run records. Derived, and never in a datastore.
    pub fn runs_index(&self) -> PathBuf {
        self.state().join("workflow-runs").join(".runs-index.json")
    }

    /// Views of installed extensions, and trees that other implementations unpacked.
    pub fn pulled_extensions(&self) -> PathBuf {
        self.state().join("pulled-extensions")
    }

    /// The lockfile of installed extensions, in the directory of model sources.
    pub fn lockfile(&self, marker: &Marker) -> PathBuf {
        self.extension_sources(marker, Kind::Model).join(marsh_types::Lockfile::FILE_NAME)
    }

    /// Derived files of marsh. Everything below may be deleted at any time.
    pub fn derived(&self) -> PathBuf {
        self.state().join("marsh").join("v1")
    }

    /// Bundles by fingerprint.
    pub fn bundles(&self) -> PathBuf {
        self.derived().join("bundles")
    }

    /// The index of local sources: the declarations in each file, and the file's stat when they were read.
    pub fn source_index(&self) -> PathBuf {
        self.derived().join("source-index.json")
    }

    /// Lock files. They are never unlinked.
    pub fn locks(&self) -> PathBuf {
        self.state().join("marsh").join("locks")
    }

    /// The extension sources of a kind: the directory that the marker names, else `extensions/<kind>s`.
    pub fn extension_sources(&self, marker: &Marker, kind: Kind) -> PathBuf {
        match marker.source_dir(kind) {
            Some(dir) => self.root.join(dir),
            None => self.root.join("extensions").join(kind.directory()),
        }
    }

    /// The definitions of one type below `root`, a directory of definitions.
    pub fn of_type(root: &Path, type_name: &TypeName) -> PathBuf {
        root.join(type_name.to_path())
    }

    /// A path for messages: relative to the root if it is below the root.
    pub fn display<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}
