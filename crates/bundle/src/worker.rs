//! The worker process: its two ends and the messages between them.
//!
//! The request is one JSON document on the worker's stdin; the answer is a line of its stdout, and with it the worker is
//! done: the caller does not wait until its memory is free. Everything else (panics included) goes to stderr. A worker that ends without
//! an answer died, whatever its exit code says.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use marsh_fs::{Durability, atomic_write};
use marsh_types::ignore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::build;
use crate::diagnostic::{BundleError, Diagnostic, shown};
use crate::engine_wish::{EngineWish, engine_wish};
use crate::hex::hex;
use crate::plugin::Names;
use crate::prepare::{Prepared, prepare};
use crate::request::{BundleMeta, BundleRequest, ModuleMeta, PackageMeta};
use crate::source_map;
use crate::zod;

/// Bytes of stack of every thread of a worker: enough for what [`crate::parse`] lets through. Address space, not memory.
const STACK: usize = 256 << 20;

/// How to start a worker: this binary and the hidden subcommand. Clones share the one that is ready.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The program.
    pub exe: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Added to the environment, which is inherited.
    pub env: Vec<(OsString, OsString)>,
    /// A process that waits for its request. It ends when this end of its stdin closes, however that comes about.
    ready: Arc<Mutex<Option<Child>>>,
}

impl Worker {
    /// A worker that is started as `exe` with `args`.
    pub fn new<A: Into<OsString>>(exe: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self {
        Self {
            exe: exe.into(),
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            ready: Arc::default(),
        }
    }

    /// Adds a variable to its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts the process of the next bundling now, so that it does not have to be waited for then. Best effort.
    pub fn make_ready(&self) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None))) {
            // A process that cannot start now fails, with its reason, when it is needed.
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
            // The standard library's threads, and with them the bundler's, get stacks of this size.
            .env("RUST_MIN_STACK", STACK.to_string())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Response {
    Bundled(BundleMeta),
    Diagnostics(Vec<Diagnostic>),
    Io { path: PathBuf, message: String },
}

/// Bundles in a process of its own, which is killed when `timeout` passes.
///
/// # Errors
///
/// A fault of the sources with its location; or the worker could not start, died, or was too slow.
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
    ignore(stdin.write_all(&text), "the missing answer shows that the worker has died");
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
    std::thread::spawn(move || {
        let sent = sender.send(work()).map_err(|_| "the caller has gone");
        ignore(sent, "a caller whose time is up does not wait for it");
    });
    receiver
}

fn rest(mut pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    ignore(pipe.read_to_end(&mut bytes), "the part that was read is shown");
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
    ignore(child.kill(), "the process has ended by itself");
    ignore(child.wait(), "the process was reaped already");
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
        ignore(writeln!(io::stderr(), "{panic}"), "the exit code reports the panic, too");
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
            ignore(
                writeln!(io::stderr(), "invalid bundle request: {error}"),
                "the exit code reports it, too",
            );
            return ExitCode::from(2);
        }
    };
    let response = match bundle(&request) {
        Ok(meta) => Response::Bundled(meta),
        Err(BundleError::Diagnostics(diagnostics)) => Response::Diagnostics(diagnostics),
        Err(BundleError::Io { path, source }) => Response::Io { path, message: source.to_string() },
        Err(other) => {
            ignore(writeln!(io::stderr(), "{other}"), "the exit code reports it, too");
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
    let Prepared { entry, root, config, closure, store, remote, mut warnings, fingerprint, texts } =
        prepare(request)?;
    let EngineWish { declared, needs } = {
        let files = texts.iter().map(|(path, source)| (path.as_path(), source.as_str()));
        engine_wish(&entry, files, |path| shown(path, &root)).map_err(BundleError::one)?
    };
    let modules = remote.modules.iter().filter(|(_, module)| !module.in_package);
    let modules = modules.map(|(url, module)| ModuleMeta { url: url.clone(), sha256: module.sha256.clone() });
    let modules: Vec<ModuleMeta> = modules.collect();
    let of_jsr = remote.packages.iter().map(|package| PackageMeta {
        name: package.name.clone(),
        version: package.version.clone(),
        integrity: package.integrity.clone(),
    });
    let of_jsr: Vec<PackageMeta> = of_jsr.collect();
    let names = Names::new(config, closure.clone(), store.clone()).with_texts(texts).with_remote(remote);
    let built = on_a_thread(&root, || build::run(&entry.to_string_lossy(), &root, names))?;
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
    let mut packages: Vec<PackageMeta> = packages.chain(of_jsr).collect();
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    let meta = BundleMeta {
        entry: shown(&entry, &root),
        fingerprint,
        code_sha256: hex(&Sha256::digest(built.code.as_bytes())),
        code_bytes: built.code.len() as u64,
        externals,
        packages,
        modules,
        warnings,
        engine: declared,
        needs,
    };
    write(&request.out_dir, &built, &meta)?;
    Ok(meta)
}

/// The main thread's stack has the size that the shell's limits give it; the bundler runs on one of ours.
fn on_a_thread<T: Send>(
    root: &Path,
    work: impl FnOnce() -> Result<T, BundleError> + Send,
) -> Result<T, BundleError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, work);
        match thread.map_err(|source| BundleError::io(root, source))?.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
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
