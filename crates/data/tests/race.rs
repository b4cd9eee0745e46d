//! Many writers and readers of one name: every version is whole, none is lost, and `latest` only moves forward.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "one of these tests plays a foreign writer"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use marsh_data::{DataStore, GarbageCollection, Lifetime, NewVersion, Owner, Tags};
use marsh_types::TypeName;

const MODEL: &str = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001";

fn ty() -> TypeName {
    TypeName::parse("@me/thing").unwrap()
}

fn write_many(store: &DataStore, count: usize) {
    let ty = ty();
    for _ in 0..count {
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
        store.write(&new, "0123456789".repeat(1000).as_bytes()).unwrap();
    }
}

/// Reads until told to stop; returns how often it read. Holds the file `latest` to the same as our own readers, who
/// could do without it.
fn read_until(store: &DataStore, stop: &AtomicBool) -> usize {
    let (ty, mut seen, mut reads, mut pointed) = (ty(), 0, 0, 0);
    let pointer = store.root().join("@me/thing").join(MODEL).join("result/latest");
    while !stop.load(Ordering::Relaxed) {
        if pointed > 0 || pointer.exists() {
            let now: u32 = fs::read_to_string(&pointer).unwrap().parse().unwrap();
            assert!(now >= pointed, "the pointer went back from {pointed} to {now}");
            pointed = now;
        }
        let Some(latest) = store.latest(&ty, MODEL, "result").unwrap() else {
            assert_eq!(seen, 0, "latest vanished");
            continue;
        };
        assert!(latest.version >= seen, "latest went back from {seen} to {}", latest.version);
        seen = latest.version;
        let content = store.content(&ty, MODEL, "result", Some(seen)).unwrap().unwrap_or_default();
        assert_eq!(Some(content.len() as u64), latest.size, "a version without its content");
        reads += 1;
    }
    reads
}

fn assert_all_complete(store: &DataStore, count: u32) {
    let versions = store.versions(&ty(), MODEL, "result").unwrap();
    assert_eq!(
        versions.iter().map(|metadata| metadata.version).collect::<Vec<_>>(),
        (1..=count).collect::<Vec<_>>()
    );
    assert!(versions.iter().all(|metadata| metadata.size == Some(10_000) && metadata.checksum.is_some()));
    assert_eq!(store.latest(&ty(), MODEL, "result").unwrap().unwrap().version, count);
}

#[test]
fn threads() {
    let dir = tempfile::tempdir().unwrap();
    let store = DataStore::new(dir.path()).with_durable(false);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [scope.spawn(|| read_until(&store, &stop)), scope.spawn(|| read_until(&store, &stop))];
        let writers: Vec<_> = (0..8).map(|_| scope.spawn(|| write_many(&store, 50))).collect();
        let results: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok));
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
    });
    assert_all_complete(&store, 400);
    let text = fs::read_to_string(dir.path().join("@me/thing").join(MODEL).join("result/latest")).unwrap();
    assert_eq!(text, "400");
}

/// Not a test of its own: the body of the child process of the test below.
#[test]
fn child_writes() {
    if let Some(root) = std::env::var_os("MARSH_TEST_ROOT") {
        write_many(&DataStore::new(root).with_durable(false), 50);
    }
}

fn spawn_writer(root: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_writes"])
        .env("MARSH_TEST_ROOT", root)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn processes() {
    let dir = tempfile::tempdir().unwrap();
    let store = DataStore::new(dir.path());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_until(&store, &stop));
        let writers: Vec<_> = (0..4).map(|_| spawn_writer(dir.path())).collect();
        let results: Vec<_> = writers.into_iter().map(|mut child| child.wait().unwrap().success()).collect();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(results, [true; 4]);
        reader.join().unwrap();
    });
    assert_all_complete(&store, 200);
}

/// The reference claims a number by `mkdir`, then fills the directory, and knows nothing of our latch. Neither writer
/// gets the number of the other.
#[test]
fn a_writer_that_claims_by_mkdir() {
    let dir = tempfile::tempdir().unwrap();
    let store = DataStore::new(dir.path()).with_durable(false);
    write_many(&store, 1);
    let name_dir = dir.path().join("@me/thing").join(MODEL).join("result");
    let template = fs::read_to_string(name_dir.join("1/metadata.yaml")).unwrap();
    let foreign_writer = || {
        let mut claimed = Vec::new();
        while claimed.len() < 100 {
            let highest: u32 = fs::read_dir(&name_dir)
                .unwrap()
                .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
                .max()
                .unwrap();
            let version_dir = name_dir.join((highest + 1).to_string());
            if fs::create_dir(&version_dir).is_err() {
                continue;
            }
            fs::write(version_dir.join("metadata.yaml"), template.replace("name: result", "name: foreign"))
                .unwrap();
            fs::write(version_dir.join("raw"), "foreign").unwrap();
            claimed.push(highest + 1);
        }
        claimed
    };
    let claimed = std::thread::scope(|scope| {
        let foreign = scope.spawn(foreign_writer);
        let ours = scope.spawn(|| write_many(&store, 100));
        ours.join().unwrap();
        foreign.join().unwrap()
    });
    let versions = store.versions(&ty(), MODEL, "result").unwrap();
    assert_eq!(versions.len(), 201);
    for metadata in versions {
        let content = store.content(&ty(), MODEL, "result", Some(metadata.version)).unwrap().unwrap();
        let is_foreign = claimed.contains(&metadata.version);
        assert_eq!((metadata.name == "foreign", content == b"foreign"), (is_foreign, is_foreign));
    }
}
