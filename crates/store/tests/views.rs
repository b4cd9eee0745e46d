//! Views are links that follow from the lockfile. Files that others put in their place are kept.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use marsh_store::{Installation, ViewReport};

use crate::support::*;

fn report(installation: &Installation) -> ViewReport {
    installation.check_views(&installation.snapshot().unwrap()).unwrap()
}

/// All links below the views' directory, with their targets.
fn links(installation: &Installation) -> Vec<(String, PathBuf)> {
    let root = installation.views_dir();
    let links = find(&root, |_| true).into_iter().filter(|path| path.is_symlink());
    links
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (name, path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        })
        .collect()
}

fn derive(installation: &Installation) -> Vec<(PathBuf, PathBuf)> {
    let set_aside = installation.derive_views(LONG).unwrap();
    assert_eq!(report(installation), ViewReport::default());
    set_aside
}

#[test]
fn view_of_an_extension_is_one_link() {
    let repo = Repo::new();
    let installation = repo.open();
    assert_eq!(report(&installation), ViewReport::default(), "nothing installed, nothing to show");
    pull(&installation, "@s/a", 1).unwrap();
    assert!(report(&installation).stale);
    assert_eq!(derive(&installation), []);
    let tree = installation.trees().tree(&digest_of("@s/a", 1));
    assert_eq!(links(&installation), [("@s/a".into(), tree)]);
    let link = repo.root().join(".swamp/pulled-extensions/@s/a");
    assert!(std::fs::read_link(&link).unwrap().is_relative(), "a repository can be moved");
    pull(&installation, "@s/a", 2).unwrap();
    derive(&installation);
    assert!(std::fs::read_to_string(link.join("manifest.yaml")).unwrap().contains("2026.01.01.2"));
    remove(&installation, "@s/a").unwrap();
    derive(&installation);
    assert!(!repo.root().join(".swamp/pulled-extensions/@s").exists(), "no empty directories are left");
}

#[test]
fn views_of_a_moved_repository_lead_into_it() {
    let repo = Repo::new();
    pull(&repo.open(), "@s/a", 1).unwrap();
    derive(&repo.open());
    let away = Repo::new();
    std::fs::rename(repo.root().join(".swamp"), away.root().join(".swamp")).unwrap();
    let link = away.root().join(".swamp/pulled-extensions/@s/a");
    assert!(link.canonicalize().unwrap().starts_with(away.root()));
}

#[test]
fn views_of_nested_names_coexist() {
    let repo = Repo::new();
    let installation = repo.open();
    let all = ["@s/a", "@s/a/b", "@s/a/models", "@s/a/b/c", "@s/ab"];
    // Installed in any order.
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 3, 1, 4]] {
        for index in order {
            pull(&installation, all[index], 1).unwrap();
            derive(&installation);
        }
        let root = installation.views_dir();
        for extension in all {
            // `models` is a part of `@s/a`.
            let shown = if extension == "@s/a/models" { "@s/a+models" } else { extension };
            let manifest = std::fs::read_to_string(root.join(shown).join("manifest.yaml")).unwrap();
            assert!(manifest.starts_with(&format!("name: {extension}\n")), "{extension}: {manifest}");
        }
        assert!(root.join("@s/a/models/a.ts").is_file());
        for index in order {
            remove(&installation, all[index]).unwrap();
            derive(&installation);
        }
        assert_eq!(find(&root, |_| true), Vec::<PathBuf>::new());
    }
}

/// Trees that another implementation unpacked may contain edits.
#[test]
fn derive_views_over_other_directories_moves_them() {
    type Put = fn(&Path);
    let puts: [(&str, Put); 6] = [
        ("@s/a", |path| {
            std::fs::create_dir_all(path.join("models")).unwrap();
            std::fs::write(path.join("models/edited.ts"), "mine").unwrap();
        }),
        ("@s/a", |path| std::fs::write(path, "mine").unwrap()),
        ("@s/a", |path| symlink("/nowhere/mine", path).unwrap()),
        ("@s", |path| std::fs::write(path, "mine").unwrap()),
        ("@s", |path| symlink("/nowhere/mine", path).unwrap()),
        ("@s/a/manifest.yaml", |path| std::fs::write(path, "mine").unwrap()),
    ];
    for (at, put) in puts {
        let repo = Repo::new();
        let installation = repo.open();
        let path = installation.views_dir().join(at);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        put(&path);
        let was = std::fs::symlink_metadata(&path).unwrap().file_type();
        pull(&installation, "@s/a", 1).unwrap();
        if at.ends_with(".yaml") {
            // A file among the parts of an extension that has another below it.
            pull(&installation, "@s/a/b", 1).unwrap();
        }
        let set_aside = derive(&installation);
        assert_eq!(set_aside.len(), 1, "{at}");
        let (from, to) = &set_aside[0];
        assert_eq!(from, &path, "{at}");
        assert_eq!(std::fs::symlink_metadata(to).unwrap().file_type(), was, "{at}: as it was");
        let kept = if was.is_dir() {
            std::fs::read_to_string(to.join("models/edited.ts")).unwrap()
        } else if was.is_symlink() {
            std::fs::read_link(to).unwrap().to_str().unwrap().trim_start_matches("/nowhere/").to_owned()
        } else {
            std::fs::read_to_string(to).unwrap()
        };
        assert_eq!(kept, "mine", "{at}");
        assert_eq!(derive(&installation), [], "once");
    }
}

