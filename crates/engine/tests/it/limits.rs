//! A module cannot take more than it is given: time, memory, stack, output. What fails is one call, never the process.

use std::time::{Duration, Instant};

use crate::common::{Fixture, alive, begin, call, loaded};
use marsh_engine::{EngineError, EngineErrorKind, ModuleRuntime};
use serde_json::json;

fn deadline() -> EngineError {
    EngineError::new(EngineErrorKind::Deadline, "took too long")
}

/// Interrupt `op` once it has said that it runs; it must end with the given error, at once.
fn interrupted(fixture: &Fixture, runtime: &ModuleRuntime, op: &str) {
    let pending = begin(runtime, op, op, json!({}));
    fixture.until("the call runs", |fixture| !fixture.lines(op, "stdout").is_empty());
    let start = Instant::now();
    runtime.interrupt(op, deadline());
    let error = pending.wait().unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (EngineErrorKind::Deadline, "took too long"), "{op}");
    assert!(start.elapsed() < Duration::from_secs(2), "{op}");
    assert!(runtime.tainted());
    assert_eq!(call(runtime, op, json!({})).unwrap_err().kind, EngineErrorKind::Tainted);
}

#[test]
fn whatever_a_call_does_interrupt_ends_it_and_the_thread_ends_too() {
    const MODULE: &str = "
        export const busy = () => { console.log('on'); for (;;) { try { for (;;); } catch { console.log('caught') } finally { console.log('finally') } } };
        export const microtasks = async () => { console.log('on'); while (true) await Promise.resolve(); };
        export const thens = () => new Promise(() => { console.log('on'); const f = () => Promise.resolve().then(f); f(); f(); });
        export const nothing = () => { console.log('on'); return new Promise(() => {}); };
        export const timers = () => new Promise(() => { console.log('on'); setInterval(() => {}, 0); });
        export const sync = (_, call) => { console.log('on'); for (;;) try { call.requestSync('hang', {}) } catch { console.log('caught') } };
        export const regex = () => { console.log('on'); /(a+)+$/.test('a'.repeat(60) + 'b'); };
        export const child = async () => { console.log('on'); await new Deno.Command('sleep', { args: ['1000'] }).output(); };
        export const childSync = () => { console.log('on'); new Deno.Command('sleep', { args: ['1000'] }).outputSync(); };";
    for op in ["busy", "microtasks", "thens", "nothing", "timers", "sync", "regex", "child", "childSync"] {
        let fixture = Fixture::new();
        let runtime = fixture.load(MODULE);
        interrupted(&fixture, &runtime, op);
        let start = Instant::now();
        runtime.close();
        assert!(start.elapsed() < Duration::from_secs(2), "{op}: close took {:?}", start.elapsed());
        assert_eq!(fixture.lines(op, "stdout").len(), 1, "{op}");
        for (_, note) in fixture.noted("process/started") {
            fixture.until("the child is gone", |_| !alive(note["pgid"].as_i64().unwrap()));
        }
    }
}

#[test]
fn a_load_that_never_ends_can_be_closed_and_interrupted() {
    for code in ["for (;;);", "await new Promise(() => {})"] {
        let fixture = Fixture::new();
        let runtime = fixture.start(code);
        let waiting = begin(&runtime, "a", "run", json!({}));
        runtime.interrupt("a", deadline());
        assert_eq!(waiting.wait().unwrap_err().kind, EngineErrorKind::Deadline);
        let other = runtime.clone();
        let start = Instant::now();
        runtime.close();
        assert!(start.elapsed() < Duration::from_secs(2));
        assert_eq!(loaded(&other).unwrap_err().kind, EngineErrorKind::Closed);
    }
}

#[test]
fn other_calls_in_flight_finish_after_an_interrupt() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export const busy = () => { console.log('on'); for (;;); };
         export const slow = async () => { for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 5)); return 'done'; };",
    );
    let slow = begin(&runtime, "slow", "slow", json!({}));
    interrupted(&fixture, &runtime, "busy");
    assert_eq!(slow.wait().unwrap(), "done");
    runtime.close();
}

