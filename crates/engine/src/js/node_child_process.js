// node:child_process over the same children that Deno.Command has.

import { call as host, register, start } from "marsh:core";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import { Readable, Writable } from "node:stream";
import { missing } from "marsh:unsupported";

const promisified = Symbol.for("nodejs.util.promisify.custom");
const stdioNames = ["stdin", "stdout", "stderr"];

function kindsOf(stdio, otherwise) {
  const list = Array.isArray(stdio) ? stdio : [stdio, stdio, stdio];
  return stdioNames.map((name, at) => {
    const kind = list[at] ?? otherwise;
    if (kind === "pipe" || kind === "overlapped") return "piped";
    if (kind === "ignore") return "null";
    if (kind === "inherit" || kind === at) return name === "stdin" ? "null" : "inherit";
    return missing(`child_process with '${String(kind)}' as ${name}`)();
  });
}

function specOf(file, args, options, otherwise = "pipe") {
  const { cwd, env, shell, stdio, uid, gid } = options;
  if (uid !== undefined || gid !== undefined) missing("child_process with uid or gid")();
  const [stdin, stdout, stderr] = kindsOf(stdio, otherwise);
  const given = env && Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]));
  const line = shell ? ["-c", [file, ...args].join(" ")] : args.map(String);
  const program = shell ? (typeof shell === "string" ? shell : "/bin/sh") : String(file);
  const place = cwd === undefined || cwd === null ? undefined : cwd instanceof URL ? host("url.toPath", cwd.href) : String(cwd);
  return { program, args: line, cwd: place, env: given ?? {}, clearEnv: !!env, stdin, stdout, stderr };
}

const notStarted = (error, file, args) => Object.assign(new Error(`spawn ${file} ${error.code ?? error.message}`, { cause: error }), {
  code: error.code ?? "ENOENT", errno: error.code, syscall: `spawn ${file}`, path: file, spawnargs: args,
});
const signals = (signal) => (typeof signal === "number" ? { 1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 9: "SIGKILL", 15: "SIGTERM" }[signal] : signal ?? "SIGTERM");

