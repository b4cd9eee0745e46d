//! Deleting, renaming, collecting, searching and asking.

use marsh_testkit::Scratch;
use serde_json::{Value, json};

use crate::support::{OUTPUTS, definition, method, repo, repo_with};

/// A repository whose model `m` of type `@me/x` has these results, by name, each written so often.
fn scene(results: &[(&str, usize)]) -> Scratch {
    let writes: Vec<String> = results
        .iter()
        .flat_map(|(name, count)| {
            (1..=*count).map(move |n| {
                format!("await context.writeResource('out', '{name}', {{ n: {n}, name: '{name}' }});")
            })
        })
        .collect();
    let repo = repo_with(&format!("{OUTPUTS} {}", method("run", &writes.join("\n"))));
    repo.write("models/@me/x/m.yaml", definition("@me/x", "m", "globalArguments: {}"));
    repo.marsh(&["model", "method", "run", "m", "run"]).ok();
    repo
}

fn json(repo: &Scratch, arguments: &[&str]) -> Value {
    repo.marsh(&[&["--json", "data"], arguments].concat()).ok().json()
}

fn code(repo: &Scratch, arguments: &[&str]) -> Value {
    repo.marsh(&[&["--json", "data"], arguments].concat()).exits(1).error()["code"].clone()
}

fn names(repo: &Scratch) -> Vec<String> {
    let found = json(repo, &["search", "--limit", "100"]);
    let rows = found["results"].as_array().unwrap();
    rows.iter().map(|row| format!("{}@{}", row["name"].as_str().unwrap(), row["version"])).collect()
}

#[test]
fn results_and_versions_are_deleted() {
    let repo = scene(&[("a", 3), ("b1", 1), ("b2", 2), ("c", 1)]);
    let would = json(&repo, &["delete", "m", "a", "--version", "3", "--dry-run"]);
    assert_eq!((&would["versionsDeleted"], &would["dryRun"]), (&json!(1), &json!(true)));
    assert_eq!(names(&repo), ["a@3", "b1@1", "b2@2", "c@1"]);
    json(&repo, &["delete", "m", "a", "--version", "3", "--yes"]);
    assert_eq!(json(&repo, &["get", "m", "a"])["version"], 2, "the newest that is left");
    assert_eq!(code(&repo, &["delete", "m", "a", "--version", "3", "--yes"]), "not_found");
    let many = json(&repo, &["delete", "m", "--prefix", "b", "--yes"]);
    assert_eq!((&many["totalDeleted"], &many["totalVersionsDeleted"]), (&json!(2), &json!(3)));
    assert_eq!(names(&repo), ["a@2", "c@1"]);
    assert_eq!(json(&repo, &["delete", "m", "a", "--yes"])["versionsDeleted"], 2);
    assert_eq!(json(&repo, &["delete", "m", "--all", "--yes"])["totalDeleted"], 1);
    assert_eq!(names(&repo), Vec::<String>::new());
    assert_eq!(code(&repo, &["delete", "m", "a", "--yes"]), "not_found");
    repo.assert_sound();
}

#[test]
fn a_renamed_result_is_found_under_both_names() {
    let repo = scene(&[("old", 2), ("taken", 1)]);
    assert_eq!(code(&repo, &["rename", "m", "old", "taken"]), "data_exists");
    assert_eq!(code(&repo, &["rename", "m", "none", "new"]), "not_found");
    let renamed = json(&repo, &["rename", "m", "old", "new"]);
    assert_eq!((&renamed["copiedVersion"], &renamed["newVersion"]), (&json!(2), &json!(1)));
    for name in ["old", "new"] {
        let got = json(&repo, &["get", "m", name]);
        assert_eq!((&got["name"], &got["content"]["n"]), (&json!("new"), &json!(2)), "{name}");
    }
    // A version that is asked for by its number is that version.
    assert_eq!(json(&repo, &["get", "m", "old", "--version", "1"])["content"]["n"], 1);
    let buried = json(&repo, &["query", "lifecycle == 'deleted'"]);
    assert_eq!((&buried["total"], &buried["results"][0]["renamedTo"]), (&json!(1), &json!("new")));
}