#[test]
fn derive_views_keeps_files_beside_the_views() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    derive(&installation);
    let root = installation.views_dir();
    std::fs::write(root.join("notes.md"), "mine").unwrap();
    std::fs::write(root.join("@s/notes.md"), "mine").unwrap();
    std::fs::create_dir_all(root.join("@me/own/models")).unwrap();
    std::fs::write(root.join("@me/own/models/a.ts"), "mine").unwrap();
    // A user's link into another store, or to any other target, is not a view.
    for (link, target) in
        [("@me/linked", "/elsewhere/.swamp/marsh/store/v1/x/tree"), ("@me/docs", "../../docs")]
    {
        symlink(target, root.join(link)).unwrap();
    }
    let theirs = || {
        let all = find(&root, |_| true).into_iter();
        all.filter(|path| !path.starts_with(root.join("@s/a")) && !path.starts_with(root.join("@s/b")))
            .map(|path| (path.clone(), std::fs::read(&path).ok(), std::fs::read_link(&path).ok()))
            .collect::<Vec<_>>()
    };
    let before = theirs();
    assert_eq!(before.len(), 9);
    pull(&installation, "@s/b", 1).unwrap();
    assert_eq!(derive(&installation), []);
    remove(&installation, "@s/b").unwrap();
    remove(&installation, "@s/a").unwrap();
    assert_eq!(derive(&installation), []);
    assert_eq!(theirs(), before);
}

#[test]
fn check_views_after_a_change_reports_differences() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    pull(&installation, "@s/b", 1).unwrap();
    derive(&installation);
    let root = installation.views_dir();
    std::fs::remove_file(root.join("@s/a")).unwrap();
    assert_eq!(report(&installation).missing, [PathBuf::from("@s/a")]);
    symlink("../../marsh/store/v1/0000/tree", root.join("@s/c")).unwrap();
    let found = report(&installation);
    assert_eq!((found.orphans, found.dangling), (vec![PathBuf::from("@s/c")], vec![PathBuf::from("@s/c")]));
    assert!(!found.stale, "the stamp is that of the lockfile");
    // A foreign change of the lockfile.
    std::fs::write(repo.lockfile(), "{}").unwrap();
    assert!(report(&installation).stale);
    assert!(!installation.views_are_current(&installation.snapshot().unwrap()));
    derive(&installation);
    assert_eq!(links(&installation), []);
}

/// The lockfile comes from version control before its trees are downloaded. The views are not current until all trees are
/// shown.
#[test]
fn derive_views_after_a_restore_shows_restored_trees() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    std::fs::remove_dir_all(repo.root().join(".swamp")).unwrap();
    let snapshot = installation.snapshot().unwrap();
    assert_eq!(installation.missing(&snapshot), [name("@s/a")]);
    installation.derive_views(LONG).unwrap();
    assert!(!installation.views_are_current(&snapshot), "something is still missing");
    publish(&installation, "@s/a", 1).unwrap();
    assert_eq!(installation.missing(&snapshot), []);
    derive(&installation);
    assert!(installation.views_dir().join("@s/a/manifest.yaml").is_file());
}

#[test]
fn derive_views_twice_changes_nothing() {
    let repo = Repo::new();
    let installation = repo.open();
    pull(&installation, "@s/a", 1).unwrap();
    pull(&installation, "@s/a/b", 1).unwrap();
    derive(&installation);
    let look = || {
        use std::os::unix::fs::MetadataExt as _;
        let all = find(&installation.views_dir(), |_| true).into_iter();
        all.map(|path| (path.clone(), std::fs::symlink_metadata(&path).unwrap().ino())).collect::<Vec<_>>()
    };
    let before = look();
    derive(&installation);
    assert_eq!(look(), before);
    // Without the stamp, links that are right stay as they are.
    for stamp in find(&repo.root().join(".swamp/marsh/views"), |name| name.ends_with(".json")) {
        std::fs::write(stamp, "torn").unwrap();
    }
    assert!(!installation.views_are_current(&installation.snapshot().unwrap()));
    derive(&installation);
    assert_eq!(look(), before);
}

/// Many threads derive views while the lockfile changes. The last one to finish writes the views of the last state.
#[test]
fn derive_views_by_many_ends_with_the_last_lockfile() {
    let repo = Repo::new();
    let installation = repo.open();
    let scripts = [
        "pull @s/a 1; views; pull @s/a/b 1; views; rm @s/a; views; pull @s/a 2; views",
        "pull @s/c 1; views; rm @s/c; views; pull @s/c 2; views",
        "views; views; views; pull @s/a/models 1; views",
    ];
    let processes: Vec<_> =
        scripts.iter().chain(&scripts).map(|script| spawn(&repo.root(), script, &[])).collect();
    assert!(processes.into_iter().all(Running::ended));
    assert_eq!(report(&installation), ViewReport::default(), "no later derivation is needed");
    assert_eq!(installed(&installation), "@s/a 2, @s/a/b 1, @s/a/models 1, @s/c 2");
}
