//! What registries, archives and lockfiles must not be able to do. Code that must not run is tested through the binary
//! (`crates/cli/tests/it/defects_hostile.rs`).

use std::path::Path;

use marsh_api::event::NoEvents;
use marsh_app::{DoctorRequest, InstallRequest, RegistryChoice};
use marsh_testkit::ExtensionRegistry;
use serde_json::{Value, json};

use crate::installed::{
    LOCKFILE, V1, V2, assert_sound_set, install, installed, package, pull, remove, repo_of, unsound,
};
use crate::support::Repository;

/// Nothing but the repository, and the user's cache, exists in their directory.
#[track_caller]
fn assert_nothing_outside(repo: &Repository) {
    let mut names: Vec<String> = std::fs::read_dir(repo.outside())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.retain(|name| name != "cache" && name != "home");
    assert_eq!(names, ["repo"]);
    assert_eq!(repo.list(".swamp/pulled-extensions"), [""; 0]);
}

#[track_caller]
fn assert_refused(registry: &ExtensionRegistry, code: &str) {
    let repo = repo_of(registry);
    let error = pull(&repo, &["@s/a"]).unwrap_err();
    assert_eq!(error["code"], code, "{error:#}");
    assert!(!repo.exists(LOCKFILE));
    assert_nothing_outside(&repo);
    assert_eq!(repo.list(".swamp/marsh/store/v1"), [""; 0], "nothing of it is kept");
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

#[test]
fn defect_63_one_hostile_lockfile_entry_stops_no_other() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a"]).unwrap();
    let mut lockfile: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    let entry = lockfile["@s/a"].clone();
    let hostile = ["@a/../../../outside", "../x", "/etc/passwd", "@s/..", ""];
    for key in hostile {
        lockfile[key] = entry.clone();
    }
    repo.write(LOCKFILE, lockfile.to_string());
    repo.remove(".swamp");
    let run = install(&repo, InstallRequest::default());
    assert_eq!((&run["installed"], &run["failed"]), (&json!(1), &json!(0)), "{run:#}");
    assert_eq!(run["warnings"].as_array().unwrap().len(), hostile.len(), "each is told: {run:#}");
    assert_eq!(installed(&repo), [format!("@s/a {V1}")]);
    assert_eq!(repo.list(".swamp/pulled-extensions"), ["@s"]);
    assert_eq!(repo.list(".swamp/pulled-extensions/@s"), ["a"]);
    unsound(&repo, DoctorRequest::default());
    remove(&repo, &["@s/a"]).unwrap();
    assert_eq!(installed(&repo), [""; 0]);
}

/// Paths that the lockfile lists are other implementations' business: marsh deletes none of them.
#[test]
fn defect_63_removal_deletes_nothing_that_the_lockfile_lists() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a"]).unwrap();
    let mut lockfile: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    repo.write("mine.txt", "mine");
    lockfile["@s/a"]["files"] = json!(["mine.txt", "../home", "/etc/hostname"]);
    repo.write(LOCKFILE, lockfile.to_string());
    remove(&repo, &["@s/a"]).unwrap();
    assert_eq!(repo.read("mine.txt"), "mine");
    assert_nothing_outside(&repo);
    assert_sound_set(&repo);
}

/// Each of these is possible in a repository that was cloned, or beside it.
#[test]
fn repository_file_that_is_a_device_a_pipe_or_a_hole_is_refused_at_once() {
    let repo = Repository::new();
    let session = repo.session();
    let pipe = |path: &str| {
        let made = std::process::Command::new("mkfifo").arg(repo.path(path)).status().unwrap();
        assert!(made.success());
    };
    let hole = |path: &str| {
        repo.write(path, "");
        let file = std::fs::File::options().write(true).open(repo.path(path)).unwrap();
        file.set_len(20 << 30).unwrap();
    };
    hole("models/@me/x/holes.yaml");
    marsh_fs::symlink_atomic(Path::new("/dev/zero"), &repo.path("models/@me/x/zero.yaml")).unwrap();
    pipe("models/@me/x/pipe.yaml");
    let (_, broken) = session.read().search_models("", true);
    let broken = broken.join("\n");
    for words in ["found a device", "found a pipe", "larger than 256 MB"] {
        assert!(broken.contains(words), "{broken}");
    }
    hole("workflows/workflow-holes.yaml");
    let error = session.read().workflow("holes").unwrap_err();
    assert!(error.to_string().contains("larger than 256 MB"), "{error}");
    hole("extensions/models/holes.ts");
    marsh_fs::symlink_atomic(Path::new("/dev/zero"), &repo.path("extensions/models/zero.ts")).unwrap();
    pipe("extensions/models/pipe.ts");
    // Only regular files are sources.
    let (_, problems) = session.read().search_types("").unwrap();
    let [problem] = problems.as_slice() else { panic!("one problem: {problems:?}") };
    assert!(problem.contains("holes.ts: the file is larger than 256 MB"), "{problem}");
    pipe("extensions/models/upstream_extensions.json");
    let set = repo.app().extensions(&RegistryChoice::default()).unwrap();
    let error = set.list(false, &NoEvents).unwrap_err();
    assert!(error.to_string().contains("found a pipe"), "{error}");
}
