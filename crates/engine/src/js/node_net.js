// node:net: connections to others. Servers say that they are missing.

import { register } from "marsh:core";
import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { missing } from "marsh:unsupported";

const argsOf = (args) => {
  const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
  const [first, host] = args;
  if (typeof first === "object") return [{ ...first }, callback];
  if (typeof first === "string" && !/^\d+$/.test(first)) return [{ path: first }, callback];
  return [{ port: Number(first), host }, callback];
};

export class Socket extends Duplex {
  #delay = 0;
  #timer;
  constructor(options = {}) {
    super({ allowHalfOpen: options.allowHalfOpen ?? false, emitClose: false });
    Object.assign(this, { connecting: false, pending: true, bytesRead: 0, bytesWritten: 0 });
    this._conn = null;
  }
  connect(...args) {
    const [options, callback] = argsOf(args);
    if (callback) this.once("connect", callback);
    this.connecting = true;
    this._connected = this._dial(options);
    this._connected.then((conn) => {
      if (this.destroyed) return conn.close();
      this._adopt(conn);
      this.emit("connect");
      this.emit("ready");
      this._after?.();
    }, (error) => {
      const { path, port, host = "localhost" } = options;
      Object.assign(error, { syscall: "connect" }, path ? { address: path } : { address: host, port });
      this.destroy(error);
    });
    return this;
  }
  _dial({ path, port, host, hostname }) {
    const D = globalThis.Deno;
    return path ? D.connect({ transport: "unix", path }) : D.connect({ hostname: hostname ?? host ?? "localhost", port });
  }
  _adopt(conn) {
    this._conn = conn;
    this.connecting = false;
    this.pending = false;
    this.remoteAddress = conn.remoteAddr?.hostname;
    this.remotePort = conn.remoteAddr?.port;
    this.remoteFamily = this.remoteAddress?.includes(":") ? "IPv6" : "IPv4";
    this.localAddress = conn.localAddr?.hostname;
    this.localPort = conn.localAddr?.port;
    this.#touch();
  }
  async _ready() { return this._conn ?? (await this._connected); }
  _read() {
    if (this._reading) return;
    this._reading = true;
    const bytes = new Uint8Array(65536);
    this._ready().then((conn) => conn.read(bytes)).then((count) => {
      this._reading = false;
      this.#touch();
      if (count === null) return this.push(null);
      this.bytesRead += count;
      this.push(Buffer.from(bytes.buffer, 0, count));
    }, (error) => {
      this._reading = false;
      if (!this.destroyed) this.destroy(error);
    });
  }
  _write(chunk, _, callback) {
    const bytes = new Uint8Array(chunk);
    this._ready().then((conn) => conn.write(bytes)).then(() => {
      this.bytesWritten += bytes.length;
      this.#touch();
      callback();
    }, callback);
  }
  _final(callback) { this._ready().then((conn) => conn.closeWrite()).then(() => callback(), () => callback()); }
  _destroy(error, callback) {
    clearTimeout(this.#timer);
    this.#delay = 0;
    try {
      this._conn?.close();
    } catch {
      // Closed before.
    }
    callback(error);
    globalThis.process.nextTick(() => this.emit("close", Boolean(error)));
  }
  setTimeout(delay, callback) {
    if (callback) this.once("timeout", callback);
    this.#delay = Number(delay) || 0;
    this.#touch();
    return this;
  }
  #touch() {
    clearTimeout(this.#timer);
    if (this.#delay > 0) this.#timer = setTimeout(() => this.emit("timeout"), this.#delay);
  }
  get readyState() { return this.connecting ? "opening" : this.destroyed || this.pending ? "closed" : "open"; }
  setNoDelay() { return this; }
  setKeepAlive() { return this; }
  ref() { return this; }
  unref() { return this; }
  address() { return { address: this.localAddress, port: this.localPort, family: this.remoteFamily }; }
  destroySoon() { this.end(() => this.destroy()); }
}
export const connect = (...args) => new Socket(typeof args[0] === "object" ? args[0] : {}).connect(...args);
export const createConnection = connect;
export const Stream = Socket;
const four = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}$/;
export const isIPv4 = (text) => four.test(String(text)) && !String(text).endsWith(".");
export const isIPv6 = (text) => /^[0-9a-fA-F:.]+(?:%\w+)?$/.test(String(text)) && String(text).includes(":") && URL.canParse(`http://[${String(text).replace(/%\w+$/, "")}]/`);
export const isIP = (text) => (isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0);
export const setDefaultAutoSelectFamily = () => {};
export const getDefaultAutoSelectFamily = () => true;
export const setDefaultAutoSelectFamilyAttemptTimeout = () => {};
export const Server = missing("node:net.Server");
export const createServer = missing("node:net.createServer");
export const BlockList = missing("node:net.BlockList");
export const SocketAddress = missing("node:net.SocketAddress");
export default register("node:net", {
  Socket, Stream, connect, createConnection, isIP, isIPv4, isIPv6, setDefaultAutoSelectFamily, getDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout, Server, createServer, BlockList, SocketAddress,
});
