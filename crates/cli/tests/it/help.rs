//! `help` describes the whole command line as one document, read from the definition that parses it.

use std::collections::BTreeSet;

use marsh_testkit::{Run, Scratch};
use serde_json::{Value, json};

use crate::support::BINARY;

fn help(words: &[&str]) -> Run {
    // Outside of a repository, and without `--json`.
    Scratch::empty(BINARY).marsh(&[&["help"], words].concat())
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

fn option<'a>(command: &'a Value, flags: &str) -> &'a Value {
    let options = command["options"].as_array().unwrap();
    options.iter().find(|option| option["flags"] == flags).unwrap_or_else(|| panic!("{flags}: {options:#?}"))
}

#[test]
fn help_without_a_command_lists_the_visible_commands_and_global_options() {
    let document = help(&[]).ok().json();
    let root = &document["root"];
    assert_eq!(root["name"], "marsh");
    assert_eq!(option(root, "-q, --quiet")["required"], false);
    assert_eq!(root.get("globalOptions"), None);
    let listed = names(&root["subcommands"]);
    assert!(
        ["init", "model", "workflow"].iter().all(|name| listed.contains(&(*name).to_owned())),
        "{listed:?}"
    );
    assert!(!listed.contains(&"help".to_owned()));
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn help_of_a_command_has_its_arguments_values_defaults_and_the_global_options() {
    let document = help(&["data", "search"]).ok().json();
    let root = &document["root"];
    assert_eq!(root["name"], "search");
    assert_eq!(root["arguments"], json!([{"name": "query", "required": false, "variadic": false}]));
    let limit = option(root, "--limit");
    assert_eq!(
        (&limit["default"], &limit["value"], &limit["collect"]),
        (&json!(50), &json!("N"), &json!(false))
    );
    let tag = option(root, "--tag");
    assert_eq!(
        (tag.get("default"), &tag["value"], &tag["collect"]),
        (None, &json!("KEY=VALUE"), &json!(true))
    );
    assert_eq!(option(root, "--streaming").get("value"), None);
    let global: BTreeSet<_> =
        root["globalOptions"].as_array().unwrap().iter().map(|o| &o["flags"]).map(Value::to_string).collect();
    assert!(global.contains("\"--json\""), "{global:?}");
    let release = help(&["datastore", "lock", "release"]).ok().json();
    assert_eq!(option(&release["root"], "--force")["required"], true);
    let workflow = help(&["workflow"]).ok().json();
    let nested = workflow["root"]["subcommands"][0].clone();
    assert_eq!(nested.get("globalOptions"), None, "only the root repeats the global options");
}

#[test]
fn help_of_hidden_names_and_aliases_answers_and_options_behind_them_are_ignored() {
    assert_eq!(help(&["help"]).ok().json()["root"]["arguments"][0]["variadic"], true);
    assert_eq!(help(&["model", "list", "--all", "x"]).ok().json()["root"]["name"], "list");
    assert_eq!(help(&["summarize"]).ok().json()["root"]["name"], "summarize");
    assert_eq!(help(&["workflow", "run", "search"]).ok().json()["root"]["name"], "search");
}

#[test]
fn help_of_an_unknown_command_fails_as_a_document_with_the_nearest_name() {
    let error = help(&["data", "versoins"]).exits(1).error(); // spelling: on purpose
    assert_eq!(error["code"], "not_found");
    assert_eq!(error["message"], "unknown command `data versoins`"); // spelling: on purpose
    assert_eq!(error["hint"], "did you mean `versions`?");
    assert_eq!(help(&["model", "zzzz"]).exits(1).error()["hint"], "`marsh help model` lists the commands");
}
