//! `marsh auth …`.

use std::io::Read as _;
use std::process::ExitCode;

use marsh_app::{App, LoginRequest, NewTokenRequest};

use super::done;
use crate::app;
use crate::args::Cli;
use crate::args::auth::{AuthCommand, AuthTokenCommand};
use crate::error::CliError;
use crate::ui::{GOOD, NAME, Ui};

/// More than a name and a token need.
const INPUT_LIMIT: u64 = 64 * 1024;

pub fn run(cli: &Cli, ui: &Ui, command: &AuthCommand) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    match command {
        AuthCommand::Login { username, password, .. } => {
            login(&app, ui, cli.global.server.as_ref(), username.as_ref(), password.as_ref())?;
        }
        AuthCommand::Logout => {
            let out = app.logout()?;
            ui.result(&out, || match (&out.username, &out.server_url) {
                (Some(user), Some(server)) => format!(
                    "{GOOD}logged out{GOOD:#} {user} from {server}; the token stays valid until the registry's operator \
                     removes it"
                ),
                _ => out.reason.clone().unwrap_or_default(),
            });
        }
        AuthCommand::Whoami => {
            let user = app.whoami()?;
            ui.result(&user, || {
                format!(
                    "{NAME}{}{NAME:#} on {}\n  collectives: {}",
                    user.username,
                    user.server_url,
                    user.collectives.join(", ")
                )
            });
        }
        AuthCommand::Token(AuthTokenCommand::Create { collective, scopes, name }) => {
            let request = NewTokenRequest {
                collective: collective.clone(),
                scopes: scopes.clone(),
                name: name.clone(),
            };
            let made = app.create_token(&request)?;
            ui.result(&made, || made.token.expose().to_owned());
            ui.say("keep it: it is shown this once");
        }
        AuthCommand::ServerLogin => {
            let (Some(server), Some(token)) = (&cli.global.server, &cli.global.token) else {
                return Err(CliError::Usage {
                    message: "missing `--server` or `--token`: servers have no login in a browser".into(),
                    hint: Some("`marsh auth server-login --server URL --token NAME.SECRET`".into()),
                });
            };
            let stored = app.store_server_token(server, token)?;
            ui.result(&stored, || {
                format!("{GOOD}stored{GOOD:#} {} for {}", stored.token_name, stored.server_url)
            });
        }
    }
    done()
}

fn login(
    app: &App,
    ui: &Ui,
    server: Option<&String>,
    username: Option<&String>,
    password: Option<&String>,
) -> Result<(), CliError> {
    let mut username = username.cloned();
    let token = match password {
        Some(password) => password.clone(),
        None if ui.can_ask() => crate::prompt::hidden("Token")?.trim().to_owned(),
        None => {
            let mut text = String::new();
            std::io::stdin()
                .lock()
                .take(INPUT_LIMIT)
                .read_to_string(&mut text)
                .map_err(|source| CliError::Read { what: "standard input".into(), source })?;
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            if let ([first, _, ..], None) = (lines.as_slice(), &username) {
                username = Some((*first).to_owned());
            }
            lines.last().map(|line| (*line).to_owned()).unwrap_or_default()
        }
    };
    if token.is_empty() {
        return Err(CliError::Usage {
            message: "missing token".into(),
            hint: Some("give it with `--password`, or on standard input".into()),
        });
    }
    let done = app.login(&LoginRequest { server: server.cloned(), username, token })?;
    if done.server_url.starts_with("http://") && !is_local(&done.server_url) {
        ui.warn(format_args!("{} is not encrypted: the token can be read on the way", done.server_url));
    }
    ui.result(&done, || format!("{GOOD}logged in{GOOD:#} as {} to {}", done.username, done.server_url));
    Ok(())
}

fn is_local(url: &str) -> bool {
    ["http://127.", "http://localhost", "http://[::1]"].iter().any(|local| url.starts_with(local))
}
