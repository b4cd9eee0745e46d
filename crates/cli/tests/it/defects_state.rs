//! Known ways in which derived state, edits, shadows and skills go wrong.

#![expect(clippy::disallowed_methods, reason = "these tests set the scene that marsh then acts on")]

use marsh_testkit::{ExtensionRegistry, Package, Scratch};
use serde_json::{Value, json};

use crate::support::{
    LOCKFILE, V1, V2, active_types, assert_sound_set, extension, installed, package, repo_of,
};

fn local(repo: &Scratch, type_name: &str) {
    let text =
        format!("export const model = {{ type: \"{type_name}\", version: \"{V1}\", methods: {{}} }};\n");
    repo.write("extensions/models/local.ts", text);
}

/// Everything below `.swamp` with its bytes, locks and the catalog aside.
fn state(repo: &Scratch) -> Vec<(String, Vec<u8>)> {
    let files = repo.files(".swamp").into_iter();
    files
        .filter(|path| !path.contains("/locks/") && !path.contains("catalog-"))
        .map(|path| (path.clone(), std::fs::read(repo.path(&format!(".swamp/{path}"))).unwrap()))
        .collect()
}

#[test]
fn defect_06_changes_forget_nothing_of_mounted_sources() {
    let mounted = Scratch::empty(crate::support::BINARY);
    mounted.write(
        "m.ts",
        format!("export const model = {{ type: \"@far/m\", version: \"{V1}\", methods: {{}} }};\n"),
    );
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    repo.write(".swamp-sources.yaml", format!("sources:\n  - path: {}\n", mounted.root().display()));
    assert_eq!(active_types(&repo, "@"), ["@far/m"]);
    extension(&repo, &["pull", "@s/a"]).ok();
    assert_eq!(active_types(&repo, "@"), ["@far/m", "@s/a"]);
    extension(&repo, &["rm", "--yes", "@s/a"]).ok();
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
    extension(&repo, &["pull", "@s/b"]).ok();
    let theirs: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    extension(&repo, &["rm", "--yes", "@s/b"]).ok();
    extension(&repo, &["pull", "@s/a", "@s/c"]).ok();
    let mut merged: Value = serde_json::from_str(&repo.read(LOCKFILE)).unwrap();
    merged["@s/b"] = theirs["@s/b"].clone();
    repo.write(LOCKFILE, merged.to_string());
    let report = repo.marsh(&["--json", "doctor", "extensions"]).exits(1).json();
    assert_eq!(report["duplicateTypes"].as_array().unwrap().len(), 1, "{report:#}");
    extension(&repo, &["rm", "--yes", "@s/c"]).ok();
    extension(&repo, &["rm", "--yes", "@s/b"]).ok();
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
    extension(&repo, &["pull", "@s/a"]).ok();
    let theirs = repo.read(LOCKFILE);
    repo.remove(LOCKFILE);
    repo.remove(".swamp");
    extension(&repo, &["pull", &format!("@s/a@{V1}")]).ok();
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/a/old"]);
    repo.write(LOCKFILE, theirs);
    let found = repo.marsh(&["--json", "model", "type", "search", "@s"]).ok();
    assert!(!found.stdout.contains("@s/a/old"), "what is not locked is not active: {}", found.snapshot());
    extension(&repo, &["install"]).ok();
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/a/new"]);
    assert_sound_set(&repo);
    let history = extension(&repo, &["history"]).ok().json();
    extension(&repo, &["rollback"]).ok();
    assert_eq!(installed(&repo), [format!("@s/a {V1}")], "{history:#}");
}

#[test]
fn defect_19_a_type_that_was_hidden_comes_back() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    local(&repo, "@s/a");
    let pulled = extension(&repo, &["pull", "@s/a"]).ok().json();
    assert_eq!(pulled["shadowedTypes"][0]["type"], "@s/a", "{pulled:#}");
    let origin = || {
        let found = repo.marsh(&["--json", "model", "type", "search", "@s"]).ok().json();
        found["results"][0]["origin"].as_str().unwrap().to_owned()
    };
    assert_eq!(origin(), "local");
    repo.remove("extensions/models/local.ts");
    assert_eq!(origin(), "pulled");
}

