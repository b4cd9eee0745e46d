//! The schemas in `docs/reference/schemas` are those of the types. `cargo xtask schemas` writes them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use marsh_api::schema::DOCUMENTS;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schemas")
}

fn text(document: &marsh_api::schema::DocumentSpec) -> String {
    format!("{}\n", serde_json::to_string_pretty(&document.schema()).unwrap())
}

#[test]
fn schema_files_equal_the_schemas_of_the_types() {
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let mut differing = Vec::new();
    for document in DOCUMENTS {
        let path = directory().join(format!("{}.json", document.name));
        let wanted = text(document);
        if update {
            marsh_fs::atomic_write(&path, wanted.as_bytes(), marsh_fs::Durability::Atomic).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&wanted) {
            differing.push(document.name);
        }
    }
    assert!(differing.is_empty(), "run `cargo xtask schemas`: {differing:?}");
    let known: BTreeSet<String> =
        DOCUMENTS.iter().map(|document| format!("{}.json", document.name)).collect();
    let files = std::fs::read_dir(directory()).unwrap();
    let found: BTreeSet<String> =
        files.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(found, known, "a schema file belongs to no document");
}
