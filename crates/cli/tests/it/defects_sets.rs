//! Known ways in which the installed set goes wrong for readers, for many at once, and for what is installed unasked.

use std::sync::atomic::{AtomicBool, Ordering};

use marsh_testkit::{ExtensionRegistry, Package, Scratch};
use serde_json::{Value, json};

use crate::support::{
    LOCKFILE, V1, V2, active_types, assert_sound_set, extension, installed, model, package, repo, repo_of,
};

/// While a set changes again and again, a process that enters a tree finds one version in it.
#[test]
fn defect_02_a_reader_sees_no_mixture_of_versions() {
    let version = |version: &str| {
        package("@s/a", version).file("models/lib/one.txt", version).file("models/lib/two.txt", version)
    };
    let registry = ExtensionRegistry::with(&[version(V1), version(V2)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", &format!("@s/a@{V1}")]).ok();
    let done = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                let tree = repo.path(".swamp/pulled-extensions/@s/a").canonicalize().unwrap();
                let read = |name: &str| std::fs::read_to_string(tree.join("models/lib").join(name)).unwrap();
                assert_eq!(read("one.txt"), read("two.txt"));
                seen.insert(read("one.txt"));
            }
            seen
        });
        for _ in 0..6 {
            extension(&repo, &["update"]).ok();
            assert_eq!(installed(&repo), [format!("@s/a {V2}")]);
            extension(&repo, &["rollback"]).ok();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [V1, V2], "the reader looked while it changed");
}

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

/// Every segment of a name counts: a type of `@s/a/b` is that extension's, not of `@s/a`.
#[test]
fn defect_29_the_owner_of_a_type_is_named_whole() {
    let registry =
        ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a/b", V1).model("x.ts", "@s/a/c")]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a", "@s/a/b"]).ok();
    let report = repo.marsh(&["--json", "doctor", "extensions"]).ok().json();
    let details = report["aggregateState"]["sourceDetails"].as_array().unwrap();
    let owner = |type_name: &str| {
        details.iter().find(|one| one["type"] == type_name).unwrap()["extensionName"].clone()
    };
    assert_eq!(
        (owner("@s/a"), owner("@s/a/b"), owner("@s/a/c")),
        (json!("@s/a"), json!("@s/a/b"), json!("@s/a/b"))
    );
    // The error of a collision names it so, too.
    registry.publish(&package("@s/d", V1).model("x.ts", "@s/a/c"));
    let error = extension(&repo, &["pull", "@s/d"]).exits(1).error();
    assert!(error["hint"].as_str().unwrap().contains("@s/a/b"), "{error:#}");
}

/// Beyond what a double can tell apart.
#[test]
fn defect_34_large_last_parts_of_versions_are_exact() {
    let (older, newer) = ("2026.01.01.9007199254740992", "2026.01.01.9007199254740993");
    let registry = ExtensionRegistry::with(&[package("@s/a", older), package("@s/a", newer)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", &format!("@s/a@{older}")]).ok();
    assert_eq!(installed(&repo), [format!("@s/a {older}")]);
    let updated = extension(&repo, &["update"]).ok().json();
    assert_eq!(updated["extensions"][0]["newVersion"], newer, "{updated:#}");
    assert_eq!(installed(&repo), [format!("@s/a {newer}")]);
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

/// A local manifest of the same name as an installed extension gives nothing of it away, whatever command runs.
#[test]
fn defect_67_local_sources_stay_local_under_every_change() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2), package("@s/b", V1)]);
    let repo = repo_of(&registry);
    repo.write("extensions/manifest.yaml", "manifestVersion: 1\nname: '@s/a'\nversion: 2026.03.03.1\n");
    repo.write("extensions/models/x.ts", model("@me/x", "methods: {},"));
    let origins = || {
        let found = repo.marsh(&["--json", "model", "type", "search", "@"]).ok().json();
        let rows = found["results"].as_array().unwrap().clone();
        rows.iter()
            .filter(|row| row["origin"] != "builtin")
            .map(|row| format!("{} {}", row["normalized"].as_str().unwrap(), row["origin"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    for (command, expected) in [
        (&["pull", "@s/b", "@s/a@2026.01.01.1"][..], &["@me/x local", "@s/a pulled", "@s/b pulled"][..]),
        (&["update"], &["@me/x local", "@s/a pulled", "@s/b pulled"]),
        (&["rm", "--yes", "@s/a"], &["@me/x local", "@s/b pulled"]),
        (&["rollback"], &["@me/x local", "@s/a pulled", "@s/b pulled"]),
    ] {
        extension(&repo, command).ok();
        assert_eq!(origins(), expected, "{command:?}");
    }
}

/// The report is data: every problem of every source is an entry of a list.
#[test]
fn defect_68_the_doctors_document_holds_the_errors() {
    let registry =
        ExtensionRegistry::with(&[package("@s/a", V1).source("broken.ts", "export const model = {\n")]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    repo.write("extensions/models/bad.ts", "export const model = {{\n");
    let report = repo.marsh(&["--json", "doctor", "extensions"]).exits(1).json();
    let errors = report["loaderErrors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{report:#}");
    for error in errors {
        assert!(error["path"].is_string() && error["diagnostic"]["message"].is_string(), "{error:#}");
    }
    assert_eq!(report["overallStatus"], "fail");
}