/// A look, however often, changes nothing; and neither does a change that changes nothing.
#[test]
fn defect_20_to_25_what_only_looks_writes_nothing() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", &format!("@s/a@{V1}")]).ok();
    let before = state(&repo);
    for arguments in
        [&["list"][..], &["outdated"], &["update", "--check"], &["info", "@s/a"], &["history"], &["gc"]]
    {
        extension(&repo, arguments);
        assert_eq!(state(&repo), before, "{arguments:?}");
    }
    for _ in 0..2 {
        assert_sound_set(&repo);
        extension(&repo, &["install"]).ok();
        extension(&repo, &["pull", &format!("@s/a@{V1}")]).ok();
        assert_eq!(state(&repo), before);
    }
}

#[test]
fn defect_31_edits_of_an_installed_tree_are_found_and_not_overwritten_silently() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", &format!("@s/a@{V1}")]).ok();
    let view = ".swamp/pulled-extensions/@s/a/models/main.ts";
    repo.set_writable(view, true);
    repo.write(view, "// mine\n");
    let report = repo.marsh(&["--json", "doctor", "extensions", "--verify"]).exits(1).json();
    assert_eq!(
        report["aggregateState"]["aggregates"][0]["state"]["damaged"]["files"],
        json!(["models/main.ts"]),
        "{report:#}"
    );
    let edited = repo.path(view).canonicalize().unwrap();
    extension(&repo, &["update"]).ok();
    assert_eq!(std::fs::read_to_string(edited).unwrap(), "// mine\n", "another version is another tree");
    let forced = repo.marsh(&["extension", "pull", "--force", &format!("@s/a@{V1}")]).ok();
    assert!(forced.stderr.contains("overwriting models/main.ts"), "{}", forced.snapshot());
    assert_sound_set(&repo);
}

const SKILL: &str = ".claude/skills/helper/SKILL.md";

fn skilled(version: &str) -> Package {
    Package::new("@s/a", version).skill("helper", &format!("# {version}\n"))
}

#[test]
fn defect_40_skills_overwrite_and_delete_nothing_of_the_user() {
    let registry = ExtensionRegistry::with(&[skilled(V1), Package::new("@s/b", V1).skill("helper", "# b\n")]);
    let repo = repo_of(&registry);
    repo.write(SKILL, "# mine\n");
    let pulled = extension(&repo, &["pull", "@s/a"]).ok().json();
    assert!(pulled["warnings"][0].as_str().unwrap().contains(".claude/skills/helper"), "{pulled:#}");
    extension(&repo, &["rm", "--yes", "@s/a"]).ok();
    assert_eq!(repo.read(SKILL), "# mine\n");

    repo.remove(".claude");
    extension(&repo, &["pull", "@s/a"]).ok();
    repo.write(".claude/skills/helper/notes.md", "mine");
    extension(&repo, &["pull", "@s/b"]).ok();
    assert_eq!(repo.read(SKILL), format!("# {V1}\n"), "of two the first keeps the name");
    extension(&repo, &["rm", "--yes", "@s/a"]).ok();
    assert_eq!(repo.read(".claude/skills/helper/notes.md"), "mine");
}

#[test]
fn defect_57_no_stale_skill_file_survives_an_update() {
    let registry = ExtensionRegistry::with(&[skilled(V1).file("skills/helper/old.md", "old"), skilled(V2)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", &format!("@s/a@{V1}")]).ok();
    assert!(repo.exists(".claude/skills/helper/old.md"));
    extension(&repo, &["update"]).ok();
    assert_eq!(repo.files(".claude/skills"), ["helper/SKILL.md"]);
    assert_eq!(repo.read(SKILL), format!("# {V2}\n"));
    extension(&repo, &["rm", "--yes", "@s/a"]).ok();
    assert!(!repo.exists(".claude/skills/helper"));
}

/// What is derived can be lost at any time.
#[test]
fn defect_56_lost_or_damaged_derived_state_is_made_again() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/b", V1)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    for (path, content) in [
        (".swamp/marsh/catalog-v1.db", Some("not a database")),
        (".swamp/marsh/catalog-v1.db", None),
        (".swamp/pulled-extensions/@s/a", None),
        (".swamp/marsh/views", None),
        (".swamp/marsh/skills/record.json", Some("{")),
    ] {
        match content {
            Some(content) => drop(repo.write(path, content)),
            None if repo.path(path).is_symlink() => std::fs::remove_file(repo.path(path)).unwrap(),
            None => repo.remove(path),
        }
        assert_eq!(active_types(&repo, "@s"), ["@s/a"], "{path}");
        extension(&repo, &["pull", "@s/b"]).ok();
        assert_sound_set(&repo);
        extension(&repo, &["rm", "--yes", "@s/b"]).ok();
        assert_sound_set(&repo);
    }
}
