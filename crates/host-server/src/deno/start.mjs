// What runs first in a Deno of marsh: takes the channel to the host, prepares the global object, loads the shim and the
// module, and runs the calls. It is to Deno what `main.js` of marsh-engine is to QuickJS.
//
// Every line to the host begins with a key that only this file knows, so that other code that finds the pipe cannot forge
// one. What is used here is taken before any other code runs: a module that patches `JSON` changes its own values.

import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";
import process from "node:process";

const { parse, stringify } = JSON;
const json = (value) => stringify(value) ?? "null";
const bind = (method) => Function.prototype.call.bind(method);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const encode = bind(TextEncoder.prototype.encode).bind(undefined, encoder);
const decode = bind(TextDecoder.prototype.decode).bind(undefined, decoder);
const subarray = bind(Uint8Array.prototype.subarray);
const copyInto = bind(Uint8Array.prototype.set);
const indexOf = bind(Uint8Array.prototype.indexOf);
const writeSync = bind(Deno.FsFile.prototype.writeSync);
const readSync = bind(Deno.FsFile.prototype.readSync);
const read = bind(Deno.FsFile.prototype.read);
const Bytes = Uint8Array;
const inspect = Deno.inspect;
const exitProcess = Deno.exit;

const channel = Deno.env.get("MARSH_DENO_CHANNEL");
Deno.env.delete("MARSH_DENO_CHANNEL");
const out = Deno.openSync(`${channel}/out`, { write: true });
const input = Deno.openSync(`${channel}/in`, { read: true });
const answers = Deno.openSync(`${channel}/answers`, { read: true });

// ---- lines ----

let key = "";

/** Written at once, so that nothing is lost when the process ends, and the order stays. */
const send = (fields, payload) => {
  const tail = payload === undefined ? "}" : `,"json":${payload}}`;
  let bytes = encode(`${key} ${stringify(fields).slice(0, -1)}${tail}\n`);
  while (bytes.length > 0) bytes = subarray(bytes, writeSync(out, bytes));
};

/** Cuts what is read into lines. What belongs to no line yet is kept in pieces, and joined once. */
class LineReader {
  buffer = new Bytes(1 << 16);
  #pieces = [];
  #lines = [];
  #next = 0;

  /** The next whole line that was read already. */
  take() {
    if (this.#next === this.#lines.length) return undefined;
    const line = this.#lines[this.#next++];
    if (this.#next === this.#lines.length) {
      this.#lines = [];
      this.#next = 0;
    }
    return line;
  }

  /** Takes over the first bytes of the buffer. */
  add(count) {
    const bytes = new Bytes(count);
    copyInto(bytes, subarray(this.buffer, 0, count));
    let from = 0;
    for (let end = indexOf(bytes, 10); end >= 0; end = indexOf(bytes, 10, from)) {
      this.#pieces[this.#pieces.length] = subarray(bytes, from, end);
      this.#lines[this.#lines.length] = decode(this.#joined());
      from = end + 1;
    }
    if (from < count) this.#pieces[this.#pieces.length] = subarray(bytes, from);
  }

  #joined() {
    const pieces = this.#pieces;
    this.#pieces = [];
    if (pieces.length === 1) return pieces[0];
    let length = 0;
    for (let i = 0; i < pieces.length; i++) length += pieces[i].length;
    const joined = new Bytes(length);
    length = 0;
    for (let i = 0; i < pieces.length; i++) {
      copyInto(joined, pieces[i], length);
      length += pieces[i].length;
    }
    return joined;
  }
}

const lineSync = (file, reader) => {
  for (;;) {
    const line = reader.take();
    if (line !== undefined) return line;
    const count = readSync(file, reader.buffer);
    if (count === null) exitProcess(0);
    reader.add(count);
  }
};

const inputLines = new LineReader();
const answerLines = new LineReader();
const start = parse(lineSync(input, inputLines));
key = start.key;
for (const [name, value] of Object.entries(start.env)) {
  if (value === null) Deno.env.delete(name);
  else Deno.env.set(name, value);
}

// ---- calls ----

const store = new AsyncLocalStorage();
const live = new Map();
const waiting = new Map();
let lastRequest = 0;
let dispatch;

/** The call on whose behalf code runs; where that is lost, the only call in flight. */
const current = () => {
  const id = store.getStore();
  if (id !== undefined) return live.has(id) ? id : "";
  return live.size === 1 ? live.keys().next().value : "";
};

const answered = ({ ok, error }) => {
  if (error === undefined || error === null) return ok;
  const made = new Error(error.message);
  made.code = error.code;
  if (error.data !== undefined && error.data !== null) made.data = error.data;
  throw made;
};

/** The functions of a call carry its id; no other code gets hold of them. */
const contextOf = (id, signal) => ({
  id,
  signal,
  request: (method, params) => {
    const n = ++lastRequest;
    const { promise, resolve } = Promise.withResolvers();
    waiting.set(n, resolve);
    send({ word: "request", call: id, n, method }, json(params));
    return promise.then(answered);
  },
  requestSync: (method, params) => {
    send({ word: "request", call: id, n: ++lastRequest, method, sync: true }, json(params));
    return answered(parse(lineSync(answers, answerLines)));
  },
  notify: (method, params) => send({ word: "notify", call: id, method }, json(params)),
});

