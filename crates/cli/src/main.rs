//! The binary: arguments in, rendering and exit codes out. No logic of its own.
//!
//! Two hidden subcommands make the same binary a host process and a bundling worker; they are recognised before
//! anything else happens, because both are started often and need nothing that commands need.

mod app;
mod args;
mod commands;
mod error;
mod exit;
mod prompt;
mod rewrite;
mod trace;
mod ui;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Cli;
use crate::ui::Ui;

/// The hidden subcommand under which the binary bundles one entry point.
pub const BUNDLE_SUBCOMMAND: &str = "__bundle";

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    // A host or a worker whose filter is invalid has a parent that reports it.
    let traced = trace::start();
    match arguments.get(1).and_then(|argument| argument.to_str()) {
        Some(marsh_host_client::SUBCOMMAND) => return marsh_host_server::main(),
        Some(BUNDLE_SUBCOMMAND) => return marsh_bundle::worker_main(),
        _ => {}
    }
    let arguments = rewrite::rewrite(arguments);
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&with_examples(error, &arguments), &arguments),
    };
    let ui = Ui::new(&cli.global);
    if let Err(message) = traced {
        return ui.fail(&error::CliError::Usage { message, hint: None });
    }
    let _command = trace::command(&arguments);
    let code = match commands::run(&cli, &ui) {
        Ok(code) => code,
        Err(error) => ui.fail(&error),
    };
    ui.finish(code)
}

/// Help pages end with examples, which nothing else needs.
fn with_examples(error: clap::Error, arguments: &[std::ffi::OsString]) -> clap::Error {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand};
    if !matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand) {
        return error;
    }
    args::examples::command().try_get_matches_from(arguments).err().unwrap_or(error)
}

/// Help and version go to standard output; a usage error is an error like any other, also as JSON.
fn usage(error: &clap::Error, arguments: &[std::ffi::OsString]) -> ExitCode {
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    if error.use_stderr() && wants_json {
        let text = error.to_string();
        // The first paragraph: a line, or a line and the arguments that it is about.
        let paragraph: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let message = paragraph.join(" ").trim_start_matches("error: ").to_owned();
        let hint = text.lines().find_map(|line| line.trim().strip_prefix("tip: ")).map(str::to_owned);
        return Ui::json_only().fail(&error::CliError::Usage { message, hint });
    }
    ui::written(error.print());
    let code = if error.use_stderr() { marsh_api::ErrorClass::Usage.exit_code() } else { exit::DONE };
    Ui::plain().finish(ExitCode::from(code))
}
