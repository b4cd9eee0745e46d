// fetch: redirects, credentials and aborts as the standard says; one exchange at a time is Rust's.

import { call as host, lazy, register, start } from "marsh:core";
import { objectOf } from "marsh:blob";
import { takeBody } from "marsh:body";
import { Headers } from "marsh:headers";
import { Request, hasNullBody, inner, makeResponse } from "marsh:request";
import { ReadableStream, readableOf } from "marsh:streams";
import { URL } from "marsh:url";

const redirects = [301, 302, 303, 307, 308];
// An unread response gives its connection back when it is collected.
const abandoned = new FinalizationRegistry((id) => host("fetch.cancel", id));

function networkError(error, url) {
  if (error?.name !== "TypeError" && error?.name !== "InvalidData" && error?.name !== "NotFound") return error;
  const cause = new Error(error.message);
  if (error.code) cause.code = error.code;
  const made = new TypeError(`error sending request for url (${url}): ${error.message}`, { cause });
  // Some look for it here.
  if (error.code) made.code = error.code;
  return made;
}

function authorization(url, headers) {
  if ((url.username || url.password) && !headers.has("authorization")) {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.set("authorization", `Basic ${host("base64.encode", pair)}`);
  }
}

/** Send a body stream piece by piece. What goes wrong in it is what fails the fetch. */
async function pump(stream, id, failed) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      if (!(value instanceof Uint8Array)) throw new TypeError("a request body stream must yield Uint8Array chunks");
      if (value.length === 0) continue;
      if (!(await start("fetch.write", id, value))) {
        // The other side has answered already and takes no more.
        await reader.cancel().catch(() => {});
        return;
      }
    }
    host("fetch.endBody", id, false);
  } catch (error) {
    failed(error);
    reader.cancel(error).catch(() => {});
    try {
      host("fetch.endBody", id, true);
    } catch {
      // The exchange is over.
    }
  }
}

/** One request and the head of its response. */
async function exchange(state, signal) {
  const { url, method, headers, body, client } = state;
  const bare = new URL(url.href);
  bare.hash = "";
  bare.username = "";
  bare.password = "";
  const list = [];
  for (const [name, value] of headers) {
    // How the message is framed is not for the caller to say, except for a stream whose length only they know.
    if (["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"].includes(name)) continue;
    if (name === "content-length" && !body?.stream) continue;
    if (name === "host" && value === bare.host) continue;
    list.push([name, value]);
  }
  for (const [name, value] of [["accept", "*/*"], ["user-agent", "marsh"], ["accept-language", "*"]]) {
    if (!headers.has(name)) list.push([name, value]);
  }
  const expected = ["POST", "PUT", "PATCH"].includes(method);
  const bytes = body ? body.bytes : expected ? new Uint8Array(0) : undefined;
  if (bytes?.length === 0) list.push(["content-length", "0"]);
  const spec = JSON.stringify({ method, url: bare.href, headers: list, stream: !!body?.stream });
  let id;
  try {
    id = host("fetch.open", spec, bytes, client);
  } catch (error) {
    throw networkError(error, bare.href);
  }
  const { promise: stopped, reject: stop } = Promise.withResolvers();
  stopped.catch(() => {});
  const over = { id, done: false, controller: null };
  over.abort = () => {
    if (over.done) return;
    over.end();
    const { reason } = signal;
    stop(reason);
    over.controller?.error(reason);
    if (body?.stream && !body.stream.locked) body.stream.cancel(reason).catch(() => {});
  };
  over.end = () => {
    over.done = true;
    signal.removeEventListener("abort", over.abort);
    host("fetch.cancel", id);
  };
  signal.addEventListener("abort", over.abort);
  if (body?.stream) pump(body.stream, id, stop);
  try {
    const [status, statusText, flat] = await Promise.race([start("fetch.send", id), stopped]);
    const found = new Headers();
    for (let at = 0; at < flat.length; at += 2) found.append(flat[at], flat[at + 1]);
    return { status, statusText, headers: found, over };
  } catch (error) {
    if (!over.done) over.end();
    throw signal.aborted ? signal.reason : networkError(error, bare.href);
  }
}

