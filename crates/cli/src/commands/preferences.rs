//! `marsh config`, `marsh update` and `marsh source`.

use std::process::ExitCode;

use marsh_api::preferences::{PreferenceList, ProgramSource, ProgramSourceState};

use super::done;
use crate::app;
use crate::args::Cli;
use crate::args::preferences::{ConfigCommand, SourceCommand, UpdateArgs};
use crate::error::CliError;
use crate::ui::{GOOD, NAME, Ui, columns};

pub fn config(cli: &Cli, ui: &Ui, command: &ConfigCommand) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    let one = match command {
        ConfigCommand::List => {
            let list = PreferenceList(app.preferences()?.all());
            ui.result(&list, || {
                let rows: Vec<Vec<String>> = list
                    .0
                    .iter()
                    .map(|(key, value)| vec![format!("{NAME}{key}{NAME:#}"), value.clone()])
                    .collect();
                columns(&rows)
            });
            return done();
        }
        ConfigCommand::Get { key } => app.preference(key)?,
        ConfigCommand::Set { key, value } => app.set_preference(key, value)?,
    };
    ui.result(&one, || match command {
        ConfigCommand::Set { .. } => format!("{GOOD}set{GOOD:#} {} = {}", one.key, one.value),
        _ => one.value.clone(),
    });
    done()
}

pub fn update(cli: &Cli, ui: &Ui, arguments: &UpdateArgs) -> Result<ExitCode, CliError> {
    // `status` and `disable` ask for what is the case anyway.
    if arguments.setup_auto.as_deref().is_some_and(|action| !matches!(action, "status" | "disable")) {
        return Err(CliError::Unsupported {
            message: "`update --setup-auto` is not supported: no release channel is configured".into(),
        });
    }
    let found = app::app(cli)?.check_update();
    ui.result(&found, || {
        let warning = found.warning.as_deref().unwrap_or_default();
        format!("this is marsh {}; {warning}", found.current_version)
    });
    done()
}

pub fn source(ui: &Ui, command: &SourceCommand) -> Result<ExitCode, CliError> {
    let version = env!("CARGO_PKG_VERSION");
    if let SourceCommand::Fetch { version: Some(wanted) } = command
        && wanted != version
    {
        return Err(CliError::Refused {
            message: format!(
                "the sources of version {wanted} are not available: no release channel is configured"
            ),
            hint: Some("run `marsh source path` to see where the documentation is".into()),
        });
    }
    let document = ProgramSource {
        status: ProgramSourceState::NotFound,
        path: None,
        version: version.to_owned(),
        message: match command {
            SourceCommand::Clean => "there are no downloaded sources".to_owned(),
            _ => "sources are not downloaded; `marsh <command> --help` describes each command, `marsh help` prints all \
                  of them as JSON, `marsh schema` lists the documents, and the directory `docs` of the source \
                  repository holds the guides"
                .to_owned(),
        },
    };
    ui.result(&document, || document.message.clone());
    done()
}
