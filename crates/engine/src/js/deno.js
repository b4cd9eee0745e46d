// The Deno namespace. Every member of Deno that is missing here throws an error that names it.

import { call as host, lazy, lazyProperty, register } from "marsh:core";
import { errors } from "marsh:errors";
import { missing, missingNamespace } from "marsh:unsupported";

const info = host("os.info");
const arch = info.arch === "arm64" ? "aarch64" : info.arch;
const vendor = info.os === "darwin" ? "apple" : "unknown";
const target = `${arch}-${vendor}-${info.os === "linux" ? "linux-gnu" : info.os}`;

const env = Object.freeze({
  get: (name) => host("env.get", String(name)),
  set: (name, value) => host("env.set", String(name), String(value)),
  delete: (name) => host("env.delete", String(name)),
  has: (name) => host("env.get", String(name)) !== undefined,
  toObject: () => host("env.all"),
});

function writer(stream) {
  return {
    writeSync(bytes) {
      host("output", stream, bytes);
      return bytes.length;
    },
    async write(bytes) { return this.writeSync(bytes); },
    isTerminal: () => false,
    close() {},
    get writable() { return missingNamespace(`Deno.${stream}.writable`); },
  };
}

const granted = Object.freeze({ state: "granted", onchange: null, partial: false });

export const Deno = {
  env,
  errors,
  args: info.args,
  pid: info.pid,
  ppid: info.ppid,
  noColor: true,
  mainModule: "file:///marsh",
  build: Object.freeze({ target, arch, os: info.os, vendor, env: info.os === "linux" ? "gnu" : undefined, standalone: false }),
  version: Object.freeze({ deno: "2.5.0", v8: "0.0.0", typescript: "5.9.2" }),
  cwd: () => info.cwd,
  hostname: () => host("os.hostname"),
  execPath: () => info.exe,
  osRelease: () => info.release,
  uid: () => info.uid,
  gid: () => info.gid,
  exitCode: 0,
  exit: (code = 0) => host("exit", Number(code) || 0),
  memoryUsage: () => host("os.memory"),
  systemMemoryInfo: () => host("os.systemMemory"),
  loadavg: () => host("os.load").loads,
  osUptime: () => host("os.load").uptime,
  inspect: (value, options) => lazy("marsh:inspect").inspect(value, options),
  stdout: writer("stdout"),
  stderr: writer("stderr"),
  // A host's standard input carries its protocol: to extensions it is at its end.
  stdin: {
    rid: 0, read: async () => null, readSync: () => null, isTerminal: () => false, close() {},
    get readable() { return new globalThis.ReadableStream({ start(controller) { controller.close(); } }); },
  },
  isatty: () => false,
  addSignalListener() {},
  removeSignalListener() {},
  refTimer() {},
  unrefTimer() {},
  kill: (pid, signal = "SIGTERM") => host("process.killPid", Number(pid), String(signal)),
  permissions: Object.freeze({
    query: async () => granted, querySync: () => granted, request: async () => granted, requestSync: () => granted,
    revoke: async () => granted, revokeSync: () => granted,
  }),
  customInspect: Symbol.for("Deno.customInspect"),
};
Deno[Symbol.toStringTag] = "Deno";

for (const name of ["Command", "ChildProcess"]) lazyProperty(Deno, name, () => lazy("marsh:deno_command")[name], true);
for (const name of [
  "readFile", "readTextFile", "writeFile", "writeTextFile", "stat", "lstat", "mkdir", "readDir", "remove", "rename",
  "copyFile", "chmod", "realPath", "readLink", "symlink", "link", "truncate", "utime", "makeTempFile", "makeTempDir",
]) {
  for (const key of [name, `${name}Sync`]) lazyProperty(Deno, key, () => lazy("marsh:deno_fs")[key], true);
}

for (const name of [
  "FsFile", "open", "openSync", "create", "createSync", "SeekMode", "connect", "connectTls", "startTls", "resolveDns",
]) {
  lazyProperty(Deno, name, () => lazy("marsh:deno_io")[name], true);
}
for (const name of ["openKv", "Kv", "AtomicOperation", "KvU64", "KvListIterator"]) lazyProperty(Deno, name, () => lazy("marsh:deno_kv")[name], true);
for (const name of ["serve", "HttpServer"]) lazyProperty(Deno, name, () => lazy("marsh:deno_serve")[name], true);
for (const name of ["createHttpClient", "HttpClient"]) lazyProperty(Deno, name, () => lazy("marsh:fetch")[name], true);
for (const name of [
  "UnsafeCallback", "UnsafeFnPointer", "UnsafePointer", "UnsafePointerView", "UnsafeWindowSurface",
  "Listener", "PermissionStatus", "Permissions", "Process", "QuicEndpoint", "QuicIncoming", "QuicListener",
  "bench", "chdir", "chown", "chownSync", "close", "connectQuic", "consoleSize",
  "cron", "dlopen", "fdatasync", "flock", "fstat", "fsync", "ftruncate", "futime",
  "inspectArgs", "listen", "listenDatagram", "listenTls", "networkInterfaces",
  "read", "run", "seek", "serveHttp", "shutdown", "spawn", "spawnAndWait",
  "spawnAndWaitSync", "test", "umask", "upgradeWebSocket", "upgradeWebTransport",
  "watchFs", "write",
]) {
  Deno[name] = missing(`Deno.${name}`);
}
for (const name of ["jupyter", "lint", "telemetry", "webgpu"]) Deno[name] = missingNamespace(`Deno.${name}`);

register("marsh:deno", { Deno });
