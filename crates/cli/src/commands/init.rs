//! `marsh init`.

use std::process::ExitCode;

use marsh_api::repository::{GitignoreAction, RepositoryInitialized};
use marsh_repo::init::GitignoreAction as Change;

use super::done;
use crate::app;
use crate::args::{Cli, InitArgs};
use crate::error::CliError;
use crate::ui::{GOOD, Ui};

pub fn run(cli: &Cli, ui: &Ui, arguments: &InitArgs) -> Result<ExitCode, CliError> {
    let cwd = app::current_dir()?;
    let named = arguments.path.as_ref().or(cli.global.repo_dir.as_ref());
    let dir = named.map_or_else(|| cwd.clone(), |path| marsh_repo::discovery::absolute(&cwd, path));
    if !arguments.tool.is_empty() {
        ui.warn("`--tool` does nothing: setting up AI tools is not part of marsh");
    }
    let version = env!("CARGO_PKG_VERSION");
    let outcome = marsh_repo::init(&dir, version, arguments.force)?;
    let root = outcome.repo.layout.root().to_owned();
    let document = RepositoryInitialized {
        path: root.display().to_string(),
        version: version.to_owned(),
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
    };
    ui.result(&document, || {
        format!(
            "{GOOD}initialized{GOOD:#} {}\n\nnext: put extension sources under extensions/models/, or try\n  \
             marsh model @command/shell method run execute hello --input run='echo hello'",
            root.display()
        )
    });
    done()
}
