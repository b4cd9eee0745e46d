//! Each lockfile has one lock, which all its writers take and no other process.

use std::path::Path;
use std::time::{Duration, Instant};

use marsh_fs::LockError;
use marsh_store::{CommitRequest, Installation, StoreError};

use crate::support::*;

#[test]
fn commits_of_fifty_processes_all_succeed_and_none_is_lost() {
    let repo = Repo::new();
    let processes: Vec<_> = (0..50).map(|_| spawn(&repo.root(), "count 4", &[])).collect();
    assert!(processes.into_iter().all(Running::ended));
    let installation = repo.open();
    let lockfile = installation.snapshot().unwrap().lockfile;
    assert_eq!(lockfile.get(&name("@s/counter")).unwrap().rest["count"].to_string(), "200");
    assert_eq!(installation.history().unwrap().len(), 200);
    assert_settled(&installation, "after fifty");
}

#[test]
fn commit_waiting_for_a_held_lock_names_the_holder_and_fails_as_busy() {
    let repo = Repo::new();
    let installation = repo.open();
    let holder = spawn(&repo.root(), "hold update-of-many", &[]).heard("holding");
    let mut heard = Vec::new();
    let start = Instant::now();
    let mut on_wait = |holder: &marsh_fs::Holder| heard.push((start.elapsed(), holder.clone()));
    let request = CommitRequest {
        command: "rm".into(),
        lock_timeout: Duration::from_millis(1500),
        on_wait: &mut on_wait,
        leases: &[],
    };
    let error = installation
        .commit::<std::convert::Infallible>(request, |_| panic!("it is locked"))
        .map_err(store_error)
        .unwrap_err();
    let StoreError::Lock(LockError::Timeout { holder: named, waited, .. }) = &error else {
        panic!("{error}")
    };
    assert!(*waited >= Duration::from_millis(1500));
    assert_eq!(heard.len(), 1, "`on_wait` is called once");
    assert!(heard[0].0 >= Duration::from_secs(1), "`on_wait` is called after a second");
    assert_eq!(&heard[0].1, named);
    assert_eq!((named.pid, named.command.as_deref()), (Some(holder.id()), Some("update-of-many")));
    assert!(named.since.as_deref().is_some_and(|since| since.starts_with("20")), "{named:?}");
    assert!(
        error.to_string().contains(&format!("process {} (update-of-many) since 20", holder.id())),
        "{error}"
    );
    assert!(holder.ended());
}

