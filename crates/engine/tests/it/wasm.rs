//! WebAssembly. What the interfaces do is compared with Deno (`crates/conformance/cases/wasm`); here are limits and ends.

use std::time::{Duration, Instant};

use crate::common::{Fixture, begin, call};
use marsh_engine::{EngineError, EngineErrorKind};
use serde_json::json;

/// Exports a memory of 1 to 4 pages, `add`, `grow`, `poke`, `loop`, and `call`, which calls the import `env.log`.
const BASIC: &str = "0061736d0100000001320a60017f0060027e7c017e60027f7f017f60017f027f7c60017f017f60027f7f006000006000017f60017d017d60016f016f02160203656e76036c6f67000003656e7604706169720001031110020300010405040606020606040809070405017001020a050401010104060b027f0141070b7e00427b0b07950113066d656d6f72790200057461626c65010005636f756e740300056669786564030103616464000204626f746800030463616c6c000404776964650005047065656b000604706f6b6500070467726f7700080b67726f775468656e4c6f6700090474726170000a03646976000b046c6f6f70000c0464656570000d08696e646972656374000e05666c6f6174000f0473616d6500100907010041000b01110a8901100700200020016a0b0d00200044000000000000f83f0b0d0020001000200041016a10000b08002000200110010b070020002d00000b0900200020013a00000b0600200040000b0b00410140001a3f0010000b0300000b0700200020016d0b070003400c000b0b0400100d0b070020001107000b0a00200043cdcccc3d940b040020000b040041070b0b0b010041100b0568656c6c6f002d046e616d65011e0500036c6f6701047061697202036164640d04646565701105736576656e0306010c0100016c";

fn module(body: &str) -> String {
    format!(
        "const bytes = Uint8Array.from('{BASIC}'.match(/../g), (two) => parseInt(two, 16));
         const open = (log = () => {{}}) => new WebAssembly.Instance(new WebAssembly.Module(bytes), {{ env: {{ log, pair: (a) => a }} }}).exports;
         {body}"
    )
}

#[test]
fn an_endless_loop_ends_with_its_call() {
    let fixture = Fixture::new();
    let runtime = fixture.load(&module("export const run = () => { const e = open(); console.log('on'); try { e.loop(); } catch { console.log('caught'); } };"));
    let pending = begin(&runtime, "a", "run", json!({}));
    fixture.until("the call runs", |fixture| !fixture.lines("a", "stdout").is_empty());
    let start = Instant::now();
    runtime.interrupt("a", EngineError::new(EngineErrorKind::Deadline, "took too long"));
    assert_eq!(pending.wait().unwrap_err().kind, EngineErrorKind::Deadline);
    runtime.close();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(fixture.lines("a", "stdout"), ["on"]);
}

#[test]
fn memories_count_against_the_limit_of_the_runtime() {
    let mut fixture = Fixture::new();
    fixture.limits.memory_bytes = 32 << 20;
    let runtime = fixture.load(
        "export const run = () => {
            const kept = []; const seen = [];
            try { for (;;) kept.push(new WebAssembly.Memory({ initial: 64, maximum: 1000 })); } catch (error) { seen.push(error.name, kept.length); }
            try { kept[0].grow(900); } catch (error) { seen.push(error.name); }
            try { new WebAssembly.Memory({ initial: 60000 }); } catch (error) { seen.push(error.name); }
            return seen;
         };",
    );
    let seen = call(&runtime, "run", json!({})).unwrap();
    let made = seen[1].as_u64().unwrap();
    assert!((5..=8).contains(&made), "4 MiB each: {seen}");
    assert_eq!([&seen[0], &seen[2], &seen[3]], ["RangeError"; 3].map(|name| json!(name)).each_ref());
}

#[test]
fn views_of_a_memory_outlive_its_instance_and_its_growth() {
    let fixture = Fixture::new();
    let runtime = fixture.load(&module(
        "export const run = () => {
            let e = open(); const view = new Uint8Array(e.memory.buffer); e.poke(5, 55); const copy = view.slice(0, 8);
            e.grow(1); const grown = new Uint8Array(e.memory.buffer); const seen = [view.length, grown[5], copy[5]];
            e = null; grown[131071] = 7; const moved = grown.buffer.transfer(); seen.push(new Uint8Array(moved)[131071], grown.length);
            try { moved.transfer(10) } catch (error) { seen.push('refused') }
            return seen;
         };",
    ));
    assert_eq!(call(&runtime, "run", json!({})).unwrap(), json!([0, 55, 55, 7, 0, "refused"]));
    runtime.close();
}

#[test]
fn imports_nest_as_deep_as_the_stack_and_errors_unwind() {
    let fixture = Fixture::new();
    let runtime = fixture.load(&module(
        "export const run = () => {
            let depth = 0; const e = open(() => { depth++; e.call(1); }); let name;
            try { e.call(1); } catch (error) { name = error.name; }
            return [name, depth > 20, open().add(1, 2)];
         };",
    ));
    assert_eq!(call(&runtime, "run", json!({})).unwrap(), json!(["RangeError", true, 3]));
}
