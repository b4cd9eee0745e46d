//! Known ways in which changing an installed set goes wrong: locks, collisions, failures in the middle. The numbers are
//! those of the list of defects that the extension layer was built against.

#![expect(clippy::disallowed_methods, reason = "these tests set the scene that marsh then acts on")]

use marsh_testkit::{ExtensionRegistry, Package};
use serde_json::json;

use crate::support::{
    LOCKFILE, V1, V2, active_types, assert_sound_set, extension, installed, package, repo_of,
};

/// A lock file that a dead process left locks nothing, whatever it holds.
#[test]
fn defect_03_a_left_over_lock_file_blocks_nothing() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    let locks = repo.list(".swamp/marsh/locks");
    let lock = locks.iter().find(|name| name.starts_with("lockfile-")).unwrap();
    let dead = r#"{"pid":1,"command":"marsh extension pull","since":"2020-01-01T00:00:00Z"}"#;
    for left in [dead, "", "not a signature"] {
        repo.write(&format!(".swamp/marsh/locks/{lock}"), left);
        repo.write(&format!("{LOCKFILE}.lock"), left);
        extension(&repo, &["pull", "--lock-timeout", "1s", "@s/a", "--force"]).ok();
        extension(&repo, &["rm", "--yes", "--lock-timeout", "1s", "@s/a"]).ok();
        extension(&repo, &["pull", "--lock-timeout", "1s", "@s/a"]).ok();
    }
}

/// The holder's own process number says nothing: a lock is held by an open file, on whatever host.
#[test]
fn defect_05_an_empty_lock_file_locks_nothing() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    for name in repo.list(".swamp/marsh/locks") {
        repo.write(&format!(".swamp/marsh/locks/{name}"), "");
    }
    extension(&repo, &["rm", "--yes", "--lock-timeout", "1s", "@s/a"]).ok();
    assert_eq!(installed(&repo), [""; 0]);
}

/// Two extensions, the second version of the newer one taking the older one's type.
fn colliding() -> ExtensionRegistry {
    ExtensionRegistry::with(&[
        package("@s/a", V1),
        package("@s/z", V1),
        package("@s/z", V2).model("stolen.ts", "@s/a"),
        package("@s/b", V1),
        package("@s/b", V2).model("stolen.ts", "@s/z"),
    ])
}

#[test]
fn defect_10_a_collision_leaves_the_working_version() {
    let registry = colliding();
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a", &format!("@s/z@{V1}")]).ok();
    let before = repo.read(LOCKFILE);
    let update = extension(&repo, &["update"]).exits(1).json();
    let failed = &update["extensions"][1];
    assert_eq!(
        (&failed["name"], &failed["error"]["code"]),
        (&json!("@s/z"), &json!("duplicate_type")),
        "{update:#}"
    );
    assert_eq!(extension(&repo, &["pull", "@s/z"]).exits(1).error()["code"], "duplicate_type");
    assert_eq!(repo.read(LOCKFILE), before, "nothing was changed");
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/z"]);
    assert_sound_set(&repo);
}

/// Who was there first is the existing one, wherever its name stands in the alphabet; and the command in the hint works.
#[test]
fn defect_11_the_report_of_a_collision_names_both_sides_rightly() {
    let registry = colliding();
    for (there, newcomer) in [("@s/a", "@s/z"), ("@s/z", "@s/b")] {
        let repo = repo_of(&registry);
        extension(&repo, &["pull", &format!("{there}@{V1}")]).ok();
        let error = extension(&repo, &["pull", newcomer]).exits(1).error();
        let duplicate = &error["details"]["duplicateType"];
        assert_eq!(duplicate["existing"]["extensionName"], there, "{error:#}");
        assert_eq!(duplicate["existing"]["extensionVersion"], V1);
        assert_eq!(duplicate["conflicting"]["extensionName"], newcomer);
        assert_eq!(duplicate["conflicting"]["extensionVersion"], V2);
        assert_eq!(duplicate["type"], there);
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("`marsh extension rm {there}`")), "{hint}");
        extension(&repo, &["rm", "--yes", there]).ok();
        extension(&repo, &["pull", newcomer]).ok();
        assert_sound_set(&repo);
    }
}

