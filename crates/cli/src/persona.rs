//! As which program marsh answers.
//!
//! Scripts and coding agents that call another program of the same format keep working when a link of that name leads to
//! marsh. Under that name, marsh answers in that program's manner: names, streams, exit codes. Everything that differs is
//! a field of [`Persona`], and nothing else asks for the name. As `marsh`, the documents of `marsh_api` hold unchanged.
//!
//! Tests: `crates/cli/tests/it/persona.rs` runs the binary through a link.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

use clap::Command;
use marsh_api::ErrorClass;
use marsh_repo::env::{Environment, PERSONA};

/// A program as which marsh answers, and everything in which the programs differ.
#[derive(Debug)]
pub struct Persona {
    /// The program's name in help, usage, versions, and in the commands that messages name.
    pub name: &'static str,
    /// What a failure looks like with `--json`.
    pub json_errors: JsonErrors,
    /// The exit code of a failure.
    exit_code: fn(ErrorClass) -> u8,
    /// What a group without a command does (`model`, `vault type`).
    pub lone_group: LoneGroup,
    /// What a status that no run can have selects in a search.
    pub unknown_status: UnknownStatus,
    /// Whether an extension that lacks points fails `extension quality`.
    pub quality_fails: bool,
    /// Commands that print their JSON document also without `--json`, unless standard output is a terminal.
    json_without_terminal: &'static [&'static str],
}

/// What a failure looks like with `--json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonErrors {
    /// `{"error": {"code", "class", "message", …}}` on standard output.
    Document,
    /// `{"error": "…", "code", "hint"?}` on standard error, and nothing on standard output.
    Bare,
}

/// What a group without a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoneGroup {
    /// Fails as an invalid command line, with the help on standard error.
    Fails,
    /// Prints its help on standard output and succeeds.
    PrintsHelp,
}

/// What a status that no run can have selects in a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownStatus {
    /// It is an invalid command line.
    Fails,
    /// No run.
    SelectsNothing,
}

/// The program itself.
static MARSH: Persona = Persona {
    name: "marsh",
    json_errors: JsonErrors::Document,
    exit_code: ErrorClass::exit_code,
    lone_group: LoneGroup::Fails,
    unknown_status: UnknownStatus::Fails,
    quality_fails: true,
    json_without_terminal: &[],
};

/// The program whose format and command line marsh shares.
static SWAMP: Persona = Persona {
    name: "swamp",
    json_errors: JsonErrors::Bare,
    // A cancelled run has failed.
    exit_code: |class| match class {
        ErrorClass::Cancelled => 1,
        other => other.exit_code(),
    },
    lone_group: LoneGroup::PrintsHelp,
    unknown_status: UnknownStatus::SelectsNothing,
    quality_fails: false,
    json_without_terminal: &[
        "model search",
        "model type search",
        "model output search",
        "model method history search",
        "workflow search",
        "workflow get",
        "workflow history search",
        "vault search",
        "vault type search",
        "data search",
        "data versions",
        "report search",
        "report type search",
        "datastore type search",
        "extension search",
    ],
};

static PERSONAS: [&Persona; 2] = [&MARSH, &SWAMP];

static CURRENT: OnceLock<&'static Persona> = OnceLock::new();

impl Persona {
    /// Chooses the persona of this process: that of `MARSH_PERSONA`, else that of the file name under which the program
    /// was started, else marsh.
    ///
    /// # Errors
    ///
    /// A sentence, when the variable has another value than the names of personas. The persona is marsh then.
    pub fn choose(program: Option<&OsStr>) -> Result<(), String> {
        let environment = Environment::from_process();
        let wanted = environment.get(PERSONA);
        let chosen = match wanted {
            Some(name) => Persona::named(name),
            None => program.and_then(file_stem).and_then(Persona::named).or(Some(&MARSH)),
        };
        CURRENT.get_or_init(|| chosen.unwrap_or(&MARSH));
        match (chosen, wanted) {
            (None, Some(wanted)) => {
                let names = PERSONAS.map(|persona| format!("`{}`", persona.name)).join(" or ");
                Err(format!("invalid MARSH_PERSONA `{wanted}`; expected {names}"))
            }
            _ => Ok(()),
        }
    }

