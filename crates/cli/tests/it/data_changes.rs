//! `marsh data delete`, `rename`, `gc`, `prune`, `search` and `query`, once each: what they do is tested in
//! `crates/app/tests/it/data.rs`.

use marsh_testkit::Scratch;
use serde_json::{Value, json};

use crate::support::{OUTPUTS, definition, method, repo_with};

/// A repository whose model `m` of type `@me/x` has these results, by name, each written this many times.
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

#[test]
fn data_commands_print_text_and_documents() {
    let repo = scene(&[("a", 12), ("b1", 1), ("b2", 2), ("c", 1)]);
    let text =
        |arguments: &[&str]| repo.marsh(&[&["data"], arguments].concat()).ok().stdout.trim().to_owned();

    assert_eq!(text(&["gc", "--dry-run"]), "would delete 0 expired results and 2 surplus versions, 36 bytes");
    let collected = json(&repo, &["gc", "--yes"]);
    assert_eq!((&collected["versionsDeleted"], &collected["dryRun"]), (&json!(2), &json!(false)));

    let found = json(&repo, &["search", "b", "--model", "m", "--since", "1h", "--limit", "1"]);
    assert_eq!((&found["total"], &found["limited"]), (&json!(2), &json!(true)));
    assert_eq!(found["results"][0]["name"], "b1");
    assert!(text(&["search", "--limit", "1"]).ends_with("… 5 more; raise `--limit` to see them"));
    let invalid = repo.marsh(&["--json", "data", "search", "--tag", "team"]).exits(2).error();
    assert_eq!(invalid["code"], "usage");
    assert!(invalid["message"].as_str().unwrap().contains("expected KEY=VALUE"), "{invalid}");

    assert_eq!(text(&["query", "name == 'c'", "--select", "{'is': attributes.name}"]), r#"{"is":"c"}"#);
    let selected = json(&repo, &["query", "name == 'b2'", "--select", "attributes.n"]);
    assert_eq!(selected, json!({ "results": [2], "total": 1, "limited": false }));

    let renamed = json(&repo, &["rename", "m", "c", "new"]);
    assert_eq!((&renamed["copiedVersion"], &renamed["newVersion"]), (&json!(1), &json!(1)));
    assert_eq!(json(&repo, &["get", "m", "c"])["name"], "new");

    assert_eq!(text(&["delete", "m", "a", "--dry-run"]), "would delete a of m (10 versions)");
    assert_eq!(text(&["delete", "m", "a", "--version", "12"]), "deleted version 12 of a of m");
    assert_eq!(json(&repo, &["get", "m", "a"])["version"], 11);
    let many = json(&repo, &["delete", "m", "--prefix", "b", "--yes"]);
    assert_eq!((&many["totalDeleted"], &many["totalVersionsDeleted"]), (&json!(2), &json!(3)));
    let gone = repo.marsh(&["--json", "data", "delete", "m", "b1", "--yes"]).exits(1).error();
    assert_eq!(gone["code"], "not_found");

    repo.remove("models/@me/x/m.yaml");
    let pruned = json(&repo, &["prune", "--yes"]);
    assert_eq!((&pruned["modelsReclaimed"], &pruned["dryRun"]), (&json!(1), &json!(false)));
    assert_eq!(text(&["prune"]), "deleted 0 results (0 versions, 0 bytes) of 0 models without a definition");
    repo.assert_sound();
}

#[test]
fn run_with_auto_gc_collects_for_its_model() {
    let repo = scene(&[("a", 12)]);
    assert_eq!(json(&repo, &["versions", "m", "a"])["total"], 12);
    let marker = repo.read(".swamp.yaml");
    repo.write(".swamp.yaml", marker + "autoGc: true\n");
    repo.marsh(&["model", "method", "run", "m", "run"]).ok();
    assert_eq!(json(&repo, &["versions", "m", "a"])["total"], 10);
    assert_eq!(json(&repo, &["get", "m", "a"])["content"]["n"], 12);
}

#[test]
fn search_by_output_finds_what_the_run_wrote() {
    let repo = scene(&[("apple", 2), ("banana", 1)]);
    repo.marsh(&["model", "@command/shell", "method", "run", "execute", "s", "--input", "run=echo hi"]).ok();
    let run = repo.marsh(&["--json", "model", "method", "run", "m", "run"]).ok().json();
    let found = json(&repo, &["search", "--output", run["outputId"].as_str().unwrap()]);
    let rows = found["results"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>(), ["apple", "banana"]);
}

#[test]
fn ctrl_c_at_a_question_ends_the_command_and_deletes_nothing() {
    use std::io::Read as _;
    use std::process::Stdio;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let repo = scene(&[("a", 1)]);
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let side = std::fs::OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child = repo
        .command(&["data", "delete", "m", "a"])
        .stdin(Stdio::from(side.try_clone().unwrap()))
        .stderr(Stdio::from(side))
        .spawn()
        .unwrap();
    let mut terminal = std::fs::File::from(terminal);
    let (mut question, mut byte) = (Vec::new(), [0]);
    while !question.ends_with(b"[y/N] ") {
        assert_eq!(terminal.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&question));
        question.push(byte[0]);
    }
    assert!(String::from_utf8_lossy(&question).contains("Delete "), "{question:?}");
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = marsh_testkit::wait_for("the command to end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    assert_eq!(json(&repo, &["get", "m", "a"])["version"], 1);
}

#[test]
fn data_commands_take_model_and_name_as_flags() {
    let repo = scene(&[("a", 2), ("b", 1)]);
    let same = |places: &[&str], flags: &[&str]| assert_eq!(json(&repo, places), json(&repo, flags));
    same(&["get", "m", "a"], &["get", "--model", "m", "--name", "a"]);
    same(&["get", "m", "a"], &["get", "--name", "a", "m"]);
    same(&["list", "m"], &["list", "--model", "m"]);
    same(&["versions", "m", "a"], &["versions", "--model", "m", "--name", "a"]);
    same(
        &["delete", "m", "a", "--version", "1", "--dry-run"],
        &["delete", "--model", "m", "--name", "a", "--version", "1", "--dry-run"],
    );
    json(&repo, &["rename", "--model", "m", "--name", "a", "--new-name", "c"]);
    json(&repo, &["delete", "--model", "m", "--prefix", "b", "--force"]);
    assert_eq!(json(&repo, &["get", "m", "a"])["name"], "c");
    let fails = |arguments: &[&str], message: &str| {
        let error = repo.marsh(&[&["--json", "data"], arguments].concat()).exits(2).error();
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
        error
    };
    let error = fails(&["get", "--model", "m", "a"], "missing the name of the result");
    let expected = "`marsh data get MODEL NAME` or `marsh data get --model MODEL --name NAME`";
    assert_eq!(error["hint"], expected);
    fails(&["rename", "--model", "m", "a", "--new-name", "d"], "missing the name of the result");
    fails(&["rename", "m", "a"], "missing the new name of the result");
    fails(&["versions"], "missing the model");
    fails(&["list"], "missing the model");
    fails(&["list", "m", "--workflow", "w"], "not both");
    fails(&["delete", "m"], "missing the name of the result");
    fails(&["delete", "--all"], "missing the model");
    fails(&["get", "--workflow", "w", "a", "b"], "unexpected argument `b`");
    fails(&["get", "--workflow", "w"], "missing the name of the result");
}

#[test]
fn method_history_shows_what_output_shows() {
    let repo = scene(&[("a", 1)]);
    let get = |arguments: &[&str]| repo.marsh(&[&["--json", "model"], arguments].concat()).ok().json();
    let record = get(&["output", "get", "m"]);
    let id = record["id"].as_str().unwrap();
    for arguments in [
        &["output", "m"][..],
        &["output", id],
        &["method", "history", "m"],
        &["method", "history", &id[..8]],
        &["method", "history", "get", "m"],
    ] {
        assert_eq!(get(arguments), record, "{arguments:?}");
    }
    let listed = get(&["method", "history", "search", "run"]);
    assert_eq!(listed, get(&["method", "history", "list", "run"]));
    assert_eq!((&listed["query"], &listed["results"][0]["id"]), (&json!("run"), &record["id"]));
    let log = get(&["method", "history", "logs", "m", "--tail", "1"]);
    assert_eq!((&log["outputId"], &log["lineCount"]), (&record["id"], &json!(0)));
    assert_eq!(repo.marsh(&["--json", "model", "output", "nothing"]).exits(1).error()["code"], "not_found");
}