#[test]
fn a_request_that_does_not_fit_fails_alone_and_the_next_call_works() {
    let mut fixture = Fixture::new();
    fixture.limits.memory_bytes = 64 << 20;
    let runtime = fixture.load(
        "export const view = () => new Uint8Array(2 ** 31).length;
         export const view1g = () => new Uint8Array(2 ** 30).length;
         export const string = () => 'x'.repeat(2 ** 30).length;
         export const fine = () => 'fine';",
    );
    for op in ["view", "view1g", "string"] {
        let error = call(&runtime, op, json!({})).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::OutOfMemory, "{op}: {error:?}");
        assert_eq!(call(&runtime, "fine", json!({})).unwrap(), "fine", "after {op}");
    }
    assert!(!runtime.tainted());
    assert!(runtime.stats().heap_bytes < 32 << 20, "{:?}", runtime.stats());
    runtime.close();
}

#[test]
fn an_exhausted_heap_ends_the_call_and_with_it_the_runtime() {
    for body in [
        "for (;;) kept.push([kept.length]);",
        "const list = []; for (;;) list.push({});",
        "const list = []; for (;;) try { for (;;) list.push([list.length, `${list.length}`]); } catch {}",
        "const list = []; for (let i = 0; ; i++) { list.push('y'.repeat(100) + i); if (i % 1000 === 0) await null; }",
        "const again = () => { kept.push(new Array(100).fill(1)); return Promise.resolve().then(again); }; await again();",
    ] {
        let mut fixture = Fixture::new();
        fixture.limits.memory_bytes = 32 << 20;
        let runtime = fixture.load(&format!("const kept = []; export const run = async () => {{ {body} }};"));
        let error = call(&runtime, "run", json!({})).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::OutOfMemory, "{body}: {error:?}");
        assert_eq!(call(&runtime, "run", json!({})).unwrap_err().kind, EngineErrorKind::Tainted, "{body}");
        fixture.until("it has given its memory back", |_| runtime.probe().ended());
    }
}

#[test]
fn deep_recursion_is_a_stack_overflow_and_can_be_caught() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "const deep = (n) => 1 + deep(n + 1);
         export const run = () => deep(0);
         export const caught = () => { try { deep(0) } catch (error) { return error.name } };
         export const json = () => { let value = []; for (let i = 0; i < 200000; i++) value = [value]; return value; };
         export const parse = () => JSON.parse('['.repeat(1000000));
         export const regex = () => new RegExp('('.repeat(100000)).test('x');
         export const sort = () => { const f = () => [2, 1].sort(f); return f(); };
         export const proxy = () => { let p = {}; for (let i = 0; i < 100000; i++) p = new Proxy(p, {}); return p.x; };",
    );
    for op in ["run", "json", "sort"] {
        let error = call(&runtime, op, json!({})).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::StackOverflow, "{op}: {error:?}");
    }
    for op in ["parse", "regex", "proxy"] {
        call(&runtime, op, json!({})).ok();
    }
    assert_eq!(call(&runtime, "caught", json!({})).unwrap(), "RangeError");
    runtime.close();
}

#[test]
fn output_of_the_top_level_is_cut_like_that_of_a_call() {
    let mut fixture = Fixture::new();
    fixture.limits.output_bytes = 1000;
    let runtime = fixture.load(
        "for (let i = 0; i < 1000; i++) console.log('0123456789'); export const run = () => console.log('later');",
    );
    let lines = fixture.lines("", "stdout");
    assert_eq!(lines.len(), 1000 / 11 + 1, "{lines:?}");
    assert!(lines.last().unwrap().contains("cut"));
    call(&runtime, "run", json!({})).unwrap();
    assert_eq!(fixture.lines("call-run", "stdout"), ["later"], "a call has its own allowance");
    runtime.close();
}

#[test]
fn output_beyond_its_limit_is_cut_with_one_notice() {
    let mut fixture = Fixture::new();
    fixture.limits.output_bytes = 1000;
    let runtime = fixture.load("export const run = () => { for (let i = 0; i < 1000; i++) console.log('0123456789'); return 'done'; };");
    assert_eq!(call(&runtime, "run", json!({})).unwrap(), "done");
    let lines = fixture.lines("call-run", "stdout");
    assert_eq!(lines.len(), 1000 / 11 + 1, "{lines:?}");
    assert!(lines.last().unwrap().contains("cut"));
    runtime.close();
}
