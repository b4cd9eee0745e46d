//! Mounted sources.

use std::path::Path;

use marsh_extension::TypeCatalog;
use marsh_fs::Durability;
use marsh_repo::{Environment, Repo};

fn write(root: &Path, relative: &str, text: &str) {
    let path = root.join(relative);
    marsh_fs::create_dir_all(path.parent().unwrap()).unwrap();
    marsh_fs::atomic_write(&path, text.as_bytes(), Durability::Atomic).unwrap();
}

/// The files that declare types, with these mounts.
fn declared(root: &Path, mounts: &[&str]) -> Vec<String> {
    let sources: String = mounts.iter().map(|path| format!("  - path: {path}\n")).collect();
    write(root, ".swamp-sources.yaml", &format!("sources:\n{sources}"));
    let none = Environment::from_pairs(std::iter::empty::<(&str, &str)>());
    let repo = Repo::find(Some(root), &none, root).unwrap();
    let types = TypeCatalog::load(&repo).unwrap().types;
    let file = |path: &Path| path.strip_prefix(root.canonicalize().unwrap()).unwrap().display().to_string();
    types.iter().map(|indexed| file(&indexed.path.canonicalize().unwrap())).collect()
}

#[test]
fn file_of_overlapping_mounts_is_declared_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    marsh_repo::init(root, "0.0.0", false).unwrap();
    let source = "export const model = { type: '@me/far', version: '2026.01.01.1', methods: {} };\n";
    write(root, "elsewhere/extensions/models/x.ts", source);
    marsh_fs::symlink_atomic(&root.join("elsewhere/extensions"), &root.join("link")).unwrap();
    let one = ["elsewhere/extensions/models/x.ts"];
    for mounts in [
        &["elsewhere", "elsewhere/extensions/models"][..],
        &["elsewhere/extensions/models", "elsewhere/extensions", "elsewhere"],
        &["elsewhere", "link/models"],
    ] {
        assert_eq!(declared(root, mounts), one, "{mounts:?}");
    }
    // A copy is another file.
    write(root, "other/x.ts", source);
    assert_eq!(declared(root, &["elsewhere", "other"]).len(), 2);
}
