// node:process

import { call as host, register } from "marsh:core";
import EventEmitter from "node:events";
import { missing } from "marsh:unsupported";

const info = host("os.info");

export const env = new Proxy({}, {
  get: (_, name) => (typeof name === "string" && name !== "" ? host("env.get", name) : undefined),
  set: (_, name, value) => (host("env.set", String(name), String(value)), true),
  deleteProperty: (_, name) => (host("env.delete", String(name)), true),
  has: (_, name) => typeof name === "string" && name !== "" && host("env.get", name) !== undefined,
  ownKeys: () => Object.keys(host("env.all")),
  getOwnPropertyDescriptor(_, name) {
    const value = typeof name === "string" && name !== "" ? host("env.get", name) : undefined;
    return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true };
  },
});

const stream = (name, fd) => Object.assign(new EventEmitter(), {
  fd,
  isTTY: false,
  writable: true,
  write(chunk, encoding, callback) {
    host("output", name, typeof chunk === "string" ? chunk : new Uint8Array(chunk));
    callback = typeof encoding === "function" ? encoding : callback;
    if (callback) queueMicrotask(callback);
    return true;
  },
  end() {},
});

export const argv = [info.exe, "marsh", ...info.args];
export const argv0 = "marsh";
export const execArgv = [];
export const execPath = info.exe;
export const pid = info.pid;
export const ppid = info.ppid;
export const platform = info.os;
export const arch = info.arch === "x86_64" ? "x64" : info.arch === "aarch64" ? "arm64" : info.arch;
export const version = "v22.0.0";
export const versions = { node: "22.0.0", quickjs: "ng" };
export const release = { name: "node" };
export const stdout = stream("stdout", 1);
export const stderr = stream("stderr", 2);
export const cwd = () => info.cwd;
export const exit = (code) => host("exit", Number(code ?? 0) || 0);
export const nextTick = (callback, ...args) => queueMicrotask(() => callback(...args));
export const uptime = () => host("time.now") / 1e3;
export function hrtime(previous) {
  const now = host("time.now");
  let [seconds, nanos] = [Math.floor(now / 1e3), Math.floor((now % 1e3) * 1e6)];
  if (previous) {
    seconds -= previous[0];
    nanos -= previous[1];
    if (nanos < 0) {
      seconds -= 1;
      nanos += 1e9;
    }
  }
  return [seconds, nanos];
}
hrtime.bigint = () => BigInt(Math.floor(host("time.now") * 1e6));
export const memoryUsage = () => ({ ...host("os.memory"), arrayBuffers: 0 });
export const getuid = () => info.uid;
export const getgid = () => info.gid;
export const geteuid = getuid;
export const getegid = getgid;
export const umask = () => 0o022;
export const emitWarning = (warning) => globalThis.console.warn(String(warning?.message ?? warning));
export const kill = (target, signal = "SIGTERM") => (host("process.killPid", Number(target), String(signal)), true);

const process = Object.assign(new EventEmitter(), {
  env, argv, argv0, execArgv, execPath, pid, ppid, platform, arch, version, versions, release, stdout, stderr, cwd, exit,
  nextTick, uptime, hrtime, memoryUsage, getuid, getgid, geteuid, getegid, umask, emitWarning, kill,
  title: "marsh", exitCode: undefined, config: {}, features: {},
  chdir: missing("process.chdir"), binding: missing("process.binding"),
});
Object.defineProperty(process, "stdin", { get: missing("process.stdin"), enumerable: false });
Object.defineProperty(process, Symbol.toStringTag, { value: "process", configurable: true });
export const on = process.on.bind(process);
export const once = process.once.bind(process);
export const off = process.off.bind(process);
export const emit = process.emit.bind(process);
export default register("node:process", process);
