// console: formats, and hands complete lines to the host. Never the process's own stdout, which is the protocol.

import { call as host, lazy } from "marsh:core";

const inspect = () => lazy("marsh:inspect");
const now = () => host("time.now");

class Console {
  #indent = "";
  #counts = new Map();
  #times = new Map();

  constructor() {
    // Methods work detached: `const { log } = console`.
    for (const name of Object.getOwnPropertyNames(Console.prototype)) {
      if (name !== "constructor") {
        Object.defineProperty(this, name, {
          value: this[name].bind(this), writable: true, enumerable: true, configurable: true,
        });
      }
    }
  }

  #write(stream, args) {
    let text = args.length === 1 && typeof args[0] === "string" ? args[0] : inspect().formatLog(args);
    if (this.#indent) text = this.#indent + text.replaceAll("\n", `\n${this.#indent}`);
    host("output", stream, `${text}\n`);
  }

  log(...args) { this.#write("stdout", args); }
  info(...args) { this.#write("stdout", args); }
  debug(...args) { this.#write("stdout", args); }
  dir(value, options) { this.#write("stdout", [inspect().inspect(value, options)]); }
  dirxml(...args) { this.#write("stdout", args); }
  warn(...args) { this.#write("stderr", args); }
  error(...args) { this.#write("stderr", args); }
  trace(...args) {
    const stack = String(new Error().stack).split("\n").slice(1).join("\n");
    this.#write("stderr", [`Trace: ${inspect().formatLog(args)}\n${stack}`.trimEnd()]);
  }
  assert(condition, ...args) {
    if (condition) return;
    if (typeof args[0] === "string") this.#write("stderr", [`Assertion failed: ${args[0]}`, ...args.slice(1)]);
    else this.#write("stderr", ["Assertion failed", ...args]);
  }
  group(...args) {
    if (args.length) this.#write("stdout", args);
    this.#indent += "    ";
  }
  groupCollapsed(...args) { this.group(...args); }
  groupEnd() { this.#indent = this.#indent.slice(4); }
  count(label = "default") {
    const count = (this.#counts.get(String(label)) ?? 0) + 1;
    this.#counts.set(String(label), count);
    this.#write("stdout", [`${label}: ${count}`]);
  }
  countReset(label = "default") { this.#counts.delete(String(label)); }
  time(label = "default") { this.#times.set(String(label), now()); }
  timeLog(label = "default", ...args) {
    const start = this.#times.get(String(label));
    if (start === undefined) this.#write("stderr", [`Timer '${label}' does not exist`]);
    else this.#write("stdout", [`${label}: ${Math.round(now() - start)}ms`, ...args]);
  }
  timeEnd(label = "default") {
    const start = this.#times.get(String(label));
    if (start === undefined) return this.#write("stderr", [`Timer '${label}' does not exist`]);
    this.#times.delete(String(label));
    this.#write("stdout", [`${label}: ${Math.round(now() - start)}ms`]);
  }
  timeStamp() {}
  profile() {}
  profileEnd() {}
  clear() {}
  table(data, columns) {
    if (typeof data !== "object" || data === null) return this.log(data);
    this.#write("stdout", [inspect().table(data, columns)]);
  }
}

export const console = new Console();
