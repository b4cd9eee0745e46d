//! `doctor extensions --repair` beside other processes. What a repair does is tested in `crates/app/tests/it/repair.rs`.

use marsh_testkit::{ExtensionRegistry, Scratch};
use serde_json::Value;

use crate::support::{LOCKFILE, V1, active_types, assert_sound_set, extension, package, repo_of};

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
