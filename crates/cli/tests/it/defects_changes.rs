//! Known ways in which the commands that change an installed set end wrong: exit codes and output. What the operations
//! themselves do is tested in `crates/app/tests/it/defects_changes.rs`.

#![expect(clippy::disallowed_methods, reason = "these tests set the scene that marsh then acts on")]

use marsh_testkit::{ExtensionRegistry, Package};
use serde_json::json;

use crate::support::{V1, V2, extension, installed, package, repo_of};

#[test]
fn defect_14_unreachable_and_not_found_differ_and_fail() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/b", V1), package("@s/b", V2)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a", &format!("@s/b@{V1}")]).ok();
    let outdated = extension(&repo, &["outdated"]).exits(1).json();
    assert_eq!((&outdated["hasUpdateAvailable"], &outdated["failed"]), (&json!(true), &json!(0)));

    registry.withdraw("@s/a");
    let outdated = extension(&repo, &["outdated"]).exits(1).json();
    assert_eq!(outdated["extensions"][0]["error"]["code"], "not_found", "{outdated:#}");
    assert_eq!(outdated["failed"], 1);
    let update = extension(&repo, &["update"]).exits(1).json();
    assert_eq!(
        update["extensions"][0]["error"]["code"], "not_found",
        "one that fails stops no other: {update:#}"
    );
    assert_eq!(update["summary"]["updated"], 1);
    assert_eq!(installed(&repo), [format!("@s/a {V1}"), format!("@s/b {V2}")]);

    let nowhere = repo.path("nowhere").display().to_string();
    for command in ["outdated", "update"] {
        let run = extension(&repo, &[command, "--registry", &nowhere]).exits(1).json();
        for item in run["extensions"].as_array().unwrap() {
            assert_eq!(item["error"]["code"], "registry_unreachable", "{run:#}");
        }
    }
    repo.remove(".swamp/marsh/store");
    std::fs::remove_dir_all(repo.root().parent().unwrap().join("cache")).unwrap();
    let install = extension(&repo, &["install", "--registry", &nowhere]).exits(1).json();
    assert_eq!(
        (&install["failed"], &install["installed"]),
        (&json!(1), &json!(1)),
        "b comes from where it was: {install:#}"
    );
}

/// An update of several is one state, not several.
#[test]
fn defect_51_every_command_prints_one_document() {
    let registry = ExtensionRegistry::with(&[
        package("@s/a", V1).needs("@s/d"),
        package("@s/a", V2).needs("@s/d"),
        package("@s/d", V1),
        package("@s/d", V2),
        Package::new("@s/e", V1).skill("helper", "# Helper\n"),
    ]);
    let repo = repo_of(&registry);
    for (arguments, code) in [
        (&["pull", "@s/a@2026.01.01.1", "@s/e"][..], 0),
        (&["update"], 0),
        (&["outdated"], 0),
        (&["info", "@s/a"], 0),
        (&["search", "a"], 0),
        (&["history"], 0),
        (&["rollback"], 0),
        (&["install"], 0),
        (&["gc"], 0),
        (&["update", "@s/none"], 1),
        (&["rm", "--yes", "@s/d"], 1),
        (&["rm", "--yes", "@s/a"], 0),
        (&["pull", "@s/none"], 1),
        (&["pull", "none"], 2),
    ] {
        let run = extension(&repo, arguments).exits(code);
        assert!(run.json().is_object(), "{arguments:?}: {}", run.snapshot());
        assert_eq!(run.json().get("error").is_some(), code != 0, "{arguments:?}: {}", run.snapshot());
        assert_eq!(run.stderr, "", "{arguments:?}");
    }
}
