//! The files are those of the format: keys, order, and text that other readers take for the same.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "these tests play the other writer")]

use std::fs;

use marsh_data::{DataStore, GarbageCollection, Lifetime, Metadata, NewVersion, Owner, Tags};
use marsh_types::TypeName;

const MODEL: &str = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001";

fn shell() -> TypeName {
    TypeName::parse("command/shell").unwrap()
}

#[test]
fn a_version_is_two_files_and_a_pointer() {
    let dir = tempfile::tempdir().unwrap();
    let store = DataStore::new(dir.path());
    let ty = shell();
    let tags: Tags = [
        ("type", "resource"),
        ("specName", "result"),
        ("modelName", "hello"),
        ("on", "yes"),
        ("v", "2026.02.09.1"),
    ]
    .into_iter()
    .collect();
    let mut owner = Owner::model_method(MODEL);
    owner.workflow_run_id = Some("1e3".to_owned());
    owner.step_name = Some("greet".to_owned());
    let new = NewVersion {
        type_path: &ty,
        model_id: MODEL,
        name: "result",
        content_type: "application/json",
        lifetime: Lifetime::Infinite,
        garbage_collection: GarbageCollection::Keep(10),
        streaming: false,
        tags,
        owner,
        lifecycle: None,
        renamed_to: None,
    };
    let written = store.write(&new, br#"{"exitCode":0}"#).unwrap();

    let version = dir.path().join("command/shell").join(MODEL).join("result/1");
    assert_eq!(fs::read_to_string(version.join("raw")).unwrap(), r#"{"exitCode":0}"#);
    assert_eq!(fs::read_to_string(version.with_file_name("latest")).unwrap(), "1");
    let expected = format!(
        "id: {id}
name: result
version: 1
contentType: application/json
lifetime: infinite
garbageCollection: 10
streaming: false
tags:
  type: resource
  specName: result
  modelName: hello
  \"on\": \"yes\"
  v: \"2026.02.09.1\"
ownerDefinition:
  ownerType: model-method
  ownerRef: {MODEL}
  workflowRunId: \"1e3\"
  stepName: greet
createdAt: \"{created}\"
size: 14
checksum: {checksum}
",
        id = written.id,
        created = written.created_at,
        checksum = written.checksum.as_deref().unwrap(),
    );
    let text = fs::read_to_string(version.join("metadata.yaml")).unwrap();
    // Whether an id needs quotes depends on its digits.
    assert_eq!(text.replace(&format!("\"{}\"", written.id), &written.id), expected);
    assert_eq!(store.latest(&ty, MODEL, "result").unwrap().unwrap(), written);
}

/// As the reference writes it: other quotes, comments, keys we do not know, and the old kind of pointer.
#[test]
fn versions_of_other_writers_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let name_dir = dir.path().join("command/shell").join(MODEL).join("result");
    for version in [1, 3, 10] {
        let version_dir = name_dir.join(version.to_string());
        fs::create_dir_all(&version_dir).unwrap();
        fs::write(version_dir.join("raw"), version.to_string()).unwrap();
        let text = format!(
            "# by another program
id: 5b0e2f64-2f2d-4d1b-8b7e-3c1f6a7f0002
name: result
version: {version}
contentType: application/json
lifetime: 3mo
garbageCollection: 30d
tags: {{ type: resource, job: 'main', retries: 3 }}
ownerDefinition:
  ownerType: model-method
  ownerRef: {MODEL}
  futureKey: [1, 2]
createdAt: '2026-08-22T10:15:00.123Z'
size: 143
checksum: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
anotherKey: {{ a: b }}
"
        );
        fs::write(version_dir.join("metadata.yaml"), text).unwrap();
    }
    marsh_fs::symlink_atomic("3/".as_ref(), &name_dir.join("latest")).unwrap();

    let (store, ty) = (DataStore::new(dir.path()), shell());
    let latest: Metadata = store.latest(&ty, MODEL, "result").unwrap().unwrap();
    assert_eq!((latest.version, latest.created_at.as_str()), (3, "2026-08-22T10:15:00.123Z"));
    assert_eq!(
        (latest.lifetime.to_string(), latest.garbage_collection.to_string()),
        ("3mo".into(), "30d".into())
    );
    assert_eq!(
        latest.tags.iter().collect::<Vec<_>>(),
        [("type", "resource"), ("job", "main"), ("retries", "3")]
    );
    assert!(!latest.streaming);
    let versions: Vec<u32> =
        store.versions(&ty, MODEL, "result").unwrap().iter().map(|m| m.version).collect();
    assert_eq!(versions, [1, 3, 10], "ascending as numbers");
}
