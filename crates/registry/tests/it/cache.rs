//! The archive cache, with many downloads of one archive.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use marsh_registry::{ArchiveCache, Location, Registry};
use marsh_types::{Channel, Digest, Explain};

use crate::rough::{Reply, Rough, part};
use crate::scene::{Scene, files, name, options, version};

fn fetch(cache: &ArchiveCache, registry: &Registry, digest: &Digest) -> PathBuf {
    let (a, one) = (name("@acme/a"), version("2026.01.01.1"));
    cache.fetch(registry, &a, one, Channel::Stable, digest, &|_, _| {}).unwrap()
}

/// Not a test of its own: the body of the processes below.
#[test]
fn child_fetches() {
    let Ok(url) = std::env::var("MARSH_TEST_URL") else { return };
    let cache = ArchiveCache::new(std::env::var_os("MARSH_TEST_CACHE").unwrap().into());
    let digest: Digest = std::env::var("MARSH_TEST_DIGEST").unwrap().parse().unwrap();
    let registry = Registry::open(Location::parse(&url, Path::new("/")).unwrap(), options());
    assert_eq!(Digest::of(&std::fs::read(fetch(&cache, &registry, &digest)).unwrap()), digest);
}

#[test]
fn fetch_by_sixteen_processes_and_threads_downloads_once() {
    let bytes = vec![5; 3_000_000];
    let (whole, digest) = (bytes.clone(), Digest::of(&bytes));
    let server = Rough::new(move |heard, _| match heard.path.contains("/download") {
        true => Reply::redirect("/archive"),
        false => part_or_whole(&whole, heard.offset()),
    });
    let scene = Scene::new();
    let mut children: Vec<Child> = (0..16)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "cache::child_fetches", "--nocapture"])
                .env("MARSH_TEST_URL", server.url())
                .env("MARSH_TEST_CACHE", scene.cache().dir())
                .env("MARSH_TEST_DIGEST", digest.to_hex())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let client = Arc::new(server.client());
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (client, cache) = (Arc::clone(&client), scene.cache());
            std::thread::spawn(move || fetch(&cache, &client, &digest))
        })
        .collect();
    for thread in threads {
        assert!(std::fs::read(thread.join().unwrap()).unwrap() == bytes);
    }
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    let downloads = server.paths().iter().filter(|path| *path == "/archive").count();
    assert_eq!(downloads, 1);
    assert_eq!(files(scene.cache().dir()), [format!("{digest}.tar.gz")]);
}

fn part_or_whole(bytes: &[u8], offset: usize) -> Reply {
    if offset > 0 { part(bytes, offset) } else { Reply::new(200, bytes) }
}

#[test]
fn get_of_a_damaged_file_returns_none() {
    let scene = Scene::new();
    let digest = scene.publish("@acme/a", "2026.01.01.1", None, b"one");
    let (cache, registry) = (scene.cache(), scene.registry());
    let path = fetch(&cache, &registry, &digest);
    assert_eq!(cache.get(&digest).as_ref(), Some(&path));
    std::fs::write(&path, "two").unwrap();
    assert_eq!(cache.get(&digest), None);
    assert_eq!(std::fs::read(fetch(&cache, &registry, &digest)).unwrap(), b"one");
}

#[test]
fn fetch_of_bytes_with_another_digest_fails() {
    let scene = Scene::new();
    scene.publish("@acme/a", "2026.01.01.1", None, b"one");
    let expected = Digest::of(b"what the lockfile says");
    let result = scene.cache().fetch(
        &scene.registry(),
        &name("@acme/a"),
        version("2026.01.01.1"),
        Channel::Stable,
        &expected,
        &|_, _| {},
    );
    assert_eq!(result.unwrap_err().code().as_str(), "checksum_mismatch");
    assert_eq!(scene.cache().get(&expected), None);
}

#[test]
fn fetch_over_a_symlink_does_not_follow_it() {
    let scene = Scene::new();
    let digest = scene.publish("@acme/a", "2026.01.01.1", None, b"one");
    let victim = scene.dir.path().join("victim");
    std::fs::write(&victim, "mine").unwrap();
    std::fs::create_dir_all(scene.cache().dir().join("partial")).unwrap();
    let partial = scene.cache().dir().join(format!("partial/{digest}.tar.gz"));
    std::os::unix::fs::symlink(&victim, partial).unwrap();
    fetch(&scene.cache(), &scene.registry(), &digest);
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "mine");
}
