//! The repository itself.

use std::path::PathBuf;

use marsh_api::repository::{GitignoreAction, RepositoryInitialized};
use marsh_repo::init::GitignoreAction as Change;

use crate::error::AppError;
use crate::session::App;

/// A directory to turn into a repository.
#[derive(Debug, Clone, Default)]
pub struct InitRequest {
    /// The directory, against the caller's; `None`: the one that the caller named for all requests, else the caller's own.
    pub path: Option<PathBuf>,
    /// Whether a repository is initialized again; it keeps its id.
    pub force: bool,
}

impl App {
    /// Turns a directory into a repository.
    ///
    /// # Errors
    ///
    /// When the directory is a repository and `force` is not set, or it cannot be written.
    pub fn initialize(&self, request: &InitRequest) -> Result<RepositoryInitialized, AppError> {
        let settings = self.settings();
        let current = &settings.current_dir;
        let named = request.path.as_ref().or(settings.repo_dir.as_ref());
        let dir =
            named.map_or_else(|| current.clone(), |path| marsh_repo::discovery::absolute(current, path));
        let outcome = marsh_repo::init(&dir, settings.version, request.force)?;
        Ok(RepositoryInitialized {
            path: outcome.repo.layout.root().display().to_string(),
            version: settings.version.to_owned(),
            initialized_at: outcome.initialized_at,
            repo_id: outcome.repo.marker.repo_id().map(str::to_owned),
            skills_copied: Vec::new(),
            instructions_file_created: false,
            settings_created: false,
            gitignore_action: match outcome.gitignore {
                Change::Created => GitignoreAction::Created,
                Change::Updated => GitignoreAction::Updated,
                Change::Unchanged => GitignoreAction::Unchanged,
            },
            tools: Vec::new(),
            removed_tools: Vec::new(),
            tool: "none".to_owned(),
        })
    }
}
