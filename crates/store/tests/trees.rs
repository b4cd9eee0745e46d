//! Trees are published whole, leased, checked, set aside and swept.

use marsh_store::{GenerationRetention, TreeState};

use crate::support::*;

const A: &str = "@s/a";

#[test]
fn published_tree_is_whole_and_leaves_no_staging() {
    let repo = Repo::new();
    let installation = repo.open();
    let digest = digest_of(A, 1);
    assert_eq!(installation.trees().check(&digest, true).unwrap(), TreeState::Missing);
    assert!(installation.trees().lease(&digest).unwrap().is_none());
    publish(&installation, A, 1).unwrap();
    let lease = installation.trees().lease(&digest).unwrap().unwrap();
    assert_eq!((lease.digest(), lease.record()), (digest, &record_of(A, 1)));
    assert!(std::fs::read_to_string(lease.tree().join("manifest.yaml")).unwrap().contains(A));
    assert_eq!(installation.trees().check(&digest, true).unwrap(), TreeState::Whole);
    assert_eq!(installation.trees().list().unwrap(), [digest]);
    assert_eq!(std::fs::read_dir(installation.trees().root()).unwrap().count(), 1, "no leftovers");
}

#[test]
fn publish_of_one_digest_by_many_succeeds_for_all() {
    let repo = Repo::new();
    let installation = repo.open();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| publish(&installation, A, 1).unwrap())).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), digest_of(A, 1));
        }
    });
    let processes: Vec<_> =
        (0..8).map(|_| spawn(&repo.root(), "publish @s/a 1; publish @s/a 2", &[])).collect();
    assert!(processes.into_iter().all(Running::ended));
    for n in [1, 2] {
        assert_eq!(installation.trees().check(&digest_of(A, n), true).unwrap(), TreeState::Whole);
    }
    assert_eq!(std::fs::read_dir(installation.trees().root()).unwrap().count(), 2, "no leftovers");
}

#[test]
fn staging_dropped_leaves_nothing() {
    let repo = Repo::new();
    let installation = repo.open();
    let staging = installation.trees().stage().unwrap();
    assert_eq!(std::fs::read_dir(staging.tree()).unwrap().count(), 0);
    drop(staging);
    assert_eq!(std::fs::read_dir(installation.trees().root()).unwrap().count(), 0);
}

#[test]
fn check_of_a_damaged_tree_finds_every_kind_of_damage() {
    type Damage = fn(&std::path::Path);
    let damages: [(&str, Damage, bool); 7] = [
        ("edited", |entry| std::fs::write(entry.join("tree/README.md"), "# @s/x\n").unwrap(), false),
        ("grown", |entry| std::fs::write(entry.join("tree/README.md"), "longer than it was").unwrap(), true),
        ("removed", |entry| std::fs::remove_file(entry.join("tree/models/a.ts")).unwrap(), true),
        ("added", |entry| std::fs::write(entry.join("tree/extra"), "").unwrap(), false),
        (
            "linked",
            |entry| {
                std::fs::remove_file(entry.join("tree/README.md")).unwrap();
                std::os::unix::fs::symlink("manifest.yaml", entry.join("tree/README.md")).unwrap();
            },
            true,
        ),
        ("without record", |entry| std::fs::remove_file(entry.join("entry.json")).unwrap(), true),
        (
            "with a torn record",
            |entry| {
                std::fs::remove_file(entry.join("entry.json")).unwrap();
                std::fs::write(entry.join("entry.json"), "{\"format\": 1, ").unwrap();
            },
            true,
        ),
    ];
    for (what, damage, is_seen_at_a_glance) in damages {
        let repo = Repo::new();
        let installation = repo.open();
        let digest = publish(&installation, A, 1).unwrap();
        damage(&installation.trees().dir(&digest));
        let glance = installation.trees().check(&digest, false).unwrap();
        assert_eq!(matches!(glance, TreeState::Damaged { .. }), is_seen_at_a_glance, "{what}");
        let look = installation.trees().check(&digest, true).unwrap();
        assert!(matches!(look, TreeState::Damaged { .. }), "{what}: {look:?}");
        installation.trees().set_aside(&digest).unwrap();
        assert_eq!(installation.trees().check(&digest, true).unwrap(), TreeState::Missing, "{what}");
        publish(&installation, A, 1).unwrap();
        assert_eq!(installation.trees().check(&digest, true).unwrap(), TreeState::Whole, "{what}");
        installation.trees().set_aside(&digest).unwrap();
        assert_eq!(installation.trees().check(&digest, true).unwrap(), TreeState::Whole, "whole ones stay");
        assert_eq!(std::fs::read_dir(installation.trees().root()).unwrap().count(), 1, "no leftovers");
    }
}

