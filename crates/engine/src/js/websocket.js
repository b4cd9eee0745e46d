// WebSocket, as a client.

import { call, lazy, register, start } from "marsh:core";
import { ErrorEvent, Event, EventTarget, MessageEvent } from "marsh:events";

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];
/** How long the other side has to answer a closing frame. */
const FAREWELL_MS = 10_000;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export class CloseEvent extends Event {
  constructor(type, init = {}) {
    super(type, init);
    this.wasClean = !!init?.wasClean;
    this.code = Number(init?.code ?? 0);
    this.reason = String(init?.reason ?? "");
  }
}

const refuse = (message, name) => { throw new DOMException(message, name); };

function addressOf(input) {
  let url;
  try {
    url = new URL(String(input));
  } catch {
    refuse(`'${input}' is not a URL`, "SyntaxError");
  }
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") refuse(`a WebSocket has a ws: or wss: URL, not ${url.protocol}`, "SyntaxError");
  if (url.hash !== "" || url.href.endsWith("#")) refuse("the URL of a WebSocket has no fragment", "SyntaxError");
  return url;
}

export class WebSocket extends EventTarget {
  #url;
  #state = CONNECTING;
  #id;
  #protocol = "";
  #binaryType = "blob";
  #buffered = 0;
  #sending = Promise.resolve();
  #handlers = {};
  constructor(url, protocols = []) {
    super();
    this.#url = addressOf(url);
    let headers = [];
    if (typeof protocols === "object" && protocols !== null && !Array.isArray(protocols) && typeof protocols[Symbol.iterator] !== "function") {
      headers = [...new globalThis.Headers(protocols.headers ?? {})];
      protocols = protocols.protocols ?? [];
    }
    const names = typeof protocols === "string" ? [protocols] : Array.from(protocols, String);
    if (names.some((name) => !token.test(name))) refuse("the name of a protocol is a token", "SyntaxError");
    if (new Set(names.map((name) => name.toLowerCase())).size !== names.length) refuse("a protocol is named once", "SyntaxError");
    this.#open(names, headers);
  }
  async #open(protocols, headers) {
    const secure = this.#url.protocol === "wss:";
    const { href, hostname, port, username, password } = this.#url;
    if (username || password) headers.push(["authorization", `Basic ${btoa(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)}`]);
    const host = hostname.replace(/^\[|\]$/g, "");
    const spec = { url: href, host, port: Number(port || (secure ? 443 : 80)), secure, protocols, headers };
    try {
      const [id, protocol] = await start("websocket.connect", JSON.stringify(spec));
      this.#id = id;
      this.#protocol = protocol;
    } catch (error) {
      if (this.#state !== CLOSED) this.#failed(error);
      return;
    }
    if (this.#state !== CONNECTING) return call("websocket.drop", this.#id);
    this.#state = OPEN;
    this.#fire(new Event("open"));
    this.#receive();
  }
  async #receive() {
    let ended = { code: 1006, reason: "", clean: false };
    for (;;) {
      let message;
      try {
        message = await start("websocket.next", this.#id);
      } catch {
        break;
      }
      if (typeof message === "object" && !(message instanceof Uint8Array)) {
        ended = message;
        break;
      }
      // After close() nothing is delivered any more.
      if (this.#state !== OPEN) continue;
      const data = typeof message === "string" ? message : this.#binaryType === "blob" ? new globalThis.Blob([message]) : message.buffer;
      this.#fire(new MessageEvent("message", { data, origin: this.#url.origin }));
    }
    this.#ended(ended);
  }
  #failed(error) {
    this.#state = CLOSED;
    this.#fire(new ErrorEvent("error", { message: error.message, error }));
    this.#fire(new CloseEvent("close", { code: 1006, reason: "", wasClean: false }));
  }
  #ended({ code, reason, clean }) {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    call("websocket.drop", this.#id);
    if (!clean) this.#fire(new ErrorEvent("error", { message: reason || "the connection ended without a closing frame" }));
    this.#fire(new CloseEvent("close", { code, reason: clean ? reason : "", wasClean: clean }));
  }
  #fire(event) {
    this.dispatchEvent(event);
  }
  send(data) {
    if (this.#state === CONNECTING) refuse("the WebSocket is not open yet", "InvalidStateError");
    const blob = data instanceof globalThis.Blob;
    let message = data;
    if (!blob) {
      if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) message = new Uint8Array(lazy("marsh:text").bytesOf(data)).slice();
      else message = String(data).toWellFormed();
    }
    const size = blob ? data.size : typeof message === "string" ? call("text.utf8", message).length : message.length;
    this.#buffered += size;
    if (this.#state !== OPEN) return;
    this.#sending = this.#sending.then(async () => {
      await start("websocket.send", this.#id, blob ? new Uint8Array(await data.arrayBuffer()) : message);
      this.#buffered -= size;
    }).catch((error) => {
      if (this.#state === OPEN || this.#state === CLOSING) this.#ended({ code: 1006, reason: error.message, clean: false });
    });
  }
  close(code, reason) {
    if (code !== undefined) {
      code = Math.trunc(Number(code)) || 0;
      if (code !== 1000 && (code < 3000 || code > 4999)) refuse("a closing code is 1000, or 3000 to 4999", "InvalidAccessError");
    }
    reason = reason === undefined ? "" : String(reason);
    if (call("text.utf8", reason).length > 123) refuse("the reason has at most 123 bytes", "SyntaxError");
    if (this.#state === CLOSING || this.#state === CLOSED) return;
    if (this.#state === CONNECTING) {
      this.#state = CLOSING;
      globalThis.setTimeout(() => this.#failed(new Error("the WebSocket was closed before it was open")), 0);
      return;
    }
    this.#state = CLOSING;
    this.#sending.then(async () => {
      await start("websocket.close", this.#id, code ?? (reason ? 1000 : undefined), reason);
      globalThis.setTimeout(() => this.#ended({ code: 1006, reason: "", clean: false }), FAREWELL_MS);
    }).catch(() => this.#ended({ code: 1006, reason: "", clean: false }));
  }
  #on(type) { return this.#handlers[type] ?? null; }
  #setOn(type, handler) {
    if (this.#handlers[type]) this.removeEventListener(type, this.#handlers[type]);
    this.#handlers[type] = typeof handler === "function" ? handler : null;
    if (this.#handlers[type]) this.addEventListener(type, handler);
  }
  get onopen() { return this.#on("open"); }
  set onopen(handler) { this.#setOn("open", handler); }
  get onmessage() { return this.#on("message"); }
  set onmessage(handler) { this.#setOn("message", handler); }
  get onerror() { return this.#on("error"); }
  set onerror(handler) { this.#setOn("error", handler); }
  get onclose() { return this.#on("close"); }
  set onclose(handler) { this.#setOn("close", handler); }
  get url() { return this.#url.href; }
  get readyState() { return this.#state; }
  get protocol() { return this.#protocol; }
  get extensions() { return ""; }
  get bufferedAmount() { return this.#buffered; }
  get binaryType() { return this.#binaryType; }
  set binaryType(type) { if (type === "blob" || type === "arraybuffer") this.#binaryType = type; }
  get [Symbol.toStringTag]() { return "WebSocket"; }
}
for (const [name, value] of Object.entries({ CONNECTING, OPEN, CLOSING, CLOSED })) {
  for (const target of [WebSocket, WebSocket.prototype]) Object.defineProperty(target, name, { value, enumerable: true });
}

register("marsh:websocket", { WebSocket, CloseEvent });
