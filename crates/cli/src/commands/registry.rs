//! `marsh registry …`.

use std::path::Path;
use std::process::ExitCode;

use marsh_api::registry::RegistryStarted;
use marsh_app::{RegistryDirectory, TokenAddRequest};

use super::done;
use crate::args::registry::{RegistryCommand, TokenCommand};
use crate::error::CliError;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn run(ui: &Ui, command: &RegistryCommand) -> Result<ExitCode, CliError> {
    match command {
        RegistryCommand::Init { dir } => {
            let document = RegistryDirectory::new(dir).create(&crate::app::current_dir()?)?;
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
    let on_fault = |fault: &str| anstream::eprintln!("fault: {fault}");
    let ready = |document: &RegistryStarted| {
        ui.result(document, || format!("serving {} at {}", document.path, document.url));
    };
    RegistryDirectory::new(dir).serve(listen, on_fault, ready)?;
    done()
}

fn token(ui: &Ui, command: &TokenCommand) -> Result<ExitCode, CliError> {
    match command {
        TokenCommand::Add { dir, username, collectives, scopes } => {
            let request = TokenAddRequest {
                username: username.clone(),
                collectives: collectives.clone(),
                scopes: scopes.clone(),
            };
            let document = RegistryDirectory::new(dir).add_token(&request)?;
            ui.result(&document, || document.token.expose().to_owned());
            ui.say("keep it: it is shown this once; clients take it from MARSH_API_KEY");
            done()
        }
        TokenCommand::List { dir } => {
            let document = RegistryDirectory::new(dir).tokens()?;
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
            let document = RegistryDirectory::new(dir).remove_token(id)?;
            ui.result(&document, || {
                format!("{GOOD}removed{GOOD:#} {} of {}", document.removed.id, document.removed.username)
            });
            done()
        }
    }
}
