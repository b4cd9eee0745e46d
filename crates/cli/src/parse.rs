//! Parsing a command line without running it.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use crate::args::Cli;
use crate::persona::Persona;
use crate::rewrite::rewrite;
use crate::unsupported;

/// Parses rewritten arguments, the program's name first, under the name of a persona.
pub fn parse(persona: &Persona, arguments: &[OsString]) -> Result<(Cli, ArgMatches), clap::Error> {
    let mut command = persona.command(Cli::command());
    let matches = command.try_get_matches_from_mut(arguments)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok((cli, matches))
}

/// The words of the command that was parsed: `workflow run`.
pub fn words(matches: &ArgMatches) -> String {
    let mut words = Vec::new();
    let mut at = matches;
    while let Some((name, below)) = at.subcommand() {
        words.push(name);
        at = below;
    }
    words.join(" ")
}

/// A command line that marsh understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The words of the command: `workflow run`.
    pub command: String,
    /// Why marsh answers it with an error that says so, when it does.
    pub unsupported: Option<String>,
}

/// Why marsh does not understand a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misparsed {
    /// The first paragraph of the message.
    pub message: String,
    /// The value of an argument that is invalid.
    pub value: Option<String>,
    /// The values that the argument takes, when it takes few.
    pub valid_values: Vec<String>,
}

/// Parses a command line, without the program's name, as the program `persona` (`marsh`, `swamp`) does. Help and versions
/// are understood.
///
/// # Errors
///
/// Why the command line is invalid.
///
/// # Panics
///
/// If there is no such persona.
pub fn parse_as(persona: &str, words: &[String]) -> Result<Parsed, Misparsed> {
    let persona = Persona::named(persona).unwrap_or_else(|| panic!("no persona `{persona}`"));
    let program = std::iter::once(OsString::from(persona.name));
    let arguments = rewrite(program.chain(words.iter().map(OsString::from)).collect());
    match parse(persona, &arguments) {
        Ok((cli, matches)) => Ok(Parsed {
            command: self::words(&matches),
            unsupported: unsupported::refusal(&cli).map(|error| error.to_string()),
        }),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayVersion
            | ErrorKind::MissingSubcommand => Ok(Parsed { command: "help".into(), unsupported: None }),
            _ => Err(misparsed(&error)),
        },
    }
}

fn misparsed(error: &clap::Error) -> Misparsed {
    let text = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(value)) => vec![value.clone()],
        Some(ContextValue::Strings(values)) => values.clone(),
        _ => Vec::new(),
    };
    let message = error.to_string();
    let paragraph: Vec<&str> = message.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    Misparsed {
        message: paragraph.join(" ").trim_start_matches("error: ").to_owned(),
        value: text(ContextKind::InvalidValue).into_iter().next(),
        valid_values: text(ContextKind::ValidValue),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_as;

    fn parsed(line: &str) -> Result<super::Parsed, super::Misparsed> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse_as("swamp", &words)
    }

    #[test]
    fn command_line_of_another_program_is_parsed_as_it_would_be_run() {
        assert_eq!(parsed("workflow run search x").unwrap().command, "workflow history search");
        assert_eq!(parsed("model").unwrap().command, "help");
        assert_eq!(parsed("--version").unwrap().command, "help");
        let remote = parsed("model search --server wss://example.com").unwrap();
        assert!(remote.unsupported.unwrap().contains("--server"));
    }

    #[test]
    fn invalid_value_is_named_with_the_valid_ones() {
        let error = parsed("completions tcsh").unwrap_err();
        assert!(error.message.contains("tcsh"), "{error:?}");
        let error = parsed("model search --log-level loud").unwrap_err();
        assert_eq!(error.value.as_deref(), Some("loud"));
        assert!(error.valid_values.contains(&"debug".to_owned()), "{error:?}");
    }
}
