//! `marsh datastore …`, and the change of data for commands that open their repository themselves.

use std::process::ExitCode;

use marsh_api::datastore::{DatastoreSyncRequest, SyncMode};
use marsh_app::{Read, Session};
use marsh_model::Models;
use marsh_types::Explain as _;

use super::sessions::{self, show};
use super::{done, failed};
use crate::app::{self, Opened};
use crate::args::Cli;
use crate::args::datastore::{DatastoreCommand, DatastoreLockCommand, DatastoreTypeCommand};
use crate::error::CliError;
use crate::exit;
use crate::ui::{BAD, GOOD, NAME, Ui, columns, inline};

/// Runs what changes data: under the lock of the datastore, on a fresh copy, and with the changes pushed.
pub fn changing(
    ui: &Ui,
    opened: &Opened,
    work: impl FnOnce(&Models) -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    let Some(store) = &opened.datastore else { return work(&opened.models) };
    app::cancel_on_signal(&opened.models);
    let changed = store.exclusively(|| work(&opened.models))?;
    let Err(error) = changed.pushed else { return changed.value };
    // The command has printed its own result already, on standard output.
    ui.problem(&error.to_string(), error.hint().as_deref());
    changed
        .value
        .map(|code| if code == ExitCode::from(exit::DONE) { ExitCode::from(exit::FAILED) } else { code })
}

/// Changes a run whose owner may hold the lock: the next holder of the lock pushes the change.
pub fn noting(
    opened: &Opened,
    work: impl FnOnce(&Models) -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    if let Some(store) = &opened.datastore {
        store.remember()?;
    }
    work(&opened.models)
}

pub fn run(cli: &Cli, ui: &Ui, command: &DatastoreCommand) -> Result<ExitCode, CliError> {
    let mut session = sessions::open(cli)?;
    match command {
        DatastoreCommand::Status => status(ui, session.read()),
        DatastoreCommand::Sync { pull, push, timeout } => {
            let mode = match (pull, push) {
                (true, _) => SyncMode::Pull,
                (_, true) => SyncMode::Push,
                _ => SyncMode::Sync,
            };
            let timeout_ms = timeout.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
            sync(ui, &mut session, &DatastoreSyncRequest { mode, timeout_ms })
        }
        DatastoreCommand::Lock(DatastoreLockCommand::Status) => lock_status(ui, session.read()),
        DatastoreCommand::Lock(DatastoreLockCommand::Release { .. }) => release(ui, &session),
        DatastoreCommand::Type(DatastoreTypeCommand::Search { query }) => {
            types(ui, session.read(), query.as_deref())
        }
    }
}

/// `marsh doctor datastores`.
pub fn check(cli: &Cli, ui: &Ui) -> Result<ExitCode, CliError> {
    status(ui, sessions::open(cli)?.read())
}

fn status(ui: &Ui, read: Read<'_>) -> Result<ExitCode, CliError> {
    let status = read.datastore_status()?;
    show(ui, &status, || {
        let state = match status.healthy {
            true => format!("{GOOD}healthy{GOOD:#}"),
            false => format!("{BAD}unhealthy{BAD:#}: {}", status.message),
        };
        let changes = match status.unpushed_changes {
            Some(true) => "\n  unpushed changes on this machine; the next change pushes them first",
            _ => "",
        };
        format!("{NAME}{}{NAME:#} {state}\n  {}{changes}", status.type_name, status.path)
    })?;
    if status.healthy { done() } else { failed() }
}

fn sync(ui: &Ui, session: &mut Session, request: &DatastoreSyncRequest) -> Result<ExitCode, CliError> {
    app::cancel_on_signal(session.models());
    let synced = session.sync_datastore(request)?;
    show(ui, &synced, || {
        let counts = [(synced.files_pulled, "pulled"), (synced.files_pushed, "pushed")];
        let counts = counts.iter().filter_map(|(count, verb)| Some(format!("{} {verb}", (*count)?)));
        format!("{GOOD}synchronized{GOOD:#} {}", counts.collect::<Vec<_>>().join(", "))
    })?;
    done()
}

fn lock_status(ui: &Ui, read: Read<'_>) -> Result<ExitCode, CliError> {
    let lock = read.datastore_lock()?;
    show(ui, &lock, || match &lock.info {
        None => "the lock is free".to_owned(),
        Some(holder) => format!("held by {}", inline(holder)),
    })?;
    done()
}

fn release(ui: &Ui, session: &Session) -> Result<ExitCode, CliError> {
    let released = session.release_datastore_lock()?;
    show(ui, &released, || match &released.info {
        None => "the lock was free".to_owned(),
        Some(holder) => format!("released the lock of {}", inline(holder)),
    })?;
    done()
}

fn types(ui: &Ui, read: Read<'_>, query: Option<&str>) -> Result<ExitCode, CliError> {
    let found = read.search_datastore_types(query)?;
    show(ui, &found, || {
        let rows: Vec<Vec<String>> = found
            .results
            .iter()
            .map(|row| vec![format!("{NAME}{}{NAME:#}", row.type_name), row.origin.to_string()])
            .collect();
        columns(&rows)
    })?;
    done()
}
