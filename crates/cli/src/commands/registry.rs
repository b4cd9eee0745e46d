//! `marsh registry …`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use marsh_archive::ArchiveLimits;
use marsh_registry::{Location, PushMetadata};
use marsh_registry_server::{SCOPES, ServerOptions};
use serde_json::json;

use super::done;
use crate::args::registry::{RegistryCommand, TokenCommand};
use crate::error::CliError;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn run(ui: &Ui, command: &RegistryCommand) -> Result<ExitCode, CliError> {
    match command {
        RegistryCommand::Init { dir } => {
            let shown = dir.to_string_lossy();
            let location = Location::parse(&shown, &crate::app::current_dir()?)
                .map_err(|error| CliError::usage(error.to_string()))?;
            let Location::Directory(dir) = &location else {
                return Err(CliError::usage(format!("`{shown}` is not a directory")));
            };
            marsh_registry::init(dir)?;
            let location = location.to_string();
            ui.result(&json!({ "path": dir, "registry": location }), || {
                format!(
                    "{GOOD}made{GOOD:#} the registry {}\nuse it with --registry {location}",
                    dir.display()
                )
            });
            done()
        }
        RegistryCommand::Serve { dir, listen } => serve(ui, dir, *listen),
        RegistryCommand::Token(command) => token(ui, command),
    }
}

fn serve(ui: &Ui, dir: &Path, listen: std::net::SocketAddr) -> Result<ExitCode, CliError> {
    let scratch = dir.join("private").join("unpacked");
    let validate = move |archive: &Path, metadata: &PushMetadata| validate(archive, metadata, &scratch);
    let options = ServerOptions {
        on_fault: Arc::new(|fault| anstream::eprintln!("fault: {fault}")),
        ..ServerOptions::new(Arc::new(validate))
    };
    let (talk, dir) = (*ui, dir.to_owned());
    let ready = |address: std::net::SocketAddr| {
        let url = format!("http://{address}");
        talk.result(&json!({ "url": url, "path": dir }), || format!("serving {} at {url}", dir.display()));
    };
    marsh_registry_server::serve(&dir, listen, options, marsh_registry_server::interrupted(), ready)?;
    done()
}

/// That the archive unpacks within the limits, and says itself what its publisher says of it.
fn validate(archive: &Path, metadata: &PushMetadata, scratch: &Path) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    marsh_fs::create_dir_all(scratch).map_err(|error| text(&error))?;
    let staged = marsh_fs::StagedDir::new(scratch).map_err(|error| text(&error))?;
    let file = std::fs::File::open(archive).map_err(|error| text(&error))?;
    let target = staged.path().join("tree");
    let unpacked = marsh_archive::unpack(std::io::BufReader::new(file), &target, &ArchiveLimits::default())
        .map_err(|error| text(&error))?;
    let manifest = &unpacked.manifest;
    if manifest.name != metadata.name || manifest.version != metadata.version {
        return Err(format!(
            "the archive says that it is {}@{}, and is pushed as {}@{}",
            manifest.name, manifest.version, metadata.name, metadata.version
        ));
    }
    Ok(())
}

fn token(ui: &Ui, command: &TokenCommand) -> Result<ExitCode, CliError> {
    match command {
        TokenCommand::Add { dir, username, collectives, scopes } => {
            marsh_registry::directory::Directory::new(dir).check()?;
            let owned = if collectives.is_empty() { vec![username.clone()] } else { collectives.clone() };
            let scopes: Vec<String> =
                if scopes.is_empty() { SCOPES.map(str::to_owned).to_vec() } else { scopes.clone() };
            let secret = marsh_registry_server::add_token(dir, username, &owned, &scopes)?;
            let document =
                json!({ "token": secret, "username": username, "collectives": owned, "scopes": scopes });
            ui.result(&document, || secret.clone());
            ui.say("keep it: it is shown this once; clients take it from MARSH_API_KEY");
            done()
        }
        TokenCommand::List { dir } => {
            let tokens = marsh_registry_server::list_tokens(dir)?;
            let documents: Vec<_> = tokens
                .iter()
                .map(|one| {
                    json!({
                        "id": one.id, "username": one.username, "collectives": one.collectives,
                        "scopes": one.scopes, "createdAt": one.created_at,
                    })
                })
                .collect();
            ui.result(&json!({ "tokens": documents }), || {
                if tokens.is_empty() {
                    return "no tokens".into();
                }
                let rows: Vec<Vec<String>> = tokens
                    .iter()
                    .map(|one| {
                        vec![
                            one.id.clone(),
                            format!("{NAME}{}{NAME:#}", one.username),
                            one.collectives.join(", "),
                            one.scopes.join(", "),
                            format!("{DIM}{}{DIM:#}", one.created_at),
                        ]
                    })
                    .collect();
                columns(&rows)
            });
            done()
        }
        TokenCommand::Rm { dir, id } => {
            let removed = marsh_registry_server::remove_token(dir, id)?;
            ui.result(&json!({ "removed": { "id": removed.id, "username": removed.username } }), || {
                format!("{GOOD}removed{GOOD:#} {} of {}", removed.id, removed.username)
            });
            done()
        }
    }
}
