//! Deno as the engine of a host: the same protocol, with a process for each module version.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a failure here is a failure of the test, and its files are fixtures"
)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use common::{Recorder, Scratch, run};
use marsh_host_client::protocol::{DenoProgram, LogLevel, OutputStream};
use marsh_host_client::{
    Call, CallError, CallbackError, Callbacks, CancelToken, ContextAnswer, ContextNotice, ContextRequest,
    ErrorKind, Host, HostError, Limits, ModuleEngine, ModuleRef, NoCallbacks,
};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(60);

/// The Deno of these tests, from the npm registry.
fn deno() -> ModuleEngine {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(installed).clone();
    ModuleEngine::Deno(DenoProgram { program, version: "of the tests".into() })
}

/// Where the binary's tests install theirs, too.
fn installed() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let cache =
        std::env::var_os("MARSH_TEST_CACHE").map_or_else(|| target.join("testkit-cache"), PathBuf::from);
    let dir = cache.join("home/engines/deno");
    let program = dir.join("2.9.6/deno");
    std::fs::create_dir_all(&dir).unwrap();
    let _lock = marsh_fs::lock_exclusive(&dir.join(".lock"), LONG, "test", &mut |_| {}).unwrap();
    if !program.is_file() {
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let package = match std::env::consts::OS {
            "macos" => format!("@deno/darwin-{arch}"),
            _ => format!("@deno/linux-{arch}-glibc"),
        };
        let staged = marsh_fs::StagedDir::new(&dir).unwrap();
        let chosen = marsh_bundle::choose_package(&package, "2.9.6", &dir, false).unwrap();
        chosen.fetch(staged.path()).unwrap();
        marsh_fs::set_mode(&staged.path().join("deno"), 0o755).unwrap();
        staged.publish(&dir.join("2.9.6")).unwrap();
    }
    program
}

trait InDeno {
    fn in_deno(&self, name: &str, methods: &str) -> ModuleRef;
}

impl InDeno for Scratch {
    fn in_deno(&self, name: &str, methods: &str) -> ModuleRef {
        ModuleRef { engine: deno(), ..self.module(name, methods) }
    }
}

fn call_error(result: Result<Value, HostError>) -> CallError {
    match result {
        Err(HostError::Call(error)) => error,
        other => panic!("not the error of a call: {other:?}"),
    }
}

/// The processes whose program is a Deno and whose ancestor is this test.
fn denos_below(parent: u32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut parents = vec![i32::try_from(parent).unwrap()];
    let all: Vec<(i32, i32, String)> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let (head, rest) = stat.rsplit_once(") ")?;
            let name = head.split_once('(')?.1.to_owned();
            let mut rest = rest.split_whitespace();
            let state = rest.next()?;
            (state != "Z").then_some(())?;
            Some((pid, rest.next()?.parse().ok()?, name))
        })
        .collect();
    while let Some(next) = parents.pop() {
        for (pid, parent, name) in &all {
            if *parent == next {
                parents.push(*pid);
                if name == "deno" {
                    found.push(*pid);
                }
            }
        }
    }
    found
}

fn is_running(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < until, "not within a minute: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn method_in_deno_runs_logs_prints_and_asks() {
    let scratch = Scratch::new();
    let module = scratch.in_deno(
        "all",
        "async go(_, context) {
           console.log('printed', { a: 1 });
           console.error('warned');
           Deno.stdout.writeSync(new TextEncoder().encode('written\\n'));
           context.logger.info('logged {n}', { n: 1 });
           await context.writeResource('out', 'r', { version: Deno.version.deno, wasm: typeof WebAssembly });
           const worker = (await import('node:worker_threads')).isMainThread;
           const cel = context.createCelEnvironment().evaluate('1 + 2');
           return { dataHandles: [{ name: `${worker} ${cel}` }] };
         }",
    );
    let recorder = Recorder::default();
    let value = run(&scratch.host(), &module, "go", LONG, &recorder).unwrap();
    assert_eq!(value["handles"][0]["name"], "true 3");
    let notices = recorder.notices.lock().unwrap();
    let lines: Vec<(OutputStream, &str)> = notices
        .iter()
        .filter_map(|notice| match notice {
            ContextNotice::Output(output) => Some((output.stream, output.line.as_str())),
            _ => None,
        })
        .collect();
    let expected = [
        (OutputStream::Stdout, "printed { a: 1 }"),
        (OutputStream::Stderr, "warned"),
        (OutputStream::Stdout, "written"),
    ];
    assert_eq!(lines, expected);
    assert!(notices.iter().any(|notice| matches!(notice,
        ContextNotice::Log(log) if log.message == "logged 1" && log.level == LogLevel::Info)));
    let requests = recorder.requests.lock().unwrap();
    let ContextRequest::WriteResource(write) = &requests[0] else { panic!("{requests:?}") };
    assert!(format!("{write:?}").contains("wasm"), "{write:?}");
}

