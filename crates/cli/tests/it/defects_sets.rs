//! Known ways in which the installed set goes wrong for readers, for many at once, and for what is installed unasked.

use marsh_testkit::{ExtensionRegistry, Package, Scratch};
use serde_json::Value;

use crate::support::{
    LOCKFILE, V1, active_types, assert_sound_set, extension, installed, model, package, repo, repo_of,
};

/// Many at once, with no catalog to begin with: a busy process causes no error.
#[test]
fn defect_08_contention_is_waited_for_and_never_an_error() {
    let names: Vec<String> = (0..8).map(|index| format!("@s/m{index}")).collect();
    let packages: Vec<Package> = names.iter().map(|name| package(name, V1)).collect();
    let registry = ExtensionRegistry::with(&packages);
    let repo = repo_of(&registry);
    let mut running = Vec::new();
    for name in &names {
        running.push(repo.spawn(&["--json", "extension", "pull", name]));
        running.push(repo.spawn(&["--json", "extension", "list"]));
        running.push(repo.spawn(&["--json", "model", "type", "search", "@s"]));
    }
    for run in running {
        let run = run.wait().ok();
        let told = run.stderr.to_lowercase();
        assert!(!told.contains("busy") && !told.contains("locked"), "{}", run.snapshot());
    }
    assert_eq!(active_types(&repo, "@s"), names);
    assert_sound_set(&repo);
}

/// (The marker file: `trust.rs`.)
#[test]
fn defect_09_of_many_sources_mounted_at_once_none_is_lost() {
    let repo = repo();
    let names: Vec<String> = (0..8).map(|index| format!("far{index}")).collect();
    for name in &names {
        repo.write(&format!("{name}/extensions/models/x.ts"), model(&format!("@me/{name}"), "methods: {},"));
    }
    let running: Vec<_> =
        names.iter().map(|name| repo.spawn(&["extension", "source", "add", name])).collect();
    for run in running {
        run.wait().ok();
    }
    let listed = repo.marsh(&["--json", "extension", "source", "list"]).ok().json();
    assert_eq!(listed["sources"].as_array().unwrap().len(), names.len(), "{listed:#}");
}

fn trusting(registry: &ExtensionRegistry) -> Scratch {
    let repo = repo_of(registry);
    repo.write(".swamp.yaml", repo.read(".swamp.yaml") + "trustedCollectives: [s]\n");
    repo
}

/// Trust and a name that fits are not enough: what is installed for a type declares it.
#[test]
fn defect_39_nothing_is_installed_for_a_type_that_it_does_not_declare() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a/other", V1)]);
    let repo = trusting(&registry);
    let run = repo.marsh(&["--json", "model", "type", "describe", "@s/a/wanted"]).exits(1);
    assert_eq!(run.error()["code"], "unknown_model_type", "{}", run.snapshot());
    assert_eq!(installed(&repo), [""; 0]);
    assert!(!repo.exists(LOCKFILE));
    repo.marsh(&["--json", "model", "type", "describe", "@s/a/other"]).ok();
    assert_eq!(installed(&repo), [format!("@s/a/other {V1}")]);
}

/// A lockfile that version control merged is judged when it is restored and when it is used, not only by `pull`.
#[test]
fn defect_52_a_restore_does_not_pass_over_what_a_pull_would_refuse() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/b", V1).model("x.ts", "@s/a")]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/b"]).ok();
    let theirs: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    extension(&repo, &["rm", "--yes", "@s/b"]).ok();
    extension(&repo, &["pull", "@s/a"]).ok();
    let mut merged: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    merged["@s/b"] = theirs["@s/b"].clone();
    repo.write(LOCKFILE, merged.to_string());
    repo.remove(".swamp");
    let restored = extension(&repo, &["install"]).json();
    let told = restored["warnings"].to_string();
    assert!(told.contains("@s/a") && told.contains("@s/b"), "both sides are named: {restored:#}");
    let error = repo.marsh(&["--json", "model", "type", "describe", "@s/a"]).exits(1).error();
    assert_eq!(error["code"], "duplicate_type", "neither wins silently");
    let other = repo.marsh(&["--json", "model", "type", "describe", "@s/b"]).ok().json();
    assert_eq!(other["type"]["normalized"], "@s/b");
}

/// What is installed unasked is installed like everything else: pinned, with its skills where the tools look.
#[test]
fn defect_53_an_implicit_install_is_a_whole_one() {
    let registry = ExtensionRegistry::with(&[
        package("@s/d", V1),
        package("@s/a", V1).needs("@s/d").skill("use-a", "---\nname: use-a\ndescription: x\n---\n"),
    ]);
    let repo = trusting(&registry);
    repo.marsh(&["--json", "model", "type", "describe", "@s/a"]).ok();
    assert_eq!(installed(&repo), [format!("@s/a {V1}"), format!("@s/d {V1}")]);
    assert!(repo.exists(".claude/skills/use-a/SKILL.md"));
    let lockfile: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    for name in ["@s/a", "@s/d"] {
        for key in ["version", "checksum", "filesChecksum", "pulledAt", "files"] {
            assert!(!lockfile[name][key].is_null(), "{name} {key}: {lockfile:#}");
        }
    }
    assert_sound_set(&repo);
    assert_eq!(extension(&repo, &["history"]).ok().json()["generations"].as_array().unwrap().len(), 1);
}
