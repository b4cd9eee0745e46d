//! A publisher that is killed at any step leaves nothing or the whole version, and a download nothing or the whole archive.
//! Run with `--features failpoints`.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "these tests create the files that the registry then works on"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use marsh_registry::{ArchiveCache, ClientOptions, Location, PushMetadata, Registry, SearchQuery};
use marsh_types::{Channel, Digest, Explain};
use serde_json::json;

fn registry(dir: &Path) -> Registry {
    Registry::open(Location::Directory(dir.join("registry")), ClientOptions::default())
}

fn push(version: &str) -> PushMetadata {
    serde_json::from_value(json!({ "name": "@acme/net/dns", "version": version })).unwrap()
}

fn fetch(dir: &Path) -> Result<PathBuf, marsh_registry::RegistryError> {
    let (name, version) = ("@acme/net/dns".parse().unwrap(), "2026.01.01.1".parse().unwrap());
    let cache = ArchiveCache::new(dir.join("cache"));
    cache.fetch(&registry(dir), &name, version, Channel::Stable, &Digest::of(b"first"), &|_, _| {})
}

/// Not a test of its own: the body of the child processes below.
#[test]
fn child_works() {
    let Some(dir) = std::env::var_os("MARSH_TEST_DIR") else { return };
    let dir = Path::new(&dir);
    if std::env::var_os("MARSH_TEST_FETCH").is_some() {
        fetch(dir).unwrap();
    } else {
        registry(dir).publish(&push("2026.01.01.2"), &json!({}), &dir.join("second")).unwrap();
    }
}

/// Runs [`child_works`]. Returns whether it succeeded.
fn run_child(dir: &Path, failpoint: &str, fetch: bool) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_works"]).env("MARSH_TEST_DIR", dir).env("MARSH_FAILPOINT", failpoint);
    if fetch {
        command.env("MARSH_TEST_FETCH", "1");
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

/// A registry with no version of the extension, or with one, and the archive of another version.
fn scene(existing: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    marsh_registry::init(&dir.path().join("registry")).unwrap();
    for name in ["first", "second"] {
        std::fs::write(dir.path().join(name), name).unwrap();
    }
    if existing {
        registry(dir.path()).publish(&push("2026.01.01.1"), &json!({}), &dir.path().join("first")).unwrap();
    }
    dir
}

/// The files that no reader and no writer uses.
fn leftovers(registry: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![registry.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if name.to_string_lossy().starts_with('.') || dir.ends_with("private/uploads") {
                found.push(path.clone());
            }
            if path.is_dir() {
                pending.push(path);
            }
        }
    }
    found
}

#[test]
fn publisher_killed_at_any_failpoint_leaves_nothing_or_the_whole_version() {
    for (action, existing) in [("abort", false), ("abort", true), ("error", true)] {
        let mut points = 0;
        loop {
            let scene = scene(existing);
            let dir = scene.path();
            let done = run_child(dir, &format!("*={action}@{}", points + 1), false);
            let registry = registry(dir);
            let name = "@acme/net/dns".parse().unwrap();
            let version = "2026.01.01.2".parse().unwrap();
            let published = match registry.checksum(&name, version, Channel::Stable) {
                Ok(checksum) => {
                    assert_eq!(checksum, Some(Digest::of(b"second")));
                    let archive = dir.join(format!("registry/archives/{}.tar.gz", Digest::of(b"second")));
                    assert_eq!(std::fs::read(archive).unwrap(), b"second");
                    true
                }
                Err(error) => {
                    assert_eq!(error.code().as_str(), "not_found", "{error}");
                    false
                }
            };
            assert!(published || !done);
            let found = registry.search(&SearchQuery::default()).unwrap();
            assert_eq!(
                found.extensions.len(),
                usize::from(published || existing),
                "search agrees, point {points}"
            );
            let latest = found.extensions.first().and_then(|entry| entry.latest_version);
            let expected =
                if published { Some(version) } else { existing.then(|| "2026.01.01.1".parse().unwrap()) };
            assert_eq!(latest, expected);
            // The leftovers of the dead process do not disturb the next one.
            let again = registry.publish(&push("2026.01.01.2"), &json!({}), &dir.join("second"));
            match again {
                Ok(_) => assert!(!published),
                Err(error) => assert!(published && error.code().as_str() == "already_exists", "{error}"),
            }
            registry.publish(&push("2026.01.01.3"), &json!({}), &dir.join("first")).unwrap();
            let index = std::fs::read_to_string(dir.join("registry/index.json")).unwrap();
            assert!(index.contains("2026.01.01.3"), "the index for static hosts is up to date");
            assert_eq!(leftovers(&dir.join("registry")), Vec::<PathBuf>::new(), "point {points}");
            if done {
                break;
            }
            points += 1;
            assert!(points < 200);
        }
        assert!(points >= 15, "only {points} points were passed");
    }
}

#[test]
fn download_killed_at_any_failpoint_leaves_nothing_or_the_archive() {
    for action in ["abort", "error"] {
        let mut points = 0;
        loop {
            let scene = scene(true);
            let done = run_child(scene.path(), &format!("*={action}@{}", points + 1), true);
            let path = scene.path().join(format!("cache/{}.tar.gz", Digest::of(b"first")));
            if path.exists() {
                assert_eq!(std::fs::read(&path).unwrap(), b"first");
            }
            assert_eq!(std::fs::read(fetch(scene.path()).unwrap()).unwrap(), b"first");
            if done {
                break;
            }
            points += 1;
            assert!(points < 100);
        }
        assert!(points >= 5, "only {points} points were passed");
    }
}
