//! Sessions for commands: opening one, and changing data with it.

use std::process::ExitCode;
use std::sync::Arc;

use marsh_app::{App, Program, Session, Settings, Write};
use marsh_repo::Environment;
use marsh_types::Explain as _;
use serde::Serialize;

use crate::app;
use crate::args::Cli;
use crate::error::CliError;
use crate::exit;
use crate::ui::Ui;

/// The repository of this command, opened.
pub fn open(cli: &Cli) -> Result<Session, CliError> {
    let settings = Settings {
        repo_dir: cli.global.repo_dir.clone(),
        current_dir: app::current_dir()?,
        environment: Environment::from_process(),
        program: Program {
            path: app::program()?,
            host_arguments: vec![marsh_host::SUBCOMMAND.to_owned()],
            bundle_arguments: vec![crate::BUNDLE_SUBCOMMAND.to_owned()],
        },
        installs: Arc::new(app::Told),
        version: env!("CARGO_PKG_VERSION"),
    };
    let session = App::new(settings).session()?;
    Ui::hide(session.secrets());
    Ok(session)
}

/// Changes data under the lock of the datastore. A change that could not be pushed is reported after the command's
/// own result, and the command fails.
pub fn write(
    ui: &Ui,
    session: &Session,
    work: impl FnOnce(&Write<'_>) -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    if session.datastore().is_some() {
        app::cancel_on_signal(session.models());
    }
    let done = session.write(work)?;
    let Err(error) = done.pushed else { return done.value };
    ui.problem(&error.to_string(), error.hint().as_deref());
    done.value
        .map(|code| if code == ExitCode::from(exit::DONE) { ExitCode::from(exit::FAILED) } else { code })
}

/// The command's document, or its text.
pub fn show(ui: &Ui, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), CliError> {
    let document = serde_json::to_value(document)
        .map_err(|error| CliError::Read { what: "the result".into(), source: error.into() })?;
    ui.result(&document, text);
    Ok(())
}
