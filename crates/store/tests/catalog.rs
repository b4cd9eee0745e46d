//! Whatever the state of the catalog, the facts are right and no call fails.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;

use marsh_store::{Facts, Installation, Provided, StoreCatalog};
use marsh_types::{Digest, Kind, RelPath};

use crate::support::*;

const RULES: u32 = 7;

fn digests() -> Vec<Digest> {
    (1..=5).map(|n| digest_of("@s/facts", n)).collect()
}

/// Facts that only this digest has.
fn facts_of(digest: &Digest) -> Facts {
    let provided = Provided {
        kind: Kind::Model,
        raw: Some(format!("@s/{}", digest.short())),
        version: Some("2026.01.01.1".into()),
        methods: Some(vec!["run".into()]),
        path: RelPath::parse("models/a.ts").unwrap(),
        line: 3,
    };
    let problem = (
        RelPath::parse("models/b.ts").unwrap(),
        marsh_types::Diagnostic::new(marsh_types::DiagnosticCode::SyntaxError, "odd"),
    );
    Facts {
        provided: vec![provided],
        dependencies: vec!["@a/b@>=2026.01.01.1".parse().unwrap()],
        problems: vec![problem],
    }
}

/// Asks for all facts, which must be right. Returns how many were read from the trees.
fn ask(catalog: &StoreCatalog) -> usize {
    let read = RefCell::new(0);
    let facts = catalog.facts(&digests(), RULES, |digest| {
        *read.borrow_mut() += 1;
        Some(facts_of(digest))
    });
    let expected: HashMap<Digest, Facts> =
        digests().iter().map(|digest| (*digest, facts_of(digest))).collect();
    assert_eq!(facts, expected);
    read.into_inner()
}

fn with_suffix(catalog: &StoreCatalog, suffix: &str) -> PathBuf {
    let mut path = catalog.path().as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn delete(catalog: &StoreCatalog) {
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(with_suffix(catalog, suffix)).ok();
    }
}

fn filled() -> (Repo, Installation) {
    let repo = Repo::new();
    let installation = repo.open();
    assert_eq!(ask(installation.catalog()), 5);
    assert_eq!(ask(installation.catalog()), 0, "remembered");
    (repo, installation)
}

#[test]
fn facts_asked_twice_are_read_once() {
    let (repo, installation) = filled();
    assert_eq!(ask(repo.open().catalog()), 0, "by any process");
    let catalog = installation.catalog();
    assert!(catalog.facts(&[], RULES, |_| panic!("nothing was asked")).is_empty());
    // A missing tree is not remembered as an empty one.
    let unknown = Digest::of(b"unknown");
    assert!(catalog.facts(&[unknown], RULES, |_| None).is_empty());
    assert_eq!(catalog.facts(&[unknown], RULES, |_| Some(Facts::default())).len(), 1);
    // Facts under other rules do not overwrite these.
    let one = digests()[0];
    assert_eq!(catalog.facts(&[one], RULES + 1, |_| Some(Facts::default()))[&one], Facts::default());
    assert_eq!(ask(catalog), 0);
}

#[test]
fn catalog_deleted_is_written_again() {
    let (_repo, installation) = filled();
    for _ in 0..3 {
        delete(installation.catalog());
        assert_eq!(ask(installation.catalog()), 5);
        assert_eq!(ask(installation.catalog()), 0);
    }
    // The database or its log is missing, or the log belongs to another database.
    for suffix in ["-wal", "-shm", ""] {
        std::fs::remove_file(with_suffix(installation.catalog(), suffix)).ok();
        ask(installation.catalog());
        assert_eq!(ask(installation.catalog()), 0, "{suffix}");
    }
}

