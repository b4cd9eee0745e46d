//! After a power failure on a file system whose journal keeps the order, versions and records are whole or not there, and
//! what was acknowledged is there, though neither was synced by itself. Run with `--features failpoints`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};

use marsh_data::{
    DataStore, GarbageCollection, Lifetime, NewVersion, OutputRecord, OutputStatus, OutputStore, Owner,
    Provenance, Tags, TriggeredBy,
};
use marsh_testkit::{Disk, Loss};
use marsh_types::TypeName;
use sha2::{Digest, Sha256};

const MODEL: &str = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001";

fn ty() -> TypeName {
    TypeName::parse("@me/thing").unwrap()
}

fn data(root: &Path) -> DataStore {
    DataStore::new(root.join("data")).with_durable(false)
}

fn outputs(root: &Path) -> OutputStore {
    OutputStore::new(root.join("outputs")).with_durable(false)
}

fn write(root: &Path, text: &str) -> u32 {
    let new = NewVersion {
        type_path: &ty(),
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
    data(root).write(&new, text.as_bytes()).unwrap().version
}

fn record() -> OutputRecord {
    OutputRecord {
        id: "8c1d0000-0000-4000-8000-000000000001".to_owned(),
        definition_id: MODEL.to_owned(),
        method_name: "execute".to_owned(),
        status: OutputStatus::Succeeded,
        started_at: "2026-08-22T10:15:00.110Z".to_owned(),
        completed_at: Some("2026-08-22T10:15:00.140Z".to_owned()),
        duration_ms: Some(30),
        error: None,
        retry_count: 0,
        provenance: Provenance {
            definition_hash: "3f0a".to_owned(),
            model_version: "2026.02.09.1".to_owned(),
            triggered_by: TriggeredBy::Manual,
            workflow_id: None,
            workflow_run_id: None,
            step_name: None,
            parent_output_id: None,
            caller_extension: None,
            initiated_by: None,
            bundle_fingerprint: None,
            engine: None,
        },
        artifacts: None,
        log_file: None,
        pid: None,
    }
}

/// Not a test of its own: the body of the child process of the test below. What a method run does.
#[test]
fn child() {
    let Some(root) = std::env::var_os("MARSH_TEST_ROOT") else { return };
    let root = Path::new(&root);
    assert_eq!(write(root, "second"), 2);
    assert_eq!(write(root, "third"), 3);
    let path = outputs(root).write(&ty(), &record()).unwrap();
    marsh_fs::sync_dir(path.parent().unwrap()).unwrap();
}

/// Every version is whole, and `latest` is one of them.
fn contents(root: &Path, when: &str) -> Vec<String> {
    let store = data(root);
    let versions = store.versions(&ty(), MODEL, "result").unwrap();
    let latest = store.latest(&ty(), MODEL, "result").unwrap().map(|metadata| metadata.version);
    assert!(versions.iter().any(|metadata| Some(metadata.version) == latest), "{when}: {latest:?}");
    versions
        .iter()
        .map(|metadata| {
            let content = store.content(&ty(), MODEL, "result", Some(metadata.version)).unwrap().unwrap();
            let digest: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(metadata.checksum.as_ref(), Some(&digest), "{when}: version {}", metadata.version);
            String::from_utf8(content).unwrap()
        })
        .collect()
}

#[test]
fn nothing_is_torn_and_one_sync_at_the_end_keeps_all() {
    let (dir, traces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (root, trace) = (dir.path().canonicalize().unwrap(), traces.path().join("trace"));
    write(&root, "first");
    let mut disk = Disk::of(&root);
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env("MARSH_TEST_ROOT", &root)
        .env("MARSH_FS_TRACE", &trace)
        .env("MARSH_FS_ORDERED", "1")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let mutations = Disk::mutations(&trace);
    let is_sync = |mutation: &serde_json::Value| mutation["op"].as_str().unwrap().starts_with("sync");
    if cfg!(target_os = "linux") {
        assert_eq!(mutations.iter().filter(|mutation| is_sync(mutation)).count(), 1, "{mutations:?}");
    }
    let acknowledged = mutations.iter().rposition(is_sync).unwrap();
    let mut seen = Vec::new();
    for (at, mutation) in mutations.iter().enumerate() {
        disk.apply(mutation);
        disk.restore(&Loss::Unsettled);
        let when = format!("power lost after {at} ({mutation:.200})");
        let contents = contents(&root, &when);
        let recorded = outputs(&root).list().unwrap();
        assert!(recorded.damaged.is_empty(), "{when}: {recorded:?}");
        if at >= acknowledged {
            assert_eq!(contents, ["first", "second", "third"], "{when}");
            assert_eq!(recorded.outputs.len(), 1, "{when}");
        }
        // A record never comes before the data that it tells of.
        assert!(recorded.outputs.is_empty() || contents.len() == 3, "{when}");
        seen.push(contents.len());
        // The next write finds its place, whatever was left.
        assert_eq!(write(&root, "next") as usize, contents.len() + 1, "{when}");
    }
    assert!(seen.contains(&1) && seen.contains(&2) && seen.contains(&3), "{seen:?}");
}
