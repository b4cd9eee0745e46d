//! A scratch tree with a home, a cache and a worker that sees nothing of the developer's npm configuration.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use marsh_bundle::{BundleError, BundleMeta, BundleRequest, Diagnostic, Worker, bundle_in_worker};

use crate::registry::Registry;

/// Not a test: what [`Scratch::worker`] starts, this very binary with this one "test".
#[test]
fn worker_entry() {
    if std::env::var_os("MARSH_TEST_WORKER").is_some() {
        let code = marsh_bundle::worker_main();
        std::process::exit(i32::from(code != ExitCode::SUCCESS));
    }
}

pub struct Scratch {
    dir: tempfile::TempDir,
}

#[derive(Debug)]
pub struct Bundled {
    pub meta: BundleMeta,
    pub code: String,
}

impl Scratch {
    pub fn new() -> Self {
        let scratch = Self { dir: tempfile::tempdir().unwrap() };
        for dir in ["src", "home", "cache"] {
            std::fs::create_dir(scratch.dir.path().join(dir)).unwrap();
        }
        scratch
    }

    pub fn with(files: &[(&str, &str)]) -> Self {
        let scratch = Self::new();
        for (name, text) in files {
            scratch.write(name, text);
        }
        scratch
    }

    /// The source root.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("src")
    }

    pub fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// In the home's `.npmrc`.
    pub fn use_registry(&self, registry: &Registry) {
        std::fs::write(self.dir.path().join("home/.npmrc"), format!("registry={}\n", registry.url()))
            .unwrap();
    }

    pub fn worker(&self) -> Worker {
        // A variable of npm outranks the file; an empty one does not count.
        ["NPM_CONFIG_REGISTRY", "npm_config_registry", "NPM_CONFIG_USERCONFIG", "npm_config_userconfig"]
            .into_iter()
            .fold(bare_worker(), |worker, name| worker.env(name, ""))
            .env("HOME", self.dir.path().join("home"))
            .env("NO_PROXY", "127.0.0.1")
            .env("JSR_URL", "http://127.0.0.1:9/")
    }

    pub fn request(&self, entry: &str) -> BundleRequest {
        BundleRequest {
            entry: self.path(entry),
            root: self.root(),
            out_dir: tempfile::tempdir_in(self.dir.path()).unwrap().keep(),
            cache_dir: self.cache(),
            offline: false,
        }
    }

    pub fn try_bundle(&self, entry: &str) -> Result<Bundled, BundleError> {
        self.try_request(&self.request(entry))
    }

    pub fn try_request(&self, request: &BundleRequest) -> Result<Bundled, BundleError> {
        run(&self.worker(), request)
    }

    #[track_caller]
    pub fn bundle(&self, entry: &str) -> Bundled {
        self.try_bundle(entry).unwrap()
    }

    #[track_caller]
    pub fn diagnostics(&self, entry: &str) -> Vec<Diagnostic> {
        match self.try_bundle(entry) {
            Err(BundleError::Diagnostics(diagnostics)) => diagnostics,
            other => panic!("no diagnostics but {other:?}"),
        }
    }

    /// Everything below the package cache, relative, files only.
    pub fn cached(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.cache(), &self.cache(), &mut found);
        found.sort();
        found
    }
}

pub fn bare_worker() -> Worker {
    Worker::new(std::env::current_exe().unwrap(), ["scratch::worker_entry", "--exact", "--nocapture"])
        .env("MARSH_TEST_WORKER", "1")
}

pub fn run(worker: &Worker, request: &BundleRequest) -> Result<Bundled, BundleError> {
    let meta = bundle_in_worker(worker, request, Duration::from_secs(120))?;
    let code = std::fs::read_to_string(request.out_dir.join("bundle.js")).unwrap();
    let json = std::fs::read(request.out_dir.join("bundle.json")).unwrap();
    assert_eq!(serde_json::from_slice::<BundleMeta>(&json).unwrap(), meta, "bundle.json is the answer");
    assert_eq!(code.len() as u64, meta.code_bytes);
    Ok(Bundled { meta, code })
}

fn walk(dir: &Path, base: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, base, found);
        } else {
            found.push(path.strip_prefix(base).unwrap().to_string_lossy().into_owned());
        }
    }
}
