//! One module per noun.

mod agent;
mod audit;
mod auth;
mod checkup;
mod console;
mod data;
mod datastore;
mod doctor;
mod engine;
mod extension;
mod help;
mod init;
mod input;
mod method;
mod model;
mod output;
mod preferences;
mod progress;
mod publish;
mod registry;
mod report;
mod run;
mod schema;
mod serve;
mod source;
mod trust;
mod types;
mod vault;
mod workflow;

use std::process::ExitCode;

use marsh_api::schema::Version;
use marsh_api::telemetry::TelemetryStatistics;

use crate::args::{Cli, Command, RepoCommand};
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::Ui;
use crate::{app, exit, unsupported};

/// Runs the command. `Ok` carries the exit code, as a command may have something to show and still have failed.
pub fn run(cli: &Cli, ui: &Ui) -> Result<ExitCode, CliError> {
    if let Some(refusal) = unsupported::refusal(cli) {
        return Err(refusal);
    }
    let persona = Persona::current();
    match &cli.command {
        Command::Version => {
            let version = env!("CARGO_PKG_VERSION");
            let document = Version { version: version.to_owned() };
            ui.result(&document, || format!("{} {version}", persona.name));
            done()
        }
        Command::Help { words } => help::run(words, &persona.help(Cli::tree())),
        Command::Schema { name, all } => schema::run(ui, name.as_deref(), *all),
        Command::Completions(command) => {
            if let Some((shell, name)) = command.script() {
                let mut script = Vec::new();
                let name = name.unwrap_or(persona.name);
                clap_complete::generate(shell, &mut persona.help(Cli::tree()), name, &mut script);
                ui.raw(&script);
            }
            done()
        }
        Command::Telemetry(_) => {
            let document = TelemetryStatistics { message: "marsh collects no telemetry".into() };
            ui.result(&document, || document.message.clone());
            done()
        }
        Command::Access(_) | Command::Worker(_) | Command::Issue(_) | Command::Quest(_) => {
            unsupported::refusal(cli).map_or_else(done, Err)
        }
        Command::Repo(RepoCommand::Upgrade(arguments)) => init::upgrade(cli, ui, arguments),
        Command::Init(arguments) | Command::Repo(RepoCommand::Init(arguments)) => {
            init::run(cli, ui, arguments)
        }
        Command::Agent(command) => agent::run(cli, ui, command),
        Command::Model(command) => model::run(ui, &app::open(cli)?, command),
        Command::Report(command) => report::run(ui, &app::open(cli)?, command),
        Command::Data(command) => data::run(ui, &app::open(cli)?, command),
        Command::Datastore(command) => datastore::run(cli, ui, command),
        Command::Vault(command) => vault::run(ui, &app::open(cli)?, command),
        Command::Workflow(command) => workflow::run(ui, &app::open(cli)?, command),
        Command::Run(command) => run::run(ui, &app::open(cli)?, command),
        Command::Summarise(arguments) => workflow::summarise(ui, &app::open(cli)?.read(), arguments),
        Command::Extension(command) => extension::run(cli, ui, command),
        Command::Engine(command) => engine::run(cli, ui, command),
        Command::Registry(command) => registry::run(ui, command),
        Command::Audit(arguments) => audit::run(cli, ui, arguments),
        Command::Auth(command) => auth::run(cli, ui, command),
        Command::Config(command) => preferences::config(cli, ui, command),
        Command::Update(arguments) => preferences::update(cli, ui, arguments),
        Command::Source(command) => preferences::source(ui, command),
        Command::Doctor(command) => doctor::run(cli, ui, command),
        Command::Serve(arguments) => serve::run(cli, ui, arguments),
    }
}

/// A document as indented lines.
fn lines_of(document: &impl serde::Serialize) -> String {
    match serde_json::to_value(document) {
        Ok(value) => crate::ui::value_lines(&value, 0),
        Err(error) => error.to_string(),
    }
}

fn done() -> Result<ExitCode, CliError> {
    Ok(ExitCode::from(exit::DONE))
}

fn failed() -> Result<ExitCode, CliError> {
    Ok(ExitCode::from(exit::FAILED))
}
