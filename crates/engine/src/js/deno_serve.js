// Deno.serve: HTTP servers for callbacks on this machine.

import { call, lazy, register, start } from "marsh:core";
import { AbortController } from "marsh:abort";
import { takeBody } from "marsh:body";
import { Request, Response } from "marsh:request";
import { chunkBytes, readableOf } from "marsh:streams";

const bodiless = new Set(["GET", "HEAD"]);

function requestOf(id, method, target, flat, origin) {
  const headers = new Headers();
  for (let at = 0; at < flat.length; at += 2) headers.append(flat[at], flat[at + 1]);
  const base = headers.get("host") ?? origin;
  const url = target.startsWith("/") ? `http://${base}${target}` : target;
  const body = bodiless.has(method) ? undefined : readableOf(() => start("serve.read", id));
  return new Request(url, { method, headers, body });
}

/** Sends an answer, and resolves when its body has been handed over. */
export async function answer(id, response) {
  const body = takeBody(response);
  const headers = JSON.stringify([...response.headers]);
  if (!body?.stream) return call("serve.respond", id, response.status, headers, body?.bytes, false);
  const reader = body.stream.getReader();
  try {
    if (!call("serve.respond", id, response.status, headers, undefined, true)) return await reader.cancel("the client went away");
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (!(await start("serve.write", id, chunkBytes(value)))) return await reader.cancel("the client went away");
    }
  } finally {
    call("serve.endBody", id);
  }
}

export function listen(hostname, port) {
  const [id, host, bound] = call("serve.listen", String(hostname), port);
  return { id, hostname: host, port: bound };
}

export class HttpServer {
  #id;
  #finished;
  #addr;
  constructor(server, finished) {
    this.#id = server.id;
    this.#addr = { transport: "tcp", hostname: server.hostname, port: server.port };
    this.#finished = finished;
  }
  get addr() { return this.#addr; }
  get finished() { return this.#finished; }
  async shutdown() {
    call("serve.shutdown", this.#id, false);
    await this.#finished;
  }
  ref() {}
  unref() {}
  async [Symbol.asyncDispose]() { await this.shutdown(); }
}

async function handled(handler, onError, request, info) {
  try {
    const response = await handler(request, info);
    if (!(response instanceof Response)) throw new TypeError("Return value from serve handler must be a response or a promise resolving to a response");
    if (response.bodyUsed) throw new TypeError("The body of the Response returned from the serve handler has already been consumed");
    return response;
  } catch (error) {
    try {
      const response = await onError(error);
      if (response instanceof Response) return response;
    } catch (second) {
      console.error(second);
    }
    return new Response("Internal Server Error", { status: 500 });
  }
}

export function serve(one, two) {
  const [options, given] = typeof one === "function" ? [{}, one] : [one ?? {}, two];
  const handler = options.handler ?? given;
  if (typeof handler !== "function") throw new TypeError("A handler function must be provided.");
  for (const name of ["cert", "key", "path"]) {
    if (options[name] !== undefined) lazy("marsh:unsupported").missing(`Deno.serve with '${name}'`)();
  }
  const { hostname = "127.0.0.1", port = 8000, signal, onListen, onError } = options;
  const failed = onError ?? ((error) => {
    console.error(error);
    return new Response("Internal Server Error", { status: 500 });
  });
  const server = listen(hostname, Number(port));
  const origin = `${server.hostname.includes(":") ? `[${server.hostname}]` : server.hostname}:${server.port}`;
  const stop = () => call("serve.shutdown", server.id, true);
  const running = (async () => {
    const pending = new Set();
    for (;;) {
      const taken = await start("serve.next", server.id);
      if (taken === null) break;
      const [id, method, target, headers, host, from] = taken;
      const work = (async () => {
        let completed;
        const info = { remoteAddr: { transport: "tcp", hostname: host, port: from }, completed: new Promise((resolve) => { completed = resolve; }) };
        let request;
        try {
          request = requestOf(id, method, target, headers, origin);
        } catch (error) {
          return answer(id, new Response(error.message, { status: 400 }));
        }
        try {
          await answer(id, await handled(handler, failed, request, info));
        } catch (error) {
          console.error(error);
        } finally {
          completed();
        }
      })();
      pending.add(work);
      work.finally(() => pending.delete(work));
    }
    await Promise.all(pending);
  })();
  const finished = Promise.all([running, start("serve.finished", server.id)]).then(() => {});
  if (signal?.aborted) stop();
  else signal?.addEventListener("abort", stop, { once: true });
  const http = new HttpServer(server, finished);
  if (onListen) onListen(http.addr);
  else console.error(`Listening on http://${origin}/`);
  return http;
}

register("marsh:deno_serve", { serve, HttpServer, answer, listen });
