//! The JSON Schemas in `docs/reference/schemas` are those of the types. `cargo xtask schemas` writes them.

#![expect(clippy::disallowed_methods, reason = "the test writes documentation, not data of marsh")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use marsh_api::schema::DOCUMENTS;

fn dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schemas")
}

#[test]
fn written_schemas_are_those_of_the_types() {
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    if update {
        std::fs::create_dir_all(dir()).unwrap();
    }
    let mut stale = Vec::new();
    let mut files = BTreeSet::new();
    for document in DOCUMENTS {
        let file = format!("{}.json", document.name);
        let text = serde_json::to_string_pretty(&document.schema()).unwrap() + "\n";
        let path = dir().join(&file);
        if update {
            std::fs::write(&path, text).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            stale.push(file.clone());
        }
        files.insert(file);
    }
    for entry in std::fs::read_dir(dir()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !files.contains(&name) {
            if update {
                std::fs::remove_file(dir().join(&name)).unwrap();
            } else {
                stale.push(name);
            }
        }
    }
    assert_eq!(stale, Vec::<String>::new(), "run `cargo xtask schemas`");
}
