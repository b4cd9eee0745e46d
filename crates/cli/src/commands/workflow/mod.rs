//! `marsh workflow …` and `marsh summarise`: arguments to requests of `marsh-app`, documents of `marsh-api` to text.

mod approvals;
mod evaluate;
mod events;
mod file;
mod history;
mod progress;
mod run;
mod summary;
mod text;
mod trigger;
mod validate;

pub use summary::summarise;

use std::process::ExitCode;

use marsh_app::Session;

use crate::app::change;
use crate::args::WorkflowCommand;
use crate::error::CliError;
use crate::ui::Ui;

pub fn run(ui: &Ui, session: &Session, command: &WorkflowCommand) -> Result<ExitCode, CliError> {
    let read = session.read();
    match command {
        WorkflowCommand::Create { name } => file::create(ui, &read, name),
        WorkflowCommand::Get { name, graph: Some(format) } => file::graph(ui, &read, name, (*format).into()),
        WorkflowCommand::Get { name, graph: None } => file::get(ui, &read, name),
        WorkflowCommand::Search { query } => file::search(ui, &read, query.as_deref().unwrap_or_default()),
        WorkflowCommand::Edit { name } => file::edit(ui, &read, name),
        WorkflowCommand::Delete { name, yes } => {
            change(ui, session, |write| file::delete(ui, write, name, *yes))
        }
        WorkflowCommand::Validate { name } => validate::validate(ui, &read, name.as_deref()),
        WorkflowCommand::Evaluate(arguments) => {
            change(ui, session, |write| evaluate::evaluate(ui, write, arguments))
        }
        WorkflowCommand::Trigger(command) => trigger::run(ui, &read, command),
        WorkflowCommand::Run(arguments) => change(ui, session, |write| run::run(ui, write, arguments)),
        WorkflowCommand::Resume(arguments) => change(ui, session, |write| run::resume(ui, write, arguments)),
        // The process that runs the workflow holds the datastore's lock, and waits for the next three.
        WorkflowCommand::Approve(arguments) => {
            session.write_beside_owner(|write| approvals::decide(ui, write, arguments, true))?
        }
        WorkflowCommand::Reject(arguments) => {
            session.write_beside_owner(|write| approvals::decide(ui, write, arguments, false))?
        }
        WorkflowCommand::Cancel(arguments) => {
            session.write_beside_owner(|write| approvals::cancel(ui, write, arguments))?
        }
        WorkflowCommand::Approvals => approvals::list(ui, &read),
        WorkflowCommand::Schema { .. } => file::schema(ui),
        WorkflowCommand::History(arguments) => history::history(ui, &read, arguments),
    }
}
