//! The repository itself.

use std::path::PathBuf;

use marsh_api::event::{EventSink, InstallEvent};
use marsh_api::repository::{GitignoreAction, RepositoryInitialized, RepositoryUpgraded, SkillCopies};
use marsh_repo::init::GitignoreAction as Change;
use marsh_repo::tools::Role;
use marsh_repo::upgrade::UpgradeRequest;
use marsh_repo::{InitOptions, ToolSetup};

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
    /// The AI tools to set up, `none` for none; empty: those of the marker, and `claude` for a new repository.
    pub tools: Vec<String>,
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
        let names = (!request.tools.is_empty()).then_some(request.tools.as_slice());
        let setup = ToolSetup { names, program: settings.name };
        let options = InitOptions { version: settings.version, force: request.force, tools: Some(setup) };
        let outcome = marsh_repo::init_with(&dir, &options)?;
        let tools = outcome.repo.marker.tools();
        let plan = &outcome.plan;
        let removed = outcome.previous_tools.iter().filter(|tool| !tools.contains(tool));
        let mut next_steps = plan.warnings.clone();
        next_steps.extend(next_steps_with(settings.name));
        Ok(RepositoryInitialized {
            path: outcome.repo.layout.root().display().to_string(),
            version: settings.version.to_owned(),
            initialized_at: outcome.initialized_at,
            repo_id: outcome.repo.marker.repo_id().map(str::to_owned),
            skills_copied: plan.paths(Role::Skill),
            instructions_file_created: !plan.paths(Role::Instructions).is_empty(),
            settings_created: !plan.paths(Role::Settings).is_empty(),
            gitignore_action: gitignore_action(Some(outcome.gitignore)),
            removed_tools: removed.cloned().collect(),
            tool: first_tool(&tools),
            tools,
            next_steps,
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
        let request = UpgradeRequest { program: settings.name.to_owned(), ..request.clone() };
        let done = marsh_repo::upgrade::upgrade(&dir, settings.version, &request)?;
        for message in &done.plan.warnings {
            sink.event(InstallEvent::Warning { message: message.clone() });
        }
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
            skills_updated: done.plan.paths(Role::Skill),
            instructions_updated: !done.plan.paths(Role::Instructions).is_empty(),
            settings_updated: !done.plan.paths(Role::Settings).is_empty(),
            gitignore_action: gitignore_action(done.gitignore),
            added_tools: tools.iter().filter(|tool| !before.contains(tool)).cloned().collect(),
            removed_tools: before.iter().filter(|tool| !tools.contains(tool)).cloned().collect(),
            previous_tools: done.previous_tools,
            extensions_to_reinstall: Vec::new(),
            local_skill_copies: done
                .foreign_skills
                .into_iter()
                .map(|(skills_dir, names)| SkillCopies { skills_dir, names })
                .collect(),
            changed_files: done.layout.changed,
            kept_files: done.layout.kept,
            untrusted_collectives: locked.into_iter().filter(|one| !trusted.contains(one)).collect(),
            tool: first_tool(&tools),
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

fn first_tool(tools: &[String]) -> String {
    tools.first().cloned().unwrap_or_else(|| "none".to_owned())
}

fn next_steps_with(program: &str) -> [String; 2] {
    [
        "put extension sources under extensions/models/".to_owned(),
        format!("{program} model @command/shell method run execute hello --input run='echo hello'"),
    ]
}

fn gitignore_action(action: Option<Change>) -> GitignoreAction {
    match action {
        Some(Change::Created) => GitignoreAction::Created,
        Some(Change::Updated) => GitignoreAction::Updated,
        Some(Change::Unchanged) => GitignoreAction::Unchanged,
        None => GitignoreAction::Skipped,
    }
}
