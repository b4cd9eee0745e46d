//! A write that is killed at any of its steps leaves the old file or the new one. Run with `--features failpoints`.

#![expect(clippy::unwrap_used, reason = "these tests create the files that marsh_fs then changes")]

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
fn write_killed_at_any_failpoint_shows_the_old_or_the_new_state() {
    for action in ["abort", "error", "short"] {
        let mut points = 0;
        loop {
            let dir = tempfile::tempdir().unwrap();
            atomic_write(&dir.path().join("file"), b"old", Durability::Atomic).unwrap();
            let run = run_child(dir.path(), &format!("*={action}@{}", points + 1));
            // `short` does nothing at points that write no bytes, so for it the first success is not the end.
            let done = run && (action != "short" || points >= 20);
            let content = fs::read_to_string(dir.path().join("file")).unwrap();
            assert!(content == "old" || content == "new", "{content:?}");
            if let Ok(inside) = fs::read_to_string(dir.path().join("entry/inside")) {
                assert_eq!(inside, "whole");
            } else {
                assert!(!dir.path().join("entry").exists(), "an entry is never partial");
            }
            if action != "abort" {
                let left: Vec<_> =
                    fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
                assert!(left.iter().all(|name| name == "file" || name == "entry"), "left behind: {left:?}");
            }
            if done {
                break;
            }
            points += 1;
            assert!(points < 100, "the write does not end");
        }
        assert!(points >= 10, "only {points} points were passed");
    }
}

/// Not a test of its own: writes [`BYTES`] in the way that `MARSH_TEST_WAY` names.
#[test]
fn child_writes_once() {
    let Some(way) = std::env::var_os("MARSH_TEST_WAY") else { return };
    let dir = std::env::var_os("MARSH_TEST_DIR").unwrap();
    let file = Path::new(&dir).join("file");
    let bytes = BYTES.as_bytes();
    let way = way.to_str().unwrap();
    match way {
        "atomic" => atomic_write(&file, bytes, Durability::Synced),
        "locked" => marsh_fs::atomic_write_locked(&file, bytes, Durability::Atomic),
        "private" => marsh_fs::atomic_write_private(&file, bytes, Durability::Atomic),
        "new" => marsh_fs::atomic_write_new(&file, bytes, Durability::Synced).map(drop),
        "copy" => marsh_fs::copy_file(&Path::new(&dir).join("source"), &file, Durability::Synced).map(drop),
        "append" => marsh_fs::append(&file, bytes),
        "pieces" => marsh_fs::NewFile::create(&file).and_then(|mut new| {
            new.write(bytes)?;
            new.finish(Durability::Synced)
        }),
        "growing" => marsh_fs::GrowingFile::open(&file).and_then(|mut growing| {
            growing.write(bytes)?;
            growing.finish(Durability::Synced)
        }),
        _ => panic!("unknown way {way}"),
    }
    .unwrap();
}

const BYTES: &str = "sixteen letters!";
const WAYS: [&str; 8] = ["atomic", "locked", "private", "new", "copy", "append", "pieces", "growing"];

/// Runs [`child_writes_once`]. Returns whether it succeeded, and the files in the directory.
fn write_once(way: &str, action: &str) -> (bool, Vec<(String, String)>) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("source"), BYTES).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_writes_once"])
        .env("MARSH_TEST_DIR", dir.path())
        .env("MARSH_TEST_WAY", way)
        .env("MARSH_FAILPOINT", format!("*={action}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let mut found: Vec<(String, String)> = look(dir.path())
        .into_iter()
        .map(|(path, content)| (path.file_name().unwrap().to_str().unwrap().to_owned(), content))
        .collect();
    found.retain(|(name, _)| name != "source");
    (status.success(), found)
}

#[test]
fn write_that_takes_fewer_bytes_than_given_is_continued() {
    for way in WAYS {
        assert_eq!(write_once(way, "trickle"), (true, vec![("file".into(), BYTES.into())]), "{way}");
    }
}

#[test]
fn write_that_ends_half_way_fails_and_shows_no_part_of_an_atomic_write() {
    for way in WAYS {
        let (done, found) = write_once(way, "short");
        assert!(!done, "{way}");
        let half = vec![("file".to_owned(), BYTES[..8].to_owned())];
        // These three are documented to grow in sight of readers; of all others nothing is visible.
        let expected = if ["append", "pieces", "growing"].contains(&way) { half } else { Vec::new() };
        assert_eq!(found, expected, "{way}");
    }
}

#[test]
fn failpoint_with_a_name_applies_at_that_point_only() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!run_child(dir.path(), "fs.sync_dir=abort"));
    assert!(dir.path().join("entry/inside").exists());
    let dir = tempfile::tempdir().unwrap();
    assert!(run_child(dir.path(), "no.such.point=abort,fs.sync_dir=sleep:1"));
}

