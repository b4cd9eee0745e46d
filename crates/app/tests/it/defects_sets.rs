//! Known ways in which the installed set goes wrong for its readers.

use std::sync::atomic::{AtomicBool, Ordering};

use marsh_app::DoctorRequest;
use marsh_testkit::ExtensionRegistry;
use marsh_types::Origin;
use serde_json::json;

use crate::installed::{
    V1, V2, installed, model, package, pull, remove, repo_of, rollback, sound, unsound, update,
};

/// While a set changes again and again, a process that enters a tree finds one version in it.
#[test]
fn defect_02_a_reader_sees_no_mixture_of_versions() {
    let version = |version: &str| {
        package("@s/a", version).file("models/lib/one.txt", version).file("models/lib/two.txt", version)
    };
    let registry = ExtensionRegistry::with(&[version(V1), version(V2)]);
    let repo = repo_of(&registry);
    pull(&repo, &[&format!("@s/a@{V1}")]).unwrap();
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
            update(&repo);
            assert_eq!(installed(&repo), [format!("@s/a {V2}")]);
            rollback(&repo).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [V1, V2], "the reader looked while it changed");
}

/// Every segment of a name counts: a type of `@s/a/b` is that extension's, not of `@s/a`.
#[test]
fn defect_29_the_owner_of_a_type_is_named_whole() {
    let registry =
        ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a/b", V1).model("x.ts", "@s/a/c")]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a", "@s/a/b"]).unwrap();
    let report = sound(&repo, DoctorRequest::default());
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
    let error = pull(&repo, &["@s/d"]).unwrap_err();
    assert!(error["hint"].as_str().unwrap().contains("@s/a/b"), "{error:#}");
}

/// Beyond what a double can tell apart.
#[test]
fn defect_34_large_last_parts_of_versions_are_exact() {
    let (older, newer) = ("2026.01.01.9007199254740992", "2026.01.01.9007199254740993");
    let registry = ExtensionRegistry::with(&[package("@s/a", older), package("@s/a", newer)]);
    let repo = repo_of(&registry);
    pull(&repo, &[&format!("@s/a@{older}")]).unwrap();
    assert_eq!(installed(&repo), [format!("@s/a {older}")]);
    let updated = update(&repo);
    assert_eq!(updated["extensions"][0]["newVersion"], newer, "{updated:#}");
    assert_eq!(installed(&repo), [format!("@s/a {newer}")]);
}

/// A local manifest of the same name as an installed extension gives nothing of it away, whatever command runs.
#[test]
fn defect_67_local_sources_stay_local_under_every_change() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2), package("@s/b", V1)]);
    let repo = repo_of(&registry);
    repo.write("extensions/manifest.yaml", "manifestVersion: 1\nname: '@s/a'\nversion: 2026.03.03.1\n");
    repo.write("extensions/models/x.ts", model("@me/x"));
    let origins = || {
        let (found, _) = repo.session().read().search_types("@").unwrap();
        let rows = found.results.into_iter().filter(|row| row.origin != Origin::Builtin);
        rows.map(|row| (row.normalized, row.origin)).collect::<Vec<_>>()
    };
    let (mine, a, b) = (
        ("@me/x".to_owned(), Origin::Local),
        ("@s/a".to_owned(), Origin::Pulled),
        ("@s/b".to_owned(), Origin::Pulled),
    );
    let all = [mine.clone(), a, b.clone()];
    pull(&repo, &["@s/b", "@s/a@2026.01.01.1"]).unwrap();
    assert_eq!(origins(), all, "pull");
    update(&repo);
    assert_eq!(origins(), all, "update");
    remove(&repo, &["@s/a"]).unwrap();
    assert_eq!(origins(), [mine, b], "remove");
    rollback(&repo).unwrap();
    assert_eq!(origins(), all, "rollback");
}

/// The report is data: every problem of every source is an entry of a list.
#[test]
fn defect_68_the_doctors_document_holds_the_errors() {
    let registry =
        ExtensionRegistry::with(&[package("@s/a", V1).source("broken.ts", "export const model = {\n")]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a"]).unwrap();
    repo.write("extensions/models/bad.ts", "export const model = {{\n");
    let report = unsound(&repo, DoctorRequest::default());
    let errors = report["loaderErrors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{report:#}");
    for error in errors {
        assert!(error["path"].is_string() && error["diagnostic"]["message"].is_string(), "{error:#}");
    }
    assert_eq!(report["overallStatus"], "fail");
}
