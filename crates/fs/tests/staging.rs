//! A directory appears as a whole, or not at all.

#![expect(clippy::disallowed_methods, reason = "these tests create the files that marsh_fs then changes")]

use std::fs;

use marsh_fs::{Published, StagedDir, rename_dir_new};

#[test]
fn staged_directory_dropped_unpublished_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let staged = StagedDir::new(&dir.path().join("missing/parent")).unwrap();
    let path = staged.path().to_path_buf();
    fs::write(path.join("f"), "x").unwrap();
    drop(staged);
    assert!(!path.exists());
}

#[test]
fn publish_of_one_name_by_many_succeeds_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("entry");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let publish = || {
            let staged = StagedDir::new(dir.path()).unwrap();
            fs::write(staged.path().join("f"), "same content").unwrap();
            let outcome = staged.publish(&target).unwrap();
            assert_eq!(fs::read_to_string(target.join("f")).unwrap(), "same content");
            outcome
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(publish)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Published::Here).count(), 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no staging directory is left");
}

#[test]
fn publish_new_onto_an_empty_directory_gives_the_staged_one_back() {
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("1");
    fs::create_dir(&taken).unwrap();
    let staged = StagedDir::new(dir.path()).unwrap();
    let staged = staged.publish_new(&taken).unwrap().expect("an empty directory keeps its name");
    assert!(staged.publish_new(&dir.path().join("2")).unwrap().is_none());
    assert!(dir.path().join("2").is_dir());
}

/// Other implementations claim version numbers by `mkdir`, marsh by rename. Neither takes a name that the other has.
#[test]
fn rename_racing_with_mkdir_gives_each_name_to_one() {
    let dir = tempfile::tempdir().unwrap();
    let target = |n: u32| dir.path().join(n.to_string());
    let wins: Vec<u32> = std::thread::scope(|scope| {
        let rename = || {
            (0..200)
                .filter(|n| {
                    let staged = dir.path().join(format!(".s{n}"));
                    fs::create_dir(&staged).unwrap();
                    fs::write(staged.join("f"), "x").unwrap();
                    rename_dir_new(&staged, &target(*n)).unwrap()
                })
                .count() as u32
        };
        let mkdir = || (0..200).filter(|n| fs::create_dir(target(*n)).is_ok()).count() as u32;
        let (a, b) = (scope.spawn(rename), scope.spawn(mkdir));
        vec![a.join().unwrap(), b.join().unwrap()]
    });
    assert_eq!(wins.iter().sum::<u32>(), 200);
    let with_content = (0..200).filter(|n| target(*n).join("f").exists()).count() as u32;
    assert_eq!(with_content, wins[0]);
}

/// The file of the process that wins stays, and the others get `false`.
#[test]
fn atomic_write_new_of_one_name_by_many_creates_one_whole_file() {
    use marsh_fs::{Durability, atomic_write_new};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("record.yaml");
    let wins: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = ["a", "b", "c", "d"]
            .map(|text| {
                let path = &path;
                scope.spawn(move || {
                    atomic_write_new(path, text.repeat(9999).as_bytes(), Durability::Atomic).unwrap()
                })
            })
            .into_iter()
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winner = ["a", "b", "c", "d"][wins.iter().position(|won| *won).unwrap()];
    assert_eq!(wins.iter().filter(|won| **won).count(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), winner.repeat(9999));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
