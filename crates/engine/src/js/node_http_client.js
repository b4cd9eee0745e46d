// The client half of node:http and node:https, over fetch: its connections, proxies and TLS are the same ones.

import { lazy, unsupported } from "marsh:core";
import { EventEmitter } from "node:events";
import { Buffer } from "node:buffer";
import { Readable, Writable } from "node:stream";

/** More than this is sent while it is still being written; less goes in one piece, with its length. */
const WHOLE = 1 << 20;

export class Agent extends EventEmitter {
  constructor(options = {}) {
    super();
    Object.assign(this, { options: { ...options }, maxSockets: options.maxSockets ?? Infinity, maxFreeSockets: 256, maxTotalSockets: Infinity });
    Object.assign(this, { sockets: {}, freeSockets: {}, requests: {}, keepAlive: !!options.keepAlive, keepAliveMsecs: 1000, defaultPort: 80, protocol: "http:" });
  }
  getName({ host = "localhost", port = "", localAddress = "" } = {}) { return `${host}:${port}:${localAddress}`; }
  destroy() {}
}

/** What listeners of "socket" expect to find; the real one is inside fetch. */
class Socket extends EventEmitter {
  constructor(request, secure) {
    super();
    Object.assign(this, { connecting: false, encrypted: secure, authorized: secure, destroyed: false, readable: true, writable: true });
    Object.defineProperty(this, "_request", { value: request });
  }
  setKeepAlive() { return this; }
  setNoDelay() { return this; }
  setTimeout(delay, callback) {
    this._request.setTimeout(delay, callback);
    return this;
  }
  ref() { return this; }
  unref() { return this; }
  address() { return {}; }
  destroy(error) {
    this._request.destroy(error);
    return this;
  }
}

export class IncomingMessage extends Readable {
  #reader;
  constructor(response, socket) {
    super();
    this.statusCode = response.status;
    this.statusMessage = response.statusText;
    this.httpVersion = "1.1";
    this.httpVersionMajor = 1;
    this.httpVersionMinor = 1;
    this.headers = {};
    this.rawHeaders = [];
    this.headersDistinct = {};
    this.trailers = {};
    this.rawTrailers = [];
    this.complete = false;
    this.aborted = false;
    this.socket = socket;
    this.connection = socket;
    this.url = "";
    for (const [name, value] of response.headers) {
      this.rawHeaders.push(name, value);
      (this.headersDistinct[name] ??= []).push(value);
      if (name === "set-cookie") (this.headers[name] ??= []).push(value);
      else this.headers[name] = value;
    }
    this.#reader = response.body?.getReader();
  }
  _read() {
    if (!this.#reader) {
      this.complete = true;
      this.push(null);
      return;
    }
    this.#reader.read().then(({ value, done }) => {
      if (done) {
        this.complete = true;
        this.push(null);
      } else this.push(Buffer.from(value.buffer, value.byteOffset, value.length));
    }, (error) => {
      this.aborted = true;
      this.destroy(errorOf(error));
    });
  }
  _destroy(error, callback) {
    this.#reader?.cancel().catch(() => {});
    callback(error);
  }
  setTimeout(delay, callback) {
    this.socket.setTimeout(delay, callback);
    return this;
  }
}

/**
 * The proxy of an agent that connects through one, as `http-proxy-agent` and `https-proxy-agent` keep it: fetch tunnels
 * through it by itself.
 */
