//! Killed at every mutation, and failing at every mutation: whatever a change of the installed set was doing.
//!
//! For each command and n = 1, 2, … the real binary dies at the n-th point at which it changes the disk, until it
//! survives. After each death a reader sees the old set or the new one, whole; the next command works without repair and
//! without waiting; and a collection leaves nothing behind. The same with an error of the disk in place of the death,
//! where the command must end with an error or succeed. Run with `--features failpoints`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "these tests set the scene that marsh then acts on"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use marsh_testkit::{ExtensionRegistry, Run, Scratch, look_at, stress_packages};
use serde_json::Value;

const LOCKFILE: &str = "extensions/models/upstream_extensions.json";

/// Stands for the number of the oldest generation that there is.
const OLDEST: &str = "(oldest)";

/// Commands that follow a death, each of which must do its work.
const NEXT: [&[&str]; 6] = [
    &["pull", "--lock-timeout", "2s", "@stress/c"],
    &["rm", "--lock-timeout", "2s", "--yes", "@stress/c"],
    &["update", "--lock-timeout", "2s"],
    &["install", "--lock-timeout", "2s"],
    &["rollback", "--lock-timeout", "2s", OLDEST],
    &["gc", "--lock-timeout", "2s", "--apply"],
];

/// A repository that can be put back into its first state, in the same place.
struct Bench {
    scratch: Scratch,
    template: tempfile::TempDir,
    _registry: ExtensionRegistry,
}

impl Bench {
    /// `a` with `d`, and `c`; both can be updated, and there is a past.
    fn new(prepare: impl FnOnce(&Scratch)) -> Bench {
        let registry = ExtensionRegistry::with(&stress_packages());
        let scratch = Scratch::repo(env!("CARGO_BIN_EXE_marsh"))
            .private_cache()
            .env("MARSH_REGISTRY", registry.location());
        for reference in [
            "@stress/c@2026.02.01.1",
            "@stress/c@2026.01.01.1",
            "@stress/d@2026.01.01.1",
            "@stress/a@2026.01.01.1",
        ] {
            extension(&scratch, &["pull", reference]).ok();
        }
        prepare(&scratch);
        let template = tempfile::tempdir().unwrap();
        copy(scratch.root().parent().unwrap(), template.path());
        Bench { scratch, template, _registry: registry }
    }

    fn reset(&self) {
        let top = self.scratch.root().parent().unwrap();
        for name in ["repo", "cache"] {
            if top.join(name).exists() {
                std::fs::remove_dir_all(top.join(name)).unwrap();
            }
        }
        copy(self.template.path(), top);
    }

    fn run(&self, command: &[&str], failpoint: &str) -> Run {
        let arguments = [&["--json", "extension"], command].concat();
        let output = self.scratch.command(&arguments).env("MARSH_FAILPOINT", failpoint).output().unwrap();
        Run::from_output(output, self.scratch.filters())
    }
}

fn extension(scratch: &Scratch, arguments: &[&str]) -> Run {
    scratch.marsh(&[&["--json", "extension"], arguments].concat())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_symlink() {
            link(&std::fs::read_link(&path).unwrap(), &target);
        } else if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[cfg(unix)]
fn link(target: &PathBuf, path: &Path) {
    std::os::unix::fs::symlink(target, path).unwrap();
}

/// Names and versions that the lockfile names; times differ from run to run.
fn locked(scratch: &Scratch) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(scratch.path(LOCKFILE)).unwrap_or_default();
    let value: Value = if text.is_empty() { Value::default() } else { serde_json::from_str(&text).unwrap() };
    let entries = value.as_object().cloned().unwrap_or_default();
    entries.into_iter().map(|(name, entry)| (name, entry["version"].as_str().unwrap().to_owned())).collect()
}

