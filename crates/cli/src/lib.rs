//! The command line: arguments in, rendering and exit codes out. No logic of its own.
//!
//! Two hidden subcommands make the same binary a host process and a bundling worker; they are recognised before
//! anything else happens, because both are started often and need nothing that commands need.

mod app;
mod args;
mod commands;
mod error;
mod exit;
mod harmless;
mod parse;
mod persona;
mod prompt;
mod rewrite;
mod trace;
mod ui;
mod unsupported;

use std::io::Write as _;
use std::process::ExitCode;

pub use crate::parse::{Misparsed, Parsed, parse_as};
use crate::persona::{LoneGroup, Persona};
use crate::ui::Ui;

/// The hidden subcommand under which the binary bundles one entry point.
const BUNDLE_SUBCOMMAND: &str = "__bundle";

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    // A host or a worker whose filter is invalid has a parent that reports it.
    let traced = trace::start();
    match arguments.get(1).and_then(|argument| argument.to_str()) {
        Some(marsh_host_client::SUBCOMMAND) => return marsh_host_server::main(),
        Some(BUNDLE_SUBCOMMAND) => return marsh_bundle::worker_main(),
        _ => {}
    }
    let chosen = Persona::choose(arguments.first().map(std::ffi::OsString::as_os_str));
    let arguments = rewrite::rewrite(arguments);
    let (cli, matches) = match parse::parse(Persona::current(), &arguments) {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error, &arguments),
    };
    let words = parse::words(&matches);
    let ui = Ui::new(&cli.global, &words);
    if let Err(message) = chosen.and(traced) {
        return ui.fail(&error::CliError::Usage { message, hint: None });
    }
    let _command = trace::command(&words);
    let code = match commands::run(&cli, &ui) {
        Ok(code) => code,
        Err(error) => ui.fail(&error),
    };
    ui.finish(code)
}

/// Help pages end with examples and have the program's name in their texts, which nothing else needs.
fn help_page(error: &clap::Error, arguments: &[std::ffi::OsString]) -> Option<clap::Error> {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, MissingSubcommand};
    let mut arguments = arguments.to_vec();
    match error.kind() {
        DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand => {}
        // Options without a command: clap asks for one instead of printing the help.
        MissingSubcommand if Persona::current().lone_group == LoneGroup::PrintsHelp => {
            arguments.push("--help".into());
        }
        _ => return None,
    }
    let persona = Persona::current();
    persona.help(args::examples::command()).try_get_matches_from(arguments).err()
}

/// Help and version go to standard output; a usage error is an error like any other, also as JSON.
fn usage(error: &clap::Error, arguments: &[std::ffi::OsString]) -> ExitCode {
    use clap::error::ErrorKind::{DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    // A version needs none of the texts of the commands.
    if error.kind() == DisplayVersion {
        ui::written(write!(anstream::stdout().lock(), "{}", error.render().ansi()));
        return Ui::plain().finish(ExitCode::from(exit::DONE));
    }
    let page = help_page(error, arguments);
    let shown = page.as_ref().unwrap_or(error);
    let is_group = error.kind() == DisplayHelpOnMissingArgumentOrSubcommand;
    if page.is_some() && (!is_group || Persona::current().lone_group == LoneGroup::PrintsHelp) {
        ui::written(write!(anstream::stdout().lock(), "{}", shown.render().ansi()));
        return Ui::plain().finish(ExitCode::from(exit::DONE));
    }
    if arguments.iter().any(|argument| argument == "--json") {
        let text = error.to_string();
        // The first paragraph: a line, or a line and the arguments that it is about.
        let paragraph: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let message = paragraph.join(" ").trim_start_matches("error: ").to_owned();
        // clap lists hidden commands too.
        let message = message.split(" [subcommands: ").next().unwrap_or_default().to_owned();
        let hint = text.lines().find_map(|line| line.trim().strip_prefix("tip: ")).map(str::to_owned);
        let is_missing = error.kind() == clap::error::ErrorKind::MissingSubcommand;
        let hint = hint.or_else(|| is_missing.then(|| "`marsh help` lists the commands".to_owned()));
        return Ui::json_only().fail(&error::CliError::Usage { message, hint });
    }
    ui::written(shown.print());
    Ui::plain().finish(ExitCode::from(marsh_api::ErrorClass::Usage.exit_code()))
}
