//! Killed at every mutation, a write leaves the old file or the new one. Run with `--features failpoints`.

#![expect(clippy::unwrap_used, reason = "these tests set the scene that marsh_fs then acts on")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use marsh_fs::{Durability, Published, StagedDir, atomic_write, sync_dir};

/// Not a test of its own: the body of the child process of the tests below.
#[test]
fn child_writes() {
    let Some(dir) = std::env::var_os("MARSH_TEST_DIR") else { return };
    let dir = Path::new(&dir);
    atomic_write(&dir.join("file"), b"new", Durability::Synced).unwrap();
    let staged = StagedDir::new(dir).unwrap();
    atomic_write(&staged.path().join("inside"), b"whole", Durability::Synced).unwrap();
    assert_eq!(staged.publish(&dir.join("entry")).unwrap(), Published::Here);
    sync_dir(dir).unwrap();
}

fn run_child(dir: &Path, failpoint: &str) -> bool {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_writes"])
        .env("MARSH_TEST_DIR", dir)
        .env("MARSH_FAILPOINT", failpoint)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[test]
fn killed_at_any_mutation_the_old_or_the_new_state_is_visible() {
    for action in ["abort", "error"] {
        let mut points = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            atomic_write(&dir.path().join("file"), b"old", Durability::Atomic).unwrap();
            let done = run_child(dir.path(), &format!("*={action}@{}", points + 1));
            let content = fs::read_to_string(dir.path().join("file")).unwrap();
            assert!(content == "old" || content == "new", "{content:?}");
            if let Ok(inside) = fs::read_to_string(dir.path().join("entry/inside")) {
                assert_eq!(inside, "whole");
            } else {
                assert!(!dir.path().join("entry").exists(), "an entry is never partial");
            }
            if action == "error" {
                let left: Vec<_> =
                    fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
                assert!(left.iter().all(|name| name == "file" || name == "entry"), "left behind: {left:?}");
            }
            if done {
                break;
            }
            points += 1;
            assert!(points < 100);
        }
        assert!(points >= 10, "only {points} points were passed");
    }
}

#[test]
fn a_point_can_be_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!run_child(dir.path(), "fs.sync_dir=abort"));
    assert!(dir.path().join("entry/inside").exists());
    let dir = tempfile::tempdir().unwrap();
    assert!(run_child(dir.path(), "no.such.point=abort,fs.sync_dir=sleep:1"));
}