/// What a reader sees now is `old` or `new`, whole.
#[track_caller]
fn assert_old_or_new(
    bench: &Bench,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    restoring: bool,
    case: &str,
) {
    let now = locked(&bench.scratch);
    assert!(now == *old || now == *new, "{case}: {now:?} is neither {old:?} nor {new:?}");
    let list = extension(&bench.scratch, &["list"]).ok().json();
    let listed: BTreeMap<String, String> = list["extensions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (entry["name"].as_str().unwrap().to_owned(), entry["version"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(listed, now, "{case}");
    for entry in list["extensions"].as_array().unwrap() {
        assert!(entry["state"] == "stored" || restoring && entry["state"] == "missing", "{case}: {entry}");
    }
    if !restoring {
        assert_eq!(look_at(bench.scratch.root(), false), [""; 0], "{case}");
        bench.scratch.marsh(&["doctor", "extensions", "--verify"]).ok();
    }
}

/// The next command works, and after a change and a collection nothing tells of what happened.
#[track_caller]
fn assert_life_goes_on(bench: &Bench, turn: usize, case: &str) {
    let history = extension(&bench.scratch, &["history"]).ok().json();
    let oldest = history["generations"].as_array().unwrap().last().map(|one| one["number"].to_string());
    let next = NEXT[turn % NEXT.len()];
    let next: Vec<&str> = match &oldest {
        Some(oldest) => next.iter().map(|word| if *word == OLDEST { oldest } else { *word }).collect(),
        // A fresh clone has no past.
        None => next
            .iter()
            .filter(|word| **word != OLDEST)
            .map(|word| if *word == "rollback" { "update" } else { word })
            .collect(),
    };
    let run = extension(&bench.scratch, &next);
    assert!(run.code == Some(0), "{case}, then {next:?}: {}", run.snapshot());
    assert!(run.json().get("warnings").is_none(), "{case}, then {next:?}: {}", run.snapshot());
    for follow in [&["install"][..], &["pull", "@stress/e"], &["gc", "--apply"]] {
        let run = extension(&bench.scratch, follow);
        assert!(run.code == Some(0), "{case}, then {next:?}, then {follow:?}: {}", run.snapshot());
    }
    assert_eq!(look_at(bench.scratch.root(), true), [""; 0], "{case}, then {next:?}");
}

/// Kills `command` at every mutation, and lets every mutation fail.
fn torment(command: &[&str], restoring: bool, prepare: impl FnOnce(&Scratch)) {
    let bench = Bench::new(prepare);
    bench.reset();
    let old = locked(&bench.scratch);
    extension(&bench.scratch, command).ok();
    let new = locked(&bench.scratch);
    let mut points = 0;
    loop {
        bench.reset();
        let case = format!("{command:?} killed at {}", points + 1);
        let run = bench.run(command, &format!("*=abort@{}", points + 1));
        let survived = run.code == Some(0);
        assert!(survived || run.code.is_none(), "{case}: {}", run.snapshot());
        assert_old_or_new(&bench, &old, &new, restoring, &case);
        assert_life_goes_on(&bench, points, &case);
        if survived {
            break;
        }
        points += 1;
        assert!(points < 1000, "{command:?} never ends");
    }
    assert!(points > 5, "{command:?} changes the disk at {points} points only");
    for point in 1..=points {
        bench.reset();
        let action = ["eio", "enospc", "erofs", "eacces"][point % 4];
        let case = format!("{command:?} with {action} at {point}");
        let run = bench.run(command, &format!("*={action}@{point}"));
        match run.code {
            Some(0) => assert_eq!(locked(&bench.scratch), new, "{case}: {}", run.snapshot()),
            Some(1) => assert!(has_error(&run.json()), "{case}: {}", run.snapshot()),
            _ => panic!("{case}: {}", run.snapshot()),
        }
        assert_old_or_new(&bench, &old, &new, restoring, &case);
        assert_life_goes_on(&bench, point, &case);
    }
}

/// Of the whole, or of a part.
fn has_error(document: &Value) -> bool {
    let items =
        ["extensions", "entries"].iter().flat_map(|key| document[key].as_array().into_iter().flatten());
    document["error"]["code"].is_string() || items.into_iter().any(|item| item["error"]["code"].is_string())
}

#[test]
fn pull() {
    torment(&["pull", "@stress/b"], false, |_| {});
}

#[test]
fn rm() {
    torment(&["rm", "--yes", "@stress/a"], false, |_| {});
}

#[test]
fn update() {
    torment(&["update"], false, |_| {});
}

#[test]
fn install() {
    torment(&["install"], true, |scratch| {
        // As in a fresh clone.
        scratch.remove(".swamp");
        scratch.remove(".claude");
        std::fs::remove_dir_all(scratch.root().parent().unwrap().join("cache")).unwrap();
    });
}

#[test]
fn rollback() {
    torment(&["rollback", "1"], false, |_| {});
}

#[test]
fn gc() {
    torment(&["gc", "--apply", "--keep", "1"], false, |_| {});
}
