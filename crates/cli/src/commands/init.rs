//! `marsh init`.

use std::process::ExitCode;

use serde_json::json;

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
    let document = json!({
        "path": root,
        "version": version,
        "initializedAt": outcome.initialized_at,
        "repoId": outcome.repo.marker.repo_id(),
        "skillsCopied": [],
        "instructionsFileCreated": false,
        "settingsCreated": false,
        "gitignoreAction": outcome.gitignore.as_str(),
        "tools": [],
        "removedTools": [],
        "tool": "none",
    });
    ui.result(&document, || {
        format!(
            "{GOOD}initialized{GOOD:#} {}\n\nnext: put extension sources under extensions/models/, or try\n  \
             marsh model @command/shell method run execute hello --input run='echo hello'",
            root.display()
        )
    });
    done()
}
