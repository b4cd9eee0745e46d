//! Known ways in which changing an installed set goes wrong: locks, collisions, failures in the middle. The numbers are
//! those of `docs/internals/defects.md`.

use std::time::Duration;

use marsh_api::event::NoEvents;
use marsh_app::{DoctorRequest, Extensions, InstallRequest, PullRequest, RegistryChoice};
use marsh_testkit::ExtensionRegistry;
use serde_json::json;

use crate::installed::{
    Answer, FROZEN, LOCKFILE, V1, V2, active_types, answer, assert_sound_set, failing_update, install,
    installed, package, pull, removal, remove, repo_of, request, unsound, update,
};
use crate::support::Repository;

/// The installed set, for an operation that waits a second for the lock.
fn soon(repo: &Repository) -> Extensions {
    let choice = RegistryChoice { lock_timeout: Some(Duration::from_secs(1)), ..RegistryChoice::default() };
    repo.app().extensions(&choice).unwrap()
}

fn pull_soon(repo: &Repository, name: &str, force: bool) -> Answer {
    let request = PullRequest { force, ..request(&[name]) };
    answer(soon(repo).pull(&request, &NoEvents).map(|changed| changed.document))
}

fn remove_soon(repo: &Repository, name: &str) -> Answer {
    answer(soon(repo).remove(&removal(&[name]), &NoEvents).map(|changed| changed.document))
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

/// A lock file that a dead process left locks nothing, whatever it holds.
#[test]
fn defect_03_a_left_over_lock_file_blocks_nothing() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a"]).unwrap();
    let locks = repo.list(".swamp/marsh/locks");
    let lock = locks.iter().find(|name| name.starts_with("lockfile-")).unwrap();
    let dead = r#"{"pid":1,"command":"marsh extension pull","since":"2020-01-01T00:00:00Z"}"#;
    for left in [dead, "", "not a signature"] {
        repo.write(&format!(".swamp/marsh/locks/{lock}"), left);
        repo.write(&format!("{LOCKFILE}.lock"), left);
        pull_soon(&repo, "@s/a", true).unwrap();
        remove_soon(&repo, "@s/a").unwrap();
        pull_soon(&repo, "@s/a", false).unwrap();
    }
}

/// The holder's own process number says nothing: a lock is held by an open file, on whatever host.
#[test]
fn defect_05_an_empty_lock_file_locks_nothing() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a"]).unwrap();
    for name in repo.list(".swamp/marsh/locks") {
        repo.write(&format!(".swamp/marsh/locks/{name}"), "");
    }
    remove_soon(&repo, "@s/a").unwrap();
    assert_eq!(installed(&repo), [""; 0]);
}

#[test]
fn defect_10_a_collision_leaves_the_working_version() {
    let registry = colliding();
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a", &format!("@s/z@{V1}")]).unwrap();
    let before = repo.read(LOCKFILE);
    let update = failing_update(&repo);
    let failed = &update["extensions"][1];
    assert_eq!(
        (&failed["name"], &failed["error"]["code"]),
        (&json!("@s/z"), &json!("duplicate_type")),
        "{update:#}"
    );
    assert_eq!(pull(&repo, &["@s/z"]).unwrap_err()["code"], "duplicate_type");
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
        pull(&repo, &[&format!("{there}@{V1}")]).unwrap();
        let error = pull(&repo, &[newcomer]).unwrap_err();
        let duplicate = &error["details"]["duplicateType"];
        assert_eq!(duplicate["existing"]["extensionName"], there, "{error:#}");
        assert_eq!(duplicate["existing"]["extensionVersion"], V1);
        assert_eq!(duplicate["conflicting"]["extensionName"], newcomer);
        assert_eq!(duplicate["conflicting"]["extensionVersion"], V2);
        assert_eq!(duplicate["type"], there);
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("`marsh extension rm {there}`")), "{hint}");
        remove(&repo, &[there]).unwrap();
        pull(&repo, &[newcomer]).unwrap();
        assert_sound_set(&repo);
    }
}

/// It is installed as a whole, its readable sources work, and the others are reported.
#[test]
fn defect_12_one_broken_source_file_does_not_half_install() {
    let broken = package("@s/a", V1).source("broken.ts", "export const model = {{;\n").needs("@s/d");
    let registry = ExtensionRegistry::with(&[broken, package("@s/d", V1)]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a"]).unwrap();
    assert_eq!(installed(&repo), [format!("@s/a {V1}"), format!("@s/d {V1}")]);
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/d"]);
    let report = unsound(&repo, DoctorRequest::default());
    assert_eq!(report["loaderErrors"][0]["extensionName"], "@s/a", "{report:#}");
    assert_eq!(report["loaderErrors"][0]["path"], "models/broken.ts", "{report:#}");
    remove(&repo, &["@s/a"]).unwrap();
    assert_sound_set(&repo);
}

/// One invalid entry is reported and blocks no other.
#[test]
fn defect_14_a_malformed_version_in_the_lockfile_stops_no_other() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2)]);
    let repo = repo_of(&registry);
    pull(&repo, &[&format!("@s/a@{V1}")]).unwrap();
    let bad = json!({ "version": "1.0", "pulledAt": "2026-01-01T00:00:00.000Z", "files": [] });
    let mut lockfile: serde_json::Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    lockfile["@s/bad"] = bad.clone();
    repo.write(LOCKFILE, lockfile.to_string());
    update(&repo);
    assert_eq!(installed(&repo), [format!("@s/a {V2}")]);
    let kept: serde_json::Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    assert_eq!(kept["@s/bad"], bad, "what is not understood is kept as it is");
    let report = unsound(&repo, DoctorRequest::default());
    assert_eq!(report["lockfile"]["refusedEntries"][0]["key"], "@s/bad");
}

/// Nothing is changed before everything that is needed is there.
#[test]
fn defect_60_a_missing_dependency_leaves_nothing() {
    let registry =
        ExtensionRegistry::with(&[package("@s/a", V1).needs("@s/gone"), package("@s/b", V1).needs("@s/a")]);
    let repo = repo_of(&registry);
    for name in ["@s/a", "@s/b", "@s/b"] {
        let error = pull(&repo, &[name]).unwrap_err();
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
    pull(&repo, &["@s/a"]).unwrap();
    // As written by a version that did not lock dependencies, in a fresh clone.
    let mut lockfile: serde_json::Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    lockfile.as_object_mut().unwrap().shift_remove("@s/d");
    repo.write(LOCKFILE, lockfile.to_string());
    repo.remove(".swamp");
    let restored = install(&repo, InstallRequest::default());
    assert_eq!((&restored["failed"], &restored["installed"]), (&json!(0), &json!(2)), "{restored:#}");
    assert_eq!(installed(&repo), [format!("@s/a {V1}"), format!("@s/d {V1}")]);
    let again = install(&repo, FROZEN);
    assert_eq!((&again["upToDate"], &again["generation"]), (&json!(2), &json!(null)));
    assert_sound_set(&repo);
}