/// Answers requests about vaults as a repository with one vault does.
struct Vaults;

impl Callbacks for Vaults {
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        match request {
            ContextRequest::VaultNames(_) => Ok(ContextAnswer::Document(json!(["local"]))),
            ContextRequest::VaultGet(_) => Ok(ContextAnswer::Text(Some("s3cret".into()))),
            other => {
                let mut error = CallbackError::new("refused", format!("{other:?} is refused"));
                error.data = Some(json!({ "why": 1 }));
                Err(error)
            }
        }
    }

    fn notice(&self, _notice: ContextNotice) {}
}

#[test]
fn synchronous_and_refused_requests_in_deno_are_answered() {
    let scratch = Scratch::new();
    let module = scratch.in_deno(
        "ask",
        "async go(_, context) {
           const names = context.vaultService.getVaultNames();
           const secret = await context.vaultService.get('local', 'k');
           let refused;
           try { await context.vaultService.delete('local', 'k'); } catch (error) { refused = error; }
           return { dataHandles: [{ name: `${names} ${secret} ${refused.code} ${refused.data.why}` }] };
         }",
    );
    let value = run(&scratch.host(), &module, "go", LONG, &Vaults).unwrap();
    assert_eq!(value["handles"][0]["name"], "local s3cret refused 1");
}

#[test]
fn error_in_deno_has_name_code_data_and_the_frames_of_the_module() {
    let scratch = Scratch::new();
    let module = scratch.in_deno(
        "fail",
        "go() { throw Object.assign(new TypeError('no\\nway'), { code: 'E_NO', data: { a: 1 } }); },
         late() { setTimeout(() => { throw new Error('in a timer'); }, 0); return new Promise(() => {}); },
         rejects() { Promise.reject(new Error('unheard')); return new Promise(() => {}); },
         exits() { Deno.exit(3); }, kills() { Deno.kill(Deno.pid, 'SIGKILL'); return new Promise(() => {}); }",
    );
    let host = scratch.host();
    let error = call_error(run(&host, &module, "go", LONG, &NoCallbacks));
    assert_eq!((error.kind, error.name.as_deref()), (ErrorKind::Threw, Some("TypeError")));
    assert_eq!((error.message.as_str(), error.code.as_deref()), ("no\nway", Some("E_NO")));
    assert_eq!(error.data, Some(json!({ "a": 1 })));
    let stack = error.stack.unwrap();
    assert!(stack.starts_with("    at ") && stack.contains(&format!("{}:", module.url)), "{stack}");
    assert!(stack.contains("marsh:shim"), "{stack}");
    let error = call_error(run(&host, &module, "late", LONG, &NoCallbacks));
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Threw, "in a timer"));
    let error = call_error(run(&host, &module, "rejects", LONG, &NoCallbacks));
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::UnhandledRejection, "unheard"));
    let error = call_error(run(&host, &module, "exits", LONG, &NoCallbacks));
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Exit, "extension called Deno.exit(3)"));
    let error = call_error(run(&host, &module, "kills", LONG, &NoCallbacks));
    assert_eq!(error.kind, ErrorKind::Internal);
    assert!(error.message.contains("Deno process has ended (signal: 9"), "{}", error.message);
    // Each call after such an end gets a process of its own.
    let error = call_error(run(&host, &module, "go", LONG, &NoCallbacks));
    assert_eq!(error.code.as_deref(), Some("E_NO"));
}

#[test]
fn module_that_does_not_load_in_deno_fails_its_calls_with_the_location() {
    let scratch = Scratch::new();
    let host = scratch.host();
    let module = scratch.in_deno("syntax", "go() { const a b; }");
    let error = call_error(run(&host, &module, "go", LONG, &NoCallbacks));
    assert_eq!(error.kind, ErrorKind::Syntax, "{error:?}");
    assert_eq!(error.data.unwrap()["file"], module.url);
    let module = scratch.in_deno("top", "}); throw new Error('top'); ({ ");
    let error = call_error(run(&host, &module, "go", LONG, &NoCallbacks));
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Load, "top"));
    let module = scratch.in_deno("brace", "go() { ");
    let error = call_error(run(&host, &module, "go", LONG, &NoCallbacks));
    assert_eq!(error.kind, ErrorKind::Syntax, "{error:?}");
    assert_eq!(error.data.unwrap()["file"], module.url);
}

fn cancelled_after(host: &Host, module: &ModuleRef, method: &str, grace: Duration) -> CallError {
    let cancel = CancelToken::new();
    let call = Call {
        operation: common::operation(method),
        deadline: LONG,
        cancel: &cancel,
        grace,
        trace_parent: None,
    };
    let callbacks = CancelAtLog(&cancel);
    call_error(host.call(module, &call, &callbacks).map(|answer| serde_json::from_str(answer.get()).unwrap()))
}

