//! What the command line passes to the application: the process's environment, program and signals.

use std::path::PathBuf;
use std::sync::Arc;

use marsh_api::event::{EventSink, InstallEvent};
use marsh_app::{App, Canceller, Extensions, Program, RegistryChoice, Session, Settings};
use marsh_repo::{Environment, env};

use crate::args::{Cli, SetArgs};
use crate::error::CliError;
use crate::exit;
use crate::persona::Persona;
use crate::ui::Ui;

/// The application, for the repository that the command line names.
pub fn app(cli: &Cli) -> Result<App, CliError> {
    let path = std::env::current_exe()
        .map_err(|source| CliError::Read { what: "the path of this program".into(), source })?;
    Ok(App::new(Settings {
        repo_dir: cli.global.repo_dir.clone(),
        current_dir: current_dir()?,
        environment: match cli.global.engine {
            Some(engine) => Environment::from_process().with(env::ENGINE, engine.as_str()),
            None => Environment::from_process(),
        },
        program: Program {
            path,
            host_arguments: vec![marsh_host_client::SUBCOMMAND.to_owned()],
            bundle_arguments: vec![crate::BUNDLE_SUBCOMMAND.to_owned()],
        },
        load_timeout: cli.command.load_timeout(),
        installs: Arc::new(InstallNotes),
        version: env!("CARGO_PKG_VERSION"),
        name: Persona::current().name,
    }))
}

/// The repository of this command. Its secrets are masked in everything that is printed.
pub fn open(cli: &Cli) -> Result<Session, CliError> {
    let session = app(cli)?.session()?;
    Ui::hide(session.secrets());
    if let Some(former) = session.read().former_layout() {
        Ui::note(&format!(
            "{former} is of a former layout, and is not used: `marsh repo upgrade` brings it to the present one"
        ));
    }
    Ok(session)
}

/// Runs `work` under the lock of the datastore, and pushes its changes.
pub fn change(
    ui: &Ui,
    session: &Session,
    work: impl FnOnce(&marsh_app::Write<'_>) -> Result<std::process::ExitCode, CliError>,
) -> Result<std::process::ExitCode, CliError> {
    cancel_on_signal(session.canceller());
    let changed = session.write(work)?;
    let Err(error) = changed.pushed else { return changed.value };
    // The command has printed its own result already.
    let report = marsh_api::ErrorReport::of(&error);
    ui.problem(&report.message, report.hint.as_deref());
    let done = std::process::ExitCode::from(exit::DONE);
    changed.value.map(|code| if code == done { std::process::ExitCode::from(exit::FAILED) } else { code })
}

impl From<&SetArgs> for RegistryChoice {
    fn from(set: &SetArgs) -> RegistryChoice {
        RegistryChoice {
            registry: set.registry.clone(),
            offline: set.offline,
            lock_timeout: set.lock_timeout,
        }
    }
}

/// The installed set of this command's repository, and its registry.
pub fn extensions(cli: &Cli, set: &SetArgs) -> Result<Extensions, CliError> {
    Ok(app(cli)?.extensions(&set.into())?)
}

/// Reports on standard error what marsh installs because a command needs it.
struct InstallNotes;

impl EventSink<InstallEvent> for InstallNotes {
    fn event(&self, event: InstallEvent) {
        if let InstallEvent::Warning { message } = event {
            Ui::note(&message);
        }
    }
}

/// The directory in which the command was started.
pub fn current_dir() -> Result<PathBuf, CliError> {
    std::env::current_dir().map_err(|source| CliError::Read { what: "the current directory".into(), source })
}

/// Cancels on the first Ctrl-C or termination signal; the second kills all child processes and ends this one. At a
/// question, where nothing runs that could be cancelled, the first one does (`tests/it/data_changes.rs`).
pub fn cancel_on_signal(canceller: Canceller) {
    let handler = move || {
        if canceller.is_cancelled() || Ui::is_asking() {
            canceller.kill_all();
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
        canceller.cancel("interrupted");
    };
    marsh_types::ignore(
        ctrlc::set_handler(handler),
        "a second handler changes nothing; without one the signal ends the process",
    );
}
