//! `marsh datastore …`, and what every change of data has to do with one.

use std::process::ExitCode;

use marsh_app::Session;
use marsh_datastore::{Choice, Datastore, Direction};
use marsh_model::Models;
use marsh_types::Kind;
use serde_json::{Value, json};

use super::{done, failed};
use crate::app;
use crate::args::Cli;
use crate::args::datastore::{DatastoreCommand, DatastoreLockCommand, DatastoreTypeCommand};
use crate::error::CliError;
use crate::ui::{BAD, GOOD, NAME, Ui, columns};

pub fn run(cli: &Cli, ui: &Ui, command: &DatastoreCommand) -> Result<ExitCode, CliError> {
    let mut opened = app::open(cli)?;
    match command {
        DatastoreCommand::Status => status(ui, &opened),
        DatastoreCommand::Sync { pull, push, timeout } => {
            app::cancel_on_signal(opened.models());
            let store = opened.datastore_mut().ok_or_else(no_extension)?;
            if let Some(timeout) = timeout {
                store.limit_sync(*timeout);
            }
            let (direction, mode) = match (pull, push) {
                (true, _) => (Direction::Pull, "pull"),
                (_, true) => (Direction::Push, "push"),
                _ => (Direction::Both, "sync"),
            };
            sync(ui, store, direction, mode)
        }
        DatastoreCommand::Lock(command) => lock(ui, &opened, command),
        DatastoreCommand::Type(DatastoreTypeCommand::Search { query }) => {
            types(ui, opened.models(), query.as_deref())
        }
    }
}

fn no_extension() -> CliError {
    CliError::Refused {
        message: "the data of this repository are in a directory, which needs no synchronization".into(),
        hint: Some("`datastore` in the marker names the datastore of an extension".into()),
    }
}

/// Also `marsh doctor datastores`.
pub fn status(ui: &Ui, opened: &Session) -> Result<ExitCode, CliError> {
    let models = opened.models();
    let choice = Choice::of(&models.repo, &models.env)?;
    let data = models.repo.layout.data();
    let mut document = json!({
        "type": choice.type_name(),
        "path": opened.datastore().map_or_else(|| data.parent().unwrap_or(&data), Datastore::root),
        "directories": choice.directories(),
    });
    let verdict = match opened.datastore() {
        None => Ok(()),
        Some(store) => {
            document["unpushedChanges"] = json!(store.has_changes());
            match store.verify() {
                Ok(health) => {
                    document["latencyMs"] = json!(health.latency_ms);
                    document["details"] = health.details;
                    if health.healthy { Ok(()) } else { Err(health.message) }
                }
                Err(error) => Err(models.secrets.redact(&error.to_string()).into_owned()),
            }
        }
    };
    document["healthy"] = json!(verdict.is_ok());
    document["message"] = json!(verdict.as_ref().err().map_or("all is well", String::as_str));
    ui.result(&document, || {
        let state = match &verdict {
            Ok(()) => format!("{GOOD}well{GOOD:#}"),
            Err(message) => format!("{BAD}not well{BAD:#}: {message}"),
        };
        let changes = match document["unpushedChanges"] == json!(true) {
            true => "\n  changes here that were not pushed yet; the next change pushes them first",
            false => "",
        };
        format!(
            "{NAME}{}{NAME:#} {state}\n  {}{changes}",
            choice.type_name(),
            document["path"].as_str().unwrap_or_default()
        )
    });
    if verdict.is_ok() { done() } else { failed() }
}

fn sync(ui: &Ui, store: &Datastore, direction: Direction, mode: &str) -> Result<ExitCode, CliError> {
    let synchronized = store.synchronize(direction)?;
    let mut document = json!({ "mode": mode });
    let mut said = Vec::new();
    for (key, what, count) in
        [("filesPulled", "brought", synchronized.pulled), ("filesPushed", "taken there", synchronized.pushed)]
    {
        if let Some(count) = count {
            document[key] = json!(count as u64);
            said.push(format!("{count} {what}"));
        }
    }
    ui.result(&document, || format!("{GOOD}synchronized{GOOD:#} {}", said.join(", ")));
    done()
}

fn lock(ui: &Ui, opened: &Session, command: &DatastoreLockCommand) -> Result<ExitCode, CliError> {
    let store = opened.datastore().ok_or_else(no_extension)?;
    let holder = match command {
        DatastoreLockCommand::Status => store.lock_holder()?,
        DatastoreLockCommand::Release { .. } => store.release_lock()?,
    };
    let is_status = matches!(command, DatastoreLockCommand::Status);
    let key = if is_status { "held" } else { "released" };
    let document = json!({ key: holder.is_some(), "info": holder, "datastoreType": store.type_name() });
    ui.result(&document, || match &holder {
        None => "the lock is free".to_owned(),
        Some(holder) => {
            let said = if is_status { "held by" } else { "taken from" };
            format!("{said} {}", crate::ui::inline(holder))
        }
    });
    done()
}

fn types(ui: &Ui, models: &Models, query: Option<&str>) -> Result<ExitCode, CliError> {
    let catalog = models.loader.catalog()?;
    let wanted = query.unwrap_or_default().to_lowercase();
    let mut all = catalog.of_kind(Kind::Datastore);
    all.retain(|indexed| indexed.type_name.as_str().contains(&wanted));
    let results: Vec<Value> = all
        .iter()
        .map(|indexed| json!({ "type": indexed.raw, "origin": indexed.root.origin, "path": indexed.path }))
        .collect();
    ui.result(&json!({ "query": query.unwrap_or_default(), "results": results }), || {
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|indexed| vec![format!("{NAME}{}{NAME:#}", indexed.raw), indexed.root.origin.to_string()])
            .collect();
        columns(&rows)
    });
    done()
}
