//! Whether marsh understands a command line, by the definition that its binary parses with.

use marsh_cli::{Misparsed, parse_as};
use serde::Serialize;

use crate::collect::Found;

/// What becomes of a command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// marsh understands it.
    Parsed { command: String },
    /// marsh understands it, and answers that it has no such thing.
    Refused { command: String, reason: String },
    /// Its command or the rest of it is in a variable.
    Open,
    /// marsh does not understand it.
    Failed { cause: String, message: String },
}

/// What placeholders may stand for, in the order in which they are tried.
const VALUES: &[&str] =
    &["1", "30s", "@acme/name", "2026.01.01.1", "stable", "a=b", "127.0.0.1:1", "acme", "on", "9090"];

/// Groups below a noun.
const GROUPS: &[&str] = &[
    "method",
    "output",
    "type",
    "history",
    "trust",
    "source",
    "setup",
    "lock",
    "namespace",
    "trigger",
    "schema",
    "token",
];

/// Judges one command line.
pub fn judge(found: &Found) -> Verdict {
    let is_many = found.words.iter().any(|word| word.is_many());
    if found.words.first().is_some_and(|word| word.is_open() && !word.text.starts_with('@')) {
        return Verdict::Open;
    }
    let mut words: Vec<String> = Vec::new();
    for word in &found.words {
        let is_nothing =
            word.is_many() && (word.quoted || word.text.starts_with("$@") || word.text.starts_with("$*"));
        if !is_nothing {
            words.push(word.text.clone());
        }
    }
    match parse(words) {
        Ok(parsed) => match parsed.unsupported {
            None => Verdict::Parsed { command: parsed.command },
            Some(reason) => Verdict::Refused { command: parsed.command, reason },
        },
        // What is missing or too much may be in the variable.
        Err(_) if is_many => Verdict::Open,
        Err(error) => Verdict::Failed { cause: cause(&error, found), message: error.message },
    }
}

/// Parses, and puts something valid where a value is a placeholder.
fn parse(mut words: Vec<String>) -> Result<marsh_cli::Parsed, Misparsed> {
    loop {
        let error = match parse_as("swamp", &words) {
            Ok(parsed) => return Ok(parsed),
            Err(error) => error,
        };
        let Some(value) = error.value.clone().filter(|value| is_placeholder(value)) else {
            return Err(error);
        };
        let tries = error.valid_values.iter().map(String::as_str).chain(VALUES.iter().copied());
        let Some(at) = words.iter().position(|word| word.contains(&value)) else { return Err(error) };
        let replaced = tries.into_iter().find_map(|candidate| {
            let mut tried = words.clone();
            tried[at] = words[at].replace(&value, candidate);
            match parse_as("swamp", &tried) {
                Err(again) if again.value.as_deref() == Some(candidate) => None,
                _ => Some(tried),
            }
        });
        match replaced {
            Some(tried) => words = tried,
            None => return Err(error),
        }
    }
}

fn is_placeholder(value: &str) -> bool {
    crate::shell::Word { text: value.to_owned(), quoted: false }.is_open()
        || value.chars().any(|c| c.is_ascii_uppercase()) && !value.chars().any(|c| c.is_ascii_lowercase())
}

/// The message without what is special about this line, with the command.
fn cause(error: &Misparsed, found: &Found) -> String {
    let command: Vec<&str> = found
        .words
        .iter()
        .map(|word| word.text.as_str())
        .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-'))
        .collect();
    // Deeper words are mostly names.
    let is_deep = command.get(1).is_some_and(|word| GROUPS.contains(word));
    let command = &command[..command.len().min(if is_deep { 3 } else { 2 })];
    let message = error.message.split(" Usage: ").next().unwrap_or_default();
    // A surplus value is not what the line has in common with others.
    let message = match message.strip_prefix("unexpected argument '") {
        Some(rest) if !rest.starts_with('-') => "unexpected argument found",
        _ => message,
    };
    format!("`{}`: {message}", command.join(" "))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Found, Verdict, judge};
    use crate::collect::Place;
    use crate::shell::command_lines;

    fn verdict(line: &str) -> Verdict {
        let words = command_lines(line).remove(0).words;
        judge(&Found { place: Place::Script, file: PathBuf::new(), line: 1, words })
    }

    #[test]
    fn placeholders_count_as_values_of_their_kind() {
        for line in [
            "swamp data search --limit $N --since <duration>",
            "swamp extension pull <extension> --channel <channel>",
            "swamp model get ${NAME}",
            "swamp model @<type> method run x y",
        ] {
            assert!(matches!(verdict(line), Verdict::Parsed { .. }), "{line}: {:?}", verdict(line));
        }
    }

    #[test]
    fn line_whose_command_is_a_variable_is_not_judged() {
        assert_eq!(verdict("swamp \"$@\""), Verdict::Open);
        assert_eq!(verdict("swamp $CMD x"), Verdict::Open);
        assert_eq!(verdict("swamp model get \"${ARGS[@]}\""), Verdict::Open);
    }

    #[test]
    fn unknown_options_fail_with_command_and_cause_and_servers_are_refused() {
        let Verdict::Failed { cause, .. } = verdict("swamp model get x --nonsense") else {
            panic!("it parsed")
        };
        assert_eq!(cause, "`model get`: unexpected argument '--nonsense' found");
        assert!(matches!(verdict("swamp model search --server wss://x"), Verdict::Refused { .. }));
    }
}
