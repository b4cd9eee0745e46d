//! Which module versions a real host process holds, and that nothing of an old one stays.

#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use marsh_host_client::protocol::Run;
use marsh_host_client::{
    Call, CallbackError, Callbacks, CancelToken, ContextAnswer, ContextNotice, ContextRequest, Host,
    HostCommand, HostError, HostStats, Hosts, Limits, ModuleEngine, ModuleRef, ModuleState, Retention,
};
use marsh_types::Digest;
use serde_json::json;

const LINE: &str = "m.js";

struct Scratch {
    dir: tempfile::TempDir,
    hosts: Hosts,
}

impl Scratch {
    fn new(retention: Retention) -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let test = std::env::current_exe().unwrap();
        let target: PathBuf = test.parent().unwrap().parent().unwrap().into();
        let program = target.join("examples").join(format!("host_process{}", std::env::consts::EXE_SUFFIX));
        let command = HostCommand {
            program,
            args: Vec::new(),
            bytecode_cache: Some(dir.path().join("bytecode")),
            cwd: None,
        };
        Scratch { dir, hosts: Hosts::new(command).with_retention(retention) }
    }

    fn host(&self) -> Arc<Host> {
        self.hosts.get("local").unwrap()
    }

    /// A version of a module that says `text`, after asking for leave to go on; `ballast` is what it keeps in memory.
    #[expect(clippy::disallowed_methods, reason = "a test writes its fixture")]
    fn version(&self, text: &str, ballast: usize) -> ModuleRef {
        let path = self.dir.path().join(format!("{text}.js"));
        let code = format!(
            "const any = {{ _def: {{}}, parse: (x) => x, safeParse: (x) => ({{ success: true, data: x }}) }};\n\
             const ballast = new Array({ballast}).fill(0).map((_, i) => ({{ i, text: 'x' + i }}));\n\
             export const model = {{ type: '@test/m', version: '2026.01.01.1', resources: {{}}, methods: {{\n\
               say: {{ description: 's', kind: 'read', arguments: any, execute: async (_, context) => {{\n\
                 await context.readResource('leave');\n\
                 throw new Error('{text} ' + ballast.length);\n\
               }} }} }} }};\n"
        );
        std::fs::write(&path, &code).unwrap();
        ModuleRef {
            url: format!("file://{}/m.js?fp={text}", self.dir.path().display()),
            sha256: Digest::of(code.as_bytes()).to_hex(),
            path,
            externals: Vec::new(),
            limits: Limits::default(),
            engine: ModuleEngine::default(),
        }
    }

    /// The same with functions up to half a megabyte.
    #[expect(clippy::disallowed_methods, reason = "a test writes its fixture")]
    fn large_version(&self, text: &str) -> ModuleRef {
        let mut version = self.version(text, 1000);
        let mut code = std::fs::read_to_string(&version.path).unwrap();
        let mut count = 0;
        while code.len() < 500 << 10 {
            code.push_str(&format!(
                "export function step{count}(input) {{ const found = []; for (const [key, value] of Object.entries(input)) \
                 {{ if (typeof value === 'string') found.push(`${{key}}: ${{value}} of {text} {count}`); }} return found; }}\n"
            ));
            count += 1;
        }
        std::fs::write(&version.path, &code).unwrap();
        version.sha256 = Digest::of(code.as_bytes()).to_hex();
        version
    }

    fn advance(&self, module: &ModuleRef) {
        self.hosts.advance(LINE, self.hosts.ticket(), "local", &module.url);
    }
}

/// What a call said, by way of its error: modules without zod have no results.
fn say(host: &Host, module: &ModuleRef, callbacks: &dyn Callbacks) -> String {
    let params = json!({
        "method": "say", "type": "@test/m",
        "definition": { "id": "d", "name": "n", "version": 1, "tags": {}, "typeVersion": "2026.01.01.1" },
        "globalArguments": {}, "storedGlobalArguments": {}, "methodArguments": {}, "checks": {}, "repoDir": "/",
    });
    let cancel = CancelToken::new();
    let deadline = Duration::from_secs(60);
    let operation = serde_json::from_value::<Run>(params).unwrap().into();
    let call = Call { operation, deadline, cancel: &cancel, grace: Duration::ZERO, trace_parent: None };
    match host.call(module, &call, callbacks) {
        Err(HostError::Call(error)) => error.message,
        other => panic!("{other:?}"),
    }
}

struct AtOnce;

impl Callbacks for AtOnce {
    fn request(&self, _request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        Ok(ContextAnswer::Nothing)
    }

    fn notice(&self, _notice: ContextNotice) {}
}

