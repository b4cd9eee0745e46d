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

let Reader;
function reader(id, stream) {
  const { readableOf, ReadableStream, collect } = lazy("marsh:streams");
  Reader ??= class SubprocessReadableStream extends ReadableStream {
    async bytes() { return collect(this); }
    async arrayBuffer() { return (await this.bytes()).slice().buffer; }
    async text() { return new (lazy("marsh:text").TextDecoder)().decode(await this.bytes()); }
    async json() { return JSON.parse(await this.text()); }
  };
  return readableOf(() => start("process.read", id, stream), undefined, Reader);
}

function writer(id) {
  const { WritableStream, chunkBytes } = lazy("marsh:streams");
  const close = () => call("process.closeStdin", id);
  return new WritableStream({
    write: (chunk) => start("process.write", id, typeof chunk === "string" ? chunk : chunkBytes(chunk)),
    close,
    abort: close,
  });
}

export class ChildProcess {
  #id;
  #streams = {};
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
  }
  #stream(name) {
    if (this.#kinds[name] !== "piped") throw new TypeError(`Cannot get '${name}': '${name}' is not piped`);
    return (this.#streams[name] ??= name === "stdin" ? writer(this.#id) : reader(this.#id, name));
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
