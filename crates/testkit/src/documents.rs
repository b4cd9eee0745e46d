//! Every document that a run prints with `--json` is valid against its schema, whatever else a test looks at.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use marsh_api::schema::{DOCUMENTS, all_schemas};
use serde_json::Value;

use crate::Run;

/// Commands that print no document of the table: a script for a shell, and a JSON Schema.
pub const WITHOUT_DOCUMENT: &[&str] = &[
    "completions bash",
    "completions elvish",
    "completions fish",
    "completions powershell",
    "completions zsh",
    "workflow schema",
];

/// Other names of commands, and the names that the table has.
pub const ALIASES: &[(&str, &str)] = &[
    ("agent ls", "agent list"),
    ("agent remove", "agent rm"),
    ("auth status", "auth whoami"),
    ("datastore type list", "datastore type search"),
    ("engine rm", "engine remove"),
    ("engine status", "engine list"),
    ("extension ls", "extension list"),
    ("extension remove", "extension rm"),
    ("model list", "model search"),
    ("model method history list", "model method history search"),
    ("model output list", "model output search"),
    ("model type get", "model type describe"),
    ("model type list", "model type search"),
    ("report list", "report search"),
    ("report type list", "report type search"),
    ("summarize", "summarise"),
    ("vault describe", "vault get"),
    ("vault list", "vault search"),
    ("vault type list", "vault type search"),
    ("vault write-secret", "vault put"),
    ("workflow history list", "workflow history search"),
    ("workflow list", "workflow search"),
    // Another spelling of the command, which is not in the help.
    ("workflow run search", "workflow history search"),
];

/// The table's rows of the command that these arguments name, by the names of their documents.
///
/// A row's command may have flags and values that choose the document (`workflow get --graph`, `workflow validate NAME`);
/// they do not decide here, so several documents can be acceptable.
pub fn documents_of(arguments: &[&str]) -> Vec<&'static str> {
    let words: Vec<&str> = arguments.iter().copied().filter(|argument| !argument.starts_with('-')).collect();
    // The value of a global flag, or a type (`model @me/x method run`), may stand before or inside the command.
    let adjacent = longest(|command| words.windows(command.len()).take(2).any(|window| window == command));
    if adjacent.is_empty() { longest(|command| is_part_of(command, &words)) } else { adjacent }
}

/// The documents of the longest commands that match.
fn longest(matches: impl Fn(&[&str]) -> bool) -> Vec<&'static str> {
    let mut found = (0, Vec::new());
    for document in DOCUMENTS {
        let of_document = |name: &&str| document.commands.contains(name);
        let aliases = ALIASES.iter().filter(|(_, name)| of_document(name)).map(|(alias, _)| alias);
        for command in document.commands.iter().chain(aliases).map(|command| command_words(command)) {
            if command.len() < found.0 || !matches(&command) {
                continue;
            }
            if command.len() > found.0 {
                found = (command.len(), Vec::new());
            }
            found.1.push(document.name);
        }
    }
    found.1
}

/// Whether the words of a command stand in this order among others.
fn is_part_of(command: &[&str], words: &[&str]) -> bool {
    let mut words = words.iter();
    command.iter().all(|wanted| words.any(|word| word == wanted))
}

/// The words of a command, without flags and placeholders.
pub fn command_words(command: &str) -> Vec<&str> {
    let is_word = |word: &&str| !word.starts_with('-') && !word.chars().all(|c| c.is_ascii_uppercase());
    command.split(' ').filter(is_word).collect()
}

/// Why a document is invalid against a schema; empty when it is valid.
///
/// # Panics
/// When there is no such schema.
pub fn schema_errors(name: &str, document: &Value) -> Vec<String> {
    static VALIDATORS: OnceLock<BTreeMap<&'static str, (Value, OnceLock<Validator>)>> = OnceLock::new();
    let validators = VALIDATORS.get_or_init(|| {
        let schemas = all_schemas().into_iter();
        schemas.map(|(name, schema)| (name, (schema.to_value(), OnceLock::new()))).collect()
    });
    let (schema, validator) = validators.get(name).unwrap_or_else(|| panic!("no schema `{name}`"));
    let validator = validator.get_or_init(|| jsonschema::validator_for(schema).expect("a valid schema"));
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Fails the test if the run printed a document that is invalid against the schemas of its command.
#[track_caller]
pub(crate) fn check(arguments: &[&str], run: &Run) {
    let is_without = |command: &&str| is_part_of(&command_words(command), arguments);
    if !arguments.contains(&"--json") || run.stdout.is_empty() || WITHOUT_DOCUMENT.iter().any(is_without) {
        return;
    }
    let acceptable =
        if arguments.contains(&"--events") { vec!["workflow-event"] } else { documents_of(arguments) };
    let texts: Vec<&str> =
        if arguments.contains(&"--events") { run.stdout.lines().collect() } else { vec![&run.stdout] };
    for text in texts {
        let document: Value = match serde_json::from_str(text) {
            Ok(document) => document,
            // A process that a signal killed in its middle leaves part of a document.
            Err(_) if run.code.is_none() => return,
            Err(error) => panic!("not one JSON document: {error}\n{}", run.snapshot()),
        };
        let mut errors = Vec::new();
        let failed = (run.code != Some(0)).then_some("error");
        for name in acceptable.iter().copied().chain(failed) {
            let found = schema_errors(name, &document);
            if found.is_empty() {
                errors.clear();
                break;
            }
            errors.push(format!("{name}: {found:?}"));
        }
        assert!(errors.is_empty(), "{arguments:?}: {}\n{}", errors.join("\n"), run.snapshot());
        assert!(!acceptable.is_empty() || failed.is_some(), "no document in the table for {arguments:?}");
    }
}

/// Fails the test if a server's answer is invalid against the schema of its request.
#[track_caller]
pub(crate) fn check_answer(method: &str, outcome: &Result<Value, Value>) {
    let errors = match outcome {
        Err(error) => schema_errors("error", &serde_json::json!({ "error": error["data"] })),
        Ok(document) => {
            let name = match method {
                "status" => "server-status",
                "reload" => "server-reloaded",
                "call" => "method-run",
                "workflow" | "resume" => "workflow-run",
                "evict" => "server-evicted",
                "cancel" => "server-cancelled",
                "shutdown" => "server-shutdown-accepted",
                other => panic!("unknown request `{other}` was answered"),
            };
            schema_errors(name, document)
        }
    };
    assert!(errors.is_empty(), "{method}: {errors:?}\n{outcome:#?}");
}

#[cfg(test)]
mod tests {
    use super::documents_of;

    #[test]
    fn documents_of_a_command_are_found_beside_flags() {
        assert_eq!(documents_of(&["--json", "model", "get", "m"]), ["model"]);
        assert_eq!(documents_of(&["--repo-dir", "x", "--json", "data", "get", "m", "out"]), ["data"]);
        assert_eq!(documents_of(&["workflow", "get", "w", "--json"]), ["workflow", "workflow-graph"]);
        assert_eq!(documents_of(&["extension", "--repo-dir", "x", "pull", "@s/a"]), ["extension-pulled"]);
        assert_eq!(documents_of(&["model", "@me/x", "method", "run", "go", "m"]), ["method-run"]);
        assert_eq!(documents_of(&["workflow", "get", "search"]), ["workflow", "workflow-graph"]);
        assert_eq!(documents_of(&["--json", "nothing"]), [""; 0]);
    }
}
