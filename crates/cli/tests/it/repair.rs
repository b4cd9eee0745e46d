//! `doctor extensions --repair`, and what it does not touch.

use marsh_testkit::{ExtensionRegistry, Scratch};
use serde_json::{Value, json};

use crate::support::{LOCKFILE, V1, active_types, assert_sound_set, extension, package, repo_of};

fn doctor(repo: &Scratch, more: &[&str]) -> (Option<i32>, Value) {
    let run = repo.marsh(&[&["--json", "doctor", "extensions"], more].concat());
    (run.code, run.json())
}

/// Two extensions: the tree of one is edited, that of the other is gone; the catalog is garbage, and a view is missing.
fn damaged() -> (ExtensionRegistry, Scratch) {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/b", V1)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a", "@s/b"]).ok();
    let edited = ".swamp/pulled-extensions/@s/a/models/main.ts";
    repo.set_writable(edited, true);
    repo.write(edited, "export const model = { type: '@s/edited' };\n");
    let lockfile: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    repo.remove(&format!(".swamp/marsh/store/v1/{}", lockfile["@s/b"]["checksum"].as_str().unwrap()));
    repo.write(".swamp/marsh/catalog-v1.db", "not a database");
    (registry, repo)
}

#[test]
fn a_repair_makes_everything_whole_and_says_what_it_did() {
    let (_registry, repo) = damaged();
    let lockfile = repo.read(LOCKFILE);
    let (code, report) = doctor(&repo, &["--repair"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["repairReport"]["restored"], json!(["@s/a", "@s/b"]), "{report:#}");
    assert_eq!(report["repairReport"]["cataloguedTrees"], 2);
    assert_eq!(report["overallStatus"], "pass");
    assert_eq!(repo.read(LOCKFILE), lockfile, "the wish stays as it is");
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/b"]);
    assert_sound_set(&repo);
    let (code, again) = doctor(&repo, &["--repair"]);
    assert_eq!((code, &again["repairReport"]["restored"]), (Some(0), &json!([])), "{again:#}");
}

#[test]
fn without_the_flag_nothing_is_repaired() {
    let (_registry, repo) = damaged();
    let before = repo.files(".swamp/marsh/store");
    let (code, report) = doctor(&repo, &["--verify"]);
    assert_eq!(code, Some(1));
    assert_eq!(report.get("repairReport"), None);
    assert_eq!(repo.files(".swamp/marsh/store"), before);
    assert!(repo.read(".swamp/pulled-extensions/@s/a/models/main.ts").contains("@s/edited"));
}

/// An unavailable archive is reported, and stops nothing else.
#[test]
fn a_repair_without_a_registry_repairs_local_damage() {
    let (registry, repo) = damaged();
    registry.withdraw("@s/b");
    std::fs::read_dir(repo.root().parent().unwrap().join("cache/archives/v1"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .for_each(|entry| std::fs::remove_file(entry.path()).unwrap());
    let (code, report) = doctor(&repo, &["--repair"]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(report["repairReport"]["restored"], json!(["@s/a"]));
    assert_eq!(report["repairReport"]["failed"][0]["name"], "@s/b");
    assert_eq!(report["repairReport"]["failed"][0]["error"]["code"], "not_found");
    assert_eq!(active_types(&repo, "@s"), ["@s/a"]);
}

/// It is a writer like every other: a process that changes the set meanwhile waits, and nothing is lost.
#[test]
fn repairs_and_changes_at_once_leave_a_sound_set() {
    let (_registry, repo) = damaged();
    let mut running = Vec::new();
    for _ in 0..3 {
        running.push(repo.spawn(&["--json", "doctor", "extensions", "--repair"]));
        running.push(repo.spawn(&["--json", "extension", "rm", "--yes", "@s/b"]));
        running.push(repo.spawn(&["--json", "extension", "pull", "@s/b"]));
    }
    for run in running {
        let run = run.wait();
        let fine = run.code == Some(0) || run.json()["error"]["code"] == "not_installed";
        assert!(fine, "{}", run.snapshot());
    }
    extension(&repo, &["pull", "@s/b"]).ok();
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/b"]);
    assert_sound_set(&repo);
}
