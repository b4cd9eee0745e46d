//! One module per noun.

mod data;
mod datastore;
mod doctor;
mod extension;
mod init;
mod input;
mod method;
mod model;
mod output;
mod publish;
mod registry;
mod report;
mod serve;
mod source;
mod trust;
mod types;
mod vault;
mod workflow;

use std::process::ExitCode;

use clap::CommandFactory as _;
use serde_json::json;

use crate::args::report::ReportCommand;
use crate::args::{Cli, Command, DataCommand, MethodCommand, ModelCommand, RepoCommand, WorkflowCommand};
use crate::error::CliError;
use crate::ui::Ui;
use crate::{app, exit};
use datastore::{changing, noting};

/// Runs the command. `Ok` carries the exit code, as a command may have something to show and still have failed.
pub fn run(cli: &Cli, ui: &Ui) -> Result<ExitCode, CliError> {
    match &cli.command {
        Command::Version => {
            let version = env!("CARGO_PKG_VERSION");
            ui.result(&json!({ "version": version }), || format!("marsh {version}"));
            done()
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "marsh", &mut script);
            ui.raw(&script);
            done()
        }
        Command::Init(arguments) | Command::Repo(RepoCommand::Init(arguments)) => {
            init::run(cli, ui, arguments)
        }
        Command::Model(command) => {
            let opened = app::open_to_change(cli)?;
            let models = &opened.models;
            match command {
                ModelCommand::Type(command) => types::run(ui, models, command),
                ModelCommand::Method(command @ MethodCommand::Run(_)) => {
                    changing(ui, &opened, |models| method::run(ui, models, command))
                }
                ModelCommand::Method(command) => method::run(ui, models, command),
                ModelCommand::Output(command) => output::run(ui, models, command),
                ModelCommand::Delete { .. } => {
                    changing(ui, &opened, |models| model::run(ui, models, command))
                }
                command => model::run(ui, models, command),
            }
        }
        Command::Report(command) => {
            let opened = app::open_to_change(cli)?;
            match command {
                ReportCommand::Run { .. } => changing(ui, &opened, |models| report::run(ui, models, command)),
                command => report::run(ui, &opened.models, command),
            }
        }
        Command::Data(command) => {
            let opened = app::open_to_change(cli)?;
            match command {
                DataCommand::Get { .. }
                | DataCommand::List { .. }
                | DataCommand::Versions { .. }
                | DataCommand::Search(_)
                | DataCommand::Query { .. } => data::run(ui, &opened.models, command),
                command => changing(ui, &opened, |models| data::run(ui, models, command)),
            }
        }
        Command::Datastore(command) => datastore::run(cli, ui, command),
        Command::Vault(command) => vault::run(ui, &app::open(cli)?, command),
        Command::Workflow(command) => {
            let opened = app::open_to_change(cli)?;
            match command {
                WorkflowCommand::Run(_) | WorkflowCommand::Resume(_) | WorkflowCommand::Delete { .. } => {
                    changing(ui, &opened, |models| workflow::run(ui, models, command))
                }
                // The process that runs the workflow holds the lock, and waits for them.
                WorkflowCommand::Approve(_) | WorkflowCommand::Reject(_) | WorkflowCommand::Cancel(_) => {
                    noting(&opened, |models| workflow::run(ui, models, command))
                }
                command => workflow::run(ui, &opened.models, command),
            }
        }
        Command::Summarise(arguments) => workflow::summarise(ui, &app::open(cli)?, arguments),
        Command::Extension(command) => extension::run(cli, ui, command),
        Command::Registry(command) => registry::run(ui, command),
        Command::Doctor(command) => doctor::run(cli, ui, command),
        Command::Serve(arguments) => serve::run(cli, ui, arguments),
    }
}

fn done() -> Result<ExitCode, CliError> {
    Ok(ExitCode::from(exit::DONE))
}

fn failed() -> Result<ExitCode, CliError> {
    Ok(ExitCode::from(exit::FAILED))
}
