//! Commits of changes to the installed set.

use std::convert::Infallible;
use std::process::Command;

use marsh_store::{CommitError, CommitRequest, StoreError};
use marsh_types::lockfile::LockfileError;
use marsh_types::{Digest, Explain as _};

use crate::support::*;

#[test]
fn commit_of_a_change_writes_the_lockfile_and_a_generation() {
    let repo = Repo::new();
    let installation = repo.open();
    let committed = pull(&installation, "@s/a", 1).unwrap();
    assert_eq!(
        (shown(&committed.before.lockfile), shown(&committed.after.lockfile)),
        ("".into(), "@s/a 1".into())
    );
    let text = std::fs::read_to_string(repo.lockfile()).unwrap();
    assert_eq!(
        (text.as_str(), Digest::of(text.as_bytes())),
        (committed.after.text.as_str(), committed.after.digest)
    );
    let generation = committed.generation.unwrap();
    assert_eq!((generation.number, generation.command.as_deref()), (1, Some("pull @s/a")));
    assert_eq!((generation.lockfile, generation.restores), (committed.after.digest, None));
    assert_eq!(generation.changes.len(), 1);
    assert_eq!((generation.changes[0].from, generation.changes[0].to), (None, Some(version(1))));

    let generation = pull(&installation, "@s/a", 2).unwrap().generation.unwrap();
    assert_eq!((generation.changes[0].from, generation.changes[0].to), (Some(version(1)), Some(version(2))));
    let generation = remove(&installation, "@s/a").unwrap().generation.unwrap();
    assert_eq!((generation.changes[0].from, generation.changes[0].to), (Some(version(2)), None));
    assert_eq!(std::fs::read_to_string(repo.lockfile()).unwrap(), "{}\n");
    assert_settled(&installation, "at the end");
}

#[test]
fn commit_without_a_change_writes_nothing() {
    let repo = Repo::new();
    let installation = repo.open();
    assert!(remove(&installation, "@s/a").unwrap().generation.is_none());
    assert!(!repo.lockfile().exists(), "an empty set needs no file");
    pull(&installation, "@s/a", 1).unwrap();
    // A commit without a change keeps the file's formatting.
    let text = std::fs::read_to_string(repo.lockfile()).unwrap().replace("  ", "\t");
    std::fs::write(repo.lockfile(), &text).unwrap();
    let modified = || std::fs::metadata(repo.lockfile()).unwrap().modified().unwrap();
    let before = modified();
    let committed = pull(&installation, "@s/a", 1).unwrap();
    assert!(committed.generation.is_none());
    assert_eq!(committed.before.digest, committed.after.digest);
    assert_eq!((modified(), std::fs::read_to_string(repo.lockfile()).unwrap()), (before, text));
}

#[test]
fn commit_that_is_refused_writes_nothing() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    let files = || find(&repo.root().join(".swamp/marsh/generations"), |_| true);
    let (before, list) = (std::fs::read(repo.lockfile()).unwrap(), files());
    let request =
        CommitRequest { command: "rm".into(), lock_timeout: LONG, on_wait: &mut |_| {}, leases: &[] };
    let error = installation.commit(request, |_| Err("it is needed")).unwrap_err();
    assert!(matches!(error, CommitError::Refused("it is needed")), "{error:?}");
    assert_eq!((std::fs::read(repo.lockfile()).unwrap(), files()), (before, list));
    assert!(remove(&installation, "@s/a").unwrap().generation.is_some(), "and no lock is held");
}

#[test]
fn commit_of_a_digest_without_a_lease_fails() {
    let repo = Repo::new();
    let installation = repo.open();
    publish(&installation, "@s/a", 1).unwrap();
    let add = |leases: &[marsh_store::Lease]| {
        change(&installation, "pull", leases, |lockfile| {
            lockfile.entries.insert(name("@s/a"), entry("@s/a", 1));
        })
    };
    let error = add(&[]).unwrap_err();
    let StoreError::NotHeld { name: refused, digest } = &error else { panic!("{error}") };
    assert_eq!(
        (refused, *digest, error.code().as_str()),
        (&name("@s/a"), digest_of("@s/a", 1), "not_in_store")
    );
    let other = lease(&installation, "@s/b", 1).unwrap();
    assert!(matches!(add(&[other]).unwrap_err(), StoreError::NotHeld { .. }));
    assert!(!repo.lockfile().exists() && installation.history().unwrap().is_empty());
    // A digest that the lockfile names already needs no lease, even under another name.
    pull(&installation, "@s/a", 1).unwrap();
    change(&installation, "alias", &[], |lockfile| {
        lockfile.entries.insert(name("@s/alias"), entry("@s/a", 1));
    })
    .unwrap();
}

#[test]
fn commit_keeps_unknown_fields_of_entries() {
    let repo = Repo::new();
    let installation = repo.open();
    let text = r#"{
  "@s/../../x": {"version": "2026.01.01.1"},
  "@s/later": {"version": "2026.01.01.1", "ofLater": {"x": [1, 2.50]}},
  "@s/odd": "text"
}"#;
    std::fs::create_dir_all(repo.lockfile().parent().unwrap()).unwrap();
    std::fs::write(repo.lockfile(), text).unwrap();
    pull(&installation, "@s/a", 1).unwrap();
    let now: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(repo.lockfile()).unwrap()).unwrap();
    let keys: Vec<&String> = now.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["@s/../../x", "@s/a", "@s/later", "@s/odd"]);
    assert_eq!(now["@s/later"]["ofLater"]["x"].to_string(), "[1,2.50]");
    assert_eq!(now["@s/odd"], "text");
    assert_eq!(installation.snapshot().unwrap().lockfile.refused.len(), 2);
}

