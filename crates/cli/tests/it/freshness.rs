//! An edit is seen by the next run, whatever it touched; without an edit nothing is built again.

use marsh_testkit::{Scratch, wait_for};
use serde_json::Value;

use crate::support::{OUTPUTS, method, model, repo, run_args};

/// A model that stores `word`, which its source and its imports define.
fn says(imports: &str, word: &str) -> String {
    let body = format!("await context.writeResource('out', 'said', {{ word: {word} }});");
    imports.to_owned() + &model("@me/x", &format!("{OUTPUTS} {}", method("run", &body)))
}

fn said(repo: &Scratch) -> Value {
    let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).ok().json();
    run["dataArtifacts"][0]["attributes"]["word"].clone()
}

/// Runs until all that is derived is on disk: of sources that changed a moment ago, only bundles and descriptions are.
fn settle(repo: &Scratch) {
    wait_for("the records of sources", || {
        said(repo);
        let files = repo.files(".swamp/marsh/v1");
        let has = |start: &str| files.iter().any(|file| file.starts_with(start)).then_some(());
        has("fresh/").and(has("source-index.json"))
    });
}

fn bundles(repo: &Scratch) -> Vec<String> {
    repo.list(".swamp/marsh/v1/bundles")
}

#[test]
fn an_edited_entry_point() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("", "'one'"));
    assert_eq!(said(&repo), "one");
    repo.write("extensions/models/x.ts", says("", "'two'"));
    assert_eq!(said(&repo), "two");
}

#[test]
fn an_edited_helper_and_its_helper() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("import { word } from './_lib/a.ts';\n", "word"));
    repo.write("extensions/models/_lib/a.ts", "export { word } from './b.ts';\n");
    repo.write("extensions/models/_lib/b.ts", "export const word = 'one';\n");
    assert_eq!(said(&repo), "one");
    repo.write("extensions/models/_lib/b.ts", "export const word = 'two';\n");
    assert_eq!(said(&repo), "two");
    repo.write("extensions/models/_lib/a.ts", "export const word = 'three';\n");
    assert_eq!(said(&repo), "three");
}

#[test]
fn an_edited_json_import() {
    let repo = repo();
    let import = "import config from './_config.json' with { type: 'json' };\n";
    repo.write("extensions/models/x.ts", says(import, "config.word"));
    repo.write("extensions/models/_config.json", "{\"word\": \"one\"}");
    assert_eq!(said(&repo), "one");
    repo.write("extensions/models/_config.json", "{\"word\": \"two\"}");
    assert_eq!(said(&repo), "two");
}

#[test]
fn an_edited_import_map() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("import { word } from 'words';\n", "word"));
    repo.write("extensions/models/_one.ts", "export const word = 'one';\n");
    repo.write("extensions/models/_two.ts", "export const word = 'two';\n");
    repo.write("deno.json", "{\"imports\": {\"words\": \"./extensions/models/_one.ts\"}}");
    assert_eq!(said(&repo), "one");
    repo.write("deno.json", "{\"imports\": {\"words\": \"./extensions/models/_two.ts\"}}");
    assert_eq!(said(&repo), "two");
    // One that appears nearer to the source takes over.
    repo.write("extensions/models/deno.json", "{\"imports\": {\"words\": \"./_one.ts\"}}");
    assert_eq!(said(&repo), "one");
}

#[test]
fn an_edit_that_keeps_size_and_mtime() {
    let repo = repo();
    let path = "extensions/models/x.ts";
    repo.write(path, says("", "'one'"));
    assert_eq!(said(&repo), "one");
    let seen = repo.see(path);
    repo.write(path, says("", "'two'"));
    repo.restore_mtime(path, seen);
    assert_eq!(said(&repo), "two");
}

#[test]
fn a_file_that_is_replaced_by_rename() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("", "'one'"));
    assert_eq!(said(&repo), "one");
    let new = repo.write("new.ts", says("", "'two'"));
    // As editors save.
    let status = std::process::Command::new("mv").arg(new).arg(repo.path("extensions/models/x.ts")).status();
    assert!(status.unwrap().success());
    assert_eq!(said(&repo), "two");
}

