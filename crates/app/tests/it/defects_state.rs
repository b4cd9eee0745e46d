//! Known ways in which derived state, edits, shadows and skills go wrong.

use std::path::PathBuf;
use std::sync::Mutex;

use marsh_api::event::{InstallEvent, NoEvents};
use marsh_app::{DoctorRequest, InstallRequest, PullRequest, UpdateRequest};
use marsh_testkit::{ExtensionRegistry, Package};
use marsh_types::Origin;
use serde_json::{Value, json};

use crate::installed::{
    LOCKFILE, V1, V2, VERIFY, active_types, assert_sound_set, collect, extensions, history, install,
    installed, model, name, package, pull, remove, repo_of, request, rollback, unsound, update,
};
use crate::support::{Repository, files, make_writable};

const SKILL: &str = ".claude/skills/helper/SKILL.md";

fn skilled(version: &str) -> Package {
    Package::new("@s/a", version).skill("helper", &format!("# {version}\n"))
}

/// Everything below `.swamp` with its bytes, locks and the catalog aside.
fn state(repo: &Repository) -> Vec<(PathBuf, Vec<u8>)> {
    let counts = |path: &PathBuf| {
        let text = path.to_string_lossy();
        !text.contains("/locks/") && !text.contains("catalog-")
    };
    let files = files(&repo.path(".swamp")).into_iter().filter(counts);
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[test]
fn defect_06_changes_forget_nothing_of_mounted_sources() {
    let mounted = tempfile::tempdir().unwrap();
    std::fs::write(mounted.path().join("m.ts"), model("@far/m")).unwrap();
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    repo.write(".swamp-sources.yaml", format!("sources:\n  - path: {}\n", mounted.path().display()));
    assert_eq!(active_types(&repo, "@"), ["@far/m"]);
    pull(&repo, &["@s/a"]).unwrap();
    assert_eq!(active_types(&repo, "@"), ["@far/m", "@s/a"]);
    remove(&repo, &["@s/a"]).unwrap();
    assert_eq!(active_types(&repo, "@"), ["@far/m"]);
}

/// Two branches, each with a sound lockfile, merged into one that is not.
#[test]
fn defect_07_a_set_with_duplicates_can_be_repaired_step_by_step() {
    let registry = ExtensionRegistry::with(&[
        package("@s/a", V1),
        package("@s/b", V1).model("x.ts", "@s/a"),
        package("@s/c", V1),
    ]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/b"]).unwrap();
    let theirs: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    remove(&repo, &["@s/b"]).unwrap();
    pull(&repo, &["@s/a", "@s/c"]).unwrap();
    let mut merged: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    merged["@s/b"] = theirs["@s/b"].clone();
    repo.write(LOCKFILE, merged.to_string());
    let report = unsound(&repo, DoctorRequest::default());
    assert_eq!(report["duplicateTypes"].as_array().unwrap().len(), 1, "{report:#}");
    remove(&repo, &["@s/c"]).unwrap();
    remove(&repo, &["@s/b"]).unwrap();
    assert_eq!(active_types(&repo, "@s"), ["@s/a"]);
    assert_sound_set(&repo);
}

#[test]
fn defect_16_a_lockfile_that_version_control_changed_is_what_counts() {
    let registry = ExtensionRegistry::with(&[
        package("@s/a", V1).model("old.ts", "@s/a/old"),
        package("@s/a", V2).model("new.ts", "@s/a/new"),
    ]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a"]).unwrap();
    let theirs = repo.read(LOCKFILE);
    repo.remove(LOCKFILE);
    repo.remove(".swamp");
    pull(&repo, &[&format!("@s/a@{V1}")]).unwrap();
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/a/old"]);
    repo.write(LOCKFILE, theirs);
    let active = active_types(&repo, "@s");
    assert!(!active.iter().any(|name| name == "@s/a/old"), "what is not locked is not active: {active:?}");
    install(&repo, InstallRequest::default());
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/a/new"]);
    assert_sound_set(&repo);
    let history = history(&repo);
    rollback(&repo).unwrap();
    assert_eq!(installed(&repo), [format!("@s/a {V1}")], "{history:#}");
}

#[test]
fn defect_19_a_type_that_was_hidden_comes_back() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    repo.write("extensions/models/local.ts", model("@s/a"));
    let pulled = pull(&repo, &["@s/a"]).unwrap();
    assert_eq!(pulled["shadowedTypes"][0]["type"], "@s/a", "{pulled:#}");
    let origin = || {
        let (found, _) = repo.session().read().search_types("@s").unwrap();
        found.results[0].origin
    };
    assert_eq!(origin(), Origin::Local);
    repo.remove("extensions/models/local.ts");
    assert_eq!(origin(), Origin::Pulled);
}

/// A look, however often, changes nothing; and neither does a change that changes nothing.
#[test]
fn defect_20_to_25_what_only_looks_writes_nothing() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2)]);
    let repo = repo_of(&registry);
    pull(&repo, &[&format!("@s/a@{V1}")]).unwrap();
    let before = state(&repo);
    let set = extensions(&repo);
    let looks: [(&str, &dyn Fn()); 7] = [
        ("list", &|| drop(set.list(false, &NoEvents).unwrap())),
        ("list, with updates", &|| drop(set.list(true, &NoEvents).unwrap())),
        ("outdated", &|| drop(set.outdated(&NoEvents).unwrap())),
        ("update", &|| {
            drop(set.update(&UpdateRequest { check: true, ..UpdateRequest::default() }, &NoEvents).unwrap());
        }),
        ("info", &|| drop(set.info(&name("@s/a"), &NoEvents).unwrap())),
        ("history", &|| drop(set.history(None).unwrap())),
        ("gc", &|| drop(collect(&repo, false, 50))),
    ];
    for (operation, look) in looks {
        look();
        assert_eq!(state(&repo), before, "{operation}");
    }
    for _ in 0..2 {
        assert_sound_set(&repo);
        install(&repo, InstallRequest::default());
        pull(&repo, &[&format!("@s/a@{V1}")]).unwrap();
        assert_eq!(state(&repo), before);
    }
}

