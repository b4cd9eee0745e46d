//! `marsh extension trust …`: whose extensions may be installed without being asked for.

use std::process::ExitCode;

use marsh_api::source::{ListAction, MemberTrust, TrustChanged, TrustList};
use marsh_fs::Durability;
use marsh_repo::{Environment, Repo, RepoError};
use marsh_types::ExtensionName;
use serde_json::Value;

use super::done;
use crate::app;
use crate::args::Cli;
use crate::args::publish::TrustCommand;
use crate::error::CliError;
use crate::ui::Ui;

pub fn run(cli: &Cli, ui: &Ui, command: &TrustCommand) -> Result<ExitCode, CliError> {
    let environment = Environment::from_process();
    let repo = Repo::find(cli.global.repo_dir.as_deref(), &environment, &app::current_dir()?)?;
    match command {
        TrustCommand::List => {
            let explicit = repo.marker.trusted_collectives();
            let auto = repo.marker.flag("trustMemberCollectives").unwrap_or(false);
            let document = TrustList {
                explicit: explicit.clone(),
                membership: Vec::new(),
                resolved: explicit.clone(),
                trust_member_collectives: auto,
            };
            ui.result(&document, || {
                if explicit.is_empty() { "no collective is trusted".into() } else { explicit.join("\n") }
            });
        }
        TrustCommand::Add { collective } => {
            let name = checked(collective)?;
            let trusted = change(&repo, &environment, |mut trusted| {
                if !trusted.contains(&name) {
                    trusted.push(name.clone());
                }
                Ok(trusted)
            })?;
            modified(ui, ListAction::Add, name, trusted);
        }
        TrustCommand::Rm { collective } => {
            let name = checked(collective)?;
            let trusted = change(&repo, &environment, |mut trusted| {
                let before = trusted.len();
                trusted.retain(|known| *known != name);
                if trusted.len() == before {
                    return Err(CliError::NotFound {
                        message: format!("`{name}` is not trusted"),
                        hint: Some("`marsh extension trust list` shows who is".into()),
                    });
                }
                Ok(trusted)
            })?;
            modified(ui, ListAction::Rm, name, trusted);
        }
        TrustCommand::AutoTrust { state } => {
            let on = state == "on";
            let _lock = lock(&repo, &environment)?;
            let mut marker = Repo::open(repo.layout.root())?.marker;
            marker.set("trustMemberCollectives", Value::Bool(on));
            write(&repo, &marker)?;
            ui.result(&MemberTrust { trust_member_collectives: on }, || {
                format!(
                    "the collectives that you are a member of are {}trusted",
                    if on { "" } else { "not " }
                )
            });
        }
    }
    done()
}

fn modified(ui: &Ui, action: ListAction, collective: String, trusted: Vec<String>) {
    let document = TrustChanged { action, collective, trusted_collectives: trusted };
    ui.result(&document, || {
        let trusted = &document.trusted_collectives;
        format!("trusted: {}", if trusted.is_empty() { "no collective".into() } else { trusted.join(", ") })
    });
}

fn checked(collective: &str) -> Result<String, CliError> {
    let bare = collective.trim_start_matches('@');
    match ExtensionName::parse(&format!("@{bare}/x")) {
        Ok(_) if !bare.contains('/') => Ok(bare.to_owned()),
        _ => Err(CliError::usage(format!("invalid collective `{collective}`: use a-z, 0-9, `-` and `_`"))),
    }
}

fn lock(repo: &Repo, environment: &Environment) -> Result<marsh_fs::LockFile, CliError> {
    let path = repo.layout.locks().join("marker.lock");
    let timeout = environment.lock_timeout();
    Ok(marsh_fs::lock_exclusive(&path, timeout, "marsh extension trust", &mut |_| {})
        .map_err(marsh_registry::RegistryError::from)?)
}

/// Reads the marker again under the lock, so that of two changes at once none is lost.
fn change(
    repo: &Repo,
    environment: &Environment,
    edit: impl FnOnce(Vec<String>) -> Result<Vec<String>, CliError>,
) -> Result<Vec<String>, CliError> {
    let _lock = lock(repo, environment)?;
    let mut marker = Repo::open(repo.layout.root())?.marker;
    let trusted = edit(marker.trusted_collectives())?;
    marker.set("trustedCollectives", Value::from(trusted.clone()));
    write(repo, &marker)?;
    Ok(trusted)
}

fn write(repo: &Repo, marker: &marsh_repo::Marker) -> Result<(), CliError> {
    let text = marker.to_yaml().map_err(RepoError::from)?;
    marsh_fs::atomic_write(&repo.layout.marker(), text.as_bytes(), Durability::Synced)?;
    Ok(())
}