#[test]
fn without_an_edit_nothing_is_built_again() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("", "'one'"));
    said(&repo);
    let before = bundles(&repo);
    assert_eq!(before.len(), 1);
    let bundle = format!(".swamp/marsh/v1/bundles/{}/bundle.js", before[0]);
    let built = std::fs::metadata(repo.path(&bundle)).unwrap().modified().unwrap();
    said(&repo);
    // A new time on the same content is not an edit.
    repo.write("extensions/models/x.ts", says("", "'one'"));
    said(&repo);
    assert_eq!(bundles(&repo), before);
    assert_eq!(std::fs::metadata(repo.path(&bundle)).unwrap().modified().unwrap(), built);
}

#[test]
fn an_edit_that_is_taken_back_uses_the_old_bundle() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("", "'one'"));
    said(&repo);
    repo.write("extensions/models/x.ts", says("", "'two'"));
    said(&repo);
    let before = bundles(&repo);
    assert_eq!(before.len(), 2);
    repo.write("extensions/models/x.ts", says("", "'one'"));
    assert_eq!(said(&repo), "one");
    assert_eq!(bundles(&repo), before);
}

#[test]
fn a_damaged_bundle_is_built_again_and_never_run() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("", "'one'"));
    said(&repo);
    let bundle = format!(".swamp/marsh/v1/bundles/{}/bundle.js", bundles(&repo)[0]);
    let whole = repo.read(&bundle);
    repo.write(&bundle, whole.replace("\"one\"", "\"EVIL\""));
    assert_ne!(repo.read(&bundle), whole, "the damage is in a place that would be seen");
    assert_eq!(said(&repo), "one");
    assert_eq!(repo.read(&bundle), whole);
    repo.write(&bundle, "");
    assert_eq!(said(&repo), "one");
    repo.remove(&bundle);
    assert_eq!(said(&repo), "one");
}

/// Everything below `.swamp/marsh/v1` is derived: garbage in it costs time, never answers.
#[test]
fn garbage_in_derived_files_is_ignored() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("", "'one'"));
    settle(&repo);
    for file in repo.files(".swamp/marsh/v1") {
        for garbage in ["", "{", "null", "{\"version\": 1}"] {
            repo.write(&format!(".swamp/marsh/v1/{file}"), garbage);
            assert_eq!(said(&repo), "one", "{file} was {garbage:?}");
        }
    }
    repo.remove(".swamp/marsh/v1");
    assert_eq!(said(&repo), "one");
}

#[test]
fn derived_files_that_cannot_be_written_cost_time_only() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("", "'one'"));
    settle(&repo);
    // Names that are taken by something else fail for the superuser too, whom permissions do not stop.
    for file in ["source-index.json", "fresh", "describe"] {
        repo.remove(&format!(".swamp/marsh/v1/{file}"));
    }
    repo.write(".swamp/marsh/v1/source-index.json/in-the-way", "");
    repo.write(".swamp/marsh/v1/fresh", "");
    repo.write(".swamp/marsh/v1/describe", "");
    assert_eq!(said(&repo), "one");
    repo.write("extensions/models/x.ts", says("", "'two'"));
    assert_eq!(said(&repo), "two");
}

#[test]
fn a_read_only_derived_directory_still_runs_what_is_built() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("", "'one'"));
    settle(&repo);
    let dirs =
        [".swamp/marsh/v1/bundles", ".swamp/marsh/v1/fresh", ".swamp/marsh/v1/describe", ".swamp/marsh/v1"];
    for dir in dirs {
        repo.set_writable(dir, false);
    }
    assert_eq!(said(&repo), "one");
    for dir in dirs {
        repo.set_writable(dir, true);
    }
}

#[test]
fn a_type_that_moves_to_another_file_is_followed() {
    let repo = repo();
    repo.write("extensions/models/x.ts", says("", "'one'"));
    assert_eq!(said(&repo), "one");
    repo.remove("extensions/models/x.ts");
    repo.marsh(&run_args(&[])).exits(1);
    repo.write("extensions/models/deep/er/y.ts", says("", "'two'"));
    assert_eq!(said(&repo), "two");
}

/// A broken edit is an error with a place; the code of before is not run in its stead.
#[test]
fn a_broken_edit_is_reported_and_repaired() {
    let repo = repo();
    let good = says("", "'one'");
    repo.write("extensions/models/x.ts", &good);
    assert_eq!(said(&repo), "one");
    repo.write("extensions/models/x.ts", good.replace("methods:", "methods::"));
    let broken = repo.marsh(&run_args(&[])).exits(1);
    assert!(broken.stderr.contains("x.ts"), "{}", broken.stderr);
    repo.write("extensions/models/x.ts", good);
    assert_eq!(said(&repo), "one");
}
