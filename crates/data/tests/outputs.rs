//! Run records: their format, and how they are found.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "these tests play the other writer")]

use std::fs;

use marsh_data::{
    Artifact, Artifacts, DataError, OutputError, OutputRecord, OutputStatus, OutputStore, Provenance, Tags,
    TriggeredBy,
};
use marsh_types::TypeName;

const DEFINITION: &str = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001";

fn shell() -> TypeName {
    TypeName::parse("command/shell").unwrap()
}

fn record(id: &str) -> OutputRecord {
    OutputRecord {
        id: id.to_owned(),
        definition_id: DEFINITION.to_owned(),
        method_name: "execute".to_owned(),
        status: OutputStatus::Running,
        started_at: "2026-08-22T10:15:00.110Z".to_owned(),
        completed_at: None,
        duration_ms: None,
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
            initiated_by: Some("user:me".to_owned()),
            bundle_fingerprint: None,
            engine: None,
        },
        artifacts: None,
        log_file: None,
        pid: Some(4242),
    }
}

#[test]
fn a_record_has_the_keys_and_the_name_of_the_format() {
    let dir = tempfile::tempdir().unwrap();
    let store = OutputStore::new(dir.path());
    let mut done = record("8c1d0000-0000-4000-8000-000000000001");
    done.status = OutputStatus::Failed;
    done.completed_at = Some("2026-08-22T10:15:00.140Z".to_owned());
    done.duration_ms = Some(30);
    done.error = Some(OutputError { message: "no: such\nthing".to_owned(), stack: None });
    done.artifacts = Some(Artifacts {
        data_artifacts: vec![Artifact {
            data_id: "5b0e2f64-2f2d-4d1b-8b7e-3c1f6a7f0002".to_owned(),
            name: "result".to_owned(),
            version: 3,
            tags: Tags::from_iter([("type", "resource")]),
        }],
    });
    done.log_file = Some(".swamp/outputs/command/shell/execute/x.log".to_owned());
    let path = store.write(&shell(), &done).unwrap();
    let name = format!("command/shell/execute/{DEFINITION}-2026-08-22T10-15-00-110Z.yaml");
    assert_eq!(path, dir.path().join(name));
    let text = fs::read_to_string(&path).unwrap();
    let keys: Vec<_> =
        text.lines().filter_map(|line| line.split_once(':')).map(|(key, _)| key.trim()).collect();
    assert_eq!(
        keys,
        [
            "id",
            "definitionId",
            "methodName",
            "status",
            "startedAt",
            "completedAt",
            "durationMs",
            "error",
            "message",
            "no",
            "retryCount",
            "provenance",
            "definitionHash",
            "modelVersion",
            "triggeredBy",
            "initiatedBy",
            "artifacts",
            "dataArtifacts",
            "- dataId",
            "name",
            "version",
            "tags",
            "type",
            "logFile",
            "pid"
        ]
    );
    assert!(text.contains("\nstatus: failed\n") && text.contains("\n  triggeredBy: manual\n"), "{text}");
    assert_eq!(store.read(&path).unwrap().unwrap(), done);
}

#[test]
fn a_run_rewrites_its_own_record_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = OutputStore::new(dir.path()).with_durable(false);
    let (mut first, second) =
        (record("aaaa0000-0000-4000-8000-000000000001"), record("bbbb0000-0000-4000-8000-000000000002"));
    let path = store.write(&shell(), &first).unwrap();
    let other = store.write(&shell(), &second).unwrap();
    assert_ne!(path, other);
    first.status = OutputStatus::Succeeded;
    assert_eq!(store.write(&shell(), &first).unwrap(), path);
    assert_eq!(store.write(&shell(), &second).unwrap(), other);
    let statuses: Vec<_> = store.list().unwrap().outputs.iter().map(|found| found.record.status).collect();
    assert_eq!(statuses, [OutputStatus::Succeeded, OutputStatus::Running]);
}

