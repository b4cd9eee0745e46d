//! A file is replaced as a whole, keeps its mode, and leaves no temporary file.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "these tests create the files that marsh_fs then changes"
)]

use std::fs;
use std::path::Path;

use marsh_fs::{
    Durability, LogFile, NewFile, append, atomic_write, atomic_write_locked, atomic_write_new_private,
    atomic_write_private, is_leftover, remove_leftover, remove_tree, sync_trees, sync_way,
};

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn atomic_write_during_reads_shows_old_or_new_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state");
    let contents = |byte: u8| vec![byte; 64 * 1024];
    atomic_write(&file, &contents(0), Durability::Atomic).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for byte in 1..100 {
                atomic_write(&file, &contents(byte), Durability::Atomic).unwrap();
            }
        });
        while !writer.is_finished() {
            let bytes = fs::read(&file).unwrap();
            assert_eq!(bytes, contents(bytes[0]));
        }
    });
    assert_eq!(names(dir.path()), ["state"]);
}

#[test]
fn atomic_write_that_fails_leaves_no_temporary_file() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("taken");
    fs::create_dir(&target).unwrap();
    let error = atomic_write(&target, b"x", Durability::Atomic).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot write {}: ", target.display())), "{error}");
    assert_eq!(names(dir.path()), ["taken"]);
}

mod unix {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn atomic_write_over_a_file_keeps_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        for kept in [0o755, 0o640, 0o444] {
            atomic_write(&file, b"1", Durability::Atomic).unwrap();
            marsh_fs::set_mode(&file, kept).unwrap();
            atomic_write(&file, b"2", Durability::Synced).unwrap();
            assert_eq!((mode(&file), fs::read(&file).unwrap().as_slice()), (kept, b"2".as_slice()));
        }
    }

    #[test]
    fn new_private_file_has_mode_0600_and_never_replaces() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        assert!(atomic_write_new_private(&file, b"1", Durability::Synced).unwrap());
        assert!(!atomic_write_new_private(&file, b"2", Durability::Synced).unwrap());
        assert_eq!(fs::read(&file).unwrap(), b"1");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn private_write_over_a_public_file_makes_it_private() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        atomic_write(&file, b"1", Durability::Atomic).unwrap();
        marsh_fs::set_mode(&file, 0o666).unwrap();
        atomic_write_private(&file, b"2", Durability::Atomic).unwrap();
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn atomic_write_over_a_symlink_leaves_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "theirs").unwrap();
        marsh_fs::symlink_atomic(&target, &link).unwrap();
        atomic_write(&link, b"ours", Durability::Atomic).unwrap();
        assert_eq!(
            (fs::read(&target).unwrap(), fs::read(&link).unwrap()),
            (b"theirs".into(), b"ours".into())
        );
        marsh_fs::symlink_atomic(&target, &link).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), target);
    }

    #[test]
    fn remove_tree_of_read_only_directories_removes_them() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(tree.join("a/b/f"), "x").unwrap();
        for closed in ["a/b/f", "a/b", "a", ""] {
            marsh_fs::set_mode(&tree.join(closed), 0o555).unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }
}

#[test]
fn remove_of_a_missing_path_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = dir.path().join("nothing");
    remove_tree(&nothing).unwrap();
    assert!(!marsh_fs::remove_file_if_exists(&nothing).unwrap());
    assert!(!marsh_fs::remove_dir_if_empty(&nothing).unwrap());
}

#[test]
fn log_written_by_several_threads_keeps_lines_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.log");
    append(&path, b"from an earlier run\n").unwrap();
    let log = LogFile::create(&path).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                (0..100).for_each(|_| log.write_line(&thread.to_string().repeat(50)).unwrap())
            });
        }
    });
    LogFile::append(&path).unwrap().write_line("resumed").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 401);
    assert!(text.lines().take(400).all(|line| line == line[..1].repeat(50)));
    assert!(text.ends_with("resumed\n"));
}

#[test]
fn new_file_over_an_existing_file_fails() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("raw");
    let mut file = NewFile::create(&path).unwrap();
    file.write(b"ab").unwrap();
    file.write(b"c").unwrap();
    file.finish(Durability::Synced).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    assert!(NewFile::create(&path).is_err());
}

/// Under a lock the temporary file has the same name every time, so the next writer finds the one that a dead writer left.
#[test]
fn locked_write_after_a_dead_writer_replaces_its_leftover() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.json");
    atomic_write_locked(&file, b"one", Durability::Synced).unwrap();
    marsh_fs::set_mode(&file, 0o600).unwrap();
    assert_eq!(names(dir.path()), ["state.json"]);
    assert!(!remove_leftover(&file).unwrap());
    let left = dir.path().join(".state.json.marsh-new");
    assert!(is_leftover(left.file_name().unwrap().to_str().unwrap()));
    assert!(!is_leftover("state.json") && !is_leftover("state.json.marsh-new"));
    fs::write(&left, "half of a longer state").unwrap();
    atomic_write_locked(&file, b"two", Durability::Synced).unwrap();
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), names(dir.path()).len()), ("two", 1));
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "the mode is kept");
    // A link by that name is not followed.
    let victim = dir.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    symlink(&victim, &left).unwrap();
    atomic_write_locked(&file, b"three", Durability::Atomic).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert_eq!(fs::read_to_string(&file).unwrap(), "three");
    fs::write(&left, "half").unwrap();
    assert!(remove_leftover(&file).unwrap());
    assert!(!left.exists());
}

/// `tests/failpoints.rs` shows that the data reaches the disk; this test shows that no kind of entry makes a sync fail.
#[test]
fn sync_trees_with_links_and_read_only_files_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    sync_trees(&[]).unwrap();
    for (name, files) in [("small", 3), ("large", 100)] {
        let tree = dir.path().join(name).join("a/b");
        marsh_fs::create_dir_all(&tree).unwrap();
        for file in 0..files {
            fs::write(tree.join(file.to_string()), "x").unwrap();
        }
        std::os::unix::fs::symlink("/nowhere", tree.join("dangling")).unwrap();
        marsh_fs::set_mode(&tree.join("0"), 0o444).unwrap();
    }
    let (small, large) = (dir.path().join("small"), dir.path().join("large"));
    sync_trees(&[&small, &large]).unwrap();
    sync_trees(&[&small]).unwrap();
    sync_way(dir.path(), &small.join("a/b")).unwrap();
    sync_way(&small.join("a"), &large).unwrap();
    let error = sync_trees(&[&dir.path().join("missing")]).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(sync_way(dir.path(), &dir.path().join("missing")).is_err());
}

#[test]
fn sweep_removes_leftovers_of_dead_writers_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let left = ".state.json.marsh-new";
    for name in [left, ".mine.tmp", "state.json.marsh-new", ".state.json", "file"] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    fs::create_dir(dir.path().join(".state.json.marsh-newer")).unwrap();
    assert_eq!(marsh_fs::sweep_leftovers(dir.path()).unwrap(), 1);
    assert!(!dir.path().join(left).exists());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
    assert_eq!(marsh_fs::sweep_leftovers(dir.path()).unwrap(), 0);
    assert_eq!(marsh_fs::sweep_leftovers(&dir.path().join("none")).unwrap(), 0);
}
