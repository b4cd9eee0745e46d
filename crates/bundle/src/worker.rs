//! The worker process: its two ends and what goes between them.
//!
//! The request is one JSON document on the worker's stdin; the answer is a line of its stdout, and with it the worker is
//! done: nobody waits for its memory to go. Everything else (panics included) goes to stderr. A worker that ends without
//! an answer died, whatever its exit code says.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use marsh_fs::{Durability, atomic_write};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::build;
use crate::diagnostic::{BundleError, Diagnostic, shown};
use crate::graph::hex;
use crate::plugin::Names;
use crate::prepare::{Prepared, prepare};
use crate::source_map;
use crate::zod;

/// How to start a worker: this binary and the hidden subcommand. Clones share the one that is ready.
#[derive(Debug, Clone)]
pub struct Worker {
    pub exe: PathBuf,
    pub args: Vec<OsString>,
    /// Added to the environment, which is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// A process that waits for its request. It ends when this end of its stdin closes, however that comes about.
    ready: Arc<Mutex<Option<Child>>>,
}

impl Worker {
    pub fn new<A: Into<OsString>>(exe: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self {
        Self {
            exe: exe.into(),
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            ready: Arc::default(),
        }
    }

    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts the process of the next bundling now, for who would rather not wait for it then. Best effort.
    pub fn make_ready(&self) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None))) {
            *ready = self.start().ok();
        }
    }

    fn take_ready(&self) -> Option<Child> {
        let mut child = self.ready.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        matches!(child.try_wait(), Ok(None)).then_some(child)
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.exe)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleRequest {
    pub entry: PathBuf,
    /// The source root; see [`import_graph`](crate::import_graph).
    pub root: PathBuf,
    /// An existing private directory; gets `bundle.js`, its source map and `bundle.json`.
    pub out_dir: PathBuf,
    /// The user's cache; packages go to `npm/v1` below it.
    pub cache_dir: PathBuf,
    /// No network: everything has to be in the cache.
    pub offline: bool,
}

/// What came out; also in `bundle.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleMeta {
    /// Relative to the root.
    pub entry: String,
    /// Of exactly what was bundled. Empty in records of bundles that were not made here.
    #[serde(default)]
    pub fingerprint: String,
    pub code_sha256: String,
    pub code_bytes: u64,
    pub externals: Vec<ExternalMeta>,
    /// The whole closure, sorted.
    pub packages: Vec<PackageMeta>,
    pub warnings: Vec<String>,
}

/// A module that the bundle imports and the host has to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalMeta {
    /// As imported: `npm:zod@4.3.6`.
    pub specifier: String,
    /// An ES module without imports, in the cache.
    pub path: PathBuf,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageMeta {
    pub name: String,
    pub version: String,
    pub integrity: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Response {
    Bundled(BundleMeta),
    Diagnostics(Vec<Diagnostic>),
    Io { path: PathBuf, message: String },
}

/// Bundles in a process of its own, which is killed when `timeout` passes.
pub fn bundle_in_worker(
    worker: &Worker,
    request: &BundleRequest,
    timeout: Duration,
) -> Result<BundleMeta, BundleError> {
    if let Some(child) = worker.take_ready() {
        match bundle_in(worker, child, request, timeout) {
            // It died as it waited, or of this request; a new one will tell.
            Err(BundleError::WorkerDied { .. }) => {}
            answered => return answered,
        }
    }
    let child = worker.start().map_err(|source| BundleError::io(&worker.exe, source))?;
    bundle_in(worker, child, request, timeout)
}

fn bundle_in(
    worker: &Worker,
    mut child: Child,
    request: &BundleRequest,
    timeout: Duration,
) -> Result<BundleMeta, BundleError> {
    let exe = |source| BundleError::io(&worker.exe, source);
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(exe(io::Error::other("no pipes to the worker")));
    };
    let text = serde_json::to_vec(request).map_err(|error| exe(error.into()))?;
    let stderr = in_background(move || rest(stderr));
    let answer = in_background(move || answer(stdout));
    // A worker that died already does not read; that shows below.
    stdin.write_all(&text).ok();
    drop(stdin);
    let answer = match answer.recv_timeout(timeout) {
        Ok(answer) => answer,
        Err(_) => {
            end(&mut child);
            return Err(BundleError::Timeout { after: timeout });
        }
    };
    let Some(answer) = answer else {
        // What remains of its ending is short, but not trusted to be.
        let errors = stderr.recv_timeout(Duration::from_secs(5)).unwrap_or_default();
        let status = wait(&mut child);
        return Err(BundleError::WorkerDied { status, stderr_tail: tail(&errors) });
    };
    std::thread::spawn(move || wait(&mut child));
    match answer {
        Response::Bundled(meta) => Ok(meta),
        Response::Diagnostics(diagnostics) => Err(BundleError::Diagnostics(diagnostics)),
        Response::Io { path, message } => Err(BundleError::Io { path, source: io::Error::other(message) }),
    }
}

fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(work()).ok());
    receiver
}

fn rest(mut pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).ok();
    bytes
}

/// The first line that is an answer. The worker's end of the pipe closes when it ends, however it ends.
fn answer(pipe: impl Read) -> Option<Response> {
    let mut lines = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if let Ok(response) = serde_json::from_slice(&line) {
            return Some(response);
        }
    }
}

fn tail(bytes: &[u8]) -> String {
    const LENGTH: usize = 2000;
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LENGTH)..]).trim().to_owned()
}

fn end(child: &mut Child) {
    child.kill().ok();
    child.wait().ok();
}

/// Gives the process a moment to end by itself, so that its exit status tells something.
fn wait(child: &mut Child) -> String {
    for _ in 0..200 {
        match child.try_wait() {
            Ok(Some(status)) => return status.to_string(),
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Err(_) => break,
        }
    }
    end(child);
    "it did not end".to_owned()
}

/// The hidden subcommand. Success means that an answer was written, be it a list of diagnostics.
pub fn worker_main() -> ExitCode {
    // A panic on one of rolldown's threads would leave the others waiting for it forever.
    std::panic::set_hook(Box::new(|panic| {
        writeln!(io::stderr(), "{panic}").ok();
        std::process::exit(101);
    }));
    let mut text = String::new();
    let request = match io::stdin().read_to_string(&mut text) {
        Ok(_) => serde_json::from_str::<BundleRequest>(&text).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            writeln!(io::stderr(), "not a bundle request: {error}").ok();
            return ExitCode::from(2);
        }
    };
    let response = match bundle(&request) {
        Ok(meta) => Response::Bundled(meta),
        Err(BundleError::Diagnostics(diagnostics)) => Response::Diagnostics(diagnostics),
        Err(BundleError::Io { path, source }) => Response::Io { path, message: source.to_string() },
        Err(other) => {
            writeln!(io::stderr(), "{other}").ok();
            return ExitCode::FAILURE;
        }
    };
    let written = serde_json::to_vec(&response).map_err(io::Error::from).and_then(|mut line| {
        line.insert(0, b'\n');
        line.push(b'\n');
        let mut stdout = io::stdout().lock();
        stdout.write_all(&line)?;
        stdout.flush()
    });
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn bundle(request: &BundleRequest) -> Result<BundleMeta, BundleError> {
    let Prepared { entry, root, config, closure, store, mut warnings, fingerprint, texts } =
        prepare(request)?;
    let names = Names::new(config, closure.clone(), store.clone()).with_texts(texts);
    let built = build::run(&entry.to_string_lossy(), &root, names)?;
    warnings.extend(built.warnings.iter().cloned());
    let mut externals = Vec::new();
    for id in &built.externals {
        if let Some(package) = closure.packages.get(id) {
            externals.push(zod::provide(package, &closure, &store)?);
        }
    }
    let packages = closure.packages.values().map(|package| PackageMeta {
        name: package.name.clone(),
        version: package.version.clone(),
        integrity: package.integrity.clone(),
    });
    let meta = BundleMeta {
        entry: shown(&entry, &root),
        fingerprint,
        code_sha256: hex(&Sha256::digest(built.code.as_bytes())),
        code_bytes: built.code.len() as u64,
        externals,
        packages: packages.collect(),
        warnings,
    };
    write(&request.out_dir, &built, &meta)?;
    Ok(meta)
}

fn write(out_dir: &Path, built: &build::Built, meta: &BundleMeta) -> Result<(), BundleError> {
    let json = serde_json::to_vec_pretty(meta).map_err(|error| BundleError::io(out_dir, error.into()))?;
    // All of it is derived. Code runs only when it has the digest of the record, so what a power failure tears is built
    // again; the map shows errors and nothing runs by it.
    if let Some(map) = &built.map {
        atomic_write(&out_dir.join(source_map::FILE), map.as_bytes(), Durability::Atomic)?;
    }
    atomic_write(&out_dir.join("bundle.js"), built.code.as_bytes(), Durability::Atomic)?;
    atomic_write(&out_dir.join("bundle.json"), &json, Durability::Atomic)?;
    Ok(())
}
