//! Killed at every mutation, and failing at every mutation: `repo upgrade` and moves of data.
//!
//! For n = 1, 2, … the real binary dies at the n-th point at which it changes the disk, until it survives. After each death
//! nothing is lost, and data are in view; the next run completes what the dead one began; the one after it changes nothing.
//! The same with an error of the disk in place of the death. Run with `--features failpoints`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "these tests set the scene that marsh then acts on"
)]

use std::collections::BTreeMap;
use std::path::Path;

use marsh_testkit::{Run, Scratch};

/// What happens at a failpoint.
const ACTIONS: [&str; 3] = ["abort", "eio", "short"];

/// A repository that can be put back into its first state, in the same place.
struct Bench {
    scratch: Scratch,
    template: tempfile::TempDir,
}

impl Bench {
    fn new(prepare: impl FnOnce(&Scratch)) -> Bench {
        let scratch = Scratch::repo(env!("CARGO_BIN_EXE_marsh")).private_cache();
        prepare(&scratch);
        let template = tempfile::tempdir().unwrap();
        copy(scratch.root().parent().unwrap(), template.path());
        Bench { scratch, template }
    }

    fn reset(&self) {
        let top = self.scratch.root().parent().unwrap();
        for name in ["repo", "store"] {
            if top.join(name).exists() {
                std::fs::remove_dir_all(top.join(name)).unwrap();
            }
            if self.template.path().join(name).exists() {
                copy(&self.template.path().join(name), &top.join(name));
            }
        }
    }

    fn run(&self, command: &[&str], failpoint: &str) -> Run {
        let arguments = [&["--json"], command].concat();
        let output = self.scratch.command(&arguments).env("MARSH_FAILPOINT", failpoint).output().unwrap();
        Run::of(&arguments, output, self.scratch.filters())
    }

    /// Files with their texts and links with their targets, without derived files and what a dead process left.
    fn tree(&self) -> BTreeMap<String, String> {
        let top = self.scratch.root().parent().unwrap();
        let mut found = BTreeMap::new();
        for name in ["repo", "store"] {
            collect(top, &top.join(name), &mut found);
        }
        found
    }

    /// Runs the command with each action at each point. `look` sees the repository after the first run, and whether that
    /// succeeded; then after the second.
    fn torment(
        &self,
        command: &[&str],
        at_least: u64,
        mut look: impl FnMut(&Bench, &str),
        mut next: impl FnMut(&Bench, &str),
    ) {
        self.reset();
        self.run(command, "none=abort").ok();
        let wanted = self.tree();
        for action in ACTIONS {
            let mut point = 0;
            loop {
                self.reset();
                // Every death is looked at, and a third of the failures, whose ways out are few.
                point += if action == "abort" { 1 } else { 3 };
                let case = format!("{} with *={action}@{point}", command.join(" "));
                let run = self.run(command, &format!("*={action}@{point}"));
                let survived = run.code == Some(0);
                look(self, &case);
                next(self, &case);
                assert_eq!(self.tree(), wanted, "{case}");
                self.run(command, "none=abort");
                assert_eq!(self.tree(), wanted, "{case}: the third run changed something");
                if survived && self.passed_less(command, action, point) {
                    break;
                }
                assert!(point < 500, "{case}: never got through");
            }
            assert!(point > at_least, "{}: only {point} points", command.join(" "));
        }
    }

    /// Whether the command passes fewer points than this: a write that falls short, or an error, may be made up for.
    fn passed_less(&self, command: &[&str], action: &str, point: u64) -> bool {
        if action == "abort" {
            return true;
        }
        self.reset();
        self.run(command, &format!("*=abort@{point}")).code == Some(0)
    }
}

