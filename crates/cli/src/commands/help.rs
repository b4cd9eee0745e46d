//! `marsh help [command]…`: the command line as one JSON document, read from clap.

use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};
use marsh_api::help::{HelpArgument, HelpCommand, HelpDocument, HelpOption};
use marsh_types::near::did_you_mean;
use serde_json::Value;

use super::done;
use crate::error::CliError;
use crate::ui::Ui;

/// Prints the tree below the command that `words` name. Words from the first option on are ignored.
///
/// The result is JSON with and without `--json`, and so is the error.
pub fn run(words: &[String], program: &Command) -> Result<ExitCode, CliError> {
    let ui = Ui::json_only();
    match document(words, program) {
        Ok(document) => {
            ui.json(&document);
            done()
        }
        Err(error) => Ok(ui.fail(&error)),
    }
}

fn document(words: &[String], program: &Command) -> Result<HelpDocument, CliError> {
    let mut command = program;
    let mut root_name = program.get_name();
    let mut path = Vec::new();
    for word in words.iter().take_while(|word| !word.starts_with('-')) {
        path.push(word.as_str());
        root_name = word;
        command = command.find_subcommand(word).ok_or_else(|| unknown(command, &path))?;
    }
    let mut root = node(command, root_name, path.is_empty());
    if !path.is_empty() {
        root.global_options = Some(options(program, true));
    }
    Ok(HelpDocument { version: env!("CARGO_PKG_VERSION").to_owned(), root })
}

fn unknown(parent: &Command, path: &[&str]) -> CliError {
    let names = parent.get_subcommands().map(Command::get_name);
    let near = path.last().and_then(|word| did_you_mean(word, names));
    let list = [&["marsh", "help"], &path[..path.len().saturating_sub(1)]].concat().join(" ");
    CliError::NotFound {
        message: format!("unknown command `{}`", path.join(" ")),
        hint: Some(near.unwrap_or_else(|| format!("`{list}` lists the commands"))),
    }
}

fn node(command: &Command, name: &str, global: bool) -> HelpCommand {
    let about = command.get_long_about().or(command.get_about());
    HelpCommand {
        name: name.to_owned(),
        description: about.map(ToString::to_string).unwrap_or_default(),
        arguments: command.get_positionals().filter(|arg| !arg.is_hide_set()).map(argument).collect(),
        options: options(command, global),
        global_options: None,
        subcommands: command
            .get_subcommands()
            .filter(|below| !below.is_hide_set() && below.get_name() != "help")
            .map(|below| node(below, below.get_name(), false))
            .collect(),
    }
}

fn argument(arg: &Arg) -> HelpArgument {
    let values = arg.get_num_args();
    HelpArgument {
        name: value_name(arg).to_lowercase(),
        required: arg.is_required_set(),
        variadic: values.is_some_and(|range| range.max_values() > 1)
            || matches!(arg.get_action(), ArgAction::Append),
    }
}

/// The options of the program are the global ones; every other command has only its own here.
fn options(command: &Command, global: bool) -> Vec<HelpOption> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !arg.is_hide_set() && arg.is_global_set() == global)
        .filter(|arg| !matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpLong | ArgAction::Version))
        .map(option)
        .collect()
}

fn option(arg: &Arg) -> HelpOption {
    let shorts = arg.get_short_and_visible_aliases().unwrap_or_default();
    let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
    let flags = shorts
        .iter()
        .map(|short| format!("-{short}"))
        .chain(longs.iter().map(|long| format!("--{long}")))
        .collect::<Vec<_>>();
    let help = arg.get_long_help().or(arg.get_help());
    HelpOption {
        flags: flags.join(", "),
        description: help.map(ToString::to_string).unwrap_or_default(),
        required: arg.is_required_set(),
        collect: matches!(arg.get_action(), ArgAction::Append),
        value: arg.get_action().takes_values().then(|| value_name(arg)),
        default: arg.get_default_values().first().map(|value| default(&value.to_string_lossy())),
    }
}

fn value_name(arg: &Arg) -> String {
    let given = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
    given.unwrap_or_else(|| arg.get_id().as_str().to_uppercase())
}

/// Numbers and truth values as such, everything else as text.
fn default(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}