struct CancelAtLog<'a>(&'a CancelToken);

impl Callbacks for CancelAtLog<'_> {
    fn request(&self, _request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        Ok(ContextAnswer::Nothing)
    }

    fn notice(&self, notice: ContextNotice) {
        if matches!(notice, ContextNotice::Log(_)) {
            self.0.cancel("enough");
        }
    }
}

#[test]
fn call_in_deno_ends_when_it_is_cancelled_and_at_its_deadline() {
    let scratch = Scratch::new();
    let module = scratch.in_deno(
        "stop",
        "go(_, context) {
           context.logger.info('here');
           return new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)));
         },
         deaf(_, context) { context.logger.info('here'); return new Promise(() => {}); },
         loop(_, context) { context.logger.info('here'); for (;;); },
         quick() {}",
    );
    let host = scratch.host();
    for method in ["go", "deaf", "loop"] {
        let error = cancelled_after(&host, &module, method, Duration::from_millis(100));
        assert_eq!(error.kind, ErrorKind::Cancelled, "{method}: {error:?}");
    }
    let before = Instant::now();
    let error = call_error(run(&host, &module, "loop", Duration::from_millis(300), &NoCallbacks));
    assert_eq!(error.kind, ErrorKind::Deadline);
    assert!(before.elapsed() < Duration::from_secs(30));
    run(&host, &module, "quick", LONG, &NoCallbacks).unwrap();
    eventually("one process is left", || denos_below(host.pid()).len() == 1);
}

#[test]
fn other_calls_in_deno_finish_when_one_that_waits_misses_its_deadline() {
    let scratch = Scratch::new();
    let module = scratch.in_deno(
        "both",
        "stuck() { return new Promise(() => {}); },
         async slow(_, context) {
           context.logger.info('here');
           for (let i = 0; i < 100; i++) await new Promise((resolve) => setTimeout(resolve, 20));
         }",
    );
    let host = scratch.host();
    run(&host, &module, "stuck", Duration::from_millis(1), &NoCallbacks).unwrap_err();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| run(&host, &module, "slow", LONG, &NoCallbacks));
        eventually("the slow call runs", || {
            host.stats().unwrap().modules.iter().any(|module| module.in_flight == 1)
        });
        let error = call_error(run(&host, &module, "stuck", Duration::from_millis(200), &NoCallbacks));
        assert_eq!(error.kind, ErrorKind::Deadline);
        slow.join().unwrap().unwrap();
    });
}

#[test]
fn memory_beyond_the_limit_ends_the_process_in_deno_alone() {
    let scratch = Scratch::new();
    let methods = "heap() { const all = []; for (let i = 0;; i++) all.push({ i, text: 'x' + i }); },
                   async buffers() { const all = []; for (;;) { all.push(new Uint8Array(32 << 20).fill(1)); await 1; } },
                   quick() {}";
    let limits = Limits { memory_bytes: 64 << 20, ..Limits::default() };
    let module = ModuleRef { limits, ..scratch.in_deno("memory", methods) };
    let host = scratch.host();
    for method in ["heap", "buffers"] {
        let error = call_error(run(&host, &module, method, LONG, &NoCallbacks));
        assert_eq!(error.kind, ErrorKind::OutOfMemory, "{method}: {error:?}");
    }
    run(&host, &module, "quick", LONG, &NoCallbacks).unwrap();
}

#[test]
fn output_in_deno_belongs_to_its_call_and_ends_at_its_limit() {
    let scratch = Scratch::new();
    let methods = "async talk() { for (let i = 0; i < 3000; i++) { console.log('x'.repeat(99)); if (i % 100 === 0) await 1; } },
                   async quiet() { for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 1)); }";
    let limits = Limits { output_bytes: 100_000, ..Limits::default() };
    let module = ModuleRef { limits, ..scratch.in_deno("output", methods) };
    let host = scratch.host();
    let (talk, quiet) = (Recorder::default(), Recorder::default());
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(&host, &module, "quiet", LONG, &quiet));
        run(&host, &module, "talk", LONG, &talk).unwrap();
        other.join().unwrap().unwrap();
    });
    let lines = |recorder: &Recorder| {
        let notices = recorder.notices.lock().unwrap();
        notices.iter().filter(|notice| matches!(notice, ContextNotice::Output(_))).count()
    };
    assert_eq!(lines(&quiet), 0);
    // The report that the method starts counts, too: 999 lines, and the notice that the rest is cut.
    assert_eq!(lines(&talk), 1000);
}