const run = async ({ id, op, params }) => {
  const controller = new AbortController();
  live.set(id, controller);
  try {
    const result = await store.run(id, () => dispatch(op, params, contextOf(id, controller.signal)));
    send({ word: "done", call: id }, json(result));
  } catch (error) {
    send({ word: "failed", call: id }, describe(error));
  } finally {
    live.delete(id);
  }
};

// ---- errors ----

const asText = (value) => (typeof value === "string" ? value : undefined);

/** The frames of a stack, without the line that repeats name and message. */
const frames = (error) => {
  const stack = asText(error.stack);
  const first = stack?.search(/^ {4}at /m) ?? -1;
  return stack === undefined ? undefined : first < 0 ? "" : `${stack.slice(first)}\n`;
};

/** What a thrown value says about itself, as JSON; never throws. */
const describe = (error) => {
  const said = {};
  try {
    if ((typeof error !== "object" && typeof error !== "function") || error === null) {
      said.message = typeof error === "string" ? error : `thrown: ${String(error)}`;
      return stringify(said);
    }
    said.name = asText(error.name);
    said.message = asText(error.message) ?? `thrown: ${inspect(error)}`;
    said.stack = frames(error);
    said.code = asText(error.code);
    if (error.cause !== undefined && said.stack !== undefined) {
      const { cause } = error;
      said.stack += `Caused by: ${asText(cause?.stack) ? `${cause.name}: ${cause.message}\n${frames(cause)}` : String(cause)}`;
    }
    try {
      said.data = error.data === undefined ? undefined : parse(json(error.data));
    } catch {
      // Data that JSON cannot say is left out.
    }
    return stringify(said);
  } catch {
    return stringify({ name: said.name, message: said.message ?? "an error that cannot be read" });
  }
};

/** Keeps the process alive, and reports the error unless a listener of the module has handled it. */
const reportUnless = (event, handled, report) => {
  const prevent = event.preventDefault.bind(event);
  let prevented = false;
  Object.defineProperty(event, "preventDefault", {
    value: () => {
      prevented = true;
      prevent();
    },
  });
  prevent();
  queueMicrotask(() => prevented || handled() || report());
};

addEventListener("unhandledrejection", (event) => {
  const call = current();
  const handled = () => process.listenerCount("unhandledRejection") > 0;
  reportUnless(event, handled, () => send({ word: "rejected", call }, describe(event.reason)));
});
addEventListener("error", (event) => {
  const call = current();
  const handled = () => process.listenerCount("uncaughtException") > 0;
  reportUnless(event, handled, () => send({ word: "uncaught", call }, describe(event.error)));
});

// ---- the global object ----

const say = (stream, text) => send({ word: "output", call: current(), stream, text });

/** What code prints belongs to its call. What reaches the descriptors past these, the host reads there. */
const catchOutput = () => {
  const { Console } = Deno[Deno.internal] ?? {};
  if (Console !== undefined) {
    const shown = new Console((text, level) => say(level > 1 ? "stderr" : "stdout", text));
    for (const name of Object.getOwnPropertyNames(console)) {
      if (name !== "Console" && Object.hasOwn(shown, name) && typeof shown[name] === "function") {
        console[name] = shown[name];
      }
    }
  }
  for (const name of ["stdout", "stderr"]) {
    const writer = new TextDecoder();
    const writeNow = (bytes) => {
      say(name, writer.decode(bytes, { stream: true }));
      return bytes.length;
    };
    const define = (member, value) => Object.defineProperty(Deno[name], member, { ...value, configurable: true });
    define("writeSync", { value: writeNow });
    define("write", { value: async (bytes) => writeNow(bytes) });
    define("writable", { get: () => new WritableStream({ write: (bytes) => void writeNow(bytes) }) });
  }
};

const exit = (code) => {
  send({ word: "exit", code: Number(code ?? Deno.exitCode) || 0 });
  exitProcess(code);
};

catchOutput();
Deno.exit = exit;
process.reallyExit = exit;
// CommonJS code inside a bundle asks for builtins of Node.
globalThis.require = createRequire(start.require);

// ---- the module ----

const load = async () => {
  const shim = await import(start.shim);
  const namespace = await import(start.url);
  const externals = {};
  for (const name of start.externals) externals[name] = await import(name);
  if (typeof shim.dispatch !== "function") throw new TypeError("the shim exports no dispatch");
  dispatch = shim.dispatch;
  await shim.init?.({ namespace, externals, engineVersion: start.engineVersion });
};

const loading = load().then(
  () => send({ word: "loaded" }),
  (error) => {
    send({ word: "load_failed" }, describe(error));
    exitProcess(0);
  },
);

const handle = {
  call: (message) => loading.then(() => run(message)),
  cancel: ({ id, reason }) => {
    const controller = live.get(id);
    controller?.abort(new DOMException(reason || "The call was cancelled", "AbortError"));
  },
  answer: (message) => {
    const resolve = waiting.get(message.n);
    waiting.delete(message.n);
    resolve?.(message);
  },
  ping: ({ n }) => send({ word: "pong", n }),
};

const guarded = (act, message) => {
  try {
    act(message);
  } catch (error) {
    send({ word: "uncaught", call: "" }, describe(error));
  }
};

for (;;) {
  for (let line = inputLines.take(); line !== undefined; line = inputLines.take()) {
    const message = parse(line);
    guarded(handle[message.word], message);
  }
  const count = await read(input, inputLines.buffer);
  // The host is gone, or has ended this module version.
  if (count === null) exitProcess(0);
  inputLines.add(count);
}