export class ChildProcess extends EventEmitter {
  #id;
  constructor(spec, file, args) {
    super();
    Object.assign(this, { pid: undefined, exitCode: null, signalCode: null, killed: false, connected: false, spawnfile: file, spawnargs: [file, ...args] });
    let pid;
    try {
      [this.#id, pid] = host("process.spawn", JSON.stringify(spec));
    } catch (error) {
      this.stdin = this.stdout = this.stderr = null;
      this.stdio = [null, null, null];
      setTimeout(() => {
        this.exitCode = -2;
        this.emit("error", notStarted(error, file, args));
      }, 0);
      return;
    }
    this.pid = pid;
    const id = this.#id;
    this.stdin = spec.stdin === "piped" ? new Writable({
      write: (chunk, encoding, callback) => {
        start("process.write", id, typeof chunk === "string" ? new Uint8Array(Buffer.from(chunk, encoding)) : new Uint8Array(chunk)).then(() => callback(), callback);
      },
      final: (callback) => {
        host("process.closeStdin", id);
        callback();
      },
      destroy: (error, callback) => {
        host("process.closeStdin", id);
        callback(error);
      },
    }) : null;
    const reader = (name) => (spec[name] !== "piped" ? null : new Readable({
      read() {
        start("process.read", id, name).then((chunk) => this.push(chunk && Buffer.from(chunk.buffer)), (error) => this.destroy(error));
      },
    }));
    this.stdout = reader("stdout");
    this.stderr = reader("stderr");
    this.stdio = [this.stdin, this.stdout, this.stderr];
    setTimeout(() => this.emit("spawn"), 0);
    this.#watch();
  }
  async #watch() {
    const { code, signal } = await start("process.wait", this.#id);
    this.exitCode = signal ? null : code;
    this.signalCode = signal;
    this.emit("exit", this.exitCode, this.signalCode);
    const open = [this.stdout, this.stderr].filter((stream) => stream && !stream.destroyed && !stream.readableEnded);
    for (const stream of open) if (stream.readableFlowing === null && stream.listenerCount("readable") === 0) stream.resume();
    await Promise.all(open.map((stream) => new Promise((resolve) => stream.once("close", resolve))));
    this.emit("close", this.exitCode, this.signalCode);
  }
  kill(signal) {
    try {
      host("process.kill", this.#id, signals(signal));
      this.killed = true;
      return true;
    } catch {
      return false;
    }
  }
  ref() {}
  unref() {}
  disconnect() {}
  [Symbol.dispose]() { this.kill(); }
}

const split = (args, options) => (Array.isArray(args) ? [args, options ?? {}] : [[], args ?? options ?? {}]);

export function spawn(file, given, more) {
  const [args, options] = split(given, more);
  const child = new ChildProcess(specOf(file, args, options), file, args);
  const { signal, timeout, killSignal } = options;
  if (timeout) {
    const timer = setTimeout(() => child.kill(killSignal), timeout);
    child.once("exit", () => clearTimeout(timer));
  }
  if (signal) {
    const abort = () => {
      if (child.kill(killSignal)) child.emit("error", Object.assign(new Error("The operation was aborted", { cause: signal.reason }), { name: "AbortError", code: "ABORT_ERR" }));
    };
    if (signal.aborted) queueMicrotask(abort);
    else {
      signal.addEventListener("abort", abort, { once: true });
      child.once("exit", () => signal.removeEventListener("abort", abort));
    }
  }
  return child;
}

function failure(command, code, signal, stdout, stderr, killed) {
  return Object.assign(new Error(`Command failed: ${command}\n${stderr}`), { code, signal, killed, cmd: command, stdout, stderr });
}

function run(file, args, options, callback) {
  const child = spawn(file, args, { ...options, stdio: "pipe" });
  const command = [file, ...args].join(" ");
  const limit = options.maxBuffer ?? 1 << 20;
  const encoding = options.encoding === undefined ? "utf8" : options.encoding;
  const parts = { stdout: [], stderr: [] };
  const text = (name) => {
    const all = Buffer.concat(parts[name]);
    return encoding && encoding !== "buffer" ? all.toString(encoding) : all;
  };
  let failed = null;
  for (const name of ["stdout", "stderr"]) {
    let size = 0;
    child[name]?.on("data", (chunk) => {
      parts[name].push(chunk);
      size += chunk.length;
      if (size > limit && !failed) {
        failed = Object.assign(new RangeError(`${name} maxBuffer length exceeded`), { code: "ERR_CHILD_PROCESS_STDIO_MAXBUFFER", cmd: command });
        child.kill();
      }
    });
  }
  child.on("error", (error) => {
    failed ??= error;
    if (child.pid === undefined) callback?.(Object.assign(error, { cmd: command }), text("stdout"), text("stderr"));
  });
  child.on("close", (code, signal) => {
    if (!failed && (code !== 0 || signal)) failed = failure(command, code, signal, text("stdout"), text("stderr"), child.killed);
    callback?.(failed, text("stdout"), text("stderr"));
  });
  return child;
}

export function execFile(file, ...rest) {
  const callback = typeof rest.at(-1) === "function" ? rest.pop() : undefined;
  const [args, options] = split(rest[0], rest[1]);
  return run(file, args, options, callback);
}
export function exec(command, options, callback) {
  if (typeof options === "function") [options, callback] = [{}, options];
  return run(command, [], { ...options, shell: options?.shell ?? true }, callback);
}
const promising = (method) => (...args) => {
  const { promise, resolve, reject } = Promise.withResolvers();
  promise.child = method(...args, (error, stdout, stderr) => (error ? reject(Object.assign(error, { stdout, stderr })) : resolve({ stdout, stderr })));
  return promise;
};
Object.defineProperty(exec, promisified, { value: promising(exec) });
Object.defineProperty(execFile, promisified, { value: promising(execFile) });

export function spawnSync(file, given, more) {
  const [args, options] = split(given, more);
  const spec = specOf(file, args, options);
  const encoding = options.encoding && options.encoding !== "buffer" ? options.encoding : undefined;
  const show = (bytes, kind) => (kind !== "piped" ? null : encoding ? Buffer.from(bytes.buffer).toString(encoding) : Buffer.from(bytes.buffer));
  let id;
  let pid;
  try {
    [id, pid] = host("process.spawn", JSON.stringify(spec));
  } catch (error) {
    return { error: notStarted(error, file, args), status: null, signal: null, pid: 0, output: null, stdout: null, stderr: null };
  }
  const input = options.input === undefined ? undefined : new Uint8Array(Buffer.from(options.input));
  const said = host("process.output", id, input, options.timeout, signals(options.killSignal));
  const stdout = show(said.stdout, spec.stdout);
  const stderr = show(said.stderr, spec.stderr);
  const result = { pid, status: said.signal ? null : said.code, signal: said.signal, stdout, stderr, output: [null, stdout, stderr] };
  if (said.late) result.error = Object.assign(new Error(`spawnSync ${file} ETIMEDOUT`), { code: "ETIMEDOUT", errno: "ETIMEDOUT", path: file });
  return result;
}
function checked(command, result) {
  if (result.error) throw Object.assign(result.error, result.output ? { stdout: result.stdout, stderr: result.stderr, status: result.status } : {});
  if (result.status !== 0) throw Object.assign(failure(command, result.status, result.signal, result.stdout, result.stderr, false), { status: result.status, pid: result.pid, output: result.output });
  return result.stdout;
}
export function execFileSync(file, given, more) {
  const [args, options] = split(given, more);
  return checked([file, ...args].join(" "), spawnSync(file, args, options));
}
export const execSync = (command, options) => checked(command, spawnSync(command, [], { ...options, shell: options?.shell ?? true }));
export const fork = missing("node:child_process.fork");
export default register("node:child_process", { ChildProcess, spawn, exec, execFile, spawnSync, execSync, execFileSync, fork });
