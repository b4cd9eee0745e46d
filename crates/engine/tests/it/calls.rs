//! Loading a module and calling it: results, errors, the bridge, attribution.

use crate::common::{Fixture, begin, call, loaded, run, run_body};
use marsh_engine::{EngineErrorKind, engine_version};
use serde_json::{Value, json};

#[test]
fn a_call_returns_json() {
    assert_eq!(
        run_body("return { sum: 1 + 2, url: import.meta.url.slice(-7) }"),
        json!({ "sum": 3, "url": "?fp=abc" })
    );
    assert_eq!(run_body("return undefined"), Value::Null);
}

#[test]
fn calls_interleave_at_their_awaits() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "let open; const gate = new Promise((resolve) => { open = resolve; });
         export const wait = async () => { await gate; return 'waited'; };
         export const release = () => { open(); return 'released'; };",
    );
    let waiting = begin(&runtime, "a", "wait", json!({}));
    assert_eq!(begin(&runtime, "b", "release", json!({})).wait().unwrap(), "released");
    assert_eq!(waiting.wait().unwrap(), "waited");
    runtime.close();
}

#[test]
fn a_thrown_error_keeps_name_code_data_stack_and_place() {
    let error = run("
         export function run() {
            throw Object.assign(new Error('bad thing'), { name: 'Odd', code: 'E_ODD', data: { n: 1 } });
         }")
    .unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (EngineErrorKind::Threw, "bad thing"));
    assert_eq!((error.name.as_deref(), error.code.as_deref()), (Some("Odd"), Some("E_ODD")));
    assert_eq!(error.data, Some(json!({ "n": 1 })));
    let place = error.location.unwrap();
    assert!(place.file.ends_with("bundle.js?fp=abc"), "{place:?}");
    assert_eq!(place.line, 3);
}

#[test]
fn load_errors_say_what_and_where_and_reach_every_call() {
    for (code, kind, text) in [
        ("export const a = ;", EngineErrorKind::Syntax, "unexpected"),
        ("throw new Error('at the top')", EngineErrorKind::Load, "at the top"),
        ("import 'npm:absent@1'", EngineErrorKind::Load, "npm:absent@1"),
        ("import 'marsh:core'", EngineErrorKind::Load, "marsh:core"),
        ("Deno.exit(3)", EngineErrorKind::Exit, "Deno.exit(3)"),
    ] {
        let fixture = Fixture::new();
        let runtime = fixture.start(code);
        let error = loaded(&runtime).unwrap_err();
        assert_eq!(error.kind, kind, "{code}: {error:?}");
        assert!(error.message.contains(text), "{code}: {error:?}");
        assert_eq!(call(&runtime, "run", json!({})).unwrap_err().kind, kind);
        runtime.close();
    }
}

#[test]
fn top_level_await_and_externals_load() {
    let mut fixture = Fixture::new();
    fixture.external("npm:zod@4.3.6", "export const z = 'zod'; export const unused = 1;");
    fixture.external("npm:other@1", "throw new Error('never imported, never run')");
    let runtime = fixture.load(
        "import { z } from 'npm:zod@4.3.6';
         const late = await new Promise((resolve) => setTimeout(resolve, 1, 'late'));
         export const run = (_, call, api) => [z, late, Object.keys(api.externals), api.externals['npm:zod@4.3.6'].z, api.engineVersion];",
    );
    assert_eq!(
        call(&runtime, "run", json!({})).unwrap(),
        json!(["zod", "late", ["npm:zod@4.3.6"], "zod", engine_version()])
    );
    runtime.close();
}

#[test]
fn the_bridge_answers_asynchronously_and_synchronously() {
    let value = run_body(
        "const a = await call.request('echo', { x: 1 });
         const b = call.requestSync('echo', [2]);
         const errors = [];
         try { await call.request('other', {}) } catch (error) { errors.push([error instanceof Error, error.code, error.data, error.message]) }
         try { call.requestSync('other', {}) } catch (error) { errors.push(error.code) }
         return [a, b, errors, call.id];",
    );
    let failed = json!([[true, "NOPE", { "method": "other" }, "no method other"], "NOPE"]);
    assert_eq!(value, json!([{ "x": 1 }, [2], failed, "call-run"]));
}

#[test]
fn output_and_notices_name_their_call_even_when_calls_overlap() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export async function run(name, call) {
            console.log('start', name);
            for (let i = 0; i < 3; i++) {
                await new Promise((resolve) => setTimeout(resolve, 2));
                console.error(name, i);
            }
            call.notify('custom', { name });
        }",
    );
    let calls: Vec<_> = ["a", "b", "c"].map(|id| begin(&runtime, id, "run", json!(id))).into();
    for pending in calls {
        pending.wait().unwrap();
    }
    for id in ["a", "b", "c"] {
        assert_eq!(fixture.lines(id, "stdout"), [format!("start {id}")]);
        assert_eq!(fixture.lines(id, "stderr"), [0, 1, 2].map(|i| format!("{id} {i}")));
        assert!(fixture.noted("custom").contains(&(id.to_owned(), json!({ "name": id }))));
    }
    runtime.close();
}