/// Not a test of its own: calls every function that changes the file system.
#[test]
fn child_does_everything() {
    let Some(dir) = std::env::var_os("MARSH_TEST_EVERYTHING") else { return };
    let root = Path::new(&dir);
    let at = |name: &str| root.join(name);
    marsh_fs::create_dir_all(&at("deep/er")).unwrap();
    assert!(marsh_fs::create_dir_new(&at("new")).unwrap());
    for text in ["one", "two"] {
        atomic_write(&at("deep/er/file"), text.as_bytes(), Durability::Synced).unwrap();
        marsh_fs::atomic_write_locked(&at("locked"), text.as_bytes(), Durability::Atomic).unwrap();
        marsh_fs::append(&at("appended"), text.as_bytes()).unwrap();
    }
    marsh_fs::atomic_write_private(&at("private"), b"secret", Durability::Synced).unwrap();
    assert!(marsh_fs::atomic_write_new(&at("once"), b"first", Durability::Synced).unwrap());
    assert!(!marsh_fs::atomic_write_new(&at("once"), b"second", Durability::Synced).unwrap());
    marsh_fs::copy_file(&at("locked"), &at("copy"), Durability::Synced).unwrap();
    for target in ["copy", "../elsewhere"] {
        marsh_fs::symlink_atomic(Path::new(target), &at("link")).unwrap();
    }
    marsh_fs::LogFile::create(&at("log")).unwrap().write_line("dropped").unwrap();
    marsh_fs::LogFile::create(&at("log")).unwrap().write_line("a line").unwrap();
    marsh_fs::LogFile::append(&at("log")).unwrap().write_line("another").unwrap();
    let mut file = marsh_fs::NewFile::create(&at("new/file")).unwrap();
    file.write(b"piece ").unwrap();
    file.write(b"by piece").unwrap();
    file.finish(Durability::Synced).unwrap();
    marsh_fs::rename(&at("copy"), &at("moved")).unwrap();
    assert!(marsh_fs::rename_dir_new(&at("new"), &at("newer")).unwrap());
    let staged = StagedDir::new(root).unwrap();
    atomic_write(&staged.path().join("inside"), b"whole", Durability::Atomic).unwrap();
    assert_eq!(staged.publish(&at("entry")).unwrap(), Published::Here);
    let again = StagedDir::new(root).unwrap();
    atomic_write(&again.path().join("inside"), b"whole", Durability::Atomic).unwrap();
    assert_eq!(again.publish(&at("entry")).unwrap(), Published::AlreadyThere);
    for index in 0..70 {
        marsh_fs::create_dir_all(&at("many")).unwrap();
        atomic_write(&at("many").join(index.to_string()), b"x", Durability::Atomic).unwrap();
    }
    assert!(marsh_fs::remove_file_if_exists(&at("private")).unwrap());
    marsh_fs::create_dir_all(&at("gone/by")).unwrap();
    assert!(marsh_fs::remove_dir_if_empty(&at("gone/by")).unwrap());
    marsh_fs::remove_tree(&at("gone")).unwrap();
    let trees: Vec<_> = ["deep", "newer", "entry"].map(at).into_iter().collect();
    let trees: Vec<&Path> = trees.iter().map(|path| path.as_path()).collect();
    marsh_fs::sync_trees(&trees).unwrap();
    marsh_fs::sync_way(root, &at("deep/er")).unwrap();
}

/// All files and links below a directory.
fn look(dir: &Path) -> Vec<(std::path::PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            found.push((path.clone(), fs::read_link(&path).unwrap().display().to_string()));
        } else if path.is_dir() {
            found.push((path.clone(), "directory".into()));
            found.extend(look(&path));
        } else {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// A trace that misses a change would prove nothing. Replayed, it must lead to the files that are there.
#[test]
fn trace_of_every_kind_of_mutation_is_complete() {
    use marsh_testkit::{Disk, Loss};
    let (dir, traces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = dir.path().canonicalize().unwrap();
    let trace = traces.path().join("trace");
    let mut disk = Disk::of(&root);
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_does_everything"])
        .env("MARSH_TEST_EVERYTHING", &root)
        .env("MARSH_FS_TRACE", &trace)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    for mutation in Disk::mutations(&trace) {
        disk.apply(&mutation);
    }
    let found = look(&root);
    assert!(found.len() > 80);
    disk.restore(&Loss::Nothing);
    assert_eq!(look(&root), found);
    // Synced files survive the loss of everything that was not synced.
    let of = |name: &str| fs::read_to_string(root.join(name)).ok();
    disk.restore(&Loss::Names);
    assert_eq!(of("deep/er/file").as_deref(), Some("two"));
    assert_eq!(of("newer/file").as_deref(), Some("piece by piece"));
    assert_eq!(of("entry/inside").as_deref(), Some("whole"));
    assert_eq!(of("once").as_deref(), Some("first"));
    assert_eq!(of("appended").as_deref(), Some(""), "its name was synced and its data was not");
    assert!(!root.join("many/0").exists(), "nor were these names");
}

/// Not a test of its own: the body of the child process of the test below.
#[test]
fn child_orders() {
    let Some(dir) = std::env::var_os("MARSH_TEST_ORDERED") else { return };
    atomic_write(&Path::new(&dir).join("file"), b"new", Durability::Ordered).unwrap();
}

/// Where the journal keeps the order, the write waits for the data and does not sync the file. Elsewhere it syncs the file.
#[test]
fn ordered_write_is_settled_or_synced_before_the_rename() {
    use marsh_testkit::Disk;
    for (keeps_order, expected) in
        [("1", ["create", "order_file", "rename"]), ("0", ["create", "sync_file", "rename"])]
    {
        let (dir, traces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let trace = traces.path().join("trace");
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_orders"])
            .env("MARSH_TEST_ORDERED", dir.path())
            .env("MARSH_FS_TRACE", &trace)
            .env("MARSH_FS_ORDERED", keeps_order)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "new");
        let mutations = Disk::mutations(&trace);
        let done: Vec<&str> = mutations.iter().filter_map(|mutation| mutation["op"].as_str()).collect();
        let expected = if cfg!(target_os = "linux") { expected } else { ["create", "sync_file", "rename"] };
        assert_eq!(done, expected);
    }
}
