// The server half of node:http, over the same core as Deno.serve: it listens on loopback addresses.

import { call, lazy, start } from "marsh:core";
import { EventEmitter } from "node:events";
import { Buffer } from "node:buffer";
import { Writable } from "node:stream";
import { IncomingMessage } from "marsh:node_http_client";

class Socket extends EventEmitter {
  constructor(address, port, local) {
    super();
    Object.assign(this, { remoteAddress: address, remotePort: port, remoteFamily: address.includes(":") ? "IPv6" : "IPv4" });
    Object.assign(this, { localAddress: local.address, localPort: local.port, encrypted: false, destroyed: false });
  }
  setTimeout() { return this; }
  setNoDelay() { return this; }
  setKeepAlive() { return this; }
  ref() { return this; }
  unref() { return this; }
  destroy() {
    this.destroyed = true;
    return this;
  }
}

export class ServerResponse extends Writable {
  #id;
  #headers = new Map();
  #whole;
  statusCode = 200;
  statusMessage = undefined;
  headersSent = false;
  sendDate = true;
  constructor(request) {
    super();
    this.req = request;
    this.socket = this.connection = request.socket;
    this.#id = request._id;
  }
  setHeader(name, value) {
    if (this.headersSent) throw Object.assign(new Error("Cannot set headers after they are sent to the client"), { code: "ERR_HTTP_HEADERS_SENT" });
    this.#headers.set(String(name).toLowerCase(), [String(name), value]);
    return this;
  }
  appendHeader(name, value) {
    const before = this.getHeader(name);
    return this.setHeader(name, before === undefined ? value : [before, value].flat());
  }
  getHeader(name) { return this.#headers.get(String(name).toLowerCase())?.[1]; }
  getHeaders() { return Object.fromEntries([...this.#headers].map(([name, [, value]]) => [name, value])); }
  getHeaderNames() { return [...this.#headers.keys()]; }
  hasHeader(name) { return this.#headers.has(String(name).toLowerCase()); }
  removeHeader(name) { this.#headers.delete(String(name).toLowerCase()); }
  writeHead(status, message, headers) {
    if (typeof message !== "string") [message, headers] = [undefined, message];
    this.statusCode = status;
    this.statusMessage = message ?? this.statusMessage;
    const pairs = Array.isArray(headers) ? (Array.isArray(headers[0]) ? headers : headers.flatMap((_, at) => (at % 2 ? [] : [[headers[at], headers[at + 1]]]))) : Object.entries(headers ?? {});
    for (const [name, value] of pairs) this.setHeader(name, value);
    return this;
  }
  #respond(bytes, streams) {
    this.headersSent = true;
    const flat = [...this.#headers.values()].flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]));
    // The host counts and frames the body by itself.
    const headers = flat.filter(([name]) => !/^(transfer-encoding|connection|keep-alive)$/i.test(name));
    return call("serve.respond", this.#id, this.statusCode, JSON.stringify(headers), bytes, streams);
  }
  flushHeaders() { if (!this.headersSent) this.#respond(undefined, true); }
  writeContinue() {}
  end(chunk, encoding, callback) {
    if (typeof chunk === "function") [chunk, callback] = [undefined, chunk];
    if (typeof encoding === "function") [encoding, callback] = [undefined, encoding];
    if (!this.headersSent && !this.writableLength && chunk !== undefined && chunk !== null && !this.writableEnded) {
      this.#whole = Buffer.from(chunk, encoding);
      chunk = undefined;
    }
    return chunk === undefined || chunk === null ? super.end(callback) : super.end(chunk, encoding, callback);
  }
  _write(chunk, _, callback) {
    try {
      this.flushHeaders();
    } catch (error) {
      return callback(error);
    }
    start("serve.write", this.#id, new Uint8Array(chunk)).then((taken) => (taken ? callback() : this.destroy()), callback);
  }
  _final(callback) {
    try {
      if (this.headersSent) call("serve.endBody", this.#id);
      else this.#respond(this.#whole && new Uint8Array(this.#whole), false);
      callback();
    } catch (error) {
      callback(error);
    }
  }
  _destroy(error, callback) {
    call("serve.endBody", this.#id);
    callback(error);
  }
  setTimeout() { return this; }
}

export class Server extends EventEmitter {
  #server = null;
  #address = null;
  listening = false;
  timeout = 0;
  keepAliveTimeout = 5000;
  headersTimeout = 30000;
  requestTimeout = 0;
  constructor(options, listener) {
    super();
    if (typeof options === "function") listener = options;
    if (listener) this.on("request", listener);
  }
  listen(...args) {
    const callback = typeof args.at(-1) === "function" ? args.pop() : undefined;
    if (callback) this.once("listening", callback);
    const [first, host] = args;
    const options = typeof first === "object" && first !== null ? first : { port: first, host };
    if (options.path !== undefined || (typeof options.port === "string" && !/^\d+$/.test(options.port))) lazy("marsh:unsupported").missing("node:http: a server on a path")();
    try {
      const name = typeof options.host === "string" ? options.host : "127.0.0.1";
      const { id, hostname, port } = lazy("marsh:deno_serve").listen(name, Number(options.port ?? 0));
      this.#server = id;
      this.#address = { address: hostname, family: hostname.includes(":") ? "IPv6" : "IPv4", port };
    } catch (error) {
      globalThis.process.nextTick(() => this.emit("error", Object.assign(error, { syscall: "listen" })));
      return this;
    }
    this.listening = true;
    globalThis.process.nextTick(() => this.listening && this.emit("listening"));
    options.signal?.addEventListener("abort", () => this.close(), { once: true });
    this.#run(this.#server);
    return this;
  }
  async #run(server) {
    for (;;) {
      const taken = await start("serve.next", server);
      if (taken === null) break;
      const [id, method, target, flat, address, port] = taken;
      const headers = [];
      for (let at = 0; at < flat.length; at += 2) headers.push([flat[at], flat[at + 1]]);
      const body = lazy("marsh:streams").readableOf(() => start("serve.read", id));
      const request = new IncomingMessage({ status: null, statusText: null, headers, body }, new Socket(address, port, this.#address));
      Object.assign(request, { method, url: target, _id: id });
      const response = new ServerResponse(request);
      if (this.listenerCount("request") === 0) response.writeHead(501).end();
      else this.emit("request", request, response);
    }
    await start("serve.finished", server);
    this.listening = false;
    this.#server = null;
    this.emit("close");
  }
  close(callback) {
    if (this.#server === null) {
      const error = Object.assign(new Error("Server is not running."), { code: "ERR_SERVER_NOT_RUNNING" });
      if (callback) globalThis.process.nextTick(callback, error);
      return this;
    }
    if (callback) this.once("close", callback);
    this.listening = false;
    call("serve.shutdown", this.#server, false);
    return this;
  }
  closeAllConnections() { if (this.#server !== null) call("serve.shutdown", this.#server, true); }
  closeIdleConnections() {}
  address() { return this.#address; }
  setTimeout() { return this; }
  ref() { return this; }
  unref() { return this; }
  async [Symbol.asyncDispose]() { await new Promise((resolve) => this.close(resolve)); }
}
export const createServer = (options, listener) => new Server(options, listener);
