//! Mounted sources: directories of extension sources outside of the repository.

use std::path::PathBuf;

use marsh_api::event::{EventSink, InstallEvent};
use marsh_api::source::{ListAction, SourceChanged, SourceList, SourceRow, SourceStatus};
use marsh_extension::mounts::{self, Mount};
use marsh_repo::Repo;
use marsh_types::Kind;

use crate::error::AppError;
use crate::install_events::Events;
use crate::session::App;

/// A directory to mount.
#[derive(Debug, Clone, Default)]
pub struct SourceAddRequest {
    /// The directory, or a pattern of directories; relative to the repository.
    pub path: String,
    /// The kinds that are used, by export name or directory; empty: all.
    pub only: Vec<String>,
}

impl App {
    /// The mounted sources, and what each of them holds.
    ///
    /// # Errors
    ///
    /// When there is no repository, or its file of sources cannot be read.
    pub fn sources(&self) -> Result<SourceList, AppError> {
        let repo = self.repo()?;
        let rows = mounts::read_mounts(&repo)?.into_iter().map(|mount| row(&repo, &mount));
        Ok(SourceList { sources: rows.collect() })
    }

    /// Mounts a directory of extension sources. A pattern that matches nothing yet causes a warning.
    ///
    /// # Errors
    ///
    /// When the directory does not exist, is mounted already, is the repository's own, or holds no extension of a wanted
    /// kind.
    pub fn add_source(
        &self,
        request: &SourceAddRequest,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<SourceChanged, AppError> {
        let repo = self.repo()?;
        let path = request.path.as_str();
        let refused = |message: String, hint: Option<&str>| AppError::Refused {
            message,
            hint: hint.map(str::to_owned),
        };
        if path.trim().is_empty() {
            return Err(AppError::usage("the path is empty"));
        }
        let wanted = request.only.iter().map(|name| kind_of(name)).collect::<Result<Vec<_>, _>>()?;
        let dirs = mounts::mounted_dirs(&repo, path)?;
        if dirs.is_empty() && !mounts::is_pattern(path) {
            return Err(AppError::not_found(
                format!("`{path}` is not a directory"),
                "paths start from the repository",
            ));
        }
        let own = Kind::ALL.into_iter().map(|kind| repo.layout.extension_sources(&repo.marker, kind));
        if own.filter_map(|own| own.canonicalize().ok()).any(|own| dirs.contains(&own)) {
            return Err(refused(format!("`{path}` is read anyway: it is this repository's own"), None));
        }
        let kinds = kinds_in(&dirs);
        if dirs.is_empty() {
            Events(sink).warn(format!("`{path}` matches nothing yet"));
        } else if !kinds.iter().any(|kind| wanted.is_empty() || wanted.contains(kind)) {
            return Err(refused(
                format!("`{path}` holds no extensions of the kinds that are wanted"),
                Some("a source holds `extensions/models` and the like, or entry points"),
            ));
        }
        let _lock = self.lock_sources(&repo)?;
        let mut all = mounts::read_mounts(&repo)?;
        if all.iter().any(|mount| mount.path() == path) {
            return Err(refused(format!("`{path}` is mounted already"), None));
        }
        all.push(Mount::new(path, &wanted));
        let total_sources = all.len();
        mounts::write_mounts(&repo, all)?;
        Ok(SourceChanged {
            action: ListAction::Add,
            path: path.to_owned(),
            only: (!wanted.is_empty()).then(|| request.only.clone()),
            total_sources,
        })
    }

    /// Unmounts a directory; `path` is the one that the list shows.
    ///
    /// # Errors
    ///
    /// When the path is not mounted, or the file of sources cannot be changed.
    pub fn remove_source(&self, path: &str) -> Result<SourceChanged, AppError> {
        let repo = self.repo()?;
        let _lock = self.lock_sources(&repo)?;
        let mut all = mounts::read_mounts(&repo)?;
        let before = all.len();
        all.retain(|mount| mount.path() != path);
        if all.len() == before {
            return Err(AppError::not_found(
                format!("`{path}` is not mounted"),
                "`marsh extension source list` shows the paths as they are written",
            ));
        }
        let total_sources = all.len();
        mounts::write_mounts(&repo, all)?;
        Ok(SourceChanged { action: ListAction::Rm, path: path.to_owned(), only: None, total_sources })
    }

    /// Reading and writing of the file are one step to every other process.
    fn lock_sources(&self, repo: &Repo) -> Result<marsh_fs::LockFile, AppError> {
        self.lock(repo, "sources.lock", "marsh extension source")
    }
}

fn row(repo: &Repo, mount: &Mount) -> SourceRow {
    let dirs = mounts::mounted_dirs(repo, mount.path());
    let is_set = dirs.is_ok();
    let dirs = dirs.unwrap_or_default();
    let kinds = kinds_in(&dirs);
    let status = match (dirs.is_empty(), kinds.is_empty()) {
        _ if !is_set => SourceStatus::VariableNotSet,
        (true, _) => SourceStatus::PathNotFound,
        (false, true) => SourceStatus::NoExtensions,
        (false, false) => SourceStatus::Valid,
    };
    SourceRow {
        path: mount.path().to_owned(),
        only: mount.only().cloned(),
        expanded_paths: dirs.iter().map(|dir| dir.display().to_string()).collect(),
        status,
        resolved_kinds: kinds.iter().map(|kind| kind.directory().to_owned()).collect(),
    }
}

fn kind_of(name: &str) -> Result<Kind, AppError> {
    let named = |kind: &Kind| name == kind.directory() || name == kind.export_name();
    let found = Kind::ALL.into_iter().find(named);
    found.ok_or_else(|| AppError::usage(format!("unknown kind of extension `{name}`")))
}

/// What all of these contribute together.
fn kinds_in(dirs: &[PathBuf]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = dirs.iter().flat_map(|dir| marsh_extension::kinds_in(dir)).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}
