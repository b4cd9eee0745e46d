//! The web surface.

use crate::common::{Fixture, call, run_body};
use serde_json::json;

#[test]
fn console_formats_and_splits_lines() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export const run = () => {
            console.log('a', 1, { b: [1, 'x', null], c: undefined, d: new Map([['k', new Set([1])]]) });
            console.log('%s is %d and %o%%', 'x', '42', { y: 1 });
            console.log('two\\nlines');
            console.group('g'); console.info('inside'); console.groupEnd();
            console.error(new TypeError('bad').message); console.warn('w'); console.assert(1 === 2, 'no'); console.assert(true);
            console.count(); console.count(); console.table([{ a: 1, b: 2 }]); console.dir(class A {}); console.debug(Symbol('s'), -0, 1n, () => {});
            const circle = {}; circle.self = circle; console.log(circle, new Uint8Array(3), new Date(0), /x/g, [,1], Object.create(null));
            const { log } = console; log();
            console.time('t'); console.timeEnd('t');
            Deno.stdout.writeSync(new TextEncoder().encode('no newline'));
        };",
    );
    call(&runtime, "run", json!({})).unwrap();
    let lines = fixture.lines("call-run", "stdout");
    assert_eq!(lines[0], r#"a 1 { b: [ 1, "x", null ], c: undefined, d: Map(1) { "k" => Set(1) { 1 } } }"#);
    assert_eq!(lines[1], "x is 42 and { y: 1 }%");
    assert_eq!(lines[2..6], ["two", "lines", "g", "    inside"]);
    assert_eq!(lines[6..8], ["default: 1", "default: 2"]);
    assert_eq!(lines[9], "│ (idx) │ a │ b │");
    assert_eq!(lines[13..15], ["[class A]", "Symbol(s) -0 1n [Function (anonymous)]"]);
    assert_eq!(
        lines[15],
        "{ self: [Circular] } Uint8Array(3) [ 0, 0, 0 ] 1970-01-01T00:00:00.000Z /x/g [ <1 empty item>, 1 ] [Object: null prototype] {}"
    );
    assert_eq!(lines[16], "");
    assert!(lines[17].starts_with("t: "));
    assert_eq!(lines[18], "no newline");
    assert_eq!(fixture.lines("call-run", "stderr"), ["bad", "w", "Assertion failed: no"]);
    runtime.close();
}

#[test]
fn text_encodings() {
    let value = run_body(
        "const d = new TextDecoder('utf-8', { fatal: true });
         let fatal; try { d.decode(new Uint8Array([255])) } catch (error) { fatal = error.name }
         const s = new TextDecoder(); const part = s.decode(new Uint8Array([0xe2, 0x82]), { stream: true }) + s.decode(new Uint8Array([0xac]));
         let label; try { new TextDecoder('nope') } catch (error) { label = error.name }
         return [[...new TextEncoder().encode('ä\\ud800')], fatal, part, label, new TextDecoder('latin1').decode(new Uint8Array([228])), new TextDecoder('windows-1252').encoding,
            new TextDecoder().decode(new Uint8Array([239, 187, 191, 65])), new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([239, 187, 191, 65])).length,
            new TextDecoder('utf-16le').decode(new Uint16Array([0x41])), new TextEncoder().encodeInto('äb', new Uint8Array(2)), atob(btoa('\\xff\\0a')) === '\\xff\\0a', new TextDecoder().decode()];",
    );
    assert_eq!(
        value,
        json!([[195, 164, 239, 191, 189], "TypeError", "€", "RangeError", "ä", "windows-1252", "A", 2, "A", { "read": 1, "written": 2 }, true, ""])
    );
}

#[test]
fn urls_and_their_parameters() {
    let value = run_body(
        "const u = new URL('../b?x=1&y=ä#f', 'https://u:p@Example.com:8443/a/c/');
         u.searchParams.append('z', 'a b'); u.port = ''; u.hash = '';
         const p = new URLSearchParams({ a: '1', b: '2' }); p.set('a', '3'); p.append('a', '4'); p.sort();
         let bad; try { new URL('nope') } catch (error) { bad = [error.name, error.code] }
         return [u.href, u.origin, u.username, String(p), p.getAll('a'), [...p.keys()], bad, URL.canParse('x:y'), JSON.stringify({ u: new URL('http://x') }), p.size, new URLSearchParams('?q=%20+').get('q')];",
    );
    assert_eq!(
        value,
        json!([
            "https://u:p@example.com/a/b?x=1&y=%C3%A4&z=a+b",
            "https://example.com",
            "u",
            "a=3&a=4&b=2",
            ["3", "4"],
            ["a", "a", "b"],
            ["TypeError", "ERR_INVALID_URL"],
            true,
            "{\"u\":\"http://x/\"}",
            3,
            "  "
        ])
    );
}