fn collect(top: &Path, dir: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().display().to_string();
        let relative = path.strip_prefix(top).unwrap().display().to_string();
        // A writer that dies leaves at most a dot file; the index of runs is made again.
        let is_left = name.starts_with('.') && (name.ends_with(".tmp") || name.starts_with(".tmp-"));
        if relative == "repo/.swamp/marsh" || is_left || name == ".runs-index.json" {
            continue;
        }
        if path.is_symlink() {
            found.insert(relative, format!("-> {}", std::fs::read_link(&path).unwrap().display()));
        } else if path.is_dir() {
            collect(top, &path, found);
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let is_time = |line: &&str| !line.starts_with("upgradedAt:") && !line.contains("registeredAt");
            found.insert(relative, text.lines().filter(is_time).collect::<Vec<_>>().join("\n"));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&path).unwrap(), &target).unwrap();
        } else if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn link(scratch: &Scratch, target: &str, path: &str) {
    let path = scratch.path(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(target, path).unwrap();
}

/// A definition, a workflow and a vault where the first versions had them.
fn by_id(scratch: &Scratch) {
    scratch.write(".swamp/definitions/aws/ec2/1.yaml", "name: vpc\n");
    scratch.write(".swamp/definitions/@me/x/2.yaml", "name: x\n");
    scratch.write(".swamp/workflows/workflow-3.yaml", "name: w\n");
    scratch.write(".swamp/vault/local_encryption/4.yaml", "name: v\n");
}

fn views_by_name(scratch: &Scratch) {
    by_id(scratch);
    link(scratch, "../../.swamp/definitions/aws/ec2/1.yaml", "models/vpc/definition.yaml");
    link(scratch, "../../.swamp/workflows/workflow-3.yaml", "workflows/w/workflow.yaml");
    scratch.write("models/@me/x/5.yaml", "name: mine\n");
}

fn linked_directories(scratch: &Scratch) {
    by_id(scratch);
    for (present, former) in [("models", "definitions"), ("workflows", "workflows"), ("vaults", "vault")] {
        std::fs::remove_dir(scratch.path(present)).unwrap();
        link(scratch, &format!(".swamp/{former}"), present);
    }
}

fn linked_versions(scratch: &Scratch) {
    scratch.write(".swamp/data/aws/ec2/1/state/3/raw", "{}");
    link(scratch, "3/", ".swamp/data/aws/ec2/1/state/latest");
    link(scratch, "12", ".swamp/data/aws/ec2/1/other/latest");
}

fn file_at_both_places(scratch: &Scratch) {
    by_id(scratch);
    scratch.write("models/aws/ec2/1.yaml", "name: newer\n");
}

fn with_files_of_tools(scratch: &Scratch) {
    views_by_name(scratch);
    linked_versions(scratch);
    scratch.write("CLAUDE.md", "# Mine\n\nMy rules.\n");
    scratch.write(".claude/settings.local.json", "{\"permissions\": {\"allow\": [\"Bash(ls)\"]}}\n");
    scratch.write(".gitignore", "mine/\n");
}

/// Texts that users wrote, each of which has to be somewhere.
const USERS: [&str; 9] = [
    "name: vpc",
    "name: x",
    "name: w",
    "name: v",
    "name: mine",
    "name: newer",
    "My rules.",
    "Bash(ls)",
    "mine/",
];

fn upgraded_whatever_happens(prepare: fn(&Scratch), command: &[&str], at_least: u64) {
    let bench = Bench::new(prepare);
    let is_there = |bench: &Bench, text: &str| bench.tree().values().any(|found| found.contains(text));
    let users: Vec<&str> = USERS.into_iter().filter(|text| is_there(&bench, text)).collect();
    bench.torment(
        command,
        at_least,
        |bench, case| {
            for text in &users {
                assert!(is_there(bench, text), "{case}: lost `{text}`");
            }
        },
        |bench, _| drop(bench.run(command, "none=abort").ok()),
    );
}

#[test]
fn upgrade_of_files_by_id_loses_nothing() {
    upgraded_whatever_happens(by_id, &["repo", "upgrade"], 10);
}

#[test]
fn upgrade_of_views_loses_nothing() {
    upgraded_whatever_happens(views_by_name, &["repo", "upgrade"], 10);
}

#[test]
fn upgrade_of_linked_directories_loses_nothing() {
    upgraded_whatever_happens(linked_directories, &["repo", "upgrade"], 10);
}

#[test]
fn upgrade_of_linked_versions_loses_nothing() {
    upgraded_whatever_happens(linked_versions, &["repo", "upgrade"], 5);
}

#[test]
fn upgrade_with_a_file_at_both_places_loses_nothing() {
    upgraded_whatever_happens(file_at_both_places, &["repo", "upgrade"], 10);
}

#[test]
fn upgrade_with_files_of_tools_loses_nothing() {
    let command = ["repo", "upgrade", "--tool", "claude", "--include-gitignore"];
    upgraded_whatever_happens(with_files_of_tools, &command, 20);
}

/// A repository with a run of a method.
fn with_data(scratch: &Scratch) {
    let run = ["model", "@command/shell", "method", "run", "execute", "x", "--input", "run=echo hello"];
    scratch.marsh(&[&run[..], &["--skip-reports"]].concat()).ok();
}

#[track_caller]
fn assert_in_view(bench: &Bench, case: &str) {
    let datum = bench.run(&["data", "get", "x", "result"], "none=abort");
    assert_eq!(datum.code, Some(0), "{case}: {}", datum.snapshot());
    assert!(datum.json()["content"].to_string().contains("hello"), "{case}");
}

fn moved_whatever_happens(prepare: impl FnOnce(&Scratch), command: &[&str]) {
    let bench = Bench::new(|scratch| {
        with_data(scratch);
        prepare(scratch);
    });
    bench.torment(command, 20, assert_in_view, |bench, case| {
        let again = bench.run(command, "none=abort");
        assert_in_view(bench, case);
        // What was done already needs no second time, and may be refused.
        if again.code != Some(0) {
            let code = again.error()["code"].clone();
            assert!(code == "usage" || code == "refused", "{case}: {}", again.snapshot());
        }
    });
}

#[test]
fn data_that_move_to_a_directory_are_never_lost() {
    moved_whatever_happens(|_| {}, &["datastore", "setup", "filesystem", "--path", "../store"]);
}

#[test]
fn data_that_move_back_are_never_lost() {
    let prepare = |scratch: &Scratch| {
        drop(scratch.marsh(&["datastore", "setup", "filesystem", "--path", "../store"]).ok());
    };
    moved_whatever_happens(prepare, &["datastore", "setup", "filesystem", "--path", ".swamp"]);
}

#[test]
fn data_that_move_into_a_namespace_are_never_lost() {
    moved_whatever_happens(|_| {}, &["datastore", "namespace", "set", "one"]);
}

#[test]
fn data_that_move_out_of_a_namespace_are_never_lost() {
    let prepare = |scratch: &Scratch| drop(scratch.marsh(&["datastore", "namespace", "set", "one"]).ok());
    moved_whatever_happens(prepare, &["datastore", "namespace", "unset", "--migrate", "--yes"]);
}

#[test]
fn data_that_lie_beside_a_namespace_are_never_lost() {
    let bench = Bench::new(|scratch| {
        with_data(scratch);
        let marker = scratch.read(".swamp.yaml");
        scratch.replace(".swamp.yaml", marker + "datastore: {type: filesystem, namespace: one}\n");
    });
    let command = ["datastore", "namespace", "migrate", "--yes"];
    bench.torment(
        &command,
        20,
        |bench, case| {
            let is_there =
                bench.tree().iter().any(|(name, text)| name.ends_with("/raw") && text.contains("hello"));
            assert!(is_there, "{case}");
        },
        |bench, case| {
            bench.run(&command, "none=abort").ok();
            assert_in_view(bench, case);
        },
    );
}
