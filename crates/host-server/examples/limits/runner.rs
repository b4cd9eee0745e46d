//! Runs the cases against one host and checks that nothing of them stays.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use marsh_host_client::protocol::Run;
use marsh_host_client::{
    Call, CallbackError, Callbacks, CancelToken, ContextAnswer, ContextNotice, ContextRequest, Host,
    HostCommand, HostError, Hosts, ModuleEngine, ModuleRef,
};
use marsh_types::Digest;
use serde_json::json;

use crate::cases::{Case, Ending, LIMITS};

/// Modules need no zod to satisfy the contract: a schema is what behaves like one.
const PREAMBLE: &str = "
const any = { _def: { type: 'any' }, parse: (x) => x, safeParse: (x) => ({ success: true, data: x }) };
const method = (execute) => ({ description: 'd', kind: 'read', arguments: any, execute });
";

/// How long what was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one case came to.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    /// The longest of its calls.
    pub slowest: Duration,
    /// How far beyond its deadline the latest call ended.
    pub overrun: Duration,
    /// Of the host, after the first repetitions and after all of them, with the module unloaded both times.
    pub before_kib: u64,
    pub after_kib: u64,
    /// The most that one call got through, in bytes of output and log messages.
    pub said: usize,
}

pub struct Runner {
    hosts: Hosts,
    dir: PathBuf,
    port: u16,
}

impl Runner {
    pub fn new(program: PathBuf, args: Vec<String>, dir: &Path) -> Runner {
        // Accepts, and never says a word; it ends with the process.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port on the loopback is free");
        let port = silent.local_addr().expect("a listener has an address").port();
        std::thread::spawn(move || {
            for stream in silent.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut stream = stream;
                    drop(std::io::copy(&mut stream, &mut std::io::sink()));
                });
            }
        });
        let command = HostCommand { program, args, bytecode_cache: Some(dir.join("bytecode")), cwd: None };
        Runner { hosts: Hosts::new(command), dir: dir.to_owned(), port }
    }

    pub fn host(&self) -> Arc<Host> {
        self.hosts.get("limits").expect("the host starts")
    }

    fn module(&self, case: &Case) -> ModuleRef {
        let body = case.body.replace("PORT", &self.port.to_string());
        let code = format!(
            "{PREAMBLE}export const model = {{ type: '@limits/m', version: '2026.01.01.1', methods: {{
                run: method(async (args, ctx) => {{ {body} }}), fine: method(() => {{}}) }} }};"
        );
        let name: String =
            case.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = self.dir.join(format!("{name}.js"));
        write(&path, &code);
        let url = format!("file://{}?fp=1", path.display());
        ModuleRef {
            url,
            sha256: Digest::of(code.as_bytes()).to_hex(),
            path,
            externals: Vec::new(),
            limits: LIMITS,
            engine: ModuleEngine::default(),
        }
    }

    /// Runs a case `repetitions` times, each on whatever runtime the one before it has left.
    ///
    /// # Panics
    /// When a call ends otherwise than the case says, or leaves a process behind, or takes the host with it.
    pub fn run(&self, case: &Case, repetitions: usize) -> Row {
        let host = self.host();
        let module = self.module(case);
        let mut row = Row {
            name: case.name,
            slowest: Duration::ZERO,
            overrun: Duration::ZERO,
            before_kib: 0,
            after_kib: 0,
            said: 0,
        };
        let warm_up = (repetitions / 10).max(1);
        for repetition in 0..repetitions {
            // On whatever runtime is there, or a new one: what is measured next has nothing to load.
            self.fine(case, &host, &module);
            let counter = Counter::default();
            let started = Instant::now();
            let outcome = call(&host, &module, "run", case.deadline, &counter);
            let took = started.elapsed();
            check(case, &outcome);
            row.slowest = row.slowest.max(took);
            row.overrun = row.overrun.max(took.saturating_sub(case.deadline));
            row.said = row.said.max(counter.bytes.load(Ordering::Relaxed));
            for group in counter.groups.lock().expect("no panic before").drain(..) {
                until(case, "what it started is gone", || !group_lives(group));
            }
            if repetition + 1 == warm_up {
                row.before_kib = self.settled(case, &host, &module);
            }
        }
        self.fine(case, &host, &module);
        row.after_kib = self.settled(case, &host, &module);
        row
    }

    fn fine(&self, case: &Case, host: &Host, module: &ModuleRef) {
        let fine = call(host, module, "fine", PATIENCE, &Counter::default());
        assert!(fine.is_ok(), "beside `{}`: {fine:?}", case.name);
    }

    /// The host's memory once the module is unloaded and its threads and children are gone.
    fn settled(&self, case: &Case, host: &Host, module: &ModuleRef) -> u64 {
        host.evict(&module.url);
        let pid = host.pid();
        until(case, "its threads are gone", || threads(pid) == 0);
        until(case, "its processes are gone", || session(pid) == [pid]);
        assert!(host.is_alive(), "`{}` took the host with it", case.name);
        // Memory is given back a moment later; it has settled when it no longer falls.
        let mut least = rss_kib(pid);
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = rss_kib(pid);
            if now >= least {
                return least;
            }
            least = now;
        }
    }
}

