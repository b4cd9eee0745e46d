// Request and Response.

import { lazy, register } from "marsh:core";
import { AbortController, AbortSignal } from "marsh:abort";
import { Body, cloneBody, extract, hasBody, takeBody } from "marsh:body";
import { Headers, freeze } from "marsh:headers";
import { URL } from "marsh:url";

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const usual = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

function methodOf(method) {
  method = String(method);
  if (!token.test(method)) throw new TypeError(`'${method}' is not a valid HTTP method`);
  const upper = method.toUpperCase();
  if (["CONNECT", "TRACE", "TRACK"].includes(upper)) throw new TypeError(`the method ${upper} is forbidden`);
  // The standard leaves "patch" as it is, and every server then refuses it.
  return usual.has(upper) || upper === "PATCH" ? upper : method;
}

function oneOf(name, value, allowed) {
  if (!allowed.includes(value)) throw new TypeError(`${name} is one of ${allowed.join(", ")}, not '${value}'`);
  return value;
}

export class Request extends Body {
  #url;
  #parts;
  constructor(input, init = {}) {
    init ??= {};
    const from = input instanceof Request ? input : null;
    const url = from ? null : new URL(String(input));
    const method = init.method !== undefined ? methodOf(init.method) : from ? from.method : "GET";
    const headers = new Headers(init.headers ?? from?.headers);
    let body = null;
    if (init.body !== undefined && init.body !== null) body = extract(init.body);
    if ((method === "GET" || method === "HEAD") && (body || (!body && from && init.method !== undefined && hasBody(from)))) {
      throw new TypeError("Request with GET/HEAD method cannot have body.");
    }
    if (!body && from && init.body === undefined && hasBody(from)) body = takeBody(from);
    if (body?.type && !headers.has("content-type")) headers.set("content-type", body.type);
    super(body);
    this.#url = from ? from.#url : url;
    const signal = init.signal === null ? undefined : init.signal ?? from?.signal;
    if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError("signal must be an AbortSignal");
    this.#parts = {
      method,
      headers,
      // The standard says a follower of it; one that outlives its request would pile up on a long-lived signal.
      signal: signal ?? new AbortController().signal,
      redirect: oneOf("redirect", init.redirect ?? from?.redirect ?? "follow", ["follow", "manual", "error"]),
      client: init.client ?? (from ? from.#parts.client : undefined),
      credentials: init.credentials ?? from?.credentials ?? "same-origin",
      cache: init.cache ?? from?.cache ?? "default",
      mode: init.mode ?? from?.mode ?? "cors",
      referrer: init.referrer ?? from?.referrer ?? "about:client",
      referrerPolicy: init.referrerPolicy ?? "",
      integrity: init.integrity ?? "",
      keepalive: !!init.keepalive,
    };
  }
  get url() { return this.#url.href; }
  get method() { return this.#parts.method; }
  get headers() { return this.#parts.headers; }
  get signal() { return this.#parts.signal; }
  get redirect() { return this.#parts.redirect; }
  get credentials() { return this.#parts.credentials; }
  get cache() { return this.#parts.cache; }
  get mode() { return this.#parts.mode; }
  get referrer() { return this.#parts.referrer; }
  get referrerPolicy() { return this.#parts.referrerPolicy; }
  get integrity() { return this.#parts.integrity; }
  get keepalive() { return this.#parts.keepalive; }
  get destination() { return ""; }
  get duplex() { return "half"; }
  clone() {
    const body = cloneBody(this);
    const copy = new Request(this.url, { ...this.#parts, headers: this.headers });
    return body ? copy.#with(body) : copy;
  }
  #with(body) {
    const copy = new Request(this.url, { ...this.#parts, method: "POST", body: body.stream ?? body.bytes });
    copy.#parts.method = this.method;
    return copy;
  }
  /** Not of the web: what the surface's own fetch needs to know. */
  static inner(request) { return { url: request.#url, client: request.#parts.client }; }
  get [Symbol.toStringTag]() { return "Request"; }
}
export const inner = Request.inner;
delete Request.inner;

const nullBody = [101, 103, 204, 205, 304];
const secret = Symbol("made by the surface");

export class Response extends Body {
  #parts;
  constructor(body = null, init = {}, key) {
    init ??= {};
    const status = key === secret ? init.status : Number(init.status ?? 200);
    if (key !== secret && !(Number.isInteger(status) && status >= 200 && status <= 599)) {
      throw new RangeError(`The status provided (${init.status}) is not in the range 200 to 599`);
    }
    const statusText = String(init.statusText ?? "");
    if (/[^\t\x20-\x7e\x80-\xff]/.test(statusText)) throw new TypeError("Invalid status text");
    const headers = new Headers(init.headers);
    const held = body === null || body === undefined ? null : extract(body);
    if (held && key !== secret && nullBody.includes(status)) throw new TypeError("Response with null body status cannot have body");
    if (held?.type && !headers.has("content-type")) headers.set("content-type", held.type);
    // What came from the network stays as it came, and so do copies of it.
    if (key === secret && (init.type === "basic" || init.type === "error")) freeze(headers);
    super(held);
    this.#parts = { status, statusText, headers, url: init.url ?? "", redirected: !!init.redirected, type: init.type ?? "default" };
  }
  static error() { return new Response(null, { status: 0, type: "error" }, secret); }
  static json(data, init = {}) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("The data is not JSON serializable");
    const headers = new Headers(init?.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, headers });
  }
  static redirect(url, status = 302) {
    const { href } = new URL(String(url));
    if (![301, 302, 303, 307, 308].includes(status)) throw new RangeError(`${status} is not a redirect status`);
    return new Response(null, { status, headers: { location: href } }, secret);
  }
  get status() { return this.#parts.status; }
  get ok() { return this.status >= 200 && this.status <= 299; }
  get statusText() { return this.#parts.statusText; }
  get headers() { return this.#parts.headers; }
  get url() { return this.#parts.url; }
  get redirected() { return this.#parts.redirected; }
  get type() { return this.#parts.type; }
  clone() {
    const body = cloneBody(this);
    return new Response(body && (body.stream ?? body.bytes), { ...this.#parts, headers: this.headers }, secret);
  }
  get [Symbol.toStringTag]() { return "Response"; }
  [Symbol.for("Deno.customInspect")](inspect) {
    const { body, bodyUsed, headers, ok, redirected, status, statusText, url } = this;
    return `Response ${inspect({ body, bodyUsed, headers, ok, redirected, status, statusText, url })}`;
  }
}

export const makeResponse = (body, init) => new Response(body, init, secret);
export const hasNullBody = (status) => nullBody.includes(status);

register("marsh:request", { Request, Response, inner, makeResponse, hasNullBody });