#[test]
fn records_are_found_by_id_or_a_prefix_that_fits_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = OutputStore::new(dir.path()).with_durable(false);
    let ids = [
        "abc10000-0000-4000-8000-000000000001",
        "abc20000-0000-4000-8000-000000000002",
        "def00000-0000-4000-8000-000000000003",
    ];
    for (id, method) in ids.into_iter().zip(["execute", "execute", "check"]) {
        let mut record = record(id);
        record.method_name = method.to_owned();
        store.write(&shell(), &record).unwrap();
    }
    let find = |id: &str| store.find(id).map(|found| found.map(|found| found.record.id));
    assert_eq!(find("def").unwrap().as_deref(), Some(ids[2]));
    assert_eq!(find("ABC2").unwrap().as_deref(), Some(ids[1]));
    assert_eq!(find(ids[0]).unwrap().as_deref(), Some(ids[0]));
    assert_eq!(find("999").unwrap(), None);
    assert_eq!(find("not an id").unwrap(), None);
    assert!(matches!(find("ab").unwrap_err(), DataError::PrefixTooShort { .. }));
    assert_eq!(
        find("abc").unwrap_err().to_string(),
        format!("id prefix \"abc\" matches 2 records: {}, {}", ids[0], ids[1])
    );
}

#[test]
fn a_listing_is_newest_first_and_survives_a_damaged_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = OutputStore::new(dir.path()).with_durable(false);
    let deeper = TypeName::parse("command/shell/remote").unwrap();
    for (ty, id, second) in [(&shell(), "a", 1), (&deeper, "b", 3), (&shell(), "c", 2)] {
        let mut record = record(id);
        record.started_at = format!("2026-08-22T10:15:0{second}.000Z");
        store.write(ty, &record).unwrap();
    }
    let foreign = "id: d\ndefinitionId: x\nmethodName: execute\nstatus: cancelled\nstartedAt: '2026-08-22T10:15:00.000Z'\nretryCount: 0\nnewKey: 1\nprovenance: { definitionHash: x, modelVersion: 2026.02.09.1, triggeredBy: workflow, other: y }\n";
    fs::write(dir.path().join("command/shell/execute/foreign.yaml"), foreign).unwrap();
    fs::write(dir.path().join("command/shell/execute/bad.yaml"), "id: e\nstatus: [").unwrap();
    fs::write(dir.path().join("command/shell/execute/run.log"), "a line").unwrap();
    let listing = store.list().unwrap();
    let found: Vec<_> =
        listing.outputs.iter().map(|found| (found.type_path.as_str(), found.record.id.as_str())).collect();
    let (shell_name, deeper_name) = ("command/shell", "command/shell/remote");
    assert_eq!(found, [(deeper_name, "b"), (shell_name, "c"), (shell_name, "a"), (shell_name, "d")]);
    assert_eq!(listing.damaged.len(), 1);
    assert!(listing.damaged[0].path.ends_with("bad.yaml"));
    assert_eq!(store.list_type(&deeper).unwrap().outputs.len(), 1);
}

#[test]
fn removing_a_record_removes_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = OutputStore::new(dir.path()).with_durable(false);
    let log = store.log_path(&shell(), "execute", DEFINITION, "2026-08-22T10:15:00.105Z").unwrap();
    marsh_fs::LogFile::create(&log).unwrap().write_line("hello").unwrap();
    let mut record = record("abc10000-0000-4000-8000-000000000001");
    record.log_file =
        Some(format!(".swamp/outputs/command/shell/execute/{}", log.file_name().unwrap().display()));
    store.write(&shell(), &record).unwrap();
    assert!(store.remove(&store.find("abc1").unwrap().unwrap()).unwrap());
    assert!(!log.exists());
    assert!(store.list().unwrap().outputs.is_empty());
}

#[test]
fn names_that_would_leave_the_store_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = OutputStore::new(dir.path());
    let change: [fn(&mut OutputRecord); 3] = [
        |record| record.method_name = "../x".to_owned(),
        |record| record.definition_id = "../x".to_owned(),
        |record| record.started_at = "/../x".to_owned(),
    ];
    for change in change {
        let mut record = record("abc");
        change(&mut record);
        assert!(matches!(store.write(&shell(), &record).unwrap_err(), DataError::InvalidName { .. }));
    }
}
