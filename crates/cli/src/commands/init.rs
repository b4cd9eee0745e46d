//! `marsh init`.

use std::process::ExitCode;

use marsh_app::InitRequest;

use super::done;
use crate::app;
use crate::args::{Cli, InitArgs};
use crate::error::CliError;
use crate::ui::{GOOD, Ui};

pub fn run(cli: &Cli, ui: &Ui, arguments: &InitArgs) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    if !arguments.tool.is_empty() {
        ui.warn("`--tool` does nothing: setting up AI tools is not part of marsh");
    }
    let request = InitRequest { path: arguments.path.clone(), force: arguments.force };
    let document = app.initialize(&request)?;
    ui.result(&document, || {
        format!(
            "{GOOD}initialized{GOOD:#} {}\n\nnext: put extension sources under extensions/models/, or try\n  \
             marsh model @command/shell method run execute hello --input run='echo hello'",
            document.path
        )
    });
    done()
}