/// Stops a call in its middle.
struct Gate {
    reached: std::sync::mpsc::Sender<()>,
    leave: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Callbacks for Gate {
    fn request(&self, _request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        self.reached.send(()).unwrap();
        self.leave.lock().unwrap().recv().unwrap();
        Ok(ContextAnswer::Nothing)
    }

    fn notice(&self, _notice: ContextNotice) {}
}

/// Threads end a moment after they were told to.
fn eventually(host: &Host, what: &str, holds: impl Fn(&HostStats) -> bool) -> HostStats {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let stats = host.stats().unwrap();
        if holds(&stats) {
            return stats;
        }
        assert!(Instant::now() < until, "waited for {what}: {stats:#?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn instance(host: &Host, module: &ModuleRef) -> Option<u64> {
    let stats = host.stats().unwrap();
    let serving = |found: &&marsh_host_client::ModuleStats| {
        found.url == module.url && found.state == ModuleState::Serving
    };
    stats.modules.iter().find(serving).map(|found| found.instance)
}

#[test]
fn module_with_the_same_fingerprint_is_the_very_same_version() {
    let scratch = Scratch::new(Retention::default());
    let host = scratch.host();
    let one = scratch.version("one", 1);
    scratch.advance(&one);
    assert_eq!(say(&host, &one, &AtOnce), "one 1");
    let first = instance(&host, &one).unwrap();
    for _ in 0..5 {
        scratch.advance(&one);
        say(&host, &one, &AtOnce);
    }
    assert_eq!(instance(&host, &one), Some(first));
    assert_eq!(host.stats().unwrap().runtimes_started, 1);
    let two = scratch.version("two", 1);
    scratch.advance(&two);
    assert_eq!(say(&host, &two, &AtOnce), "two 1");
    assert_ne!(instance(&host, &two), Some(first));
}

#[test]
fn calls_in_flight_finish_on_the_old_version_and_then_nothing_of_it_stays() {
    let scratch = Scratch::new(Retention::default());
    let host = scratch.host();
    let (one, two) = (scratch.version("one", 1000), scratch.version("two", 1));
    scratch.advance(&one);
    let (reached, is_there) = channel();
    let (go, leave) = channel();
    std::thread::scope(|scope| {
        let gate = Gate { reached, leave: leave.into() };
        let old = scope.spawn(|| {
            let gate = gate;
            say(&host, &one, &gate)
        });
        is_there.recv().unwrap();
        scratch.advance(&two);
        assert_eq!(say(&host, &two, &AtOnce), "two 1");
        // Both are there, side by side.
        assert_eq!(host.stats().unwrap().modules.len(), 2);
        go.send(()).unwrap();
        assert_eq!(old.join().unwrap(), "one 1000");
    });
    let stats = eventually(&host, "the old version to go", |stats| stats.modules.len() == 1);
    assert_eq!(stats.modules[0].url, two.url);
    assert_eq!((stats.runtimes_ended, stats.leaked_bytes), (1, 0), "{stats:#?}");
}

/// A call that resolved a version a moment before the edit still gets it, and it does not stay.
#[test]
fn late_call_of_an_old_version_is_served_by_it() {
    let scratch = Scratch::new(Retention::default());
    let host = scratch.host();
    let (one, two) = (scratch.version("one", 1), scratch.version("two", 1));
    scratch.advance(&one);
    say(&host, &one, &AtOnce);
    scratch.advance(&two);
    say(&host, &two, &AtOnce);
    let newest = instance(&host, &two);
    assert_eq!(say(&host, &one, &AtOnce), "one 1");
    eventually(&host, "only the newest to stay", |stats| stats.modules.len() == 1);
    assert_eq!(instance(&host, &two), newest);
}

#[test]
fn older_look_does_not_undo_a_newer_one() {
    let scratch = Scratch::new(Retention::default());
    let (one, two) = (scratch.version("one", 1), scratch.version("two", 1));
    let earlier = scratch.hosts.ticket();
    scratch.advance(&two);
    scratch.hosts.advance(LINE, earlier, "local", &one.url);
    assert_eq!(scratch.hosts.line(LINE).unwrap().url, two.url);
}

/// Two equal files are one version, which stays as long as one of them does.
#[test]
fn version_of_two_lines_stays_until_both_are_closed() {
    let scratch = Scratch::new(Retention::default());
    let host = scratch.host();
    let (one, two) = (scratch.version("one", 1), scratch.version("two", 1));
    scratch.advance(&one);
    scratch.hosts.advance("copy.js", scratch.hosts.ticket(), "local", &one.url);
    say(&host, &one, &AtOnce);
    let shared = instance(&host, &one);
    scratch.advance(&two);
    say(&host, &one, &AtOnce);
    assert_eq!(instance(&host, &one), shared);
    scratch.hosts.close_line("copy.js");
    eventually(&host, "the last to go", |stats| stats.modules.is_empty());
}

#[test]
fn versions_are_evicted_on_demand_and_beyond_the_limit() {
    let scratch = Scratch::new(Retention { idle_versions: 3, ..Retention::default() });
    let host = scratch.host();
    let versions: Vec<ModuleRef> = (0..6).map(|i| scratch.version(&format!("v{i}"), 1)).collect();
    for version in &versions {
        say(&host, version, &AtOnce);
    }
    let stats = eventually(&host, "the least recently used to go", |stats| stats.modules.len() == 3);
    let left: Vec<&String> = stats.modules.iter().map(|module| &module.url).collect();
    assert_eq!(left, [&versions[3].url, &versions[4].url, &versions[5].url]);

    scratch.advance(&versions[5]);
    let before = instance(&host, &versions[5]);
    assert!(scratch.hosts.evict(LINE));
    eventually(&host, "the evicted one to go", |stats| stats.modules.len() == 2);
    assert_eq!(say(&host, &versions[5], &AtOnce), "v5 1");
    assert_ne!(instance(&host, &versions[5]), before);
}

#[test]
fn idle_versions_go_when_all_heaps_together_are_too_large() {
    let one_of_them = 60_000;
    let scratch = Scratch::new(Retention { heap_bytes: 16 << 20, weigh: true, ..Retention::default() });
    let host = scratch.host();
    for i in 0..6 {
        let version = scratch.version(&format!("v{i}"), one_of_them);
        assert_eq!(say(&host, &version, &AtOnce), format!("v{i} {one_of_them}"));
    }
    let heap = |stats: &HostStats| stats.modules.iter().map(|module| module.heap_bytes).sum::<u64>();
    let stats = eventually(&host, "heaps within the limit", |stats| heap(stats) <= 16 << 20);
    assert!(!stats.modules.is_empty() && stats.modules.len() < 6, "{stats:#?}");
}

#[test]
fn host_without_versions_ends() {
    let scratch = Scratch::new(Retention::default());
    let host = scratch.host();
    let one = scratch.version("one", 1);
    scratch.advance(&one);
    say(&host, &one, &AtOnce);
    scratch.hosts.end_idle();
    assert!(host.is_alive(), "it holds a version");
    scratch.hosts.close_line(LINE);
    let pid = host.pid();
    drop(host);
    scratch.hosts.end_idle();
    assert!(scratch.hosts.pids().is_empty());
    assert_ne!(scratch.host().pid(), pid);
}

#[test]
fn hundred_reloads_leave_one_runtime_and_no_heap() {
    let scratch = Scratch::new(Retention::default());
    let host = scratch.host();
    for i in 0..100 {
        let version = scratch.version(&format!("v{i}"), 1000);
        scratch.advance(&version);
        assert_eq!(say(&host, &version, &AtOnce), format!("v{i} 1000"));
    }
    let stats = eventually(&host, "one version to be left", |stats| stats.modules.len() == 1);
    assert_eq!((stats.runtimes_started, stats.runtimes_ended, stats.leaked_bytes), (100, 99, 0));
}

/// Half a megabyte of source, and objects as schemas would leave them; eight contents in turn, so that the version that is
/// loaded is never the one that comes next.
#[test]
fn memory_is_flat_over_a_thousand_reloads_of_half_a_megabyte() {
    const CONTENTS: usize = 8;
    const GROWTH: u64 = 5 << 20;
    let scratch = Scratch::new(Retention::default());
    let host = scratch.host();
    let versions: Vec<ModuleRef> = (0..CONTENTS).map(|i| scratch.large_version(&format!("v{i}"))).collect();
    let measure = || {
        let stats = eventually(&host, "one version to be left", |stats| stats.modules.len() == 1);
        assert_eq!(stats.leaked_bytes, 0);
        (stats.rss_bytes.unwrap_or_default(), stats.modules[0].heap_bytes)
    };
    let reload = |i: usize| {
        let version = &versions[i % CONTENTS];
        scratch.advance(version);
        assert_eq!(say(&host, version, &AtOnce), format!("v{} 1000", i % CONTENTS));
    };
    (0..5 * CONTENTS).for_each(reload);
    let (rss, heap) = measure();
    for (from, to) in [(0, 100), (100, 1000)] {
        (from..to).for_each(reload);
        let (rss_now, heap_now) = measure();
        assert!(rss_now.saturating_sub(rss) <= GROWTH, "after {to} reloads: {rss} bytes became {rss_now}");
        assert!(
            heap_now.saturating_sub(heap) <= GROWTH,
            "after {to} reloads: {heap} bytes became {heap_now}"
        );
    }
    assert_eq!(host.stats().unwrap().runtimes_ended, 1039);
}