function proxyOf(agent) {
  const proxy = agent?.proxy;
  if (!(proxy instanceof lazy("marsh:url").URL) || !/^https?:$/.test(proxy.protocol)) return undefined;
  const url = new URL(proxy);
  const [username, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  url.username = url.password = "";
  return { url: url.href, basicAuth: username || password ? { username, password } : undefined };
}

/** The cause is what node would have thrown. */
function errorOf(error, host) {
  const code = error?.cause?.code ?? error?.code;
  if (typeof code !== "string") return error;
  const made = new Error(code === "ECONNREFUSED" && host ? `connect ECONNREFUSED ${host}` : code === "ENOTFOUND" && host ? `getaddrinfo ENOTFOUND ${host}` : error.message, { cause: error });
  return Object.assign(made, { code, syscall: code === "ENOTFOUND" ? "getaddrinfo" : "connect", errno: code });
}

function optionsOf(protocol, input, options, callback) {
  if (typeof options === "function") [options, callback] = [{}, options];
  const { URL } = lazy("marsh:url");
  let own = {};
  if (typeof input === "string" || input instanceof URL) {
    const url = new URL(input);
    own = { protocol: url.protocol, hostname: url.hostname, port: url.port, path: url.pathname + url.search };
    if (url.username || url.password) own.auth = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  } else own = { ...input };
  own = { protocol, ...own, ...options };
  own.protocol ||= protocol;
  return [own, callback];
}

export class ClientRequest extends Writable {
  #headers = new Map();
  #options;
  #chunks = [];
  #size = 0;
  #abort = new AbortController();
  #writer = null;
  #sent = false;
  #timer;
  #delay = 0;
  constructor(protocol, input, given, done) {
    // The request outlives the sending of its body.
    super({ autoDestroy: false });
    const [options, callback] = optionsOf(protocol, input, given, done);
    if (options.socketPath) throw unsupported("http.request with socketPath");
    const own = typeof options.agent?.connect === "function" || typeof options.agent?.callback === "function";
    if (options.createConnection || (own && !proxyOf(options.agent))) {
      throw unsupported("an http.Agent that makes its own connections");
    }
    this.#options = options;
    this.method = String(options.method ?? "GET").toUpperCase();
    this.protocol = options.protocol;
    this.host = options.hostname ?? options.host?.replace(/:\d+$/, "") ?? "localhost";
    this.path = options.path ?? "/";
    this.agent = options.agent;
    this.finished = false;
    this.aborted = false;
    this.reusedSocket = false;
    this.res = null;
    const headers = options.headers ?? {};
    if (Array.isArray(headers)) for (let at = 0; at < headers.length; at += 2) this.setHeader(headers[at], headers[at + 1]);
    else for (const [name, value] of Object.entries(headers)) if (value !== undefined) this.setHeader(name, value);
    if (options.auth && !this.hasHeader("authorization")) this.setHeader("Authorization", `Basic ${Buffer.from(options.auth).toString("base64")}`);
    if (callback) this.once("response", callback);
    if (options.timeout) this.setTimeout(options.timeout);
    options.signal?.addEventListener("abort", () => this.destroy(options.signal.reason), { once: true });
    if (options.signal?.aborted) queueMicrotask(() => this.destroy(options.signal.reason));
    this.socket = new Socket(this, this.protocol === "https:");
    this.connection = this.socket;
    setTimeout(() => {
      if (this.destroyed) return;
      this.emit("socket", this.socket);
      // The body is not held back for the server's leave, so code that waits for it has it.
      if (/^100-continue$/i.test(this.getHeader("expect"))) {
        this.removeHeader("expect");
        this.emit("continue");
      }
    }, 0);
  }
  setHeader(name, value) {
    this.#headers.set(String(name).toLowerCase(), [String(name), value]);
    return this;
  }
  getHeader(name) { return this.#headers.get(String(name).toLowerCase())?.[1]; }
  getHeaders() { return Object.fromEntries([...this.#headers].map(([name, [, value]]) => [name, value])); }
  getHeaderNames() { return [...this.#headers.keys()]; }
  getRawHeaderNames() { return [...this.#headers.values()].map(([name]) => name); }
  hasHeader(name) { return this.#headers.has(String(name).toLowerCase()); }
  removeHeader(name) { this.#headers.delete(String(name).toLowerCase()); }
  get headersSent() { return this.#sent; }
  flushHeaders() {}
  setNoDelay() {}
  setSocketKeepAlive() {}
  setTimeout(delay, callback) {
    if (callback) this.once("timeout", callback);
    this.#delay = Number(delay) || 0;
    this.#touch();
    return this;
  }
  #touch() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#delay > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => {
        this.emit("timeout");
        this.socket.emit("timeout");
      }, this.#delay);
    }
  }
  abort() {
    this.aborted = true;
    this.destroy();
  }
  end(...args) {
    this.finished = true;
    return super.end(...args);
  }
  _write(chunk, encoding, callback) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk;
    this.#touch();
    if (this.#writer) {
      this.#writer.write(new Uint8Array(bytes)).then(() => callback(), callback);
      return;
    }
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    if (this.#size > WHOLE) {
      const { readable, writable } = new (lazy("marsh:streams").TransformStream)();
      this.#writer = writable.getWriter();
      this.#send(readable);
      this.#writer.write(new Uint8Array(Buffer.concat(this.#chunks))).then(() => callback(), callback);
      this.#chunks = [];
    } else callback();
  }
  _final(callback) {
    if (this.#writer) return void this.#writer.close().then(() => callback(), callback);
    this.#send(this.#size ? new Uint8Array(Buffer.concat(this.#chunks)) : undefined);
    callback();
  }
  async #send(body) {
    this.#sent = true;
    const { HttpClient, fetch } = lazy("marsh:fetch");
    const { ca, cert, key, rejectUnauthorized } = { ...this.agent?.options, ...this.#options };
    const text = (pem) => (pem === undefined ? undefined : Buffer.from(pem).toString());
    let client;
    const proxy = proxyOf(this.agent);
    if (ca || cert || proxy || rejectUnauthorized === false) {
      client = new HttpClient({ proxy, caCerts: ca ? [ca].flat().map(text) : [], cert: text(cert), key: text(key), insecure: rejectUnauthorized === false });
    }
    const port = this.#options.port ? `:${this.#options.port}` : "";
    const host = this.host.includes(":") && !this.host.startsWith("[") ? `[${this.host}]` : this.host;
    try {
      const headers = new Headers();
      for (const [name, value] of this.#headers.values()) for (const one of [value].flat()) headers.append(name, one);
      const withBody = this.method !== "GET" && this.method !== "HEAD" ? body : undefined;
      const response = await fetch(`${this.protocol}//${host}${port}${this.path}`, {
        method: this.method, headers, body: withBody, redirect: "manual", signal: this.#abort.signal, client,
      });
      if (this.destroyed && !response) return;
      this.#touch();
      const message = new IncomingMessage(response, this.socket);
      message.req = this;
      this.res = message;
      message.once("close", () => this.#done());
      message.once("end", () => this.#done());
      if (!this.emit("response", message)) message.resume();
    } catch (error) {
      if (!this.destroyed) this.destroy(errorOf(error, `${this.host}${port}`));
    }
  }
  #done() {
    this.#delay = 0;
    this.#touch();
  }
  _destroy(error, callback) {
    this.#done();
    this.#abort.abort();
    if (!error && !this.res) error = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
    if (this.res && !this.res.complete) this.res.destroy(error ?? undefined);
    callback(error);
  }
}
