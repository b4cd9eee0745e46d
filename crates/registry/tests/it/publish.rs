//! Many publishers of one version, as threads and as processes.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Barrier};

use marsh_registry::{Location, Registry, RegistryError};
use marsh_types::{Channel, Explain};

use crate::scene::{Scene, content, files, name, options, push};

/// Not a test of its own: the body of the processes below. The exit code says whether the process published.
#[test]
fn child_publishes() {
    let Some(root) = std::env::var_os("MARSH_TEST_REGISTRY") else { return };
    let archive = PathBuf::from(std::env::var_os("MARSH_TEST_ARCHIVE").unwrap());
    let registry = Registry::open(Location::Directory(root.into()), options());
    match registry.publish(&push("@acme/a", "2026.01.01.1", None), &content(), &archive) {
        Ok(_) => std::process::exit(10),
        Err(error) if error.code().as_str() == "already_exists" => std::process::exit(11),
        Err(error) => panic!("{error}"),
    }
}

fn spawn(scene: &Scene, bytes: &[u8]) -> Child {
    let (archive, _) = scene.archive(bytes);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "publish::child_publishes", "--nocapture"])
        .env("MARSH_TEST_REGISTRY", scene.root())
        .env("MARSH_TEST_ARCHIVE", archive)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn publish_of_one_version_by_many_succeeds_for_one() {
    let scene = Arc::new(Scene::new());
    let start = Arc::new(Barrier::new(25));
    let mut children: Vec<Child> = (0..25u8).map(|index| spawn(&scene, &[index])).collect();
    let threads: Vec<_> = (25..50u8)
        .map(|index| {
            let (scene, start) = (Arc::clone(&scene), Arc::clone(&start));
            std::thread::spawn(move || {
                let (archive, _) = scene.archive(&[index]);
                let registry = scene.registry();
                start.wait();
                registry.publish(&push("@acme/a", "2026.01.01.1", None), &content(), &archive)
            })
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let codes: Vec<i32> = children.iter_mut().map(|child| child.wait().unwrap().code().unwrap()).collect();
    assert!(codes.iter().all(|code| [10, 11].contains(code)), "{codes:?}");
    let winners =
        codes.iter().filter(|code| **code == 10).count() + results.iter().filter(|one| one.is_ok()).count();
    assert_eq!(winners, 1);

    let versions = scene.registry().versions(&name("@acme/a")).unwrap();
    assert_eq!(versions.len(), 1);
    let published = versions[0].checksum;
    for error in results.into_iter().filter_map(Result::err) {
        assert!(
            matches!(error, RegistryError::AlreadyExists { checksum, .. } if checksum == published),
            "{error}"
        );
    }
    assert_eq!(files(&scene.root().join("archives")).len(), 1, "the others left no archive");
    assert_eq!(files(&scene.root().join("private")), ["registry.lock", "uploads.lock"]);
}

#[test]
fn publish_of_different_versions_by_many_succeeds_for_all() {
    let scene = Arc::new(Scene::new());
    let threads: Vec<_> = (0..20u8)
        .map(|index| {
            let scene = Arc::clone(&scene);
            // Five versions of each of four extensions.
            std::thread::spawn(move || {
                scene.publish(
                    &format!("@acme/e{}", index % 4),
                    &format!("2026.01.01.{index}"),
                    None,
                    &[index],
                );
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for index in 0..4 {
        let extension = name(&format!("@acme/e{index}"));
        assert_eq!(scene.registry().versions(&extension).unwrap().len(), 5);
        assert!(scene.registry().latest(&extension, Channel::Stable).unwrap().is_some());
    }
    assert_eq!(scene.registry().search(&Default::default()).unwrap().meta.total, 4);
}
