//! The repository itself.

use std::path::PathBuf;

use marsh_api::event::{EventSink, InstallEvent};
use marsh_api::repository::{GitignoreAction, RepositoryInitialized, RepositoryUpgraded};
use marsh_repo::init::GitignoreAction as Change;
use marsh_repo::upgrade::UpgradeRequest;

use crate::error::AppError;
use crate::extension::InstallRequest;
use crate::session::{App, Read, RegistryChoice};

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
            gitignore_action: gitignore_action(Some(outcome.gitignore)),
            tools: Vec::new(),
            removed_tools: Vec::new(),
            tool: "none".to_owned(),
        })
    }

    /// Brings a repository of a former layout to the present one, and installs what its lockfile names.
    ///
    /// # Errors
    ///
    /// When the directory is not a repository, another process upgrades it, a file cannot be changed, or an extension cannot
    /// be installed. What was done until then stays done.
    pub fn upgrade(
        &self,
        path: Option<&std::path::Path>,
        request: &UpgradeRequest,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<RepositoryUpgraded, AppError> {
        let settings = self.settings();
        let current = &settings.current_dir;
        let named = path.or(settings.repo_dir.as_deref());
        let dir =
            named.map_or_else(|| current.clone(), |path| marsh_repo::discovery::absolute(current, path));
        let repo = marsh_repo::Repo::open(&dir);
        let _lock = match &repo {
            Ok(repo) => Some(self.lock(repo, "upgrade.lock", "repo upgrade")?),
            Err(_) => None,
        };
        let done = marsh_repo::upgrade::upgrade(&dir, settings.version, request)?;
        let extensions = self.extensions_of(done.repo.clone(), &RegistryChoice::default())?;
        let locked = extensions.locked_collectives()?;
        let install = match locked.is_empty() {
            true => None,
            false => Some(extensions.install(InstallRequest::default(), sink)?.document),
        };
        let trusted = done.repo.marker.trusted_collectives();
        let tools = done.repo.marker.tools();
        let before = &done.previous_tools;
        Ok(RepositoryUpgraded {
            path: done.repo.layout.root().display().to_string(),
            previous_version: done.previous_version,
            new_version: settings.version.to_owned(),
            upgraded_at: done.upgraded_at,
            skills_updated: Vec::new(),
            instructions_updated: false,
            settings_updated: false,
            gitignore_action: gitignore_action(done.gitignore),
            added_tools: tools.iter().filter(|tool| !before.contains(tool)).cloned().collect(),
            removed_tools: before.iter().filter(|tool| !tools.contains(tool)).cloned().collect(),
            previous_tools: done.previous_tools,
            extensions_to_reinstall: Vec::new(),
            local_skill_copies: Vec::new(),
            changed_files: done.layout.changed,
            kept_files: done.layout.kept,
            untrusted_collectives: locked.into_iter().filter(|one| !trusted.contains(one)).collect(),
            tool: tools.first().cloned().unwrap_or_else(|| "none".to_owned()),
            tools,
            extension_install: install,
        })
    }
}

impl Read<'_> {
    /// The first file or directory of a former layout, relative to the repository. Commands do not read such files.
    pub fn former_layout(&self) -> Option<String> {
        let layout = &self.models().repo.layout;
        let found = marsh_repo::upgrade::former_layout(layout)?;
        Some(layout.display(&found).display().to_string())
    }
}

fn gitignore_action(action: Option<Change>) -> GitignoreAction {
    match action {
        Some(Change::Created) => GitignoreAction::Created,
        Some(Change::Updated) => GitignoreAction::Updated,
        Some(Change::Unchanged) => GitignoreAction::Unchanged,
        None => GitignoreAction::Skipped,
    }
}
