//! What registries, archives and lockfiles must not be able to do.

#![expect(clippy::disallowed_methods, reason = "these tests set the scene that marsh then acts on")]

use std::path::Path;

use marsh_testkit::{ExtensionRegistry, Package, Scratch};
use serde_json::{Value, json};

use crate::support::{
    LOCKFILE, V1, V2, active_types, assert_sound_set, extension, installed, package, repo_of,
};

/// Nothing but the repository's own directories exists beside it.
#[track_caller]
fn assert_nothing_outside(repo: &Scratch) {
    let mut names: Vec<String> = std::fs::read_dir(repo.root().parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.retain(|name| name != "cache");
    assert_eq!(names, ["home", "repo"]);
    assert_eq!(repo.list(".swamp/pulled-extensions"), [""; 0]);
}

#[track_caller]
fn assert_refused(registry: &ExtensionRegistry, code: &str) {
    let repo = repo_of(registry);
    let run = extension(&repo, &["pull", "@s/a"]).exits(1);
    assert_eq!(run.error()["code"], code, "{}", run.snapshot());
    assert!(!repo.exists(LOCKFILE));
    assert_nothing_outside(&repo);
    assert_eq!(repo.list(".swamp/marsh/store/v1"), [""; 0], "nothing of it is kept");
}

/// Code that says so when it runs.
fn loud(name: &str, into: &Path) -> String {
    format!(
        "Deno.writeTextFileSync({:?}, \"ran\");\nexport const model = {{ type: \"{name}\", version: \"{V1}\", methods: {{}} }};\n",
        into.display().to_string()
    )
}

/// What a bundle in the archive says is never run for its source.
#[test]
fn defect_36_a_shipped_bundle_that_is_not_its_source_does_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let ran = dir.path().join("ran");
    let registry =
        ExtensionRegistry::with(&[package("@s/a", V1).file("bundles/main.js", &loud("@s/a", &ran))]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    repo.marsh(&["--json", "model", "type", "describe", "@s/a"]).ok();
    assert!(!ran.exists());
}

#[test]
fn defect_38_an_archive_without_its_checksum_or_with_another_is_refused() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let path = registry.record("@s/a");
    let sound: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let digest = sound["versions"][0]["checksum"].as_str().unwrap().to_owned();
    let archive = registry.root().join("archives").join(format!("{digest}.tar.gz"));
    let mut bytes = std::fs::read(&archive).unwrap();
    bytes.push(0);
    std::fs::write(&archive, &bytes).unwrap();
    assert_refused(&registry, "checksum_mismatch");

    let mut record = sound;
    record["versions"][0].as_object_mut().unwrap().shift_remove("checksum");
    std::fs::write(&path, record.to_string()).unwrap();
    assert_refused(&registry, "bad_response");
}

/// The registry vouches for bytes; the archive must itself be what was asked for.
#[test]
fn defect_59_an_archive_that_says_it_is_another_is_refused() {
    for (name, version) in [("@evil/other", V1), ("@s/a", V2)] {
        let registry = ExtensionRegistry::with(&[package("@s/a", V1).claiming(name, version)]);
        assert_refused(&registry, "manifest_mismatch");
    }
}

#[test]
fn defect_61_a_hostile_dependency_name_goes_nowhere() {
    for name in ["@a/../../../outside", "@s/../x", "../outside", "@s/a\u{0}b", "@s/."] {
        // Only the archive says it.
        let registry = ExtensionRegistry::with(&[package("@s/a", V1).needs(name).dependencies_untold()]);
        assert_refused(&registry, "archive_bad_manifest");
        // The registry says it.
        let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
        let path = registry.record("@s/a");
        let mut record: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        record["versions"][0]["dependencies"] = json!([name]);
        std::fs::write(&path, record.to_string()).unwrap();
        assert_refused(&registry, "bad_response");
    }
}

/// Not at pull, not at a look, not at removal; only when a method is run.
#[test]
fn defect_62_no_code_runs_at_install() {
    let dir = tempfile::tempdir().unwrap();
    let ran = dir.path().join("ran");
    let packages = [V1, V2].map(|version| {
        Package::new("@s/a", version)
            .source("main.ts", &loud("@s/a", &ran))
            .source("bare.ts", &format!("import \"no-such-package\";\n{}", loud("@s/a/bare", &ran)))
    });
    let registry = ExtensionRegistry::with(&packages);
    let repo = repo_of(&registry);
    for arguments in [
        &["pull", "@s/a@2026.01.01.1"][..],
        &["update"],
        &["outdated"],
        &["list"],
        &["rollback"],
        &["install"],
        &["gc", "--apply"],
        &["rm", "--yes", "@s/a"],
        &["pull", "@s/a"],
    ] {
        let run = extension(&repo, arguments);
        assert!(run.json().get("error").is_none(), "{}", run.snapshot());
        assert!(!ran.exists(), "{arguments:?}");
    }
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/a/bare"]);
    repo.marsh(&["doctor", "extensions"]).ok();
    assert!(!ran.exists());
    repo.marsh(&["--json", "model", "type", "describe", "@s/a"]).ok();
    assert!(ran.exists(), "this code would have been seen");
}

#[test]
fn defect_63_one_hostile_lockfile_entry_stops_no_other() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    let mut lockfile: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    let entry = lockfile["@s/a"].clone();
    let hostile = ["@a/../../../outside", "../x", "/etc/passwd", "@s/..", ""];
    for key in hostile {
        lockfile[key] = entry.clone();
    }
    repo.write(LOCKFILE, lockfile.to_string());
    repo.remove(".swamp");
    let run = extension(&repo, &["install"]).ok().json();
    assert_eq!((&run["installed"], &run["failed"]), (&json!(1), &json!(0)), "{run:#}");
    assert_eq!(run["warnings"].as_array().unwrap().len(), hostile.len(), "each is told: {run:#}");
    assert_eq!(installed(&repo), [format!("@s/a {V1}")]);
    assert_eq!(repo.list(".swamp/pulled-extensions"), ["@s"]);
    assert_eq!(repo.list(".swamp/pulled-extensions/@s"), ["a"]);
    repo.marsh(&["doctor", "extensions"]).exits(1);
    let error = extension(&repo, &["rm", "--yes", "@s/a"]).ok().json();
    assert!(error.get("error").is_none());
    assert_eq!(installed(&repo), [""; 0]);
}

/// Paths that the lockfile lists are other implementations' business: marsh deletes none of them.
#[test]
fn defect_63_removal_deletes_nothing_that_the_lockfile_lists() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    let mut lockfile: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    repo.write("mine.txt", "mine");
    lockfile["@s/a"]["files"] = json!(["mine.txt", "../home", "/etc/hostname"]);
    repo.write(LOCKFILE, lockfile.to_string());
    extension(&repo, &["rm", "--yes", "@s/a"]).ok();
    assert_eq!(repo.read("mine.txt"), "mine");
    assert_nothing_outside(&repo);
    assert_sound_set(&repo);
}