#[test]
fn module_that_finds_the_channel_cannot_forge_an_answer() {
    let scratch = Scratch::new();
    let module = scratch.in_deno(
        "forge",
        "go() {
           for (const { name } of Deno.readDirSync('/proc/self/fd')) {
             try {
               // Its name goes as soon as both sides have opened it.
               if (!/\\/out( \\(deleted\\))?$/.test(Deno.readLinkSync(`/proc/self/fd/${name}`))) continue;
               Deno.writeTextFileSync(`/proc/self/fd/${name}`, '{\"word\":\"done\",\"call\":\"c1\",\"json\":{}}\\n');
             } catch { /* not this one */ }
           }
           return new Promise(() => {});
         }",
    );
    let error = call_error(run(&scratch.host(), &module, "go", LONG, &NoCallbacks));
    assert!(error.message.contains("wrote into the channel"), "{}", error.message);
}

#[test]
fn no_deno_survives_the_death_of_its_host() {
    let scratch = Scratch::new();
    let module = scratch.in_deno("spin", "loop(_, context) { context.logger.info('here'); for (;;); }");
    let host = scratch.host();
    let pid = host.pid();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&host, &module, "loop", LONG, &NoCallbacks));
        eventually("Deno runs", || !denos_below(pid).is_empty());
        let denos = denos_below(pid);
        let raw = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::kill_process(raw, rustix::process::Signal::KILL).unwrap();
        running.join().unwrap().unwrap_err();
        eventually("no Deno is left", || denos.iter().all(|pid| !is_running(*pid)));
    });
}

#[test]
fn deno_that_is_not_there_is_named() {
    let scratch = Scratch::new();
    let program = PathBuf::from("/nowhere/deno");
    let engine = ModuleEngine::Deno(DenoProgram { program, version: "2.9.6".into() });
    let module = ModuleRef { engine, ..scratch.module("none", "go() {}") };
    // A host elsewhere uses a Deno on its own PATH; this machine may have one.
    if std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join("deno").is_file()) {
        return;
    }
    let error = call_error(run(&scratch.host(), &module, "go", LONG, &NoCallbacks));
    assert_eq!(error.code.as_deref(), Some("no_deno"));
    assert!(error.message.contains("/nowhere/deno"), "{}", error.message);
}

/// The next version of a module, in a file of its own.
fn version(scratch: &Scratch, number: u64) -> ModuleRef {
    let methods = format!(
        "async go(_, context) {{
           await new Promise((resolve) => setTimeout(resolve, 5));
           return {{ dataHandles: [{{ name: 'v{number}' }}] }};
         }}"
    );
    let module = scratch.in_deno(&format!("v{number}"), &methods);
    ModuleRef { url: module.url.replace("fp=1", &format!("fp={number}")), ..module }
}

#[test]
fn calls_during_reloads_in_deno_all_succeed_and_old_processes_end() {
    let scratch = Scratch::new();
    let host = scratch.host();
    let hosts = &scratch.hosts;
    let first = version(&scratch, 0);
    hosts.advance("line", hosts.ticket(), "local", &first.url);
    let newest = Mutex::new(first);
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    // `MARSH_TEST_RELOADS=100` for the figure in docs/internals/engines.md.
    let reloads: u64 = std::env::var("MARSH_TEST_RELOADS").map_or(10, |count| count.parse().unwrap());
    let resident = || host.stats().unwrap().rss_bytes.unwrap_or(0) >> 10;
    let settled = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let module = newest.lock().unwrap().clone();
                        let value = run(&host, &module, "go", LONG, &NoCallbacks).unwrap();
                        let stem = module.path.file_stem().and_then(|stem| stem.to_str()).unwrap();
                        assert_eq!(value["handles"][0]["name"], stem);
                        calls.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for number in 1..=reloads {
            let ticket = hosts.ticket();
            let module = version(&scratch, number);
            run(&host, &module, "go", LONG, &NoCallbacks).unwrap();
            *newest.lock().unwrap() = module.clone();
            hosts.advance("line", ticket, "local", &module.url);
            let before = calls.load(Ordering::Relaxed);
            eventually("calls go on", || calls.load(Ordering::Relaxed) > before + 5);
            if number == 5 {
                settled.store(resident(), Ordering::Relaxed);
            }
        }
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().unwrap();
        }
    });
    eventually("one process is left", || denos_below(host.pid()).len() == 1);
    let (settled, end) = (settled.into_inner(), resident());
    println!(
        "{reloads} reloads, {} calls, host {settled} kB after 5, {end} kB at the end",
        calls.into_inner()
    );
    assert!(end < settled + (8 << 10), "the host grew from {settled} kB to {end} kB");
    let stats = host.stats().unwrap();
    assert_eq!((stats.runtimes_started - stats.runtimes_ended, stats.leaked_bytes), (1, 0));
    let run_dir = Path::new(scratch.dir.path()).join("deno").join("run");
    assert_eq!(std::fs::read_dir(run_dir).unwrap().count(), 0);
}
