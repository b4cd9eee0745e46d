//! Registries, archives and metadata for tests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_registry::{ClientOptions, Location, PushMetadata, Registry};
use marsh_types::{CalVer, Channel, Digest, ExtensionName};
use serde_json::{Value, json};
use tempfile::TempDir;

pub fn name(text: &str) -> ExtensionName {
    text.parse().unwrap()
}

pub fn version(text: &str) -> CalVer {
    text.parse().unwrap()
}

pub fn push(name: &str, version: &str, channel: Option<Channel>) -> PushMetadata {
    let mut metadata: PushMetadata =
        serde_json::from_value(json!({ "name": name, "version": version, "description": "About zones" }))
            .unwrap();
    metadata.channel = channel;
    metadata
}

pub fn content() -> Value {
    json!({ "models": [{ "fileName": "zone.ts", "type": "@acme/net/dns", "version": "1" }], "reports": [] })
}

pub fn options() -> ClientOptions {
    ClientOptions { timeout: Duration::from_secs(10), ..ClientOptions::default() }
}

/// A directory registry, removed on drop.
pub struct Scene {
    pub dir: TempDir,
}

impl Scene {
    pub fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        marsh_registry::init(&dir.path().join("registry")).unwrap();
        Scene { dir }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("registry")
    }

    pub fn registry(&self) -> Registry {
        Registry::open(Location::Directory(self.root()), options())
    }

    /// A file of these bytes, and their digest.
    pub fn archive(&self, bytes: &[u8]) -> (PathBuf, Digest) {
        let digest = Digest::of(bytes);
        let path = self.dir.path().join(format!("{digest}.source"));
        std::fs::write(&path, bytes).unwrap();
        (path, digest)
    }

    pub fn publish(&self, name: &str, version: &str, channel: Option<Channel>, bytes: &[u8]) -> Digest {
        let (path, digest) = self.archive(bytes);
        self.registry().publish(&push(name, version, channel), &content(), &path).unwrap();
        digest
    }

    pub fn cache(&self) -> marsh_registry::ArchiveCache {
        marsh_registry::ArchiveCache::new(self.dir.path().join("cache"))
    }
}

/// The files below a directory, without locks.
pub fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else if !entry.path().parent().is_some_and(|dir| dir.ends_with("locks")) {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found.sort();
    found
}
