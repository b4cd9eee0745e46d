//! The code of an installed extension is what its archive brought, or it does not run.

use std::path::{Path, PathBuf};

use marsh_testkit::{ExtensionRegistry, Package, Run, Scratch};
use serde_json::{Value, json};

use crate::support::{LOCKFILE, V1, extension, method, model, repo_of};

const TYPE: &str = "@acme/dns";
const TREE: &str = ".swamp/pulled-extensions/@acme/dns";
const HELPER: &str = ".swamp/pulled-extensions/@acme/dns/models/lib/shown.ts";

/// A repository with an installed extension, whose method says what a helper says. `comment` makes its archive another.
fn installed(comment: &str) -> (ExtensionRegistry, Scratch) {
    let source = model(TYPE, &method("run", "console.log(shown); return {};"));
    let source = format!("// {comment}\nimport {{ shown }} from \"./lib/shown.ts\";\n{source}");
    let package = Package::new("@acme/dns", V1)
        .source("main.ts", &source)
        .file("models/lib/shown.ts", "export const shown = \"one\";\n");
    let registry = ExtensionRegistry::with(&[package]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@acme/dns"]).ok();
    (registry, repo)
}

fn run(repo: &Scratch, environment: &[(&str, &str)]) -> Run {
    let mut command = repo.command(&["--json", "model", "method", "run", TYPE, "run", "m"]);
    command.envs(environment.iter().copied());
    Run::from_output(command.output().unwrap(), repo.filters())
}

/// The archives of the cache that the tests share.
fn archives(repo: &Scratch) -> PathBuf {
    let command = repo.command(&[]);
    let cache = command.get_envs().find(|(name, _)| *name == "MARSH_CACHE_DIR");
    Path::new(cache.unwrap().1.unwrap()).join("archives/v1")
}

fn edit(repo: &Scratch, path: &str, text: &str) {
    repo.set_writable(path, true);
    repo.write(path, text);
}

#[track_caller]
fn assert_refused(run: Run, files: &Value) {
    let error = run.exits(1).error();
    assert_eq!(error["code"], "edited", "{error:#}");
    assert_eq!(&error["details"]["files"], files, "{error:#}");
    assert!(error["hint"].as_str().unwrap().contains("marsh doctor extensions --repair"), "{error:#}");
}

#[test]
fn helper_replaced_by_one_of_the_same_size_is_refused_with_and_without_network() {
    let (_registry, repo) = installed("");
    // Before and after the first use of the type.
    for _ in 0..2 {
        edit(&repo, HELPER, "export const shown = \"two\";\n");
        assert_refused(run(&repo, &[]), &json!(["models/lib/shown.ts"]));
        assert_refused(run(&repo, &[("MARSH_OFFLINE", "1")]), &json!(["models/lib/shown.ts"]));
        assert!(repo.read(HELPER).contains("two"), "the edit is not lost");
        repo.marsh(&["doctor", "extensions", "--repair"]).ok();
        assert!(run(&repo, &[]).ok().json()["error"].is_null());
    }
}

#[test]
fn helper_that_was_deleted_is_restored_from_the_archive_without_network() {
    let (registry, repo) = installed("");
    // Brings zod into the cache.
    run(&repo, &[]).ok();
    registry.withdraw("@acme/dns");
    repo.set_writable(&format!("{TREE}/models/lib"), true);
    repo.remove(HELPER);
    let restored = run(&repo, &[("MARSH_OFFLINE", "1")]).ok();
    assert!(restored.stderr.contains("restored missing files of @acme/dns"), "{}", restored.snapshot());
    assert!(repo.read(HELPER).contains("one"));
    assert!(!run(&repo, &[]).ok().stderr.contains("restored"));
}

#[test]
fn helper_that_was_deleted_is_refused_when_no_archive_is_to_be_had() {
    let (registry, repo) = installed("only here");
    registry.withdraw("@acme/dns");
    repo.set_writable(&format!("{TREE}/models/lib"), true);
    repo.remove(HELPER);
    let lockfile: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    let digest = lockfile["@acme/dns"]["checksum"].as_str().unwrap();
    for entry in std::fs::read_dir(archives(&repo)).unwrap().flatten() {
        if entry.file_name().to_string_lossy().contains(digest) {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert_refused(run(&repo, &[]), &json!(["models/lib/shown.ts"]));
    assert_refused(run(&repo, &[("MARSH_OFFLINE", "1")]), &json!(["models/lib/shown.ts"]));
}

/// To restore the deleted file would undo the edit.
#[test]
fn deleted_helper_is_not_restored_over_an_edited_file() {
    let (_registry, repo) = installed("");
    repo.set_writable(&format!("{TREE}/models/lib"), true);
    repo.remove(HELPER);
    edit(&repo, &format!("{TREE}/manifest.yaml"), "mine\n");
    assert_refused(run(&repo, &[]), &json!(["models/lib/shown.ts"]));
    assert_eq!(repo.read(&format!("{TREE}/manifest.yaml")), "mine\n");
}

/// A configuration changes what names mean.
#[test]
fn configuration_added_to_an_installed_tree_is_refused() {
    let (_registry, repo) = installed("");
    run(&repo, &[]).ok();
    repo.set_writable(TREE, true);
    repo.write(&format!("{TREE}/deno.json"), "{ \"imports\": { \"./lib/shown.ts\": \"npm:evil\" } }\n");
    assert_refused(run(&repo, &[]), &json!(["deno.json"]));
}

#[test]
fn files_that_no_code_reaches_may_change() {
    let (_registry, repo) = installed("");
    repo.set_writable(TREE, true);
    repo.write(&format!("{TREE}/notes.md"), "mine\n");
    run(&repo, &[]).ok();
}
