// WebAssembly: objects over the machine of the host.

import { call, lazy, register, unsupported } from "marsh:core";

// Taken before other code can patch it: views of a memory that has grown must be detached.
const { transfer } = ArrayBuffer.prototype;
const detach = (buffer) => Reflect.apply(transfer, buffer, [0]);

function errorClass(name) {
  return { [name]: class extends Error {
    constructor(message, options) {
      super(message, options);
      this.name = name;
    }
  } }[name];
}
const CompileError = errorClass("CompileError");
const LinkError = errorClass("LinkError");
const RuntimeError = errorClass("RuntimeError");
const errors = { CompileError, LinkError, RuntimeError };

function hosted(op, ...args) {
  try {
    return call(op, ...args);
  } catch (error) {
    if (error.code in errors) throw new errors[error.code](error.message);
    throw error;
  }
}

// ---- values ----

const numbers = new WeakMap();
const functions = new Map();
const held = new Map();
let holding = 0;

function toHost(kind, value) {
  switch (kind) {
    case "i32": return Number(value) | 0;
    case "i64": return String(BigInt.asIntN(64, value));
    case "f32":
    case "f64": return Number(value);
    case "externref":
      if (value === null) return null;
      held.set(++holding, value);
      return holding;
    case "anyfunc":
    case "funcref":
      if (value === null) return null;
      if (!numbers.has(value)) throw new TypeError("a function reference is an exported function of WebAssembly, or null");
      return numbers.get(value);
  }
  throw new TypeError(`a ${kind} does not pass to JavaScript`);
}
function fromHost(value) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return functionOf(value);
  return "bigint" in value ? BigInt(value.bigint) : held.get(value.extern);
}

const imports = new Map();
let imported = 0;

function answered({ import: number, arguments: args, suspended, wanted }) {
  try {
    const result = imports.get(number)(...args.map(fromHost));
    if (wanted.length === 0) return [];
    return wanted.length === 1 ? [toHost(wanted[0], result)] : wanted.map(((all) => (kind, at) => toHost(kind, all[at]))([...result]));
  } catch (error) {
    call("wasm.abandon", suspended);
    throw error;
  }
}

/** Answers calls of imports until the machine has results. */
function run(state) {
  for (;;) {
    renew(state.growths);
    if (state.results) return state.results.map(fromHost);
    state = hosted("wasm.resume", state.suspended, ...answered(state));
  }
}

function functionOf([number, parameters, results]) {
  const known = functions.get(number);
  if (known) return known;
  const made = (...args) => {
    const found = run(hosted("wasm.call", number, ...parameters.map((kind, at) => toHost(kind, args[at]))));
    return results.length === 0 ? undefined : results.length === 1 ? found[0] : found;
  };
  Object.defineProperty(made, "name", { value: String(number), configurable: true });
  Object.defineProperty(made, "length", { value: parameters.length, configurable: true });
  functions.set(number, made);
  numbers.set(made, number);
  return made;
}

// ---- what a machine has ----

const secret = Symbol("number");
const objects = new Map();
const bytesOf = (source) => {
  if (!(source instanceof ArrayBuffer) && !ArrayBuffer.isView(source)) throw new TypeError("WebAssembly takes an ArrayBuffer or a view of one");
  return new Uint8Array(lazy("marsh:text").bytesOf(source)).slice();
};
function count(value, name, optional = false) {
  if (value === undefined && optional) return undefined;
  const number = Math.trunc(Number(value));
  if (!(number >= 0 && number <= 0xffffffff)) throw new TypeError(`${name} is a number of 32 bits`);
  return number;
}
function tagged(Class) {
  Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: `WebAssembly.${Class.name}`, configurable: true });
}
const keep = (object, number) => {
  numbers.set(object, number);
  objects.set(number, object);
};

let growths = 0;
const memories = new Set();
function renew(now) {
  if (now === growths) return;
  growths = now;
  for (const memory of memories) renewMemory(memory);
}

