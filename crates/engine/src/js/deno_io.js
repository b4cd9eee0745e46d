// Deno.open and Deno.connect: what has a read and a write.

import { call, lazy, register, start } from "marsh:core";
import { race } from "marsh:abort";

const pathOf = (path) => {
  if (path instanceof lazy("marsh:url").URL) return call("url.toPath", path.href);
  if (typeof path !== "string") throw new TypeError("a path is a string or a file URL");
  return path;
};
const bytesOf = (data) => lazy("marsh:text").bytesOf(data);
const secret = Symbol("construct");

function fill(target, chunk) {
  if (chunk === null) return null;
  bytesOf(target).set(chunk);
  return chunk.length;
}

/** `close` once what is done with the stream is over, as Deno does. A stream in use keeps its owner alive. */
function streams(owner, id, read, write, close) {
  let readable;
  let writable;
  return {
    get readable() {
      return (readable ??= lazy("marsh:streams").readableOf(async () => {
        const chunk = await start(read, id, 65536);
        if (chunk === null) close.call(owner, "readable");
        return chunk;
      }, () => close.call(owner, "readable")));
    },
    get writable() {
      const { WritableStream, chunkBytes } = lazy("marsh:streams");
      return (writable ??= new WritableStream({
        async write(chunk) {
          let rest = chunkBytes(chunk);
          while (rest.length) rest = rest.subarray(await start(write, id, rest));
        },
        close: () => close.call(owner, "writable"),
        abort: () => close.call(owner, "writable"),
      }));
    },
  };
}

const quiet = (op, id) => {
  try {
    call(op, id);
  } catch {
    // Closed before.
  }
};
const forgotten = new FinalizationRegistry(([op, id]) => quiet(op, id));
const dates = (said) => {
  for (const name of ["mtime", "atime", "ctime", "birthtime"]) said[name] = said[name] === null ? null : new Date(said[name]);
  return said;
};

