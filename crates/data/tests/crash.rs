//! Killed at any mutation, a write leaves the versions before it, or those and the new one. Run with
//! `--features failpoints`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};

use marsh_data::{DataStore, GarbageCollection, Lifetime, NewVersion, Owner, Tags};
use marsh_types::TypeName;

const MODEL: &str = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001";

fn write(root: &Path, text: &str) -> u32 {
    let ty = TypeName::parse("@me/thing").unwrap();
    let new = NewVersion {
        type_path: &ty,
        model_id: MODEL,
        name: "result",
        content_type: "text/plain",
        lifetime: Lifetime::Infinite,
        garbage_collection: GarbageCollection::Keep(10),
        streaming: false,
        tags: Tags::new(),
        owner: Owner::model_method(MODEL),
        lifecycle: None,
        renamed_to: None,
    };
    DataStore::new(root).write(&new, text.as_bytes()).unwrap().version
}

/// Not a test of its own: the body of the child process of the test below.
#[test]
fn child() {
    let Some(root) = std::env::var_os("MARSH_TEST_ROOT") else { return };
    let root = Path::new(&root);
    match std::env::var("MARSH_TEST_DELETE").ok() {
        None => assert_eq!(write(root, "second"), 2),
        Some(version) => {
            let ty = TypeName::parse("@me/thing").unwrap();
            DataStore::new(root).delete(&ty, MODEL, "result", version.parse().ok()).unwrap();
        }
    }
}

/// Runs the child, killed at its first, second, … mutation until it gets through; after each calls `check` with the
/// store and whether the child got through.
fn kill_everywhere(delete: Option<&str>, before: &[&str], check: impl Fn(&DataStore, bool)) {
    for point in 1..100 {
        let dir = tempfile::tempdir().unwrap();
        for text in before {
            write(dir.path(), text);
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child"]).env("MARSH_TEST_ROOT", dir.path());
        command
            .env("MARSH_FAILPOINT", format!("*=abort@{point}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(delete) = delete {
            command.env("MARSH_TEST_DELETE", delete);
        }
        let done = command.status().unwrap().success();
        check(&DataStore::new(dir.path()), done);
        if done {
            assert!(point > 4, "only {point} points were passed");
            return;
        }
    }
    panic!("never got through");
}

fn contents(store: &DataStore) -> Vec<String> {
    let ty = TypeName::parse("@me/thing").unwrap();
    let versions = store.versions(&ty, MODEL, "result").unwrap();
    versions
        .iter()
        .map(|metadata| store.content(&ty, MODEL, "result", Some(metadata.version)).unwrap().unwrap())
        .map(|content| String::from_utf8(content).unwrap())
        .collect()
}

fn latest(store: &DataStore) -> Option<u32> {
    let ty = TypeName::parse("@me/thing").unwrap();
    store.latest(&ty, MODEL, "result").unwrap().map(|metadata| metadata.version)
}

#[test]
fn a_killed_write_happened_or_did_not() {
    kill_everywhere(None, &["first"], |store, done| {
        let contents = contents(store);
        assert!(contents == ["first"] && !done || contents == ["first", "second"], "{contents:?}");
        assert!(latest(store).is_some());
        assert_eq!(
            write(store.root(), "next"),
            contents.len() as u32 + 1,
            "nothing is in the way of the next"
        );
        assert_eq!(latest(store), Some(contents.len() as u32 + 1));
    });
}

#[test]
fn a_killed_deletion_happened_or_did_not() {
    kill_everywhere(Some("2"), &["first", "second"], |store, done| {
        let contents = contents(store);
        assert!(contents == ["first", "second"] && !done || contents == ["first"], "{contents:?}");
        assert!(latest(store).is_some());
    });
    kill_everywhere(Some("all"), &["first", "second"], |store, done| {
        let contents = contents(store);
        assert!(contents == ["first", "second"] && !done || contents.is_empty(), "{contents:?}");
        assert_eq!(latest(store).is_none(), contents.is_empty());
    });
}