#[test]
fn commit_over_an_invalid_lockfile_fails_and_keeps_it() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    for (text, line) in [("{\n<<<<<<< HEAD\n}", Some(2)), ("[]", None), ("{\"@s/a\": ", Some(1))] {
        std::fs::write(repo.lockfile(), text).unwrap();
        let errors = [
            pull(&installation, "@s/b", 1).unwrap_err(),
            rollback(&installation, None).unwrap_err(),
            installation.snapshot().unwrap_err(),
            installation.history().unwrap_err(),
            installation.collect(Default::default(), true, "gc", LONG).unwrap_err(),
            installation.derive_views(LONG).unwrap_err(),
        ];
        for error in errors {
            let StoreError::Lockfile { path, source } = &error else { panic!("{error}") };
            assert_eq!((path, error.code().as_str()), (&repo.lockfile(), "invalid_lockfile"));
            let found = match source {
                LockfileError::Json { line, .. } => Some(*line),
                LockfileError::NotAnObject => None,
            };
            assert_eq!(found, line, "{text}");
        }
        assert_eq!(std::fs::read_to_string(repo.lockfile()).unwrap(), text);
    }
    std::fs::remove_file(repo.lockfile()).unwrap();
    pull(&installation, "@s/b", 1).unwrap();
    assert_settled(&installation, "after the correction");
    assert!(installation.trees().contains(&digest_of("@s/a", 1)), "nothing was collected");
    // Bytes that are not UTF-8.
    std::fs::write(repo.lockfile(), [0xff, 0xfe]).unwrap();
    let error = installation.snapshot().unwrap_err();
    assert!(matches!(error, StoreError::Read { .. }), "{error:?}");
}

fn git(root: &std::path::Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(root).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Version control may replace the lockfile at any time.
#[test]
fn lockfile_changed_by_git_becomes_a_generation() {
    let repo = Repo::new();
    let (root, installation) = (repo.root(), repo.open());
    git(&root, &["init", "-q", "-b", "main"]);
    std::fs::write(root.join(".gitignore"), ".swamp/\n").unwrap();
    pull(&installation, "@s/a", 1).unwrap();
    git(&root, &["add", "."]);
    git(&root, &["commit", "-qm", "one"]);
    pull(&installation, "@s/b", 1).unwrap();
    pull(&installation, "@s/c", 1).unwrap();
    git(&root, &["checkout", "-q", "."]);
    assert_eq!(installed(&installation), "@s/a 1");
    assert_eq!(installation.history().unwrap().len(), 3, "readers record nothing");
    pull(&installation, "@s/d", 1).unwrap();
    let history = installation.history().unwrap();
    let told: Vec<(u64, Option<&str>, usize)> = history
        .iter()
        .map(|generation| (generation.number, generation.command.as_deref(), generation.changes.len()))
        .collect();
    let expected = [
        (1, Some("pull @s/a"), 1),
        (2, Some("pull @s/b"), 1),
        (3, Some("pull @s/c"), 1),
        (4, None, 2),
        (5, Some("pull @s/d"), 1),
    ];
    assert_eq!(told, expected);
    assert_settled(&installation, "after the checkout");
    // A rollback right after a checkout restores the state before it.
    git(&root, &["checkout", "-q", "."]);
    rollback(&installation, None).unwrap();
    assert_eq!(installed(&installation), "@s/a 1, @s/d 1");
    assert_eq!(installation.history().unwrap().len(), 7);
}

/// A reader sees one whole state, and never an earlier one again.
#[test]
fn snapshot_during_commits_shows_whole_states_in_order() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    let writers: Vec<_> = ["churn @s/x 15", "churn @s/y 15", "count 15"]
        .map(|script| spawn(&repo.root(), script, &[]))
        .into_iter()
        .collect();
    let mut looked = 0;
    let mut newest = 0;
    while looked < 100 {
        looked += 1;
        let snapshot = installation.snapshot().unwrap();
        assert!(snapshot.lockfile.get(&name("@s/a")).is_some());
        for digest in snapshot.lockfile.digests() {
            assert!(installation.trees().contains(&digest), "{}", shown(&snapshot.lockfile));
        }
        let history = installation.history().unwrap();
        let numbers: Vec<u64> = history.iter().map(|generation| generation.number).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        assert!(numbers.len() >= newest, "the history forgot something");
        newest = numbers.len();
    }
    assert!(writers.into_iter().all(Running::ended));
    assert_eq!(installation.history().unwrap().len(), 1 + 15 * 2 * 2 + 15);
    assert_settled(&installation, "at the end");
}

#[test]
fn commit_with_a_short_timeout_fails_as_busy() {
    let repo = Repo::new();
    let installation = repo.open();
    let holder = spawn(&repo.root(), "hold slow", &[]).heard("holding");
    let request = CommitRequest {
        command: "rm".into(),
        lock_timeout: std::time::Duration::from_millis(1),
        on_wait: &mut |_| panic!("the wait is too short for a message"),
        leases: &[],
    };
    let error = installation.commit::<Infallible>(request, |before| Ok(before.lockfile.clone())).unwrap_err();
    let error = store_error(error);
    assert_eq!(error.code().as_str(), "lock_timeout");
    assert_eq!(error.details().unwrap()["holder"]["pid"], holder.id());
    assert!(holder.ended());
}
