//! `marsh registry …`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use marsh_api::registry::{
    RegistryCreated, RegistryStarted, RemovedToken, TokenCreated, TokenList, TokenRemoved, TokenRow,
};
use marsh_api::vault::SecretText;
use marsh_archive::ArchiveLimits;
use marsh_registry::{Location, PushMetadata};
use marsh_registry_server::{SCOPES, ServerOptions};

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
            let document =
                RegistryCreated { path: dir.display().to_string(), registry: location.to_string() };
            ui.result(&document, || {
                format!(
                    "{GOOD}made{GOOD:#} the registry {}\nuse it with --registry {}",
                    document.path, document.registry
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
    let (talk, shown) = (*ui, dir.to_owned());
    let ready = |address: std::net::SocketAddr| {
        let document =
            RegistryStarted { url: format!("http://{address}"), path: shown.display().to_string() };
        talk.result(&document, || format!("serving {} at {}", document.path, document.url));
    };
    marsh_registry_server::serve(dir, listen, options, marsh_registry_server::interrupted(), ready)?;
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
            let document = TokenCreated {
                token: SecretText::new(&secret),
                username: username.clone(),
                collectives: owned,
                scopes,
            };
            ui.result(&document, || secret.clone());
            ui.say("keep it: it is shown this once; clients take it from MARSH_API_KEY");
            done()
        }
        TokenCommand::List { dir } => {
            let tokens = marsh_registry_server::list_tokens(dir)?;
            let rows = tokens.into_iter().map(|one| TokenRow {
                id: one.id,
                username: one.username,
                collectives: one.collectives,
                scopes: one.scopes,
                created_at: one.created_at,
            });
            let document = TokenList { tokens: rows.collect() };
            ui.result(&document, || {
                if document.tokens.is_empty() {
                    return "no tokens".into();
                }
                let rows: Vec<Vec<String>> = document
                    .tokens
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
            let document =
                TokenRemoved { removed: RemovedToken { id: removed.id, username: removed.username } };
            ui.result(&document, || {
                format!("{GOOD}removed{GOOD:#} {} of {}", document.removed.id, document.removed.username)
            });
            done()
        }
    }
}