#[test]
fn commit_after_a_killed_holder_succeeds() {
    let repo = Repo::new();
    spawn(&repo.root(), "hold doomed", &[]).heard("holding").killed();
    let start = Instant::now();
    pull(&repo.open(), "@s/a", 1).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// A worktree: a directory with its own marker and lockfile, whose `.swamp` is a link to that of `of`.
fn worktree(of: &Repo) -> Repo {
    let other = Repo::new();
    std::fs::create_dir_all(of.root().join(".swamp")).unwrap();
    std::os::unix::fs::symlink(of.root().join(".swamp"), other.root().join(".swamp")).unwrap();
    other
}

#[test]
fn lockfiles_sharing_a_state_directory_are_independent() {
    let main = Repo::new();
    let tree = worktree(&main);
    let (one, two) = (main.open(), tree.open());
    assert_ne!(one.commit_lock_path(), two.commit_lock_path());
    assert_eq!(one.trees().root(), two.trees().root(), "trees depend on content alone");
    // A commit in one goes through while the other's lock is held.
    let holder = spawn(&main.root(), "hold slow", &[]).heard("holding");
    pull(&two, "@s/a", 1).unwrap();
    assert!(holder.ended());
    pull(&one, "@s/a", 2).unwrap();
    assert_eq!((installed(&one), installed(&two)), ("@s/a 2".into(), "@s/a 1".into()));
    assert_eq!((one.history().unwrap().len(), two.history().unwrap().len()), (1, 1));
    // Each has its own views.
    one.derive_views(LONG).unwrap();
    two.derive_views(LONG).unwrap();
    assert_ne!(one.views_dir(), two.views_dir());
    for (installation, n) in [(&one, 2), (&two, 1)] {
        let manifest = std::fs::read_to_string(installation.views_dir().join("@s/a/manifest.yaml")).unwrap();
        assert!(manifest.contains(&format!("2026.01.01.{n}")), "{manifest}");
        assert!(!installation.check_views(&installation.snapshot().unwrap()).unwrap().stale);
    }
    // Neither collects trees that only the other names.
    for installation in [&one, &two] {
        let collection = installation.collect(Default::default(), true, "gc", LONG).unwrap();
        assert_eq!((collection.removed.len(), collection.kept), (0, 2));
    }
}

/// The lockfile of a worktree counts from its first commit on, even if that commit changes nothing.
#[test]
fn collection_for_another_lockfile_keeps_its_trees() {
    let main = Repo::new();
    let tree = worktree(&main);
    let (one, two) = (main.open(), tree.open());
    publish(&one, "@s/a", 1).unwrap();
    let mut lockfile = marsh_types::Lockfile::default();
    lockfile.entries.insert(name("@s/a"), entry("@s/a", 1));
    std::fs::create_dir_all(tree.lockfile().parent().unwrap()).unwrap();
    std::fs::write(tree.lockfile(), lockfile.to_json()).unwrap();
    pull(&two, "@s/a", 1).unwrap();
    // Another program then writes a state that no generation has.
    publish(&one, "@s/a", 2).unwrap();
    lockfile.entries.insert(name("@s/a"), entry("@s/a", 2));
    std::fs::write(tree.lockfile(), lockfile.to_json()).unwrap();
    let collection = one.collect(Default::default(), true, "gc", LONG).unwrap();
    assert_eq!((collection.removed.len(), collection.kept), (0, 2), "{collection:?}");
}

/// Two repositories share one lockfile through a link.
#[test]
fn state_directories_sharing_a_lockfile_take_one_lock() {
    let link_models = |main: &Path, other: &Path| {
        std::fs::create_dir_all(main.join("extensions/models")).unwrap();
        std::fs::create_dir_all(other.join("extensions")).unwrap();
        std::os::unix::fs::symlink(main.join("extensions/models"), other.join("extensions/models")).unwrap();
    };
    // The file itself may be a link, created before its target.
    let link_file = |main: &Path, other: &Path| {
        for root in [main, other] {
            std::fs::create_dir_all(root.join("extensions/models")).unwrap();
        }
        std::os::unix::fs::symlink(lockfile_in(main), lockfile_in(other)).unwrap();
    };
    for link in [&link_models as &dyn Fn(&Path, &Path), &link_file] {
        let (main, other) = (Repo::new(), Repo::new());
        link(&main.root(), &other.root());
        let (one, two): (Installation, Installation) = (main.open(), other.open());
        assert_eq!(one.commit_lock_path(), two.commit_lock_path());
        assert_ne!(one.trees().root(), two.trees().root());
        let holder = spawn(&other.root(), "hold slow", &[]).heard("holding");
        let request = CommitRequest {
            command: "pull".into(),
            lock_timeout: Duration::ZERO,
            on_wait: &mut |_| {},
            leases: &[],
        };
        let outcome = one.commit::<std::convert::Infallible>(request, |before| Ok(before.lockfile.clone()));
        assert!(matches!(store_error(outcome.unwrap_err()), StoreError::Lock(LockError::Timeout { .. })));
        assert!(holder.ended());
        let counters: Vec<_> =
            [&main, &other].into_iter().map(|repo| spawn(&repo.root(), "count 20", &[])).collect();
        assert!(counters.into_iter().all(Running::ended));
        let count = |installation: &Installation| {
            let lockfile = installation.snapshot().unwrap().lockfile;
            lockfile.get(&name("@s/counter")).unwrap().rest["count"].to_string()
        };
        assert_eq!((count(&one), count(&two)), ("40".into(), "40".into()));
        assert!(std::fs::symlink_metadata(main.lockfile()).unwrap().is_file());
    }
}