    /// The persona of this name.
    pub fn named(name: &str) -> Option<&'static Persona> {
        PERSONAS.into_iter().find(|persona| persona.name == name)
    }

    /// The persona of this process; marsh before one is chosen.
    pub fn current() -> &'static Persona {
        CURRENT.get().copied().unwrap_or(&MARSH)
    }

    /// The exit code of a failure of this class.
    pub fn exit_code(&self, class: ErrorClass) -> u8 {
        (self.exit_code)(class)
    }

    /// Whether the result of a command (`model search`) is JSON although `--json` is not given.
    pub fn prints_json(&self, command: &str, stdout_is_terminal: bool) -> bool {
        !stdout_is_terminal && self.json_without_terminal.contains(&command)
    }

    /// A message in which commands have this program's name.
    pub fn words<'a>(&self, message: &'a str) -> Cow<'a, str> {
        if self.name == MARSH.name || !message.contains(MARSH.name) {
            return Cow::Borrowed(message);
        }
        Cow::Owned(renamed(message, self.name))
    }

    /// The command line with this program's name in usage, without changes to its texts.
    pub fn command(&self, command: Command) -> Command {
        command.name(self.name).bin_name(self.name)
    }

    /// The whole command line with this program's name in every text.
    pub fn help(&self, tree: Command) -> Command {
        if self.name == MARSH.name { tree } else { self.renamed_texts(tree) }
    }

    fn renamed_texts(&self, mut command: Command) -> Command {
        let text = |text: Option<&clap::builder::StyledStr>| {
            text.map(|text| self.words(&text.ansi().to_string()).into_owned())
        };
        let (about, long) = (text(command.get_about()), text(command.get_long_about()));
        let after = text(command.get_after_help());
        if let Some(about) = about {
            command = command.about(about);
        }
        if let Some(long) = long {
            command = command.long_about(long);
        }
        if let Some(after) = after {
            command = command.after_help(after);
        }
        command = command.mut_args(|mut arg| {
            let (help, long) = (text(arg.get_help()), text(arg.get_long_help()));
            if let Some(help) = help {
                arg = arg.help(help);
            }
            if let Some(long) = long {
                arg = arg.long_help(long);
            }
            arg
        });
        command.mut_subcommands(|below| self.renamed_texts(below))
    }
}

fn file_stem(program: &OsStr) -> Option<&str> {
    Path::new(program).file_stem().and_then(OsStr::to_str)
}

/// Replaces `marsh` where it is a word: not in a path, a file name or a longer name.
fn renamed(message: &str, name: &str) -> String {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '@' | '\\');
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(MARSH.name) {
        let (before, found) = rest.split_at(at);
        let after = &found[MARSH.name.len()..];
        let starts = !before.chars().next_back().or(text.chars().next_back()).is_some_and(joins);
        // A full stop ends a sentence when nothing follows it.
        let mut next = after.chars();
        let ends = match next.next() {
            Some('.') => !next.next().is_some_and(joins),
            Some(other) => !joins(other),
            None => true,
        };
        text.push_str(before);
        text.push_str(if starts && ends { name } else { MARSH.name });
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_another_program_rename_commands_and_no_paths() {
        let text = "run `marsh init`, then marsh serve; see .swamp/marsh/serve, marsh-data and @marsh/x. So does marsh.";
        assert_eq!(
            SWAMP.words(text),
            "run `swamp init`, then swamp serve; see .swamp/marsh/serve, marsh-data and @marsh/x. So does swamp."
        );
        assert_eq!(MARSH.words(text), text);
    }

    #[test]
    fn program_name_of_a_path_decides() {
        let named_by =
            |path: &str| file_stem(OsStr::new(path)).and_then(Persona::named).map(|persona| persona.name);
        assert_eq!(named_by("/usr/local/bin/swamp"), Some("swamp"));
        assert_eq!(named_by("swamp.exe"), Some("swamp"));
        assert_eq!(named_by("marsh"), Some("marsh"));
        assert_eq!(named_by("/tmp/other"), None);
    }

    #[test]
    fn commands_of_the_table_exist() {
        let program = crate::args::examples::command();
        for words in PERSONAS.iter().flat_map(|persona| persona.json_without_terminal) {
            let found = words.split(' ').try_fold(&program, |command, word| command.find_subcommand(word));
            // The command is not there yet.
            if *words != "model method history search" {
                assert!(found.is_some(), "{words}");
            }
        }
    }
}