#[test]
fn what_no_policy_keeps_is_collected() {
    let repo = scene(&[("a", 12), ("b", 1)]);
    let would = json(&repo, &["gc", "--dry-run"]);
    assert_eq!((&would["versionsDeleted"], &would["dataEntriesExpired"]), (&json!(2), &json!(0)));
    assert_eq!(json(&repo, &["versions", "m", "a"])["total"], 12);
    assert_eq!(json(&repo, &["gc", "--yes"])["versionsDeleted"], 2);
    assert_eq!(json(&repo, &["versions", "m", "a"])["total"], 10);
    assert_eq!(json(&repo, &["gc", "--yes"])["versionsDeleted"], 0);
    // With `autoGc`, a run collects for its model.
    let marker = repo.read(".swamp.yaml");
    repo.write(".swamp.yaml", marker + "autoGc: true\n");
    repo.marsh(&["model", "method", "run", "m", "run"]).ok();
    assert_eq!(json(&repo, &["versions", "m", "a"])["total"], 10);
    assert_eq!(json(&repo, &["get", "m", "a"])["content"]["n"], 12);
}

#[test]
fn results_without_a_definition_can_be_pruned() {
    let repo = scene(&[("a", 2)]);
    assert_eq!(json(&repo, &["prune", "--yes"])["modelsReclaimed"], 0);
    // A definition that cannot be read is still one.
    let text = repo.read("models/@me/x/m.yaml");
    repo.write("models/@me/x/m.yaml", format!("{text}\n  broken"));
    assert_eq!(json(&repo, &["prune", "--yes"])["modelsReclaimed"], 0);
    repo.remove("models/@me/x/m.yaml");
    let would = json(&repo, &["prune", "--dry-run"]);
    assert_eq!((&would["modelsReclaimed"], &would["versionsDeleted"]), (&json!(1), &json!(2)));
    assert_eq!(names(&repo), ["a@2"], "orphans are found as long as they are there");
    assert_eq!(json(&repo, &["prune", "--yes"])["dataEntriesReclaimed"], 1);
    assert_eq!(names(&repo), Vec::<String>::new());
}

#[test]
fn results_are_searched_by_what_is_known_of_them() {
    let repo = scene(&[("apple", 2), ("banana", 1)]);
    repo.marsh(&[
        "model",
        "@command/shell",
        "method",
        "run",
        "execute",
        "s",
        "--input",
        "run=echo hi",
        "--tag",
        "team=x",
    ])
    .ok();
    let found = |arguments: &[&str]| -> Vec<String> {
        let document = json(&repo, &[&["search"], arguments].concat());
        let rows = document["results"].as_array().unwrap();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found(&["an"]), ["banana"]);
    assert_eq!(found(&["--model", "m"]), ["apple", "banana"]);
    assert_eq!(found(&["--model", "s", "--type", "file"]), ["log"]);
    assert_eq!(found(&["--tag", "team=x", "--content-type", "application/json"]), ["result"]);
    assert_eq!(found(&["--streaming"]), ["log"]);
    assert_eq!(found(&["--since", "1h", "--lifetime", "infinite"]).len(), 4);
    let run = repo.marsh(&["--json", "model", "method", "run", "m", "run"]).ok().json();
    assert_eq!(
        found(&["--output", run["outputId"].as_str().unwrap()]),
        ["apple", "banana"],
        "what a run wrote"
    );
    let limited = json(&repo, &["search", "--limit", "1"]);
    assert_eq!((&limited["total"], &limited["limited"]), (&json!(4), &json!(true)));
    assert_eq!(repo.marsh(&["--json", "data", "search", "--tag", "team"]).exits(2).error()["code"], "usage");
}