#[test]
fn catalog_with_corrupt_bytes_is_written_again() {
    let (_repo, installation) = filled();
    let catalog = installation.catalog();
    let whole = std::fs::read(catalog.path()).unwrap();
    let noise: Vec<u8> = (0u32..20_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut torn_inside = whole.clone();
    let middle = torn_inside.len() / 2;
    torn_inside[middle..].fill(0xa5);
    let header_only = whole[..100.min(whole.len())].to_vec();
    let half = whole[..whole.len() / 2].to_vec();
    for (what, bytes) in [
        ("random bytes", noise.clone()),
        ("nothing", Vec::new()),
        ("one byte", vec![0]),
        ("a header alone", header_only),
        ("half of it", half),
        ("a torn page", torn_inside),
    ] {
        delete(catalog);
        std::fs::write(catalog.path(), bytes).unwrap();
        ask(catalog);
        assert_eq!(ask(catalog), 0, "{what}: remembered again");
    }
    // A log of other bytes is beside it.
    std::fs::write(with_suffix(catalog, "-wal"), noise).unwrap();
    ask(catalog);
    assert_eq!(ask(catalog), 0);
}

#[test]
fn catalog_with_a_table_of_other_columns_is_written_again() {
    let (_repo, installation) = filled();
    let catalog = installation.catalog();
    for schema in [
        "CREATE TABLE facts (other INTEGER)",
        "CREATE TABLE facts (digest TEXT, rules INTEGER, facts TEXT)",
        "CREATE TABLE facts (digest TEXT, rules INTEGER, facts BLOB, seal BLOB, more TEXT NOT NULL)",
        "CREATE VIEW facts AS SELECT 1 AS digest, 2 AS rules, 'x' AS facts, 'y' AS seal",
        "CREATE TABLE unrelated (x)",
    ] {
        delete(catalog);
        rusqlite::Connection::open(catalog.path()).unwrap().execute_batch(schema).unwrap();
        ask(catalog);
        assert_eq!(ask(catalog), 0, "{schema}: remembered again");
    }
}

#[test]
fn catalog_row_with_a_wrong_seal_is_a_miss() {
    let (_repo, installation) = filled();
    let catalog = installation.catalog();
    let (one, two) = (digests()[0].to_hex(), digests()[1].to_hex());
    for tamper in [
        format!("UPDATE facts SET facts = '{{\"provided\":[],\"problems\":[]}}' WHERE digest = '{one}'"),
        format!("UPDATE facts SET seal = 'x' WHERE digest = '{one}'"),
        format!("UPDATE facts SET facts = x'00ff' WHERE digest = '{one}'"),
        // The row of another tree, with its seal.
        format!(
            "UPDATE facts SET (facts, seal) = (SELECT facts, seal FROM facts WHERE digest = '{two}') \
             WHERE digest = '{one}'"
        ),
        format!("UPDATE facts SET facts = 7, seal = 8 WHERE digest = '{one}'"),
        format!("DELETE FROM facts WHERE digest = '{one}'"),
    ] {
        rusqlite::Connection::open(catalog.path()).unwrap().execute_batch(&tamper).unwrap();
        assert!(ask(catalog) >= 1, "{tamper}");
        assert_eq!(ask(catalog), 0, "{tamper}: remembered again");
    }
}

/// If nothing can be written, nothing is remembered and every answer is right. Permissions do not stop root, who may run
/// these tests, so directories take the place of files and a file that of a directory.
#[test]
fn catalog_in_an_unwritable_directory_answers() {
    let (_repo, installation) = filled();
    let catalog = installation.catalog();
    delete(catalog);
    std::fs::create_dir_all(catalog.path().join("in-the-way")).unwrap();
    assert_eq!((ask(catalog), ask(catalog)), (5, 5), "a directory in its place");
    assert!(catalog.path().join("in-the-way").is_dir(), "which another program created");
    std::fs::remove_dir_all(catalog.path()).unwrap();
    assert_eq!((ask(catalog), ask(catalog)), (5, 0));
    // The log cannot be created.
    delete(catalog);
    std::fs::create_dir_all(with_suffix(catalog, "-wal").join("x")).unwrap();
    ask(catalog);
    ask(catalog);

    let repo = Repo::new();
    std::fs::write(repo.root().join(".swamp"), "a file").unwrap();
    let installation = repo.open();
    assert_eq!((ask(installation.catalog()), ask(installation.catalog())), (5, 5));
    assert_eq!(std::fs::read_to_string(repo.root().join(".swamp")).unwrap(), "a file");
}

/// The file has a flag of the file system that keeps even root from changing it, where there is such a flag.
#[test]
// cfg: `chattr +i` is of Linux
#[cfg(target_os = "linux")]
fn read_only_catalog_answers() {
    let chattr = |flag: &str, path: &std::path::Path| {
        std::process::Command::new("chattr")
            .arg(flag)
            .arg(path)
            .output()
            .is_ok_and(|out| out.status.success())
    };
    let (_repo, installation) = filled();
    let catalog = installation.catalog();
    let dir = catalog.path().parent().unwrap();
    if chattr("+i", catalog.path()) {
        let known = ask(catalog);
        let new = Digest::of(b"new");
        let facts = catalog.facts(&[new], RULES, |_| Some(Facts::default()));
        assert!(chattr("-i", catalog.path()));
        assert_eq!((known, facts.len()), (0, 1));
    }
    if chattr("+i", dir) {
        ask(catalog);
        let new = Digest::of(b"newer");
        let facts = catalog.facts(&[new], RULES, |_| Some(Facts::default()));
        assert!(chattr("-i", dir));
        assert_eq!(facts.len(), 1);
    }
    assert_eq!(ask(catalog), 0);
}

#[test]
fn catalog_locked_by_another_process_answers_soon() {
    let (repo, installation) = filled();
    let occupant = spawn(&repo.root(), "occupy-catalog", &[]).heard("occupied");
    let start = std::time::Instant::now();
    ask(installation.catalog());
    let new = Digest::of(b"new");
    assert_eq!(installation.catalog().facts(&[new], RULES, |_| Some(Facts::default())).len(), 1);
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    occupant.killed();
    assert_eq!(ask(installation.catalog()), 0, "and it is as it was");
}

#[test]
fn catalog_created_by_twenty_processes_at_once_answers_all() {
    let repo = Repo::new();
    let processes: Vec<_> =
        (1..=20).map(|n| spawn(&repo.root(), &format!("facts {n}; facts {}", n % 5 + 1), &[])).collect();
    assert!(processes.into_iter().all(Running::ended));
    let catalog = repo.open();
    ask(catalog.catalog());
    assert_eq!(ask(catalog.catalog()), 0);
}

/// One thread deletes and damages the catalog again and again while others use it.
#[test]
fn catalog_damaged_during_use_gives_right_answers() {
    let (_repo, installation) = filled();
    let catalog = installation.catalog();
    std::thread::scope(|scope| {
        let users: Vec<_> =
            (0..3).map(|_| scope.spawn(|| (0..30).map(|_| ask(catalog)).sum::<usize>())).collect();
        while !users.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            delete(catalog);
            std::fs::write(catalog.path(), "not a database").unwrap();
            std::thread::yield_now();
        }
        for user in users {
            user.join().unwrap();
        }
    });
    ask(catalog);
    assert_eq!(ask(catalog), 0, "in peace it is remembered again");
}