class Memory {
  #number;
  #buffer;
  constructor(descriptor, number) {
    if (descriptor === secret) this.#number = number;
    else {
      if (typeof descriptor !== "object" || descriptor === null) throw new TypeError("WebAssembly.Memory(): Argument 0 must be a memory descriptor");
      if (descriptor.shared) throw unsupported("WebAssembly.Memory with 'shared'");
      const initial = count(descriptor.initial ?? descriptor.minimum, "initial");
      const maximum = count(descriptor.maximum, "maximum", true);
      if (maximum !== undefined && maximum < initial) throw new RangeError("the maximum of a memory is less than its initial size");
      this.#number = hosted("wasm.memory", initial, maximum);
    }
    keep(this, this.#number);
    memories.add(this);
  }
  get buffer() { return (this.#buffer ??= call("wasm.view", this.#number)); }
  grow(delta) {
    const before = hosted("wasm.grow", this.#number, count(delta, "delta"));
    this.#drop();
    return before;
  }
  #drop() {
    if (this.#buffer && !this.#buffer.detached) detach(this.#buffer);
    this.#buffer = undefined;
  }
  static renew(memory) {
    if (memory.#buffer && memory.#buffer.byteLength !== call("wasm.size", memory.#number)) memory.#drop();
  }
}
const { renew: renewMemory } = Memory;
delete Memory.renew;

class Table {
  #number;
  #kind;
  constructor(descriptor, value, number) {
    if (descriptor === secret) {
      this.#number = number;
      this.#kind = value;
    } else {
      this.#kind = String(descriptor?.element);
      if (this.#kind !== "anyfunc" && this.#kind !== "externref") throw new TypeError("the element of a table is 'anyfunc' or 'externref'");
      const initial = count(descriptor.initial ?? descriptor.minimum, "initial");
      const first = this.#kind === "anyfunc" ? toHost("anyfunc", value ?? null) : toHost("externref", value === undefined ? null : value);
      this.#number = hosted("wasm.table", this.#kind, initial, count(descriptor.maximum, "maximum", true), first);
    }
    keep(this, this.#number);
  }
  get length() { return call("wasm.tableSize", this.#number); }
  get(index) { return fromHost(hosted("wasm.tableGet", this.#number, count(index, "index"))); }
  set(index, value) { hosted("wasm.tableSet", this.#number, count(index, "index"), toHost(this.#kind, value ?? null)); }
  grow(delta, value) { return hosted("wasm.tableGrow", this.#number, count(delta, "delta"), toHost(this.#kind, value ?? null)); }
}

class Global {
  #number;
  #kind;
  #mutable;
  constructor(descriptor, value, number, mutable) {
    if (descriptor === secret) {
      this.#kind = value;
      this.#number = number;
      this.#mutable = mutable;
    } else {
      this.#kind = String(descriptor?.value);
      this.#mutable = !!descriptor?.mutable;
      const first = value === undefined ? undefined : toHost(this.#kind, value);
      this.#number = hosted("wasm.global", this.#kind, this.#mutable, first);
    }
    keep(this, this.#number);
  }
  get value() { return fromHost(call("wasm.globalGet", this.#number)); }
  set value(value) {
    if (!this.#mutable) throw new TypeError("set WebAssembly.Global.value: Can't set the value of an immutable global.");
    hosted("wasm.globalSet", this.#number, toHost(this.#kind, value));
  }
  valueOf() { return this.value; }
}

function objectOf([kind, number, type, mutable]) {
  if (kind === "function") return functionOf(number);
  const known = objects.get(number);
  if (known) return known;
  if (kind === "memory") return new Memory(secret, number);
  return kind === "table" ? new Table(secret, type, number) : new Global(secret, type, number, mutable);
}

// ---- modules and instances ----

const parts = new WeakMap();
class Module {
  constructor(bytes) {
    const [number, wanted, exported] = hosted("wasm.compile", bytesOf(bytes));
    parts.set(this, { number, wanted, exported });
  }
  static imports(module) { return partsOf(module).wanted.map(([from, name, kind]) => ({ module: from, name, kind })); }
  static exports(module) { return partsOf(module).exported.map(([name, kind]) => ({ name, kind })); }
  static customSections() { throw unsupported("WebAssembly.Module.customSections"); }
}
function partsOf(module) {
  const found = parts.get(module);
  if (!found) throw new TypeError("Argument 0 must be a WebAssembly.Module");
  return found;
}

const classes = { memory: Memory, table: Table, global: Global };
/** What stands for an import. */
function given(from, at, [module, name, kind, type]) {
  const label = `Import #${at} "${module}"`;
  const namespace = from?.[module];
  if ((typeof namespace !== "object" && typeof namespace !== "function") || namespace === null) {
    throw new TypeError(`WebAssembly.Instance(): ${label}: module is not an object or function`);
  }
  const value = namespace[name];
  if (kind === "function") {
    if (typeof value !== "function") throw new LinkError(`WebAssembly.Instance(): ${label} "${name}": function import requires a callable`);
    if (numbers.has(value)) return { item: numbers.get(value) };
    imports.set(++imported, value);
    return { function: imported };
  }
  if (kind === "global" && (typeof value === "number" || typeof value === "bigint")) {
    return { item: numbers.get(new Global({ value: type }, value)) };
  }
  if (!(value instanceof classes[kind])) throw new LinkError(`WebAssembly.Instance(): ${label} "${name}": ${kind} import must be a WebAssembly.${kind[0].toUpperCase()}${kind.slice(1)} object`);
  return { item: numbers.get(value) };
}

class Instance {
  constructor(module, from) {
    const { number, wanted } = partsOf(module);
    if (wanted.length > 0 && (typeof from !== "object" || from === null)) throw new TypeError("WebAssembly.Instance(): Imports argument must be present and must be an object");
    const standing = wanted.map((one, at) => given(from, at, one));
    const [items, begin] = hosted("wasm.instantiate", number, JSON.stringify(standing));
    const exports = Object.create(null);
    for (const [name, item] of items) exports[name] = objectOf(item);
    Object.defineProperty(this, "exports", { value: Object.freeze(exports), enumerable: true, configurable: true });
    if (begin !== null) functionOf(begin)();
  }
}
for (const Class of [Module, Instance, Memory, Table, Global]) tagged(Class);

async function compile(bytes) { return new Module(bytes); }
async function instantiate(source, from) {
  if (source instanceof Module) return new Instance(source, from);
  const module = new Module(source);
  return { module, instance: new Instance(module, from) };
}
async function streamed(source) {
  const response = await source;
  if (!(response instanceof globalThis.Response)) throw new TypeError("a Response, or the promise of one, is needed");
  const type = (response.headers.get("content-type") ?? "").split(";")[0].trim().toLowerCase();
  if (type !== "application/wasm") throw new TypeError(`Invalid WebAssembly content type: ${type}`);
  if (!response.ok) throw new TypeError(`the response has the status ${response.status}`);
  return response.arrayBuffer();
}

const WebAssembly = {
  validate: (bytes) => call("wasm.validate", bytesOf(bytes)),
  compile,
  instantiate,
  compileStreaming: async (source) => new Module(await streamed(source)),
  instantiateStreaming: async (source, from) => instantiate(await streamed(source), from),
};
for (const [name, value] of Object.entries({ Module, Instance, Memory, Table, Global, ...errors })) {
  Object.defineProperty(WebAssembly, name, { value, writable: true, configurable: true });
}
Object.defineProperty(WebAssembly, Symbol.toStringTag, { value: "WebAssembly", configurable: true });

register("marsh:wasm", { WebAssembly });
