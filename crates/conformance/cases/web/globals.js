for (const name of ["AbortController", "Blob", "ByteLengthQueuingStrategy", "CompressionStream", "CryptoKey", "CustomEvent", "DOMException", "ErrorEvent", "Event", "EventTarget", "File", "FormData", "Headers", "MessageChannel", "ReadableStream", "Request", "Response", "SubtleCrypto", "TextDecoder", "TextDecoderStream", "TextEncoder", "TransformStream", "URL", "URLSearchParams", "WritableStream", "Buffer", "URLPattern", "WebSocket", "Worker", "Intl", "WebAssembly", "Iterator", "WeakRef", "FinalizationRegistry", "AsyncDisposableStack", "Float16Array", "Temporal"]) {
  check(`typeof ${name}`, () => typeof globalThis[name]);
}
for (const name of ["atob", "btoa", "clearTimeout", "fetch", "queueMicrotask", "reportError", "setTimeout", "structuredClone", "crypto", "performance", "navigator", "process", "console", "self", "global", "window", "location", "Deno", "require", "module", "exports", "__dirname", "gc"]) {
  check(`typeof ${name}`, () => typeof globalThis[name]);
}
check("globals are not enumerable", () => ["fetch", "URL", "console"].map((name) => Object.getOwnPropertyDescriptor(globalThis, name)?.enumerable));
check("globals can be replaced", () => { const old = globalThis.fetch; globalThis.fetch = 1; const seen = fetch; globalThis.fetch = old; return seen; });
check("globalThis is self", () => globalThis.self === globalThis);
check("console methods", () => ["log", "error", "warn", "info", "debug", "trace", "table", "dir", "group", "groupEnd", "time", "timeEnd", "timeLog", "count", "countReset", "assert", "clear"].filter((name) => typeof console[name] !== "function"));
check("import.meta", () => [typeof import.meta.url, import.meta.url.startsWith("file:///"), typeof import.meta.dirname, typeof import.meta.filename, import.meta.main]);
check("dynamic import of a missing module", async () => (await rejection(import("node:nope"))).name);
check("dynamic import", async () => (await import("node:path")).basename("/a/b"));
const inspect = (...values) => values.map((value) => Deno.inspect(value));
check("inspect primitives", () => inspect(1, -0, "a'b", "x\n", true, null, undefined, 5n, Symbol("s")));
check("inspect objects", () => inspect({}, { a: 1, "b c": [1, "x"], d: { e: { f: { g: {} } } } }, []));
check("inspect classes", () => { class A { x = 1; } return inspect(new A(), A, () => {}, function named() {}, async () => {}); });
check("inspect collections", () => inspect(new Map([[1, { a: 2 }]]), new Set(["a"]), new Uint8Array([1, 2]), new ArrayBuffer(2)));
check("inspect dates", () => inspect(new Date(0), new Date(NaN), /a/g));
check("inspect cycles", () => { const o = { a: 1 }; o.self = o; return inspect(o); });
check("inspect symbols and getters", () => inspect({ [Symbol("k")]: 1, get g() { return 1; }, set s(x) {}, get b() { return 1; }, set b(x) {} }));
check("inspect long", () => inspect(Array.from({ length: 120 }, (_, n) => n), { long: "x".repeat(90), other: "y".repeat(20) }));
check("inspect null prototype", () => inspect(Object.create(null)));
check("inspect promises", () => inspect(Promise.resolve(1), new Promise(() => {})));
check("inspect wrapped", () => inspect(new Number(3), new String("x"), Object(1n)));
check("inspect nested arrays", () => inspect([[1, [2, [3, [4, [5]]]]]], [undefined, null, , 1]));
check("inspect depth", () => Deno.inspect({ a: { b: { c: { d: 1 } } } }, { depth: 1 }));
check("inspect custom", () => inspect({ [Symbol.for("Deno.customInspect")]() { return "custom"; } }, { [Symbol.for("nodejs.util.inspect.custom")]() { return "node"; } }));
check("toLocaleString of a number", () => (1234567.5).toLocaleString());
check("toLocaleString with a locale", () => (1234567.5).toLocaleString("en-US"));
check("toFixed", () => [(1.005).toFixed(2), (1e21).toFixed(2), (0.000001234).toString(), (25).toString(36), (0.1).toString(2).length]);
check("localeCompare", () => ["b", "a", "C"].sort((x, y) => x.localeCompare(y)));
check("array methods", () => [[3, 1, 2].toSorted(), [1, 2].with(0, 5), [1, 2, 3].at(-1), [1, 2, 3].findLast((x) => x < 3), Object.groupBy([1, 2, 3], (x) => (x % 2 ? "odd" : "even"))]);
check("set methods", () => [new Set([1, 2]).union(new Set([3])), new Set([1, 2]).intersection(new Set([2])), new Set([1]).isSubsetOf(new Set([1, 2]))]);
check("regexp features", () => ["2020-01-02".match(/(?<y>\d+)-(?<m>\d+)/).groups.m, "aXbX".replaceAll("X", "-"), /(?<=a)b/.test("ab"), /\p{L}/u.test("ü"), /[\p{L}--[a-z]]/v.test("A"), [..."a1b2".matchAll(/\d/g)].map((m) => m.index), /a/d.exec("ba").indices[0]]);
check("regexp escape and modifiers", () => [RegExp.escape?.("a.b"), new RegExp("(?i:a)b").test("Ab")]);
check("iterator methods", () => [1, 2, 3].values().map((x) => x * 2).filter((x) => x > 2).toArray());
check("using", () => { const seen = []; { using x = { [Symbol.dispose]() { seen.push("gone"); } }; seen.push("here"); } return seen; });
check("Error.cause and AggregateError", () => [new Error("a", { cause: 1 }).cause, new AggregateError([1, 2]).errors, Error.isError?.(new Error())]);
check("Error.captureStackTrace", () => { const o = {}; Error.captureStackTrace(o); return typeof o.stack; });
check("error stack", () => { const s = new RangeError("msg").stack; return [typeof s, s.split("\n")[0]]; });
check("JSON", () => [JSON.stringify({ a: undefined, b: () => {}, c: NaN, d: new Date(0), e: [undefined] }), JSON.stringify("\u2028\ud800"), JSON.stringify({ a: [1] }, null, 2), JSON.parse('{"__proto__":1}', (k, v) => v)]);
check("JSON errors", () => thrown(() => JSON.parse("{")).name);
check("rawJSON", () => [JSON.isRawJSON?.(JSON.rawJSON?.("1")), JSON.stringify({ n: JSON.rawJSON?.("1e1000") })]);
check("BigInt", () => [2n ** 70n, BigInt("0xff"), BigInt.asUintN(8, 257n), -7n / 2n]);
check("Atomics and shared memory", () => { const a = new Int32Array(new SharedArrayBuffer(8)); Atomics.add(a, 0, 5); return Atomics.load(a, 0); });
check("resizable buffers", () => { const b = new ArrayBuffer(2, { maxByteLength: 8 }); b.resize(4); return [b.byteLength, b.resizable, b.transfer(1).byteLength]; });
check("top-level sloppiness", () => { "use strict"; try { undefinedName; } catch (error) { return [error.name, error.message]; } });
check("message of a null property", () => thrown(() => null.x).name);
