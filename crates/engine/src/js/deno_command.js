// Deno.Command

import { call, lazy, register, start } from "marsh:core";
import { missing } from "marsh:unsupported";

const kinds = ["piped", "inherit", "null"];

function kind(name, given, otherwise) {
  const chosen = given ?? otherwise;
  if (!kinds.includes(chosen)) throw new TypeError(`${name} is one of ${kinds.join(", ")}, not ${String(chosen)}`);
  return chosen;
}

function spec(program, options, defaults) {
  const pathText = (path) => (path instanceof lazy("marsh:url").URL ? call("url.toPath", path.href) : String(path));
  const { args = [], cwd, env = {}, clearEnv = false, stdin, stdout, stderr, uid, gid, windowsRawArguments } = options;
  if (uid !== undefined || gid !== undefined || windowsRawArguments) missing("Deno.Command with uid or gid")();
  return JSON.stringify({
    program: pathText(program),
    args: [...args].map(String),
    cwd: cwd === undefined || cwd === null ? undefined : pathText(cwd),
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)])),
    clearEnv: !!clearEnv,
    stdin: kind("stdin", stdin, defaults.stdin),
    stdout: kind("stdout", stdout, defaults.stdout),
    stderr: kind("stderr", stderr, defaults.stderr),
  });
}

const collected = { stdin: "null", stdout: "piped", stderr: "piped" };
const inherited = { stdin: "null", stdout: "inherit", stderr: "inherit" };

/** What a piped stream that was not piped says, as in Deno. */
function result(said, options, defaults) {
  const output = { success: said.success, code: said.code, signal: said.signal };
  for (const name of ["stdout", "stderr"]) {
    if ((options[name] ?? defaults[name]) === "piped") output[name] = said[name];
    else {
      Object.defineProperty(output, name, {
        get() { throw new TypeError(`Cannot get '${name}': '${name}' is not piped`); },
        enumerable: true,
      });
    }
  }
  return output;
}

/** Terminate the child when the signal aborts; its own end then settles everything. */
function tie(signal, id) {
  if (!signal) return () => {};
  const abort = () => {
    try {
      call("process.kill", id, "SIGTERM");
    } catch {
      // It ended by itself just before.
    }
  };
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return () => signal.removeEventListener("abort", abort);
}

class Reader {
  #id;
  #stream;
  #taken = false;
  constructor(id, stream) {
    this.#id = id;
    this.#stream = stream;
  }
  async *[Symbol.asyncIterator]() {
    this.#take();
    for (;;) {
      const chunk = await start("process.read", this.#id, this.#stream);
      if (chunk === null) return;
      yield chunk;
    }
  }
  #take() {
    if (this.#taken) throw new TypeError("ReadableStream is locked");
    this.#taken = true;
  }
  get locked() { return this.#taken; }
  getReader() {
    this.#take();
    return {
      read: async () => {
        const value = await start("process.read", this.#id, this.#stream);
        return value === null ? { value: undefined, done: true } : { value, done: false };
      },
      releaseLock: () => { this.#taken = false; },
      cancel: async () => {},
    };
  }
  async #all() {
    const chunks = [];
    for await (const chunk of this) chunks.push(chunk);
    return new (lazy("marsh:blob").Blob)(chunks);
  }
  async text() { return (await this.#all()).text(); }
  async json() { return JSON.parse(await this.text()); }
  async bytes() { return (await this.#all()).bytes(); }
  async arrayBuffer() { return (await this.#all()).arrayBuffer(); }
  async cancel() { this.#take(); }
}
for (const name of ["pipeTo", "pipeThrough", "tee"]) Reader.prototype[name] = missing(`ReadableStream.${name}`);

class Writer {
  #id;
  #taken = false;
  constructor(id) { this.#id = id; }
  get locked() { return this.#taken; }
  async close() { call("process.closeStdin", this.#id); }
  async abort() { call("process.closeStdin", this.#id); }
  getWriter() {
    if (this.#taken) throw new TypeError("WritableStream is locked");
    this.#taken = true;
    const id = this.#id;
    let last = Promise.resolve();
    return {
      ready: Promise.resolve(undefined),
      write: (chunk) => (last = start("process.write", id, typeof chunk === "string" ? chunk : lazy("marsh:text").bytesOf(chunk))),
      close: async () => {
        await last;
        call("process.closeStdin", id);
      },
      abort: async () => call("process.closeStdin", id),
      releaseLock: () => { this.#taken = false; },
    };
  }
}

export class ChildProcess {
  #id;
  #streams;
  #kinds;
  #status;
  constructor(program, options) {
    const text = spec(program, options, inherited);
    options.signal?.throwIfAborted();
    const [id, pid] = call("process.spawn", text);
    this.#id = id;
    this.pid = pid;
    this.#kinds = options;
    const untie = tie(options.signal, id);
    this.#status = start("process.wait", id).finally(untie);
    this.#status.catch(() => {});
    this.#streams = {
      stdin: options.stdin === "piped" ? new Writer(id) : null,
      stdout: options.stdout === "piped" ? new Reader(id, "stdout") : null,
      stderr: options.stderr === "piped" ? new Reader(id, "stderr") : null,
    };
  }
  #stream(name) {
    if (!this.#streams[name]) throw new TypeError(`Cannot get '${name}': '${name}' is not piped`);
    return this.#streams[name];
  }
  get stdin() { return this.#stream("stdin"); }
  get stdout() { return this.#stream("stdout"); }
  get stderr() { return this.#stream("stderr"); }
  get status() { return this.#status; }
  async output() { return result(await start("process.output", this.#id), this.#kinds, inherited); }
  kill(signal = "SIGTERM") { call("process.kill", this.#id, String(signal)); }
  ref() {}
  unref() {}
  async [Symbol.asyncDispose]() {
    try {
      this.kill();
    } catch {
      // Already gone.
    }
    await this.#status;
  }
}

export class Command {
  #program;
  #options;
  constructor(program, options = {}) {
    this.#program = program;
    this.#options = options;
  }
  #begin() {
    const text = spec(this.#program, this.#options, collected);
    if (this.#options.stdin === "piped") {
      throw new TypeError("If 'stdin' is set to 'piped', use 'spawn()' instead of 'output()'");
    }
    this.#options.signal?.throwIfAborted();
    return call("process.spawn", text)[0];
  }
  async output() {
    const id = this.#begin();
    const untie = tie(this.#options.signal, id);
    try {
      return result(await start("process.output", id), this.#options, collected);
    } finally {
      untie();
    }
  }
  outputSync() { return result(call("process.output", this.#begin()), this.#options, collected); }
  spawn() { return new ChildProcess(this.#program, this.#options); }
}

register("marsh:deno_command", { Command, ChildProcess });