/// It is installed as a whole, its readable sources work, and the others are reported.
#[test]
fn defect_12_one_broken_source_file_does_not_half_install() {
    let broken = package("@s/a", V1).source("broken.ts", "export const model = {{;\n").needs("@s/d");
    let registry = ExtensionRegistry::with(&[broken, package("@s/d", V1)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    assert_eq!(installed(&repo), [format!("@s/a {V1}"), format!("@s/d {V1}")]);
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/d"]);
    let report = repo.marsh(&["--json", "doctor", "extensions"]).exits(1).json();
    assert_eq!(report["loaderErrors"][0]["extensionName"], "@s/a", "{report:#}");
    assert_eq!(report["loaderErrors"][0]["path"], "models/broken.ts", "{report:#}");
    extension(&repo, &["rm", "--yes", "@s/a"]).ok();
    assert_sound_set(&repo);
}

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

/// One invalid entry is reported and blocks no other.
#[test]
fn defect_14_a_malformed_version_in_the_lockfile_stops_no_other() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", &format!("@s/a@{V1}")]).ok();
    let bad = json!({ "version": "1.0", "pulledAt": "2026-01-01T00:00:00.000Z", "files": [] });
    let mut lockfile: serde_json::Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    lockfile["@s/bad"] = bad.clone();
    repo.write(LOCKFILE, lockfile.to_string());
    extension(&repo, &["update"]).ok();
    assert_eq!(installed(&repo), [format!("@s/a {V2}")]);
    let kept: serde_json::Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    assert_eq!(kept["@s/bad"], bad, "what is not understood is kept as it is");
    let report = repo.marsh(&["--json", "doctor", "extensions"]).exits(1).json();
    assert_eq!(report["lockfile"]["refusedEntries"][0]["key"], "@s/bad");
}

/// Nothing is changed before everything that is needed is there.
#[test]
fn defect_60_a_missing_dependency_leaves_nothing() {
    let registry =
        ExtensionRegistry::with(&[package("@s/a", V1).needs("@s/gone"), package("@s/b", V1).needs("@s/a")]);
    let repo = repo_of(&registry);
    for name in ["@s/a", "@s/b", "@s/b"] {
        let error = extension(&repo, &["pull", name]).exits(1).error();
        assert_eq!(error["code"], "not_found", "{error:#}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("@s/gone") && message.contains("of @s/a"), "{message}");
    }
    assert!(!repo.exists(LOCKFILE));
    assert_eq!(active_types(&repo, "@s"), [""; 0]);
    assert_eq!(repo.list(".swamp/pulled-extensions"), [""; 0]);
    assert_sound_set(&repo);
}

#[test]
fn defect_58_dependencies_that_the_lockfile_lacks_are_restored_with_their_own_checksum() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1).needs("@s/d"), package("@s/d", V1)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    // As written by a version that did not lock dependencies, in a fresh clone.
    let mut lockfile: serde_json::Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    lockfile.as_object_mut().unwrap().shift_remove("@s/d");
    repo.write(LOCKFILE, lockfile.to_string());
    repo.remove(".swamp");
    let restored = extension(&repo, &["install"]).ok().json();
    assert_eq!((&restored["failed"], &restored["installed"]), (&json!(0), &json!(2)), "{restored:#}");
    assert_eq!(installed(&repo), [format!("@s/a {V1}"), format!("@s/d {V1}")]);
    let again = extension(&repo, &["install", "--frozen"]).ok().json();
    assert_eq!((&again["upToDate"], &again["generation"]), (&json!(2), &json!(null)));
    assert_sound_set(&repo);
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