#[test]
fn defect_31_edits_of_an_installed_tree_are_found_and_not_overwritten_silently() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2)]);
    let repo = repo_of(&registry);
    pull(&repo, &[&format!("@s/a@{V1}")]).unwrap();
    let view = ".swamp/pulled-extensions/@s/a/models/main.ts";
    make_writable(&repo.path(view));
    repo.write(view, "// mine\n");
    let report = unsound(&repo, VERIFY);
    assert_eq!(
        report["aggregateState"]["aggregates"][0]["state"]["damaged"]["files"],
        json!(["models/main.ts"]),
        "{report:#}"
    );
    let edited = repo.path(view).canonicalize().unwrap();
    update(&repo);
    assert_eq!(std::fs::read_to_string(edited).unwrap(), "// mine\n", "another version is another tree");
    let events = Mutex::new(Vec::new());
    let sink = |event: InstallEvent| events.lock().unwrap().push(event);
    let forced = PullRequest { force: true, ..request(&[&format!("@s/a@{V1}")]) };
    extensions(&repo).pull(&forced, &sink).unwrap();
    let events = events.into_inner().unwrap();
    let overwriting = InstallEvent::Overwriting { name: "@s/a".into(), files: vec!["models/main.ts".into()] };
    assert!(events.contains(&overwriting), "{events:?}");
    assert_sound_set(&repo);
}

#[test]
fn defect_40_skills_overwrite_and_delete_nothing_of_the_user() {
    let registry = ExtensionRegistry::with(&[skilled(V1), Package::new("@s/b", V1).skill("helper", "# b\n")]);
    let repo = repo_of(&registry);
    repo.write(SKILL, "# mine\n");
    let pulled = pull(&repo, &["@s/a"]).unwrap();
    assert!(pulled["warnings"][0].as_str().unwrap().contains(".claude/skills/helper"), "{pulled:#}");
    remove(&repo, &["@s/a"]).unwrap();
    assert_eq!(repo.read(SKILL), "# mine\n");

    repo.remove(".claude");
    pull(&repo, &["@s/a"]).unwrap();
    repo.write(".claude/skills/helper/notes.md", "mine");
    pull(&repo, &["@s/b"]).unwrap();
    assert_eq!(repo.read(SKILL), format!("# {V1}\n"), "of two the first keeps the name");
    remove(&repo, &["@s/a"]).unwrap();
    assert_eq!(repo.read(".claude/skills/helper/notes.md"), "mine");
}

#[test]
fn defect_57_no_stale_skill_file_survives_an_update() {
    let registry = ExtensionRegistry::with(&[skilled(V1).file("skills/helper/old.md", "old"), skilled(V2)]);
    let repo = repo_of(&registry);
    pull(&repo, &[&format!("@s/a@{V1}")]).unwrap();
    assert!(repo.exists(".claude/skills/helper/old.md"));
    update(&repo);
    assert_eq!(files(&repo.path(".claude/skills")), [repo.path(SKILL)]);
    assert_eq!(repo.read(SKILL), format!("# {V2}\n"));
    remove(&repo, &["@s/a"]).unwrap();
    assert!(!repo.exists(".claude/skills/helper"));
}

/// What is derived can be lost at any time.
#[test]
fn defect_56_lost_or_damaged_derived_state_is_made_again() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/b", V1)]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a"]).unwrap();
    for (path, content) in [
        (".swamp/marsh/catalog-v1.db", Some("not a database")),
        (".swamp/marsh/catalog-v1.db", None),
        (".swamp/pulled-extensions/@s/a", None),
        (".swamp/marsh/views", None),
        (".swamp/marsh/skills/record.json", Some("{")),
    ] {
        match content {
            Some(content) => repo.write(path, content),
            None if repo.path(path).is_symlink() => std::fs::remove_file(repo.path(path)).unwrap(),
            None => repo.remove(path),
        }
        assert_eq!(active_types(&repo, "@s"), ["@s/a"], "{path}");
        pull(&repo, &["@s/b"]).unwrap();
        assert_sound_set(&repo);
        remove(&repo, &["@s/b"]).unwrap();
        assert_sound_set(&repo);
    }
}
