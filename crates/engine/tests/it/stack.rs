//! Whatever recurses ends at the stack limit, as an error of its own call; the native stack is never reached.

use crate::common::{Fixture, begin, call, loaded};
use marsh_engine::EngineErrorKind;
use serde_json::json;

/// Recursion without end. Each of these has to end as a stack overflow, thrown to JavaScript and not caught there.
const ENDLESS: &[(&str, &str)] = &[
    // Through JavaScript alone.
    ("function", "const f = () => f() + 1; f();"),
    ("getter", "const o = { get x() { return this.x; } }; o.x;"),
    ("toString", "const o = { toString() { return `${this}`; } }; `${o}`;"),
    ("constructor", "class A { constructor() { new A(); } } new A();"),
    ("generator", "function* g() { yield* g(); } g().next();"),
    ("async generator", "async function* g() { for await (const x of g()) yield x; } await g().next();"),
    ("async function", "const f = async () => { await f(); }; await f();"),
    ("iterator", "const o = { [Symbol.iterator]() { return [...this][Symbol.iterator](); } }; [...o];"),
    // Through the engine's own functions.
    ("sort", "const f = () => [2, 1].sort(f); f();"),
    ("map", "const f = () => [1].map(f); f();"),
    ("reduce", "const f = () => [1, 2].reduce(f); f();"),
    ("replace", "const f = () => 'x'.replace(/x/, f); f();"),
    ("apply", "const f = () => Reflect.apply(f, null, []); f();"),
    ("bind", "const f = () => f.bind(null)(); f();"),
    ("many arguments", "const f = (...list) => f(...list, 1, 2, 3); f();"),
    ("toJSON", "const o = { toJSON() { return JSON.stringify(o); } }; JSON.stringify(o);"),
    ("reviver", "const f = () => JSON.parse('[1]', f); f();"),
    ("proxy get", "const p = new Proxy({}, { get: (_, key) => p[key] }); p.x;"),
    ("proxy set", "const p = new Proxy({}, { set: (_, key, value) => { p[key] = value; return true; } }); p.x = 1;"),
    ("proxy has", "const p = new Proxy({}, { has: (_, key) => key in p }); 'x' in p;"),
    ("proxy ownKeys", "const p = new Proxy({}, { ownKeys: () => Object.keys(p) }); Object.keys(p);"),
    ("proxy apply", "const p = new Proxy(() => {}, { apply: () => p() }); p();"),
    ("proxy construct", "const p = new Proxy(class {}, { construct: () => new p() }); new p();"),
    ("proxy prototype", "const p = new Proxy({}, { getPrototypeOf: () => Object.getPrototypeOf(p) }); Object.getPrototypeOf(p);"),
    ("proxy of itself as prototype", "const t = {}; const p = new Proxy(t, {}); Object.setPrototypeOf(t, p); p.x;"),
    ("hasInstance", "const o = { [Symbol.hasInstance]: (x) => x instanceof o }; 1 instanceof o;"),
    ("species", "class A extends Array { static get [Symbol.species]() { return A.from([1]).map((x) => x).constructor; } } new A(1).map((x) => x);"),
    ("eval", "const f = () => (0, eval)('globalThis.f()'); globalThis.f = f; f();"),
    ("new Function", "globalThis.f = () => new Function('globalThis.f()')(); f();"),
    ("structuredClone", "const o = { get x() { return structuredClone(o); } }; structuredClone(o);"),
    ("error stack", "const f = () => { try { return f(); } finally { new Error('x').stack; } }; f();"),
    ("prepareStackTrace", "Error.prepareStackTrace = () => { new Error('y').stack; return 'x'; }; const f = () => { new Error('x').stack; f(); }; f();"),
    ("event", "const t = new EventTarget(); globalThis.reportError = (e) => { throw e; }; const f = () => { t.addEventListener('x', f, { once: true }); t.dispatchEvent(new Event('x')); f(); }; f();"),
    // Through the surface and back: each level enters JavaScript from a host operation.
    ("failing operation", "const f = () => { try { Deno.statSync('/none/at/all'); } catch {} f(); }; f();"),
    ("failing operation, caught by itself", "const f = () => { try { Deno.statSync('/none/at/all'); } catch { f(); } }; f();"),
    ("failing operation with finally", "const f = () => { try { Deno.readTextFileSync('/none'); } finally { f(); } }; f();"),
    ("failing request", "const f = () => { try { call.requestSync('fail', {}); } catch {} f(); }; f();"),
    ("request", "const f = () => { call.requestSync('echo', {}); f(); }; f();"),
    ("wrapped Deno", "
        const wrapped = Object.create(globalThis.Deno);
        globalThis.Deno = wrapped;
        Object.defineProperty(wrapped, 'errors', { get: () => globalThis.Deno.errors });
        Deno.errors;"),
    ("wrapped statSync", "
        const own = globalThis.Deno;
        const wrapped = Object.create(own, { statSync: { value: (path) => { try { return own.statSync(path); } catch { return globalThis.Deno.statSync(path); } } } });
        globalThis.Deno = wrapped;
        Deno.statSync('/none');"),
    ("lone surrogates", "const f = () => { try { Deno.statSync('\\ud800'); } catch {} f(); }; f();"),
    ("first uses", "const names = ['Blob', 'Headers', 'Response', 'crypto', 'ReadableStream', 'FormData', 'performance']; let i = 0; const f = () => { globalThis[names[i++ % names.length]]; f(); }; f();"),
    ("rejections", "const f = () => { Promise.reject(1).catch(() => {}); f(); }; f();"),
    ("makeError sees a patched class", "
        const own = Deno.errors.NotFound;
        Error.prepareStackTrace = () => { try { Deno.statSync('/none'); } catch {} return ''; };
        const f = () => { try { Deno.statSync('/none'); } catch {} f(); }; f();"),
];

/// Deep but finite: how deep is too deep is the engine's business. They end, in a value or in an error.
const DEEP: &[(&str, &str)] = &[
    ("JSON.parse of arrays", "JSON.parse('['.repeat(N) + ']'.repeat(N));"),
    ("JSON.parse of objects", "JSON.parse('{\"a\":'.repeat(N) + '1' + '}'.repeat(N));"),
    ("JSON.parse with a reviver", "JSON.parse('['.repeat(N) + ']'.repeat(N), (key, value) => value);"),
    ("JSON.parse, unclosed", "JSON.parse('['.repeat(N));"),
    ("JSON.stringify", "let v = []; for (let i = 0; i < N; i++) v = [v]; JSON.stringify(v);"),
    ("flat", "let v = []; for (let i = 0; i < N; i++) v = [v]; v.flat(Infinity);"),
    ("toString of arrays", "let v = []; for (let i = 0; i < N; i++) v = [v]; String(v);"),
    ("toString of a cycle", "const v = []; v.push(v, v); String(v);"),
    (
        "structuredClone of deep arrays",
        "let v = []; for (let i = 0; i < N; i++) v = [v]; structuredClone(v);",
    ),
    (
        "structuredClone of deep causes",
        "let v = new Error('x'); for (let i = 0; i < 50000; i++) v = new Error('y', { cause: v }); structuredClone(v);",
    ),
    (
        "inspect of deep arrays",
        "let v = []; for (let i = 0; i < N; i++) v = [v]; Deno.inspect(v, { depth: Infinity });",
    ),
    (
        "console.log of deep causes",
        "let v = new Error('x'); for (let i = 0; i < 2000; i++) v = new Error('y', { cause: v }); console.log(v);",
    ),
    (
        "throw deep causes",
        "let v = new Error('x'); for (let i = 0; i < 20000; i++) v = new Error('y', { cause: v }); throw v;",
    ),
    (
        "deep data of an error",
        "let v = []; for (let i = 0; i < N; i++) v = [v]; throw Object.assign(new Error('x'), { data: v });",
    ),
    (
        "deep equal",
        "let v = [], w = []; for (let i = 0; i < N; i++) { v = [v]; w = [w]; } (await import('node:util')).isDeepStrictEqual(v, w);",
    ),
    ("deep result", "let v = []; for (let i = 0; i < N; i++) v = [v]; return v;"),
    ("deep result of 500", "let v = []; for (let i = 0; i < 500; i++) v = [v]; return v;"),
    (
        "deep parameters of a request",
        "let v = []; for (let i = 0; i < 500; i++) v = [v]; await call.request('echo', v);",
    ),
    (
        "deep JSON for a host operation",
        "let v = []; for (let i = 0; i < 500; i++) v = [v]; await fetch('http://127.0.0.1:1/', { headers: JSON.stringify(v) });",
    ),
    (
        "nested proxies",
        "let p = {}; for (let i = 0; i < N; i++) p = new Proxy(p, {}); p.x; p.x = 1; 'x' in p; Object.keys(p); Array.isArray(p); Object.getPrototypeOf(p); delete p.x; Object.isExtensible(p); Object.isFrozen(p);",
    ),
    ("nested proxies, called", "let p = () => 1; for (let i = 0; i < N; i++) p = new Proxy(p, {}); p();"),
    (
        "nested proxies, constructed",
        "let p = class {}; for (let i = 0; i < N; i++) p = new Proxy(p, {}); new p();",
    ),
    (
        "nested proxies, Array.isArray",
        "let p = []; for (let i = 0; i < N; i++) p = new Proxy(p, {}); Array.isArray(p);",
    ),
    (
        "nested proxies, realm",
        "let p = class {}; for (let i = 0; i < N; i++) p = new Proxy(p, {}); Reflect.construct(Array, [], p);",
    ),
    (
        "bound functions, called",
        "let f = () => 1; for (let i = 0; i < 20000; i++) { Object.defineProperty(f, 'name', { value: '' }); f = f.bind(null); } f();",
    ),
    (
        "bound functions, constructed",
        "let f = class {}; for (let i = 0; i < 20000; i++) { Object.defineProperty(f, 'name', { value: '' }); f = f.bind(null); } new f();",
    ),
    (
        "bound functions, instanceof",
        "let f = class {}; for (let i = 0; i < 300000; i++) { Object.defineProperty(f, 'name', { value: '' }); f = f.bind(null); } ({}) instanceof f;",
    ),
    (
        "bound functions, realm",
        "let f = class {}; for (let i = 0; i < 300000; i++) { Object.defineProperty(f, 'name', { value: '' }); f = f.bind(null); } Reflect.construct(Array, [], f);",
    ),
    (
        "prototype chain",
        "let o = {}; for (let i = 0; i < N; i++) o = Object.create(o); o.x; 'x' in o; for (const k in o); o.x = 1; Object.prototype.isPrototypeOf.call({}, o);",
    ),
    ("scope chain", "let f = () => 1; for (let i = 0; i < N; i++) { const g = f; f = () => g; } f();"),
    (
        "string of ropes",
        "let s = 'x'.repeat(5000); for (let i = 0; i < 3000; i++) s = (i % 2 ? s + 'abcdefgh'.repeat(700) : 'y'.repeat(6000) + s); s.charCodeAt(9); s < 'z'; s === s + ''; ({ [s]: 1 });",
    ),
    (
        "promises that wait for one another",
        "let p = Promise.resolve(1); for (let i = 0; i < N; i++) { const q = p; p = (async () => q)(); } await p;",
    ),
    (
        "thenables",
        "let n = 0; const t = { then(resolve) { if (n++ < 50000) resolve(t); else resolve(1); } }; await t;",
    ),
    (
        "thenables that call at once",
        "const make = (n) => ({ then(resolve) { n ? make(n - 1).then(resolve) : resolve(1); } }); await make(N);",
    ),
    ("generators that delegate", "function* g(n) { if (n) yield* g(n - 1); else yield 1; } [...g(N)];"),
    (
        "iterator helpers",
        "let it = [1].values(); for (let i = 0; i < N; i++) it = it.map((x) => x); it.next();",
    ),
    (
        "streams piped through",
        "let s = new Response('x').body; for (let i = 0; i < 60; i++) s = s.pipeThrough(new TransformStream()); await new Response(s).text();",
    ),
    (
        "AbortSignal.any",
        "let s = new AbortController(); const first = s; s = s.signal; for (let i = 0; i < 3000; i++) s = AbortSignal.any([s]); first.abort();",
    ),
    ("regex groups", "new RegExp('('.repeat(N) + ')'.repeat(N));"),
    ("regex groups without capture", "new RegExp('(?:'.repeat(N) + 'x' + ')'.repeat(N) + '*').test('x');"),
    ("regex lookaheads", "new RegExp('(?='.repeat(N) + 'x' + ')'.repeat(N)).test('x');"),
    ("regex classes", "new RegExp('['.repeat(N) + 'x' + ']'.repeat(N), 'v').test('x');"),
    ("regex back-tracking", "/(?:a|b)*c/.test('ab'.repeat(2000)); /(?:(a)|b)*?c/.test('ab'.repeat(2000));"),
    (
        "WeakRef chains",
        "let o = { }; for (let i = 0; i < N; i++) { const w = new WeakRef(o); o = { o, w }; } o = null;",
    ),
    ("Map chains", "let o = new Map(); for (let i = 0; i < N; i++) { o = new Map([[o, o]]); } o = null;"),
    (
        "lists that are freed",
        "let o = null; for (let i = 0; i < N; i++) o = { o }; o = null; let f = null; for (let i = 0; i < N; i++) { const g = f; f = function () { return g; }; } f = null;",
    ),
    (
        "URL and URLSearchParams",
        "new URL('http://x/' + '../'.repeat(N)); new URLSearchParams('&a=b'.repeat(N)).sort();",
    ),
    ("template objects", "String.raw`${'x'.repeat(N)}`;"),
    ("atob", "atob('A'.repeat(N * 4)); new TextDecoder().decode(new TextEncoder().encode('ü'.repeat(N)));"),
];

/// Source text that is nested N deep.
const SYNTAX: &[(&str, &str)] = &[
    ("parentheses", "'('.repeat(N) + '1' + ')'.repeat(N)"),
    ("arrays", "'['.repeat(N) + ']'.repeat(N)"),
    ("objects", "'({a:'.repeat(N) + '1' + '})'.repeat(N)"),
    ("blocks", "'{'.repeat(N) + '}'.repeat(N)"),
    ("functions", "'(function () { return '.repeat(N) + '1' + '})'.repeat(N)"),
    ("arrows", "'() => '.repeat(N) + '1'"),
    ("arrow parameters", "'(a = '.repeat(N) + '1' + ') => 1'.repeat(N)"),
    ("classes", "'(class { x = '.repeat(N) + '1' + '})'.repeat(N)"),
    ("class heritage", "'(class extends '.repeat(N) + 'Object' + ' {})'.repeat(N)"),
    ("unary", "'!'.repeat(N) + '1'"),
    ("typeof", "'typeof '.repeat(N) + '1'"),
    ("new", "'new '.repeat(N) + 'Object'"),
    ("power", "'2**'.repeat(N) + '1'"),
    ("assignment", "'globalThis.a = '.repeat(N) + '1'"),
    ("conditional", "'1 ? '.repeat(N) + '1' + ' : 1'.repeat(N)"),
    ("conditional, right", "'1 ? 1 : '.repeat(N) + '1'"),
    ("templates", "'`${'.repeat(N) + '1' + '}`'.repeat(N)"),
    ("calls", "'Boolean('.repeat(N) + '1' + ')'.repeat(N)"),
    ("call chains", "'globalThis' + '?.x'.repeat(N)"),
    ("sums", "'1' + '+1'.repeat(N)"),
    ("commas", "'1' + ',1'.repeat(N)"),
    ("if", "'if (1) '.repeat(N) + ';'"),
    ("else if", "'if (0); else '.repeat(N) + ';'"),
    ("for", "'for (;;) '.repeat(N) + 'break;'"),
    ("while", "'while (0) '.repeat(N) + ';'"),
    ("labels", "Array.from({ length: N }, (_, i) => `l${i}:`).join('') + ';'"),
    ("switch", "'switch (1) { default: '.repeat(N) + '}'.repeat(N)"),
    ("try", "'try {'.repeat(N) + '} catch {}'.repeat(N)"),
    ("patterns", "'let ' + '['.repeat(N) + 'a' + ']'.repeat(N) + ' = []'"),
    ("object patterns", "'let ' + '{a:'.repeat(N) + 'a' + '}'.repeat(N) + ' = {}'"),
    ("pattern assignment", "'[a = '.repeat(N) + '1' + '] = [1]'.repeat(N)"),
    ("await", "'async () => ' + 'await '.repeat(N) + '1'"),
    ("yield", "'function* g() { ' + 'yield '.repeat(N) + '1 }'"),
    ("import", "'import('.repeat(N) + ')'.repeat(N)"),
    ("regex literals", "'/' + '('.repeat(N) + ')'.repeat(N) + '/'"),
];

/// The least that can be asked for, and the default.
const LIMITS: [usize; 2] = [128 << 10, 1 << 20];

fn body(text: &str) -> String {
    format!(
        "const N = 20000; export const fine = () => 'fine'; export async function run(params, call) {{ {text} }}"
    )
}

#[test]
fn endless_recursion_is_a_stack_overflow_of_its_call() {
    for (name, code) in ENDLESS {
        for stack_bytes in LIMITS {
            let mut fixture = Fixture::new();
            fixture.limits.stack_bytes = stack_bytes;
            let runtime = fixture.load(&body(code));
            let error = call(&runtime, "run", json!({})).expect_err(name);
            // QuickJS reports a stack that ends while it reads the parameters of `new Function` as a syntax error.
            let parser = *name == "new Function" && error.name.as_deref() == Some("SyntaxError");
            assert!(
                parser || error.kind == EngineErrorKind::StackOverflow,
                "{name} with {stack_bytes}: {error:?}"
            );
            assert_eq!(call(&runtime, "fine", json!({})).unwrap(), "fine", "after {name}");
            runtime.close();
        }
    }
}

/// Runs `code` with every limit; it has to end, and so has whatever comes after it in the same runtime.
fn ends(name: &str, code: &str) {
    for stack_bytes in LIMITS {
        let mut fixture = Fixture::new();
        fixture.limits.stack_bytes = stack_bytes;
        let runtime = fixture.load(&body(code));
        if let Err(error) = begin(&runtime, "run", "run", json!({})).wait_text() {
            let own = matches!(error.kind, EngineErrorKind::StackOverflow | EngineErrorKind::Threw);
            assert!(own, "{name} with {stack_bytes}: {error:?}");
        }
        assert_eq!(call(&runtime, "fine", json!({})).unwrap(), "fine", "after {name}");
        runtime.close();
    }
}

#[test]
fn deep_structures_end_in_a_value_or_an_error() {
    for (name, code) in DEEP {
        ends(name, code);
    }
}

#[test]
fn deep_source_text_ends_in_a_value_or_an_error() {
    for (name, text) in SYNTAX {
        ends(name, &format!("new Function({text});"));
    }
}

#[test]
fn a_module_that_is_nested_too_deep_does_not_load_and_names_the_stack() {
    let mut fixture = Fixture::new();
    fixture.cache = Some(fixture.path("bytecode"));
    let text = format!("export const x = {}1{};", "[".repeat(20000), "]".repeat(20000));
    for _ in 0..2 {
        let runtime = fixture.start(&text);
        assert_eq!(loaded(&runtime).unwrap_err().kind, EngineErrorKind::StackOverflow);
        runtime.close();
    }
}

/// What is used for the first time at the end of the stack is there afterwards, and whole.
#[test]
fn an_error_of_the_surface_is_itself_to_the_very_end_of_the_stack() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "const at = (depth, action) => { try { at(depth + 1, action); } catch (error) { action(); throw error; } };
         export const run = () => {
             const seen = new Set();
             const action = () => { try { Deno.statSync('/none/at/all'); } catch (error) { seen.add(error.name); } };
             try { at(0, action); } catch {}
             return [...seen].sort();
         };
         export const after = () => { try { Deno.statSync('/none/at/all'); } catch (error) { return error instanceof Deno.errors.NotFound; } };",
    );
    let seen = call(&runtime, "run", json!({})).unwrap();
    assert_eq!(seen, json!(["NotFound", "RangeError"]));
    assert_eq!(call(&runtime, "after", json!({})).unwrap(), true);
    runtime.close();
}