#[test]
fn a_predicate_finds_records() {
    let repo = scene(&[("a", 3), ("b", 1), ("c", 2)]);
    let found = |predicate: &str| -> Vec<String> {
        let document = json(&repo, &["query", predicate]);
        let rows = document["results"].as_array().unwrap();
        rows.iter().map(|row| format!("{}@{}", row["name"].as_str().unwrap(), row["version"])).collect()
    };
    for (predicate, expected) in [
        ("modelName == 'm'", vec!["a@3", "b@1", "c@2"]),
        ("name == 'a'", vec!["a@3"]),
        ("name == 'a' && version < 3", vec!["a@1", "a@2"]),
        ("!isLatest", vec!["a@1", "a@2", "c@1"]),
        ("attributes.n > 1.0", vec!["a@3", "c@2"]),
        ("attributes.n > 1.0 && name != 'c'", vec!["a@3"]),
        ("attributes.name.startsWith('b') || name == 'c'", vec!["b@1", "c@2"]),
        ("tags.specName == 'out' && name in ['a', 'b']", vec!["a@3", "b@1"]),
        // A record on which the predicate fails does not match.
        ("attributes.missing == 1", vec![]),
        ("tags.missing != 'x'", vec![]),
        ("has(attributes.n) && size(attributes.name) == 1", vec!["a@3", "b@1", "c@2"]),
    ] {
        assert_eq!(found(predicate), expected, "{predicate}");
    }
    let selected = json(&repo, &["query", "modelName == 'm'", "--select", "attributes.n", "--limit", "2"]);
    assert_eq!((&selected["limited"], &selected["total"]), (&json!(true), &json!(2)));
    assert_eq!(selected["projected"]["values"], json!([3, 1]));
    let text = repo.marsh(&["data", "query", "name == 'a'", "--select", "{'is': attributes.name}"]).ok();
    assert_eq!(text.stdout.trim(), r#"{"is":"a"}"#);
}

#[test]
fn a_predicate_that_cannot_be_right_is_refused() {
    let repo = repo();
    let refused = |predicate: &str| repo.marsh(&["--json", "data", "query", predicate]).exits(1).error();
    assert_eq!(refused("modelName == ")["code"], "expression_syntax");
    let unknown = refused("modelNam == 'm'");
    assert_eq!(unknown["code"], "unknown_field");
    assert!(unknown["hint"].as_str().unwrap().contains("`modelName`"), "{unknown}");
    assert_eq!(json(&repo, &["query", "name == 'a'"])["total"], 0, "nothing is stored yet");
}

#[test]
fn an_answer_does_not_depend_on_the_catalog() {
    let repo = scene(&[("a", 3), ("b", 1)]);
    let ask = || json(&repo, &["query", "version > 0"]);
    let expected = ask();
    let file = ".swamp/marsh/v1/data-catalog-v1.db";
    assert!(repo.exists(file));
    let whole = std::fs::read(repo.path(file)).unwrap();
    for damaged in [b"nonsense".to_vec(), whole[..whole.len() / 3].to_vec(), Vec::new()] {
        repo.write(file, damaged);
        assert_eq!(ask(), expected);
    }
    repo.remove(".swamp/marsh/v1");
    assert_eq!(ask(), expected);
}

/// The content of the first version, relative to the repository.
fn content_file(repo: &Scratch, name: &str) -> String {
    let model = std::fs::read_dir(repo.path(".swamp/data/@me/x")).unwrap().next().unwrap().unwrap();
    format!(".swamp/data/@me/x/{}/{name}/1/raw", model.file_name().display())
}

#[test]
fn damaged_json_fails_a_query_that_needs_it() {
    let repo = scene(&[("a", 1), ("b", 1)]);
    repo.write(&content_file(&repo, "a"), "{\"n\": ");
    let error = repo.marsh(&["--json", "data", "query", "modelName == 'm'"]).exits(1).error();
    assert_eq!(error["code"], "file_damaged");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("version 1 of `a`") && message.contains("invalid JSON"), "{message}");
    // What a predicate excludes is not read.
    assert_eq!(
        json(&repo, &["query", "modelName == 'm' && name == 'b'"])["results"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn data_of_an_illegible_definition_are_no_orphans() {
    let repo = scene(&[("a", 1)]);
    repo.write("models/@me/x/m.yaml", "name: [\n");
    let error = repo.marsh(&["--json", "data", "prune", "--yes"]).exits(1).error();
    assert_eq!(error["code"], "invalid_definition");
    assert!(repo.path(&content_file(&repo, "a")).is_file());
}
