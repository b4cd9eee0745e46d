//! Finding the repository that a command works on.

use std::path::{Path, PathBuf};

use marsh_types::{ErrorCode, Explain, Kind};

use crate::env::{self as variables, Environment, REPO_DIR};
use crate::layout::{Layout, MARKER};
use crate::marker::{Marker, MarkerError};

/// How far the search walks up from the current directory.
const MAX_LEVELS: usize = 10;

/// An opened repository.
#[derive(Debug, Clone)]
pub struct Repo {
    pub layout: Layout,
    pub marker: Marker,
}

#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    #[error("no repository here: neither {start} nor a directory above it has a {MARKER}", start = start.display())]
    NotFound { start: PathBuf },
    #[error("{dir} is not a repository: it has no {MARKER}", dir = dir.display())]
    NoMarker { dir: PathBuf },
    #[error("{dir} does not exist", dir = dir.display())]
    NoSuchDirectory { dir: PathBuf },
    #[error("{dir} is a repository already", dir = dir.display())]
    AlreadyThere { dir: PathBuf },
    #[error(transparent)]
    Marker(#[from] MarkerError),
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error(transparent)]
    Yaml(#[from] marsh_types::yaml::YamlWriteError),
}

impl Explain for RepoError {
    fn code(&self) -> ErrorCode {
        match self {
            RepoError::NotFound { .. } | RepoError::NoMarker { .. } => ErrorCode::NotARepository,
            RepoError::NoSuchDirectory { .. } => ErrorCode::NotFound,
            RepoError::AlreadyThere { .. } => ErrorCode::AlreadyExists,
            RepoError::Marker(_) => ErrorCode::InvalidMarker,
            RepoError::Read { .. } | RepoError::Fs(_) | RepoError::Yaml(_) => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            RepoError::NotFound { .. } => {
                Some("run `marsh init` here, or name a repository with `--repo-dir`".into())
            }
            RepoError::NoMarker { dir } => Some(format!("`marsh init {}` makes it one", dir.display())),
            RepoError::AlreadyThere { .. } => {
                Some("`--force` writes its marker and directories again; it keeps the repository's id".into())
            }
            _ => None,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            RepoError::Marker(MarkerError::Yaml { path, source }) => Some(serde_json::json!({
                "file": path, "line": source.line, "column": source.column, "sourceLine": source.source_line,
            })),
            _ => None,
        }
    }
}

impl Repo {
    /// `--repo-dir`, else the environment, else the nearest marker from `cwd` upwards. The walk ends after a directory
    /// with a `.git`, so that a repository nested in another project is never mistaken for it.
    pub fn find(explicit: Option<&Path>, env: &Environment, cwd: &Path) -> Result<Repo, RepoError> {
        let mut repo = Repo::locate(explicit, env, cwd)?;
        // The environment moves source directories for this process only; the marker on disk stays as it is.
        for kind in Kind::ALL {
            if let Some(dir) = env.get(variables::source_dir(kind)) {
                repo.marker.set(kind.spec().source_dir.marker_key, serde_json::json!(dir));
            }
        }
        Ok(repo)
    }

    fn locate(explicit: Option<&Path>, env: &Environment, cwd: &Path) -> Result<Repo, RepoError> {
        let named = explicit.map(Path::to_owned).or_else(|| env.path(REPO_DIR));
        if let Some(dir) = named {
            return Repo::open(&absolute(cwd, &dir));
        }
        for dir in cwd.ancestors().take(MAX_LEVELS) {
            if dir.join(MARKER).is_file() {
                return Repo::open(dir);
            }
            if dir.join(".git").exists() {
                break;
            }
        }
        Err(RepoError::NotFound { start: cwd.to_owned() })
    }

    pub fn open(dir: &Path) -> Result<Repo, RepoError> {
        if !dir.is_dir() {
            return Err(RepoError::NoSuchDirectory { dir: dir.to_owned() });
        }
        // Content paths and module URLs must not depend on which link led here.
        let root = dir.canonicalize().map_err(|source| RepoError::Read { path: dir.to_owned(), source })?;
        let layout = Layout::new(root);
        let path = layout.marker();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(RepoError::NoMarker { dir: layout.root().to_owned() });
            }
            Err(source) => return Err(RepoError::Read { path, source }),
        };
        let marker = Marker::parse(&path, &text)?;
        Ok(Repo { layout, marker })
    }
}

/// `path` as seen from `cwd`.
pub fn absolute(cwd: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { cwd.join(path) }
}