#[test]
fn cancel_aborts_the_signal_with_the_reason() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export const run = (_, { signal }) => new Promise((_, reject) => {
            console.log('ready');
            signal.addEventListener('abort', () => reject(signal.reason));
        });
        export const graceful = (_, { signal }) => new Promise((resolve) => {
            console.log('ready');
            signal.addEventListener('abort', () => resolve('tidy'));
        });",
    );
    let pending = begin(&runtime, "a", "run", json!({}));
    fixture.until("a runs", |fixture| !fixture.lines("a", "stdout").is_empty());
    runtime.cancel("a", "no longer wanted");
    let error = pending.wait().unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (EngineErrorKind::Cancelled, "no longer wanted"));
    let pending = begin(&runtime, "b", "graceful", json!({}));
    fixture.until("b runs", |fixture| !fixture.lines("b", "stdout").is_empty());
    runtime.cancel("b", "");
    assert_eq!(pending.wait().unwrap(), "tidy");
    assert!(!runtime.tainted());
    runtime.close();
}

#[test]
fn exit_ends_all_calls_and_nothing_after_it_runs() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export const hang = () => new Promise(() => {});
         export const run = () => { try { Deno.exit(3) } catch { console.log('caught') } finally { console.log('finally') } };",
    );
    let hanging = begin(&runtime, "hang", "hang", json!({}));
    let error = begin(&runtime, "a", "run", json!({})).wait().unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (EngineErrorKind::Exit, "extension called Deno.exit(3)")
    );
    assert_eq!(hanging.wait().unwrap_err().kind, EngineErrorKind::Exit);
    assert!(runtime.tainted());
    assert_eq!(call(&runtime, "run", json!({})).unwrap_err().kind, EngineErrorKind::Tainted);
    assert!(fixture.lines("a", "stdout").is_empty());
    runtime.close();
}

#[test]
fn an_unhandled_rejection_fails_the_call_it_belongs_to() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export async function bad() { Promise.reject(new TypeError('lost')); await new Promise(() => {}); }
         export async function good() { await new Promise((resolve) => setTimeout(resolve, 30)); return 'fine'; }
         export async function late() { const p = Promise.reject(new Error('x')); await null; try { await p } catch { return 'handled in time' } }
         export async function after() { setTimeout(() => Promise.reject(new Error('afterwards')), 1); }
         export async function thrower() { setTimeout(() => { throw new RangeError('in a timer') }, 1); await new Promise(() => {}); }",
    );
    let good = begin(&runtime, "good", "good", json!({}));
    let error = begin(&runtime, "bad", "bad", json!({})).wait().unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (EngineErrorKind::UnhandledRejection, "lost"));
    assert_eq!(call(&runtime, "late", json!({})).unwrap(), "handled in time");
    assert_eq!(good.wait().unwrap(), "fine");
    call(&runtime, "after", json!({})).unwrap();
    // Its timer fires during the next call, and harms no call.
    assert_eq!(call(&runtime, "good", json!({})).unwrap(), "fine");
    assert_eq!(fixture.noted("log").len(), 1, "{:?}", fixture.noted("log"));
    assert_eq!(call(&runtime, "thrower", json!({})).unwrap_err().name.as_deref(), Some("RangeError"));
    assert!(!runtime.tainted());
    runtime.close();
}

#[test]
fn a_call_id_in_use_is_refused_and_close_answers_everybody() {
    let fixture = Fixture::new();
    let runtime = fixture.load("export const run = () => new Promise(() => {});");
    let first = begin(&runtime, "a", "run", json!({}));
    assert_eq!(begin(&runtime, "a", "run", json!({})).wait().unwrap_err().kind, EngineErrorKind::Internal);
    assert_eq!(runtime.in_flight(), 1);
    let other = runtime.clone();
    runtime.close();
    assert_eq!(first.wait().unwrap_err().kind, EngineErrorKind::Closed);
    assert_eq!(call(&other, "run", json!({})).unwrap_err().kind, EngineErrorKind::Closed);
}

/// The attack of a module whose calls run side by side: it changes what the surface passes on.
#[test]
fn patched_iterator_cannot_make_a_request_of_another_call() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "const iterate = Array.prototype[Symbol.iterator];
         let ids = {};
         export const wait = (params, call) => { ids.victim = call.id; return new Promise((resolve) => { ids.open = resolve; }); };
         export const steal = async (params, call) => {
           const swapped = (value) => (value === call.id ? ids.victim : value);
           Array.prototype[Symbol.iterator] = function* () { for (let i = 0; i < this.length; i++) yield swapped(this[i]); };
           const stringify = JSON.stringify;
           JSON.stringify = (value) => stringify({ stolen: ids.victim });
           try { await call.request('echo', { mine: true }); call.notify('mine', {}); }
           finally { Array.prototype[Symbol.iterator] = iterate; JSON.stringify = stringify; ids.open(); }
         };",
    );
    let victim = begin(&runtime, "victim", "wait", json!({}));
    begin(&runtime, "thief", "steal", json!({})).wait().unwrap();
    victim.wait().unwrap();
    let asked = fixture.bridge.asked.lock().unwrap();
    assert_eq!(*asked, [("thief".to_owned(), "echo".to_owned(), json!({ "mine": true }))]);
    let notes = fixture.bridge.notes.lock().unwrap();
    assert!(notes.iter().all(|(call, ..)| call != "victim"), "{notes:?}");
}
