//! The table of kinds (`marsh_types::kind`) is the only list of kinds: the wrappers declare its operations, and no source
//! lists kinds by hand. Tests of `marsh-host-server` compare it with the shim, tests of `marsh-repo` with the documents.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use marsh_types::KINDS;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust sources below the `src` directories of the workspace's crates.
fn rust_sources() -> Vec<PathBuf> {
    let mut pending: Vec<PathBuf> = std::fs::read_dir(workspace().join("crates"))
        .unwrap()
        .flatten()
        .map(|one| one.path().join("src"))
        .filter(|dir| dir.is_dir())
        .collect();
    let mut found = Vec::new();
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// A list by hand names several kinds within a few lines: as variants, as exports or as directories.
#[test]
fn no_source_but_the_table_lists_kinds() {
    let variants: Vec<String> = KINDS.iter().map(|row| format!("Kind::{:?}", row.kind)).collect();
    let directories: BTreeSet<String> = KINDS.iter().map(|row| format!("\"{}\"", row.directory)).collect();
    let bundles: BTreeSet<String> = KINDS.iter().map(|row| format!("\"{}\"", row.bundles)).collect();
    let mut lists = Vec::new();
    for path in rust_sources() {
        if path.ends_with("types/src/kind.rs") {
            continue;
        }
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (index, window) in lines.windows(6).enumerate() {
            let window = window.join("\n");
            let counts = |words: &mut dyn Iterator<Item = &String>| {
                words.filter(|word| window.contains(*word)).count()
            };
            // Four of one sort: no code treats so many kinds apart.
            let most = counts(&mut variants.iter())
                .max(counts(&mut directories.iter()))
                .max(counts(&mut bundles.iter()));
            if most >= 4 {
                lists.push(format!("{}:{}", path.display(), index + 1));
            }
        }
    }
    assert!(lists.is_empty(), "kinds are listed by hand in {lists:#?}");
}

/// The compiler refuses a wrapper that declares an operation that no row has; this refuses the reverse.
#[test]
fn every_operation_of_a_row_is_declared_by_the_wrapper_of_its_kind() {
    for row in KINDS.iter().filter(|row| !row.operations.is_empty()) {
        let wrapper = workspace().join("crates/extension/src/kinds").join(row.export).with_extension("rs");
        let text = read(&wrapper);
        let (_, declarations) = text.split_once("operations! {").unwrap();
        for operation in row.operations {
            let declared =
                declarations.lines().filter(|line| line.trim().starts_with(&format!("{operation:?} {{")));
            assert_eq!(declared.count(), 1, "{} in {}", operation.as_str(), wrapper.display());
        }
    }
}
