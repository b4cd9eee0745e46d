//! Former layouts are brought to the present one: nothing is lost, and the second run changes nothing.

#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::collections::BTreeMap;
use std::path::Path;

use marsh_repo::upgrade::{former_layout, upgrade_layout};
use marsh_repo::{Layout, init};

fn write(root: &Path, relative: &str, text: &str) {
    let path = root.join(relative);
    marsh_fs::create_dir_all(path.parent().unwrap()).unwrap();
    marsh_fs::atomic_write(&path, text.as_bytes(), marsh_fs::Durability::Atomic).unwrap();
}

fn link(root: &Path, relative: &str, target: &str) {
    let path = root.join(relative);
    marsh_fs::create_dir_all(path.parent().unwrap()).unwrap();
    marsh_fs::symlink_atomic(Path::new(target), &path).unwrap();
}

/// Files with their text and links with their targets, without the marker.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_symlink() {
                found.insert(name, format!("-> {}", std::fs::read_link(&path).unwrap().display()));
            } else if path.is_dir() {
                pending.push(path);
            } else {
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found.retain(|name, _| name != ".swamp.yaml" && name != ".gitignore");
    found
}

/// A repository as the first versions left it: files by id below `.swamp`, views by name, `latest` as a link.
fn former() -> (tempfile::TempDir, Layout) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    init(&root, "1.0.0", false).unwrap();
    write(&root, ".swamp/definitions/aws/ec2/1.yaml", "vpc");
    write(&root, ".swamp/definitions/@me/x/2.yaml", "x");
    write(&root, ".swamp/workflows/workflow-3.yaml", "w");
    write(&root, ".swamp/vault/local_encryption/4.yaml", "v");
    link(&root, "models/vpc/definition.yaml", "../../.swamp/definitions/aws/ec2/1.yaml");
    link(&root, "workflows/w/workflow.yaml", "../../.swamp/workflows/workflow-3.yaml");
    assert!(marsh_fs::remove_dir_if_empty(&root.join("vaults")).unwrap());
    link(&root, "vaults", ".swamp/vault");
    write(&root, ".swamp/data/aws/ec2/1/state/3/raw", "{}");
    link(&root, ".swamp/data/aws/ec2/1/state/latest", "3/");
    link(&root, ".swamp/data/aws/ec2/1/other/latest", "12");
    (dir, Layout::new(root))
}

fn upgraded() -> BTreeMap<String, String> {
    [
        ("models/aws/ec2/1.yaml", "vpc"),
        ("models/@me/x/2.yaml", "x"),
        ("workflows/workflow-3.yaml", "w"),
        ("vaults/local_encryption/4.yaml", "v"),
        (".swamp/data/aws/ec2/1/state/3/raw", "{}"),
        (".swamp/data/aws/ec2/1/state/latest", "3"),
        (".swamp/data/aws/ec2/1/other/latest", "12"),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into()
}

#[test]
fn former_layout_is_recognised_and_upgraded_once() {
    let (_dir, layout) = former();
    assert!(former_layout(&layout).is_some());
    let changes = upgrade_layout(&layout).unwrap();
    assert_eq!(tree(layout.root()), upgraded());
    assert!(changes.changed.contains(&"models/aws/ec2/1.yaml".to_owned()), "{changes:?}");
    assert!(changes.kept.is_empty());
    for gone in [".swamp/definitions", ".swamp/workflows", ".swamp/vault", "models/vpc", "workflows/w"] {
        assert!(!layout.root().join(gone).exists(), "{gone}");
    }
    assert!(former_layout(&layout).is_none());
    let again = upgrade_layout(&layout).unwrap();
    assert_eq!((again.changed, again.kept), (Vec::new(), Vec::new()));
}

#[test]
fn present_file_wins_and_the_former_one_stays() {
    let (_dir, layout) = former();
    write(layout.root(), "models/@me/x/2.yaml", "newer");
    let changes = upgrade_layout(&layout).unwrap();
    assert_eq!(changes.kept, [".swamp/definitions/@me/x/2.yaml"]);
    let after = tree(layout.root());
    assert_eq!(after["models/@me/x/2.yaml"], "newer");
    assert_eq!(after[".swamp/definitions/@me/x/2.yaml"], "x");
}

#[test]
fn links_and_directories_of_users_stay() {
    let (_dir, layout) = former();
    let root = layout.root();
    write(root, "shared/y.yaml", "y");
    link(root, "models/@me/y/y.yaml", "../../../shared/y.yaml");
    link(root, ".swamp/data/aws/ec2/1/odd/latest", "elsewhere");
    upgrade_layout(&layout).unwrap();
    let after = tree(root);
    assert_eq!(after["models/@me/y/y.yaml"], "-> ../../../shared/y.yaml");
    assert_eq!(after[".swamp/data/aws/ec2/1/odd/latest"], "-> elsewhere");
}

#[test]
fn present_layout_is_not_a_former_one() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), "1.0.0", false).unwrap();
    let layout = Layout::new(dir.path().canonicalize().unwrap());
    write(layout.root(), "models/@me/x/m.yaml", "m");
    assert_eq!(former_layout(&layout), None);
    let changes = upgrade_layout(&layout).unwrap();
    assert!(changes.changed.is_empty(), "{changes:?}");
}