#[test]
fn timers_fire_in_order_and_can_be_cleared() {
    let value = run_body(
        "const seen = [];
         const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
         setTimeout(() => seen.push('b'), 4); setTimeout((x) => seen.push(x), 1, 'a'); setImmediate(() => seen.push('i'));
         const cleared = setTimeout(() => seen.push('never'), 1); clearTimeout(cleared); clearTimeout(undefined);
         let n = 0;
         const thrice = new Promise((resolve) => {
           const id = setInterval(() => { if (++n === 3) { clearInterval(id); resolve(); } }, 1);
         });
         queueMicrotask(() => seen.push('m'));
         await thrice;
         await later(30);
         return [seen, n];",
    );
    assert_eq!(value, json!([["m", "i", "a", "b"], 3]));
}

#[test]
fn digests_and_randomness() {
    let value = run_body(
        "const hex = async (name) => new Uint8Array(await crypto.subtle.digest(name, new TextEncoder().encode('abc'))).toHex();
         const a = crypto.getRandomValues(new Uint32Array(4)); let big; try { crypto.getRandomValues(new Uint8Array(65537)) } catch (error) { big = error.name }
         return [await hex('SHA-1'), await hex({ name: 'SHA-256' }), (await hex('SHA-384')).length, (await hex('SHA-512')).length,
            a.some((x) => x !== 0), /^[0-9a-f]{8}-[0-9a-f]{4}-4/.test(crypto.randomUUID()), big];",
    );
    assert_eq!(
        value,
        json!([
            "a9993e364706816aba3e25717850c26c9cd0d89d",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            96,
            128,
            true,
            true,
            "QuotaExceededError"
        ])
    );
}

#[test]
fn structured_clone() {
    let value = run_body(
        "const source = { d: new Date(5), r: /x/gi, m: new Map([[1, new Set(['a'])]]), e: new RangeError('boom'), b: new Uint8Array([1, 2, 3]).subarray(1), n: null, s: [1, , 3] };
         source.self = source;
         const copy = structuredClone(source);
         let refused; try { structuredClone({ f() {} }) } catch (error) { refused = [error.name, error instanceof DOMException] }
         const buffer = new ArrayBuffer(4); structuredClone(buffer, { transfer: [buffer] });
         return [copy !== source && copy.self === copy, copy.d.getTime(), copy.r.flags, [...copy.m.get(1)], copy.e instanceof RangeError && copy.e.message, [...copy.b], copy.s.length, 1 in copy.s, refused, buffer.byteLength];",
    );
    assert_eq!(value, json!([true, 5, "gi", ["a"], "boom", [2, 3], 3, false, ["DataCloneError", true], 0]));
}

#[test]
fn abort_and_events() {
    let value = run_body(
        "const seen = [];
         const a = new AbortController(); const any = AbortSignal.any([a.signal, AbortSignal.timeout(1e6)]);
         any.addEventListener('abort', (event) => seen.push(event.type, any.reason.name)); a.abort(); a.abort();
         const t = AbortSignal.timeout(1); await new Promise((resolve) => t.addEventListener('abort', resolve)); seen.push(t.reason.name);
         try { AbortSignal.abort('why').throwIfAborted() } catch (error) { seen.push(error) }
         const target = new EventTarget(); const once = (e) => seen.push(e.detail);
         target.addEventListener('x', once, { once: true }); target.addEventListener('x', (e) => e.preventDefault());
         seen.push(target.dispatchEvent(new CustomEvent('x', { detail: 7, cancelable: true })), target.dispatchEvent(new Event('y')));
         target.dispatchEvent(new CustomEvent('x', { detail: 8 }));
         const h = new Headers([['A', '1'], ['a', '2']]); h.append('Set-Cookie', 'x'); seen.push(h.get('A'), [...h]);
         const b = new Blob(['ab', new Uint8Array([99])], { type: 'Text/Plain' }); seen.push(b.size, b.type, await b.slice(1).text());
         seen.push(typeof performance.now(), navigator.userAgent, globalThis === self, new DOMException('m', 'AbortError').code);
         return seen;",
    );
    assert_eq!(
        value,
        json!([
            "abort",
            "AbortError",
            "TimeoutError",
            "why",
            7,
            false,
            true,
            "1, 2",
            [["a", "1, 2"], ["set-cookie", "x"]],
            3,
            "text/plain",
            "bc",
            "number",
            "marsh",
            true,
            20
        ])
    );
}

#[test]
fn the_native_functions_are_out_of_reach() {
    assert_eq!(
        run_body("return [typeof __marsh, Object.keys(globalThis).includes('__marsh')]"),
        json!(["undefined", false])
    );
    let error = crate::common::run("export const run = () => import('marsh:core');").unwrap_err();
    assert!(error.message.contains("marsh:core"), "{error:?}");
}