fn check(case: &Case, outcome: &Result<(), HostError>) {
    match (case.ends, outcome) {
        (Ending::Ok, Ok(_)) => {}
        (Ending::Error(kind), Err(HostError::Call(error))) if error.kind == kind => {
            let text = error.to_string();
            assert!(text.contains(case.says), "`{}` says: {text}", case.name);
        }
        (expected, other) => panic!("`{}` should end with {expected:?}, not {other:?}", case.name),
    }
}

fn call(
    host: &Host,
    module: &ModuleRef,
    method: &str,
    deadline: Duration,
    callbacks: &dyn Callbacks,
) -> Result<(), HostError> {
    let params = json!({
        "method": method, "type": "@limits/m",
        "definition": { "id": "d", "name": "n", "version": 1, "tags": {}, "typeVersion": "2026.01.01.1" },
        "globalArguments": {}, "storedGlobalArguments": {}, "methodArguments": {}, "checks": {}, "repoDir": "/",
    });
    let cancel = CancelToken::new();
    let params: Run = serde_json::from_value(params).expect("the parameters are those of `run`");
    let operation = params.into();
    let grace = Duration::from_millis(100);
    let call = Call { operation, deadline, cancel: &cancel, grace, trace_parent: None };
    host.call(module, &call, callbacks).map(drop)
}

/// Counts what a call says, and remembers what it starts.
#[derive(Default)]
struct Counter {
    bytes: AtomicUsize,
    groups: Mutex<Vec<i32>>,
}

impl Callbacks for Counter {
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        Err(CallbackError::new("refused", request.name().as_str()))
    }

    fn notice(&self, notice: ContextNotice) {
        let bytes = match notice {
            ContextNotice::Output(output) => output.line.len(),
            ContextNotice::Log(log) => log.message.len(),
            ContextNotice::ProcessStarted(group) => {
                self.groups.lock().expect("no panic before").push(group.pgid);
                0
            }
            _ => 0,
        };
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

fn until(case: &Case, what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "`{}`: it never came about that {what}", case.name);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a scratch file can be written");
}

fn group_lives(group: i32) -> bool {
    processes().into_iter().any(|process| process.group == group && process.state != "Z")
}

/// The living processes of the host's session: itself, and what it started.
fn session(host: u32) -> Vec<u32> {
    let of_session = |process: &Process| u32::try_from(process.session) == Ok(host) && process.state != "Z";
    processes().into_iter().filter(of_session).map(|process| process.pid).collect()
}

struct Process {
    pid: u32,
    state: String,
    group: i32,
    session: i32,
}

fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").expect("/proc is there");
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            // Processes end while we look.
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let mut fields = stat.rsplit(')').next()?.split_whitespace();
            let state = fields.next()?.to_owned();
            Some(Process {
                pid,
                state,
                group: fields.nth(1)?.parse().ok()?,
                session: fields.next()?.parse().ok()?,
            })
        })
        .collect()
}

/// Runtimes that still exist: each has a thread of this name.
fn threads(pid: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the host lives");
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .filter(|name| name.trim() == "marsh-js")
        .count()
}

pub fn rss_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it says its size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("it is a number")
}
