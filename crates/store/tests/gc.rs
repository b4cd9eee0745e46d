//! A collection deletes only trees that nothing names.

use marsh_store::{Collection, GenerationRetention, Installation};
use marsh_types::Digest;

use crate::support::*;

fn collect(installation: &Installation, generations: usize, apply: bool) -> Collection {
    installation.collect(GenerationRetention { generations }, apply, "gc", LONG).unwrap()
}

fn digests(garbage: &[marsh_store::Garbage]) -> Vec<Digest> {
    garbage.iter().map(|garbage| garbage.digest).collect()
}

fn sorted(mut digests: Vec<Digest>) -> Vec<Digest> {
    digests.sort();
    digests
}

/// All files with their bytes, except lock files, which name their last holder.
fn everything(repo: &Repo) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = find(&repo.root(), |name| !name.ends_with(".lock"));
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap_or_default())).collect()
}

#[test]
fn dry_collection_changes_nothing_and_lists_what_would_be_removed() {
    let repo = Repo::new();
    let installation = repo.open();
    for n in 1..=3 {
        pull(&installation, "@s/a", n).unwrap();
    }
    publish(&installation, "@s/garbage", 1).unwrap();
    let used = lease(&installation, "@s/used", 1).unwrap();
    drop(spawn(&repo.root(), "stage", &[]).heard("staged"));
    let before = everything(&repo);
    let dry = collect(&installation, 50, false);
    assert_eq!(everything(&repo), before);
    assert_eq!(digests(&dry.removed), [digest_of("@s/garbage", 1)]);
    assert_eq!(digests(&dry.in_use), [digest_of("@s/used", 1)]);
    assert_eq!(
        (dry.removed[0].name.as_ref(), dry.removed[0].version),
        (Some(&name("@s/garbage")), Some(version(1)))
    );
    let bytes: u64 = record_of("@s/garbage", 1).files.iter().map(|file| file.bytes).sum();
    assert_eq!((dry.removed[0].bytes, dry.kept, dry.swept, dry.forgotten), (bytes, 3, 0, 0));
    let wet = collect(&installation, 50, true);
    assert_eq!((&wet.removed, &wet.in_use, wet.kept), (&dry.removed, &dry.in_use, dry.kept));
    assert_eq!(wet.swept, 1);
    assert_eq!(collect(&installation, 50, false).removed, [], "nothing is left to do");
    drop(used);
    assert_eq!(collect(&installation, 50, true).removed.len(), 1);
}

#[test]
fn dry_collection_with_a_smaller_retention_lists_more() {
    let repo = Repo::new();
    let installation = repo.open();
    for n in 1..=4 {
        pull(&installation, "@s/a", n).unwrap();
    }
    let before = everything(&repo);
    let dry = collect(&installation, 2, false);
    assert_eq!(everything(&repo), before);
    let wet = collect(&installation, 2, true);
    assert_eq!(sorted(digests(&dry.removed)), sorted(vec![digest_of("@s/a", 1), digest_of("@s/a", 2)]));
    assert_eq!((dry.removed, dry.forgotten), (wet.removed, wet.forgotten));
}

#[test]
fn collection_keeps_trees_of_kept_generations() {
    let repo = Repo::new();
    let installation = repo.open();
    for n in 1..=5 {
        pull(&installation, "@s/a", n).unwrap();
    }
    remove(&installation, "@s/a").unwrap();
    let collection = collect(&installation, 3, true);
    assert_eq!((collection.forgotten, collection.kept), (3, 2));
    for (n, is_kept) in [(1, false), (2, false), (3, false), (4, true), (5, true)] {
        assert_eq!(installation.trees().contains(&digest_of("@s/a", n)), is_kept, "{n}");
    }
    rollback(&installation, Some(4)).unwrap();
    assert_settled(&installation, "offline");
    // The newest generation is always kept.
    collect(&installation, 0, true);
    assert_settled(&installation, "kept");
    assert_eq!(installation.history().unwrap().len(), 1);
}

/// No generation records the lockfile's state, but it is installed.
#[test]
fn collection_keeps_trees_of_an_unrecorded_lockfile() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    let text = std::fs::read_to_string(repo.lockfile()).unwrap();
    remove(&installation, "@s/a").unwrap();
    pull(&installation, "@s/b", 1).unwrap();
    std::fs::write(repo.lockfile(), text).unwrap();
    collect(&installation, 1, true);
    assert_sound(&installation, "after a checkout");
    assert!(installation.trees().contains(&digest_of("@s/b", 1)), "the newest generation is kept too");
}

#[test]
fn collection_removes_a_damaged_entry() {
    let repo = Repo::new();
    let installation = repo.open();
    for n in 1..=2 {
        let digest = publish(&installation, "@s/garbage", n).unwrap();
        let record = installation.trees().dir(&digest).join("entry.json");
        std::fs::remove_file(&record).unwrap();
        if n == 1 {
            std::fs::write(&record, "{").unwrap();
        }
    }
    let collection = collect(&installation, 50, true);
    assert_eq!(collection.removed.len(), 2);
    assert!(collection.removed.iter().all(|garbage| garbage.name.is_none()));
    assert_eq!(installation.trees().list().unwrap(), []);
}

/// A collection deletes only directories that are named as entries.
#[test]
fn collection_keeps_files_of_others() {
    let repo = Repo::new();
    let installation = repo.open();
    publish(&installation, "@s/garbage", 1).unwrap();
    let theirs = installation.trees().root().join("notes");
    std::fs::create_dir(&theirs).unwrap();
    collect(&installation, 1, true);
    assert!(theirs.is_dir());
}

/// Processes pull, check and remove trees while two others collect all the time.
#[test]
fn collection_racing_with_commits_keeps_installed_trees() {
    let repo = Repo::new();
    let root = repo.root();
    let churners: Vec<_> =
        ["@s/a", "@s/b", "@s/c", "@s/d"].map(|name| spawn(&root, &format!("churn {name} 50"), &[])).into();
    let collectors: Vec<_> = (0..2).map(|_| spawn(&root, "collect-often 100", &[])).collect();
    let installation = repo.open();
    let mut removed = 0;
    for _ in 0..20 {
        removed += collect(&installation, 1, true).removed.len();
    }
    assert!(churners.into_iter().all(Running::ended));
    assert!(collectors.into_iter().all(Running::ended));
    assert_settled(&installation, "at the end");
    assert_store_is_whole(&installation, "at the end");
    removed += collect(&installation, 1, true).removed.len();
    assert!(removed > 0, "nothing was ever collected");
    assert_eq!(installation.trees().list().unwrap(), [], "four times fifty pulls left nothing");
    assert_eq!(find(&root, |name| name.starts_with(".tmp-")), Vec::<std::path::PathBuf>::new());
}
