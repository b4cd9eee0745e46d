//! Repairs of the installed set, and what they do not touch.

use marsh_app::DoctorRequest;
use marsh_testkit::ExtensionRegistry;
use serde_json::{Value, json};

use crate::installed::{
    LOCKFILE, REPAIR, V1, VERIFY, active_types, assert_sound_set, package, pull, repo_of, sound, unsound,
};
use crate::support::{Repository, files, make_writable};

/// Two extensions: the tree of one is edited, that of the other is gone; the catalog is garbage, and a view is missing.
fn damaged() -> (ExtensionRegistry, Repository) {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/b", V1)]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a", "@s/b"]).unwrap();
    let edited = ".swamp/pulled-extensions/@s/a/models/main.ts";
    make_writable(&repo.path(edited));
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
    let report = sound(&repo, REPAIR);
    assert_eq!(report["repairReport"]["restored"], json!(["@s/a", "@s/b"]), "{report:#}");
    assert_eq!(report["repairReport"]["cataloguedTrees"], 2);
    assert_eq!(report["overallStatus"], "pass");
    assert_eq!(repo.read(LOCKFILE), lockfile, "the wish stays as it is");
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/b"]);
    assert_sound_set(&repo);
    let again = sound(&repo, REPAIR);
    assert_eq!(again["repairReport"]["restored"], json!([]), "{again:#}");
}

#[test]
fn dry_run_names_what_a_repair_restores_and_changes_nothing() {
    let (_registry, repo) = damaged();
    let before = files(&repo.path(".swamp/marsh/store"));
    let report = unsound(&repo, DoctorRequest { dry_run: true, ..REPAIR });
    assert_eq!(report["repairReport"]["restored"], json!(["@s/a", "@s/b"]), "{report:#}");
    assert_eq!(report["repairReport"]["mode"], "dry-run");
    assert_eq!(files(&repo.path(".swamp/marsh/store")), before);
    assert!(repo.read(".swamp/pulled-extensions/@s/a/models/main.ts").contains("@s/edited"));
}

#[test]
fn without_the_flag_nothing_is_repaired() {
    let (_registry, repo) = damaged();
    let before = files(&repo.path(".swamp/marsh/store"));
    let report = unsound(&repo, VERIFY);
    assert_eq!(report.get("repairReport"), None);
    assert_eq!(files(&repo.path(".swamp/marsh/store")), before);
    assert!(repo.read(".swamp/pulled-extensions/@s/a/models/main.ts").contains("@s/edited"));
}

/// An unavailable archive is reported, and stops nothing else.
#[test]
fn a_repair_without_a_registry_repairs_local_damage() {
    let (registry, repo) = damaged();
    registry.withdraw("@s/b");
    std::fs::read_dir(repo.outside().join("cache/archives/v1"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .for_each(|entry| std::fs::remove_file(entry.path()).unwrap());
    let report = unsound(&repo, REPAIR);
    assert_eq!(report["repairReport"]["restored"], json!(["@s/a"]));
    assert_eq!(report["repairReport"]["failed"][0]["name"], "@s/b");
    assert_eq!(report["repairReport"]["failed"][0]["error"]["code"], "not_found");
    assert_eq!(active_types(&repo, "@s"), ["@s/a"]);
}
