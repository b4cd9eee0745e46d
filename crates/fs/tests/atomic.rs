//! A file is replaced as a whole, its mode survives, and nothing is left behind.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "these tests set the scene that marsh_fs then acts on"
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
fn readers_see_old_or_new_bytes_never_a_mixture() {
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
fn a_failed_write_leaves_no_temporary_file_and_says_what_failed() {
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
    fn the_mode_of_a_replaced_file_is_kept() {
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
    fn a_new_private_file_is_private_and_never_replaces() {
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
    fn a_private_write_closes_a_file_that_was_open_to_all() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        atomic_write(&file, b"1", Durability::Atomic).unwrap();
        marsh_fs::set_mode(&file, 0o666).unwrap();
        atomic_write_private(&file, b"2", Durability::Atomic).unwrap();
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn a_symlink_is_replaced_and_its_target_untouched() {
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
    fn read_only_trees_can_be_removed() {
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
fn removing_what_is_not_there_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = dir.path().join("nothing");
    remove_tree(&nothing).unwrap();
    assert!(!marsh_fs::remove_file_if_exists(&nothing).unwrap());
    assert!(!marsh_fs::remove_dir_if_empty(&nothing).unwrap());
}

#[test]
fn logs_start_empty_or_continue_and_keep_lines_whole() {
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
fn a_new_file_does_not_overwrite() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("raw");
    let mut file = NewFile::create(&path).unwrap();
    file.write(b"ab").unwrap();
    file.write(b"c").unwrap();
    file.finish(Durability::Synced).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    assert!(NewFile::create(&path).is_err());
}

/// Under a lock the private name can be the same every time, so that the next writer finds what a dead one left.
#[test]
fn a_writer_under_a_lock_replaces_what_a_dead_one_left() {
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

/// That it reaches the disk is for the record of `tests/failpoints.rs` to show; here, that nothing stands in its way.
#[test]
fn whole_trees_are_synced_whatever_is_in_them() {
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
fn what_dead_writers_left_can_be_swept_and_nothing_else() {
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