function bodyOf(head, signal) {
  const { over } = head;
  const stream = new ReadableStream({
    type: "bytes",
    start(controller) { over.controller = controller; },
    async pull(controller) {
      let chunk;
      try {
        chunk = await start("fetch.read", over.id);
      } catch (error) {
        if (over.done) return;
        over.end();
        throw signal.aborted ? signal.reason : Object.assign(new TypeError(error.message, { cause: error }), error.code ? { code: error.code } : {});
      }
      if (over.done) return;
      if (chunk !== null) return controller.enqueue(chunk);
      over.end();
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel() {
      if (!over.done) over.end();
    },
  }, { highWaterMark: 0 });
  abandoned.register(stream, over.id);
  return stream;
}

/** data:, blob: and file: URLs, which never reach the network. */
async function local(url, method) {
  if (url.protocol === "blob:") {
    const blob = objectOf(url.href);
    if (!blob) throw new TypeError(`${url.href} stands for no Blob: it was never made, or revoked`);
    if (method !== "GET") throw new TypeError(`a Blob's URL is fetched with GET, not with ${method}`);
    const headers = { "content-length": String(blob.size), ...(blob.type && { "content-type": blob.type }) };
    return makeResponse(blob, { status: 200, statusText: "OK", url: url.href, headers });
  }
  if (url.protocol === "file:") {
    try {
      return makeResponse(await globalThis.Deno.readFile(url), { status: 200, statusText: "OK", url: url.href });
    } catch (cause) {
      throw new TypeError(`error reading ${url.href}: ${cause.message}`, { cause });
    }
  }
  const found = /^data:([^,]*?)(;\s*base64)?,([^#]*)/i.exec(url.href);
  if (!found) throw new TypeError("Invalid data URL");
  const raw = host("url.unescape", found[3]);
  const bytes = found[2] ? host("base64.decode", new (lazy("marsh:text").TextDecoder)().decode(raw)) : raw;
  return makeResponse(bytes, { status: 200, statusText: "OK", url: url.href, headers: { "content-type": found[1] || "text/plain;charset=US-ASCII" } });
}

export async function fetch(input, init) {
  const request = new Request(input, init);
  const { signal } = request;
  signal.throwIfAborted();
  const { url, client } = inner(request);
  if (["data:", "blob:", "file:"].includes(url.protocol)) return local(url, request.method);
  const headers = new Headers(request.headers);
  const state = { url: new URL(url.href), method: request.method, headers, body: takeBody(request), client: client?.description };
  for (let followed = 0; ; followed++) {
    if (state.url.protocol !== "http:" && state.url.protocol !== "https:") {
      throw new TypeError(`scheme '${state.url.protocol.slice(0, -1)}' not supported: ${state.url.href}`);
    }
    authorization(state.url, headers);
    const head = await exchange(state, signal);
    const location = redirects.includes(head.status) ? head.headers.get("location") : null;
    if (location === null || request.redirect === "manual") {
      const empty = state.method === "HEAD" || hasNullBody(head.status);
      if (empty) head.over.end();
      const { status, statusText } = head;
      return makeResponse(empty ? null : bodyOf(head, signal), {
        status, statusText, headers: head.headers, url: state.url.href, redirected: followed > 0, type: "basic",
      });
    }
    head.over.end();
    if (request.redirect === "error") throw new TypeError(`the server redirected to ${location}, and redirect is 'error'`);
    if (followed === 20) throw new TypeError("more than 20 redirects");
    const next = URL.parse(location, state.url.href);
    if (!next) throw new TypeError(`the server redirected to '${location}', which is not a URL`);
    if (!next.hash) next.hash = state.url.hash;
    if (state.body?.stream && head.status !== 303) throw new TypeError("a streamed request body cannot follow a redirect");
    if (((head.status === 301 || head.status === 302) && state.method === "POST") || (head.status === 303 && state.method !== "GET" && state.method !== "HEAD")) {
      state.method = "GET";
      state.body = null;
      for (const name of ["content-encoding", "content-language", "content-location", "content-type", "content-length"]) headers.delete(name);
    }
    if (next.origin !== state.url.origin) {
      for (const name of ["authorization", "cookie", "proxy-authorization", "host"]) headers.delete(name);
    }
    state.url = next;
  }
}

/** Deno.createHttpClient: nothing but a description; equal ones share their connections. */
export class HttpClient {
  constructor(options = {}) {
    const { caCerts = [], cert, key, proxy, http1, http2, insecure } = options;
    if (proxy && proxy.transport && proxy.transport !== "http" && proxy.transport !== "https") {
      throw new TypeError(`a proxy over '${proxy.transport}' is not available in marsh's engine`);
    }
    const wanted = { caCerts: [...caCerts].map(String), cert, key, http1, http2, insecure, proxy };
    Object.defineProperty(this, "description", { value: JSON.stringify(wanted) });
  }
  close() {}
  [Symbol.dispose]() {}
}
export const createHttpClient = (options) => {
  const client = new HttpClient(options);
  return client;
};

register("marsh:fetch", { fetch, HttpClient, createHttpClient });
