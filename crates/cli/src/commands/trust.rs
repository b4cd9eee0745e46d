//! `marsh extension trust …`: whose extensions may be installed without being asked for.

use std::process::ExitCode;

use marsh_api::source::TrustChanged;

use super::done;
use crate::app;
use crate::args::Cli;
use crate::args::publish::TrustCommand;
use crate::error::CliError;
use crate::ui::Ui;

pub fn run(cli: &Cli, ui: &Ui, command: &TrustCommand) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    match command {
        TrustCommand::List => {
            let document = app.trusted()?;
            ui.result(&document, || {
                let trusted = &document.explicit;
                if trusted.is_empty() { "no collective is trusted".into() } else { trusted.join("\n") }
            });
        }
        TrustCommand::Add { collective } => modified(ui, &app.trust(collective)?),
        TrustCommand::Rm { collective } => modified(ui, &app.distrust(collective)?),
        TrustCommand::AutoTrust { state } => {
            let document = app.trust_members(state == "on")?;
            let not = if document.trust_member_collectives { "" } else { "not " };
            ui.result(&document, || format!("the collectives that you are a member of are {not}trusted"));
        }
    }
    done()
}

fn modified(ui: &Ui, document: &TrustChanged) {
    ui.result(document, || {
        let trusted = &document.trusted_collectives;
        format!("trusted: {}", if trusted.is_empty() { "no collective".into() } else { trusted.join(", ") })
    });
}