export class FsFile {
  #id;
  #streams;
  constructor(key, id) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    this.#id = id;
    this.#streams = streams(this, id, "file.read", "file.write", () => quiet("file.close", id));
    forgotten.register(this, ["file.close", id], this);
  }
  get readable() { return this.#streams.readable; }
  get writable() { return this.#streams.writable; }
  async read(target) { return target.byteLength === 0 ? 0 : fill(target, await start("file.read", this.#id, target.byteLength)); }
  readSync(target) { return target.byteLength === 0 ? 0 : fill(target, call("file.read", this.#id, target.byteLength)); }
  async write(bytes) { return await start("file.write", this.#id, bytesOf(bytes)); }
  writeSync(bytes) { return call("file.write", this.#id, bytesOf(bytes)); }
  seek(offset, whence = 0) { return start("file.seek", this.#id, Number(offset), whence); }
  seekSync(offset, whence = 0) { return call("file.seek", this.#id, Number(offset), whence); }
  async stat() { return dates(await start("file.stat", this.#id)); }
  statSync() { return dates(call("file.stat", this.#id)); }
  truncate(size) { return start("file.truncate", this.#id, size); }
  truncateSync(size) { call("file.truncate", this.#id, size); }
  sync() { return start("file.sync", this.#id); }
  syncSync() { call("file.sync", this.#id); }
  syncData() { return start("file.sync", this.#id); }
  syncDataSync() { call("file.sync", this.#id); }
  async lock(exclusive = false) { await start("file.lock", this.#id, !!exclusive); }
  lockSync(exclusive = false) { call("file.lock", this.#id, !!exclusive); }
  tryLock(exclusive = false) { return start("file.tryLock", this.#id, !!exclusive); }
  tryLockSync(exclusive = false) { return call("file.tryLock", this.#id, !!exclusive); }
  async unlock() { await start("file.unlock", this.#id); }
  unlockSync() { call("file.unlock", this.#id); }
  isTerminal() { return false; }
  close() { call("file.close", this.#id); }
  [Symbol.dispose]() { quiet("file.close", this.#id); }
}

const openOptions = (options) => (options ? JSON.stringify(options) : undefined);
export const open = async (path, options) => new FsFile(secret, await start("file.open", pathOf(path), openOptions(options)));
export const openSync = (path, options) => new FsFile(secret, call("file.open", pathOf(path), openOptions(options)));
const made = { read: true, write: true, truncate: true, create: true };
export const create = (path) => open(path, made);
export const createSync = (path) => openSync(path, made);
export const SeekMode = Object.freeze({ Start: 0, Current: 1, End: 2, 0: "Start", 1: "Current", 2: "End" });

export class Conn {
  #id;
  #streams;
  #open = { readable: true, writable: true };
  constructor(key, id, local, remote) {
    if (key !== secret) throw new TypeError("Illegal constructor");
    this.#id = id;
    this.localAddr = local;
    this.remoteAddr = remote;
    const open = this.#open;
    this.#streams = streams(this, id, "socket.read", "socket.write", async (side) => {
      open[side] = false;
      if (!open.readable && !open.writable) quiet("socket.close", id);
      else if (side === "writable") await start("socket.closeWrite", id);
    });
    forgotten.register(this, ["socket.close", id], this);
  }
  get readable() { return this.#streams.readable; }
  get writable() { return this.#streams.writable; }
  async read(target) { return target.byteLength === 0 ? 0 : fill(target, await start("socket.read", this.#id, target.byteLength)); }
  async write(bytes) { return await start("socket.write", this.#id, bytesOf(bytes)); }
  async closeWrite() { await start("socket.closeWrite", this.#id); }
  close() { call("socket.close", this.#id); }
  ref() {}
  unref() {}
  [Symbol.dispose]() { quiet("socket.close", this.#id); }
  /** Not of Deno: hand the connection on to TLS. */
  static number(connection) { return connection.#id; }
}
const numberOf = Conn.number;
delete Conn.number;
export class TcpConn extends Conn {
  setNoDelay() {}
  setKeepAlive() {}
}
export class UnixConn extends Conn {}
export class TlsConn extends Conn {
  #alpn;
  constructor(key, id, local, remote, alpn) {
    super(key, id, local, remote);
    this.#alpn = alpn;
  }
  async handshake() { return { alpnProtocol: this.#alpn }; }
}

export async function connect(options) {
  const { transport = "tcp", hostname, port, path, signal } = options;
  if (transport !== "tcp" && transport !== "unix") throw new TypeError(`Unsupported transport: ${transport}`);
  const spec = JSON.stringify(transport === "unix" ? { path: pathOf(path) } : { hostname, port: Number(port) });
  const [id, local, remote] = await race(start("socket.connect", spec), signal);
  if (transport === "unix") return new UnixConn(secret, id, { transport, path }, { transport, path });
  return new TcpConn(secret, id, local, remote);
}

export async function connectTls(options) {
  const { hostname = "127.0.0.1", port, caCerts, cert, key, alpnProtocols, serverName, insecure, signal } = options;
  const spec = JSON.stringify({ hostname, port: Number(port), tls: true, caCerts, cert, key, alpnProtocols, serverName, insecure });
  const [id, local, remote, alpn] = await race(start("socket.connect", spec), signal);
  return new TlsConn(secret, id, local, remote, alpn);
}

export async function startTls(connection, { hostname, caCerts, alpnProtocols, insecure } = {}) {
  const id = numberOf(connection);
  hostname ??= connection.remoteAddr.hostname;
  const alpn = await start("socket.startTls", id, JSON.stringify({ hostname, caCerts, alpnProtocols, insecure }));
  // The number is the new connection's now.
  forgotten.unregister(connection);
  return new TlsConn(secret, id, connection.localAddr, connection.remoteAddr, alpn);
}

export async function resolveDns(name, type, options) {
  const family = { A: 4, AAAA: 6 }[type];
  if (family === undefined || options?.nameServer) lazy("marsh:unsupported").missing(`Deno.resolveDns of ${type} records${options?.nameServer ? " from a given server" : ""}`)();
  const found = await race(start("dns.lookup", String(name), family), options?.signal);
  if (found.length === 0) throw new (lazy("marsh:errors").errors.NotFound)(`no record found for ${name} ${type}`);
  return found;
}

register("marsh:deno_io", {
  FsFile, open, openSync, create, createSync, SeekMode, Conn, TcpConn, TlsConn, UnixConn, connect, connectTls, startTls, resolveDns,
});
