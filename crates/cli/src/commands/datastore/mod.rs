//! `marsh datastore …`.

mod setup;

use std::process::ExitCode;

use marsh_api::datastore::{DatastoreSyncRequest, SyncMode};
use marsh_app::{Read, Session};

use super::{done, failed};
use crate::app;
use crate::args::Cli;
use crate::args::datastore::{CatalogCommand, DatastoreCommand, DatastoreLockCommand, DatastoreTypeCommand};
use crate::error::CliError;
use crate::ui::{BAD, GOOD, NAME, Ui, columns, inline};

pub fn run(cli: &Cli, ui: &Ui, command: &DatastoreCommand) -> Result<ExitCode, CliError> {
    match command {
        DatastoreCommand::Setup(command) => setup::run(cli, ui, command),
        DatastoreCommand::Namespace(command) => setup::namespace(cli, ui, command),
        _ => opened(ui, app::open(cli)?, command),
    }
}

fn opened(ui: &Ui, mut session: Session, command: &DatastoreCommand) -> Result<ExitCode, CliError> {
    match command {
        DatastoreCommand::Setup(_) | DatastoreCommand::Namespace(_) => done(),
        DatastoreCommand::Compact => setup::compact(ui, &session),
        DatastoreCommand::MigrateIndex => setup::migrate_index(ui, &session),
        DatastoreCommand::Catalog(CatalogCommand::Pull { namespaces }) => {
            setup::pull_catalogs(ui, &session, namespaces)
        }
        DatastoreCommand::Status => status(ui, session.read()),
        DatastoreCommand::Sync { pull, push, timeout, .. } => {
            let mode = match (pull, push) {
                (true, _) => SyncMode::Pull,
                (_, true) => SyncMode::Push,
                _ => SyncMode::Sync,
            };
            let timeout_ms = timeout.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
            sync(ui, &mut session, &DatastoreSyncRequest { mode, timeout_ms })
        }
        DatastoreCommand::Lock(DatastoreLockCommand::Status) => lock_status(ui, session.read()),
        DatastoreCommand::Lock(DatastoreLockCommand::Release { model, .. }) => {
            release(ui, &session, model.as_deref())
        }
        DatastoreCommand::Type(DatastoreTypeCommand::Search { query }) => {
            types(ui, session.read(), query.as_deref())
        }
    }
}

fn status(ui: &Ui, read: Read<'_>) -> Result<ExitCode, CliError> {
    let status = read.datastore_status()?;
    ui.result(&status, || {
        let state = match status.healthy {
            true => format!("{GOOD}healthy{GOOD:#}"),
            false => format!("{BAD}unhealthy{BAD:#}: {}", status.message),
        };
        let changes = match status.unpushed_changes {
            Some(true) => "\n  unpushed changes on this machine; the next change pushes them first",
            _ => "",
        };
        format!("{NAME}{}{NAME:#} {state}\n  {}{changes}", status.type_name, status.path)
    });
    if status.healthy { done() } else { failed() }
}

fn sync(ui: &Ui, session: &mut Session, request: &DatastoreSyncRequest) -> Result<ExitCode, CliError> {
    app::cancel_on_signal(session.canceller());
    let synced = session.sync_datastore(request)?;
    ui.result(&synced, || {
        let counts = [(synced.files_pulled, "pulled"), (synced.files_pushed, "pushed")];
        let counts = counts.iter().filter_map(|(count, verb)| Some(format!("{} {verb}", (*count)?)));
        format!("{GOOD}synchronized{GOOD:#} {}", counts.collect::<Vec<_>>().join(", "))
    });
    done()
}

fn lock_status(ui: &Ui, read: Read<'_>) -> Result<ExitCode, CliError> {
    let lock = read.datastore_lock()?;
    ui.result(&lock, || match &lock.info {
        None => "the lock is free".to_owned(),
        Some(holder) => format!("held by {}", inline(holder)),
    });
    done()
}

fn release(ui: &Ui, session: &Session, model: Option<&str>) -> Result<ExitCode, CliError> {
    let released = match model {
        Some(model) if !model.contains('/') => {
            return Err(CliError::usage(format!("invalid model `{model}`: expected TYPE/ID")));
        }
        Some(_) => session.release_model_lock(),
        None => session.release_datastore_lock()?,
    };
    ui.result(&released, || match &released.info {
        None => released.reason.clone().unwrap_or_else(|| "the lock was free".to_owned()),
        Some(holder) => format!("released the lock of {}", inline(holder)),
    });
    done()
}

fn types(ui: &Ui, read: Read<'_>, query: Option<&str>) -> Result<ExitCode, CliError> {
    let found = read.search_datastore_types(query)?;
    ui.result(&found, || {
        let rows: Vec<Vec<String>> = found
            .results
            .iter()
            .map(|row| vec![format!("{NAME}{}{NAME:#}", row.type_name), row.origin.to_string()])
            .collect();
        columns(&rows)
    });
    done()
}
