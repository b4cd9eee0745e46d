//! Finding and opening the repository that a command works on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use marsh_types::{ErrorCode, Explain, Kind};

use crate::env::{self as variables, Environment, REPO_DIR};
use crate::layout::{Layout, MARKER};
use crate::marker::{Marker, MarkerError};

/// How many directories the search looks at, the current one included.
const MAX_LEVELS: usize = 10;

/// An opened repository.
#[derive(Debug, Clone)]
pub struct Repo {
    /// The paths inside the repository.
    pub layout: Layout,
    /// The content of the marker file, with source directories from the environment.
    pub marker: Marker,
    /// The environment of the command that found the repository; empty if it was opened by path.
    pub environment: Arc<Environment>,
}

/// A repository cannot be found, opened or initialized.
#[derive(Debug, thiserror::Error)]
pub enum RepoError {
    /// The search found no repository.
    #[error("no repository found: neither {start} nor a directory above it has a {MARKER}", start = start.display())]
    NotFound {
        /// Where the search began.
        start: PathBuf,
    },
    /// The directory has no marker file.
    #[error("{dir} is not a repository: it has no {MARKER}", dir = dir.display())]
    NoMarker {
        /// The directory.
        dir: PathBuf,
    },
    /// The marker file is gone, and the repository's state is there.
    #[error("{dir} has a `.swamp` directory and no {MARKER}", dir = dir.display())]
    LostMarker {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory is missing.
    #[error("{dir} does not exist", dir = dir.display())]
    NoSuchDirectory {
        /// The directory.
        dir: PathBuf,
    },
    /// `init` was called for a repository.
    #[error("{dir} is already a repository{}", for_tools(tools), dir = dir.display())]
    AlreadyThere {
        /// The directory.
        dir: PathBuf,
        /// The AI tools that it is set up for.
        tools: Vec<String>,
    },
    /// The choice of AI tools is invalid.
    #[error("{message}")]
    Tool {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A file of an AI tool cannot be read or merged. It was not changed.
    #[error("{path}: {problem}", path = path.display())]
    ToolFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The marker file is invalid.
    #[error(transparent)]
    Marker(#[from] MarkerError),
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    /// The marker has no form in YAML.
    #[error(transparent)]
    Yaml(#[from] marsh_types::yaml::YamlWriteError),
}

/// ` for claude, kiro`; nothing for no tools.
fn for_tools(tools: &[String]) -> String {
    if tools.is_empty() { String::new() } else { format!(" (AI tools: {})", tools.join(", ")) }
}

impl Explain for RepoError {
    fn code(&self) -> ErrorCode {
        match self {
            RepoError::NotFound { .. } | RepoError::NoMarker { .. } | RepoError::LostMarker { .. } => {
                ErrorCode::NotARepository
            }
            RepoError::NoSuchDirectory { .. } => ErrorCode::NotFound,
            RepoError::AlreadyThere { .. } => ErrorCode::AlreadyExists,
            RepoError::Tool { .. } => ErrorCode::Usage,
            RepoError::ToolFile { .. } => ErrorCode::InvalidSettings,
            RepoError::Marker(_) => ErrorCode::InvalidMarker,
            RepoError::Read { .. } | RepoError::Fs(_) | RepoError::Yaml(_) => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            RepoError::NotFound { .. } => {
                Some("run `marsh init` here, or name a repository with `--repo-dir`".into())
            }
            RepoError::NoMarker { dir } => {
                Some(format!("run `marsh init {}` to make it a repository", dir.display()))
            }
            RepoError::LostMarker { .. } => Some(
                "restore the file, for example with `git checkout .swamp.yaml`: a new one would not know the \
                 repository's id and datastore"
                    .into(),
            ),
            RepoError::AlreadyThere { .. } => Some(
                "use `--force` to write its marker and directories again; the repository keeps its id. \
                 `marsh repo upgrade --tool <name>` changes its AI tools"
                    .into(),
            ),
            RepoError::Tool { hint, .. } => hint.clone(),
            RepoError::ToolFile { path, .. } => Some(format!(
                "nothing was written; correct {}, or leave AI tools out with `--tool none`",
                path.display()
            )),
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
    /// Opens the repository that `explicit` (`--repo-dir`) names, else the environment, else the nearest directory with a
    /// marker, from `cwd` upwards. The search ends after a directory with a `.git`, so that a project inside a repository
    /// does not use that repository.
    ///
    /// # Errors
    /// [`RepoError::NotFound`] if the search finds none; otherwise as [`Repo::open`].
    pub fn find(explicit: Option<&Path>, env: &Environment, cwd: &Path) -> Result<Repo, RepoError> {
        let mut repo = Repo::locate(explicit, env, cwd)?;
        // The environment moves source directories for this process only. The marker on disk does not change.
        for kind in Kind::ALL {
            if let Some(dir) = env.get(variables::source_dir(kind)) {
                repo.marker.set(kind.spec().source_dir.marker_key, serde_json::json!(dir));
            }
        }
        repo.environment = Arc::new(env.clone());
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

    /// Opens the repository at `dir`.
    ///
    /// # Errors
    /// `dir` is missing, has no marker, or its marker cannot be read or is invalid.
    pub fn open(dir: &Path) -> Result<Repo, RepoError> {
        if !dir.is_dir() {
            return Err(RepoError::NoSuchDirectory { dir: dir.to_owned() });
        }
        // Content paths and module URLs must not depend on the links in `dir`.
        let root = dir.canonicalize().map_err(|source| RepoError::Read { path: dir.to_owned(), source })?;
        let layout = Layout::new(root);
        let path = layout.marker();
        let text = match marsh_fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(RepoError::NoMarker { dir: layout.root().to_owned() });
            }
            Err(source) => return Err(RepoError::Read { path, source }),
        };
        let marker = Marker::parse(&path, &text)?;
        Ok(Repo { layout, marker, environment: Arc::default() })
    }
}

/// Returns `path` if it is absolute, else `path` below `cwd`.
pub fn absolute(cwd: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { cwd.join(path) }
}