/// A directory with the name of an entry is not a tree unless it has a record.
#[test]
fn publish_over_a_directory_without_a_record_replaces_it() {
    let repo = Repo::new();
    let installation = repo.open();
    let digest = publish(&installation, A, 1).unwrap();
    std::fs::remove_file(installation.trees().dir(&digest).join("entry.json")).unwrap();
    assert!(installation.trees().lease(&digest).unwrap().is_none());
    publish(&installation, A, 1).unwrap();
    assert!(installation.trees().lease(&digest).unwrap().is_some());
}

/// If several threads repair one tree, none removes the tree that another has built and leased.
#[test]
fn set_aside_by_many_keeps_a_rebuilt_tree() {
    let repo = Repo::new();
    let installation = repo.open();
    let digest = publish(&installation, A, 1).unwrap();
    for _ in 0..20 {
        std::fs::write(installation.trees().tree(&digest).join("README.md"), "?").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    installation.trees().set_aside(&digest).unwrap();
                    let lease = lease(&installation, A, 1).unwrap();
                    assert_eq!(installation.trees().check(&digest, true).unwrap(), TreeState::Whole);
                    drop(lease);
                });
            }
        });
    }
}

#[test]
fn lease_of_another_process_keeps_a_tree_until_it_dies() {
    let repo = Repo::new();
    let installation = repo.open();
    let user = spawn(&repo.root(), "lease @s/a 1", &[]).heard("leased");
    let digest = digest_of(A, 1);
    let collect = || installation.collect(GenerationRetention::default(), true, "gc", LONG).unwrap();
    let collection = collect();
    assert_eq!((collection.removed.len(), collection.in_use.len()), (0, 1), "{collection:?}");
    assert_eq!(collection.in_use[0].digest, digest);
    assert_eq!(installation.trees().check(&digest, true).unwrap(), TreeState::Whole);
    user.killed();
    let collection = collect();
    assert_eq!((collection.removed.len(), collection.in_use.len()), (1, 0), "{collection:?}");
    assert_eq!(installation.trees().check(&digest, true).unwrap(), TreeState::Missing);
}

#[test]
fn sweep_removes_leftovers_of_dead_processes_only() {
    let repo = Repo::new();
    let installation = repo.open();
    let living = spawn(&repo.root(), "stage", &[]).heard("staged");
    let dead = spawn(&repo.root(), "stage", &[]).heard("staged");
    dead.killed();
    let count = || std::fs::read_dir(installation.trees().root()).unwrap().count();
    assert_eq!(count(), 2);
    assert_eq!(installation.trees().sweep().unwrap(), 0, "a process is unpacking");
    assert_eq!(count(), 2);
    assert!(living.ended());
    assert_eq!(count(), 1);
    assert_eq!(installation.trees().sweep().unwrap(), 1);
    assert_eq!(count(), 0);
}

/// Threads unpack while a process sweeps all the time, and no file of a living process is removed.
#[test]
fn sweep_during_publishing_removes_nothing_in_use() {
    let repo = Repo::new();
    let installation = repo.open();
    let sweeper = spawn(&repo.root(), "sweep-often 2000", &[]);
    for n in 1..=20 {
        publish(&installation, A, n).unwrap();
        assert_eq!(installation.trees().check(&digest_of(A, n), true).unwrap(), TreeState::Whole);
    }
    assert!(sweeper.ended());
}
