//! Many runtimes come and go: nothing is left, nothing grows, nothing aborts.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and prepare files that marsh does not own"
)]

#[expect(dead_code, reason = "the other tests use the rest")]
#[path = "it/common.rs"]
mod common;

use common::{Fixture, alive, begin, call};
use serde_json::json;

fn rss_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn two_hundred_runtimes_with_pending_work_leave_nothing_behind() {
    let fixture = Fixture::new();
    let code = "
        const big = Array.from({ length: 20000 }, (_, i) => ({ i }));
        setInterval(() => big.push(1), 1000);
        setTimeout(() => {}, 1e6);
        AbortSignal.timeout(1e6).addEventListener('abort', () => {});
        new Deno.Command('sleep', { args: ['1000'] }).spawn();
        export const run = async (_, call) => {
            call.request('hang', {});
            call.signal.addEventListener('abort', () => {});
            new Deno.Command('sleep', { args: ['1000'] }).output();
            setTimeout(() => {}, 1e6);
            Deno.readTextFile('/etc/hostname');
            globalThis.leak = [crypto, new URL('http://x/'), structuredClone(new Map()), Deno.inspect({})];
            await new Promise(() => {});
        };";
    let mut after_40 = 0;
    for round in 0..200 {
        let runtime = fixture.load(code);
        let pending = begin(&runtime, "a", "run", json!({}));
        if round % 2 == 0 {
            fixture
                .until("the call runs", |fixture| fixture.noted("process/started").len() == 2 * (round + 1));
            runtime.close();
            assert!(pending.wait().is_err());
        } else {
            // Dropped without a word: the thread ends by itself.
            fixture
                .until("the call runs", |fixture| fixture.noted("process/started").len() == 2 * (round + 1));
            drop(runtime);
            assert!(pending.wait().is_err());
        }
        fixture.bridge.held.lock().unwrap().clear();
        if round == 40 {
            after_40 = rss_kib();
        }
    }
    for (_, note) in fixture.noted("process/started") {
        fixture.until("every child is gone", |_| !alive(note["pgid"].as_i64().unwrap()));
    }
    fixture.until("every runtime thread is gone", |_| threads("marsh-js") == 0);
    let grown = rss_kib() - after_40;
    assert!(grown < 6 * 1024, "{grown} KiB in 160 runtimes");
}

fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .filter(|comm| comm.trim() == name)
        .count()
}

#[test]
fn what_a_call_leaves_behind_waits_for_the_next_call() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "let ticks = 0;
         export const run = () => { setInterval(() => ticks++, 1); };
         export const ticked = async () => ticks;
         export const wait = async () => { const before = ticks; await new Promise((resolve) => setTimeout(resolve, 20)); return ticks > before; };",
    );
    call(&runtime, "run", json!({})).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert_eq!(call(&runtime, "ticked", json!({})).unwrap(), 0, "no call in flight, no timers");
    assert_eq!(call(&runtime, "wait", json!({})).unwrap(), true);
    assert_eq!(runtime.stats().calls_total, 3);
    assert!(runtime.stats().heap_bytes > 0);
    runtime.close();
}

#[test]
fn a_runtime_can_be_closed_from_its_own_callback() {
    let fixture = Fixture::new();
    let runtime = fixture.load("export const run = () => 1;");
    let (sender, receiver) = std::sync::mpsc::channel();
    let own = runtime.clone();
    let done = Box::new(move |result: Result<String, _>| {
        own.close();
        sender.send(result.unwrap()).unwrap();
    });
    runtime.call("a".to_owned(), "run".to_owned(), "{}".to_owned(), done);
    assert_eq!(receiver.recv_timeout(common::PATIENCE).unwrap(), "1");
}

#[test]
fn open_connections_files_and_streams_end_with_their_runtime() {
    // Accepts, and never says a word.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                drop(std::io::copy(&mut stream, &mut std::io::sink()));
            });
        }
    });
    let fixture = Fixture::new();
    let code = "
        import { createReadStream } from 'node:fs'; import { PassThrough } from 'node:stream'; import http from 'node:http'; import { DatabaseSync } from 'node:sqlite';
        export const run = async ({ port }) => {
            const base = `http://127.0.0.1:${port}/`;
            const pending = fetch(base); fetch(base, { method: 'POST', body: new ReadableStream({ pull() { return new Promise(() => {}); } }) });
            http.get(base).on('error', () => {}); AbortSignal.timeout(1e6).addEventListener('abort', () => {});
            const conn = await Deno.connect({ port }); conn.read(new Uint8Array(8)); const other = await Deno.connect({ port }); other.readable.getReader().read();
            new WebSocket(`ws://127.0.0.1:${port}/`); const server = Deno.serve({ port: 0, onListen() {} }, () => new Promise(() => {})); fetch(`http://127.0.0.1:${server.addr.port}/`).catch(() => {});
            const [held, waiting] = [0, 1].map(() => Deno.openSync('lock', { create: true, write: true })); held.lockSync(true); waiting.lock(true).catch(() => {});
            const db = new DatabaseSync('data.db'); db.exec('create table if not exists t(a)'); const kv = await Deno.openKv('store.kv'); await kv.set(['k'], 1); const memory = new WebAssembly.Memory({ initial: 4 }); new Uint8Array(memory.buffer)[9] = 9;
            const file = await Deno.open('f', { create: true, write: true }); createReadStream('f').pipe(new PassThrough());
            const zip = new CompressionStream('gzip'); zip.writable.getWriter().write(new Uint8Array(1e5));
            await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
            globalThis.kept = [db, kv, memory, memory.buffer, pending, conn, other, file, zip, new Response('x').body, structuredClone(1)];
            console.log('ready'); await pending;
        };";
    let mut early = (0, 0);
    for round in 0..60 {
        let runtime = fixture.load(code);
        let id = format!("c{round}");
        let call = begin(&runtime, &id, "run", json!({ "port": port }));
        fixture.until("the call runs", |fixture| !fixture.lines(&id, "stdout").is_empty());
        if round % 2 == 0 {
            runtime.close();
        } else {
            drop(runtime);
        }
        assert!(call.wait().is_err());
        if round == 20 {
            early = (rss_kib(), descriptors());
        }
    }
    fixture.until("every runtime thread is gone", |_| threads("marsh-js") == 0);
    fixture.until("every connection is closed", |_| descriptors() <= early.1);
    let grown = rss_kib() - early.0;
    assert!(grown < 6 * 1024, "{grown} KiB in 40 runtimes");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
