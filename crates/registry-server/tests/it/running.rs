//! A registry with a server on a free port, both removed at the end of the test.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use marsh_registry::{ArchiveCache, ClientOptions, Location, PushMetadata, Registry};
use marsh_registry_server::{ServerOptions, add_token, serve};
use marsh_types::{Channel, Digest, ExtensionName};
use serde_json::{Value, json};
use tempfile::TempDir;

pub struct Running {
    pub dir: TempDir,
    pub addr: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn new() -> Running {
        Running::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut ServerOptions)) -> Running {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("registry");
        marsh_registry::init(&root).unwrap();
        let mut options = ServerOptions::new(Arc::new(|_: &Path, _: &PushMetadata| Ok(())));
        change(&mut options);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (ready, addr) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let shutdown = async move {
                stopped.await.ok();
            };
            serve(&root, ([127, 0, 0, 1], 0).into(), options, shutdown, |addr| ready.send(addr).unwrap())
                .unwrap();
        });
        Running { dir, addr: addr.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("registry")
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn token(&self, collectives: &[&str], scopes: &[&str]) -> String {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        add_token(&self.root(), "ann", &texts(collectives), &texts(scopes)).unwrap()
    }

    pub fn client(&self, api_key: Option<String>) -> Registry {
        let location = Location::parse(&self.url(), Path::new("/")).unwrap();
        Registry::open(location, ClientOptions { api_key, ..ClientOptions::default() })
    }

    /// A client with all scopes for `@acme`.
    pub fn owner(&self) -> Registry {
        self.client(Some(self.token(&["acme"], &["publish", "manage"])))
    }

    /// A gzip file of these bytes.
    pub fn archive(&self, bytes: &[u8]) -> (PathBuf, Digest) {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        self.file(&encoder.finish().unwrap())
    }

    pub fn file(&self, bytes: &[u8]) -> (PathBuf, Digest) {
        let digest = Digest::of(bytes);
        let path = self.dir.path().join(format!("{digest}.source"));
        std::fs::write(&path, bytes).unwrap();
        (path, digest)
    }

    pub fn cache(&self) -> ArchiveCache {
        ArchiveCache::new(self.dir.path().join("cache"))
    }

    pub fn begin_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
    }

    pub fn stop(&mut self) {
        self.begin_stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

pub fn name(text: &str) -> ExtensionName {
    text.parse().unwrap()
}

pub fn push(name: &str, version: &str, channel: Option<Channel>) -> PushMetadata {
    let mut metadata: PushMetadata = serde_json::from_value(
        json!({ "name": name, "version": version, "description": "Zones", "platforms": ["linux"], "labels": ["dns"] }),
    )
    .unwrap();
    metadata.channel = channel;
    metadata
}

pub fn content() -> Value {
    json!({ "models": [{ "fileName": "zone.ts", "type": "@acme/net/dns" }] })
}
