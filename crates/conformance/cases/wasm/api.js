// Two modules, as their text was assembled. BASIC: imports env.log (i32) and env.pair (i64, f64) -> i64; exports a memory of 1 to 4
// pages with "hello" at 16, a table, two globals and functions. START: imports e.f, e.m and e.g, and calls f(g) at its start.
const bytes = (hex) => Uint8Array.from(hex.match(/../g), (two) => parseInt(two, 16));
const BASIC = bytes("0061736d0100000001320a60017f0060027e7c017e60027f7f017f60017f027f7c60017f017f60027f7f006000006000017f60017d017d60016f016f02160203656e76036c6f67000003656e7604706169720001031110020300010405040606020606040809070405017001020a050401010104060b027f0141070b7e00427b0b07950113066d656d6f72790200057461626c65010005636f756e740300056669786564030103616464000204626f746800030463616c6c000404776964650005047065656b000604706f6b6500070467726f7700080b67726f775468656e4c6f6700090474726170000a03646976000b046c6f6f70000c0464656570000d08696e646972656374000e05666c6f6174000f0473616d6500100907010041000b01110a8901100700200020016a0b0d00200044000000000000f83f0b0d0020001000200041016a10000b08002000200110010b070020002d00000b0900200020013a00000b0600200040000b0b00410140001a3f0010000b0300000b0700200020016d0b070003400c000b0b0400100d0b070020001107000b0a00200043cdcccc3d940b040020000b040041070b0b0b010041100b0568656c6c6f002d046e616d65011e0500036c6f6701047061697202036164640d04646565701105736576656e0306010c0100016c");
const START = bytes("0061736d01000000010c0360017f006000006000017f0215030165016600000165016d02000101650167037f0003030201020707010367657400020801010a10020600230010000b070041032d00000b000e046e616d65010702000166010173");
const open = (log = () => {}, pair = (a) => a) => new WebAssembly.Instance(new WebAssembly.Module(BASIC), { env: { log, pair } }).exports;
check("validate", () => [WebAssembly.validate(BASIC), WebAssembly.validate(BASIC.slice(0, 20)), WebAssembly.validate(new Uint8Array([1, 2, 3])), WebAssembly.validate(BASIC.buffer)]);
check("imports and exports", () => { const m = new WebAssembly.Module(BASIC); return [WebAssembly.Module.imports(m), WebAssembly.Module.exports(m)]; });
check("names of exports", () => Object.keys(open()));
check("exports are frozen", () => { const e = open(); return [Object.isFrozen(e), Object.getPrototypeOf(e)]; });
check("call", () => [open().add(2, 3), open().add(2 ** 31, 1.9), open().add("4", true), open().add(1)]);
check("names and lengths of functions", () => { const e = open(); return [e.add.length, e.trap.length, typeof e.add, e.add === e.add]; });
check("several results", () => open().both(4));
check("calls of imports", () => { const seen = []; open((n) => seen.push(n)).call(5); return seen; });
check("BigInt and f64", () => { const seen = []; const e = open(undefined, (a, b) => { seen.push(a, b); return a + 1n; }); seen.push(e.wide(2n ** 63n, 0.5), e.wide(-1n, NaN)); return seen; });
check("a number for an i64", () => open().wide(1, 2));
check("f32", () => open().float(3));
check("externref", () => { const o = {}; const e = open(); return [e.same(o) === o, e.same(null), e.same(5), e.same(undefined)]; });
check("memory both ways", () => { const e = open(); const view = new Uint8Array(e.memory.buffer); const text = new TextDecoder().decode(view.subarray(16, 21)); view[0] = 200; e.poke(1, 300); return [text, e.peek(0), view[1], e.memory.buffer === e.memory.buffer, view.length, e.memory instanceof WebAssembly.Memory]; });
check("growth by the code", () => { const e = open(); const before = e.memory.buffer; const view = new Uint8Array(before); view[9] = 9; const seen = [e.grow(1), before.byteLength, view.length, e.memory.buffer.byteLength, new Uint8Array(e.memory.buffer)[9], e.grow(10), e.grow(0)]; return seen; });
check("growth by JavaScript", () => { const e = open(); const before = e.memory.buffer; return [e.memory.grow(2), before.byteLength, e.memory.buffer.byteLength, thrown(() => e.memory.grow(9)).name]; });
check("growth is seen in an import", () => { let seen; const e = open((pages) => { seen = [pages, e.memory.buffer.byteLength, before.byteLength]; }); const before = e.memory.buffer; e.growThenLog(); return seen; });
check("globals", () => { const e = open(); const seen = [e.count.value, e.fixed.value]; e.count.value = 9.7; seen.push(e.count.value, e.count.valueOf(), thrown(() => { e.fixed.value = 1n; }).name, e.count instanceof WebAssembly.Global); return seen; });
check("tables", () => { const e = open(); const f = e.table.get(0); const seen = [e.table.length, f(), e.table.get(1), e.indirect(0)]; e.table.set(1, f); seen.push(e.indirect(1), e.table.grow(3), e.table.length, thrown(() => e.table.get(99)).name, thrown(() => e.table.set(0, () => {})).name, e.table.get(0) === f); return seen; });
for (const [name, run] of Object.entries({ unreachable: (e) => e.trap(), "divide by zero": (e) => e.div(1, 0), overflow: (e) => e.div(-(2 ** 31), -1), "out of bounds": (e) => e.peek(70000), "a null in a table": (e) => e.indirect(1), "no such element": (e) => e.indirect(99) })) {
  check(`trap: ${name}`, () => { const error = thrown(() => run(open())); return [error.name, error instanceof WebAssembly.RuntimeError, error.message]; });
}
check("endless recursion", () => thrown(() => open().deep()).name);
check("an error of an import", () => { const e = open(() => { throw new RangeError("mine"); }); const error = thrown(() => e.call(1)); return [error.name, error.message, e.add(1, 2)]; });
check("an import calls back", () => { const seen = []; const e = open((n) => { seen.push(n); if (n < 3) e.call(n + 1); }); e.call(1); return seen; });
check("a start function with imports", () => { const seen = []; const memory = new WebAssembly.Memory({ initial: 1 }); new Uint8Array(memory.buffer)[3] = 33; const e = new WebAssembly.Instance(new WebAssembly.Module(START), { e: { f: (n) => seen.push(n), m: memory, g: 42 } }).exports; return [seen, e.get()]; });
check("a global for a global", () => { const seen = []; new WebAssembly.Instance(new WebAssembly.Module(START), { e: { f: (n) => seen.push(n), m: new WebAssembly.Memory({ initial: 2 }), g: new WebAssembly.Global({ value: "i32" }, 6) } }); return seen; });
check("an exported function as an import", () => { const seen = []; const one = open((n) => seen.push(n)); new WebAssembly.Instance(new WebAssembly.Module(START), { e: { f: one.call, m: one.memory, g: 1 } }); return seen; });
check("instantiate bytes", async () => { const { module, instance } = await WebAssembly.instantiate(BASIC, { env: { log() {}, pair() {} } }); return [module instanceof WebAssembly.Module, instance instanceof WebAssembly.Instance, instance.exports.add(1, 1)]; });
check("instantiate a module", async () => (await WebAssembly.instantiate(await WebAssembly.compile(BASIC), { env: { log() {}, pair() {} } })).exports.add(1, 2));
check("streaming", async () => { const response = () => new Response(BASIC, { headers: { "content-type": "application/wasm" } }); const { instance } = await WebAssembly.instantiateStreaming(response(), { env: { log() {}, pair() {} } }); return [instance.exports.add(2, 2), (await WebAssembly.compileStreaming(Promise.resolve(response()))) instanceof WebAssembly.Module, (await rejection(WebAssembly.compileStreaming(new Response(BASIC)))).name]; });
for (const [name, run] of Object.entries({
  "bad bytes": () => new WebAssembly.Module(new Uint8Array([0, 1, 2])), "not bytes": () => new WebAssembly.Module("text"), "no imports": () => new WebAssembly.Instance(new WebAssembly.Module(BASIC)),
  "a missing namespace": () => new WebAssembly.Instance(new WebAssembly.Module(BASIC), {}), "a missing function": () => new WebAssembly.Instance(new WebAssembly.Module(BASIC), { env: {} }),
  "not a memory": () => new WebAssembly.Instance(new WebAssembly.Module(START), { e: { f() {}, m: {}, g: 1 } }), "a memory too small": () => new WebAssembly.Instance(new WebAssembly.Module(START), { e: { f() {}, m: new WebAssembly.Memory({ initial: 0 }), g: 1 } }),
  "a memory without a size": () => new WebAssembly.Memory({}), "a maximum too small": () => new WebAssembly.Memory({ initial: 2, maximum: 1 }), "an unknown type": () => new WebAssembly.Global({ value: "i7" }), "an unknown element": () => new WebAssembly.Table({ element: "x", initial: 1 }),
})) check(`refuses: ${name}`, () => thrown(run).name);
check("Memory", () => { const m = new WebAssembly.Memory({ initial: 1, maximum: 2 }); return [m.buffer.byteLength, m.grow(1), m.buffer.byteLength, String(m)]; });
check("Global", () => { const g = new WebAssembly.Global({ value: "i64", mutable: true }, 5n); g.value = 6n; return [g.value, new WebAssembly.Global({ value: "f64" }).value, new WebAssembly.Global({ value: "i32" }, 3.9).value]; });
check("Table", () => { const t = new WebAssembly.Table({ element: "anyfunc", initial: 2 }); const x = new WebAssembly.Table({ element: "externref", initial: 1 }, "first"); return [t.length, t.get(0), x.get(0)]; });
check("tags", () => [String(WebAssembly), String(new WebAssembly.Module(BASIC)), typeof WebAssembly.CompileError, new WebAssembly.LinkError("m") instanceof Error]);
