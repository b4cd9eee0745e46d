// What Request and Response have in common: a body that is read once.

import { call as host, lazy, register } from "marsh:core";
import { Blob } from "marsh:blob";
import { FormData, encodeForm, parseForm } from "marsh:form_data";
import { ReadableStream, collect, readableOf } from "marsh:streams";
import { URLSearchParams } from "marsh:url";

const kBody = Symbol("body");
const bytesOf = (source) => lazy("marsh:text").bytesOf(source);

/** From what the standard allows as a body to `{ bytes }` or `{ stream }`, and the content type it implies. */
export function extract(init) {
  if (typeof init === "string") return { bytes: host("text.utf8", init), type: "text/plain;charset=UTF-8" };
  if (init instanceof URLSearchParams) {
    return { bytes: host("text.utf8", init.toString()), type: "application/x-www-form-urlencoded;charset=UTF-8" };
  }
  if (init instanceof FormData) return encodeForm(init);
  if (init instanceof Blob) return { bytes: lazy("marsh:blob").bytesOf(init), type: init.type || null };
  if (init instanceof ReadableStream) {
    if (init.locked || init._disturbed) throw new TypeError("the body stream is locked or has been read");
    return { stream: init, type: null };
  }
  if (init instanceof ArrayBuffer || ArrayBuffer.isView(init)) return { bytes: bytesOf(init).slice(), type: null };
  if (typeof init === "object" && typeof init[Symbol.asyncIterator] === "function") {
    return { stream: ReadableStream.from(init), type: null };
  }
  return { bytes: host("text.utf8", String(init)), type: "text/plain;charset=UTF-8" };
}

export class Body {
  constructor(body) { this[kBody] = body; }

  get body() {
    const body = this[kBody];
    if (!body) return null;
    if (!body.stream) {
      let rest = body.bytes.length ? body.bytes : null;
      body.stream = readableOf(async () => {
        const chunk = rest;
        rest = null;
        return chunk && chunk.slice();
      });
      if (body.used) body.stream.getReader();
    }
    return body.stream;
  }
  get bodyUsed() {
    const body = this[kBody];
    return !!body && (!!body.used || !!body.stream?._disturbed);
  }
  async #bytes() {
    const body = this[kBody];
    if (!body) return new Uint8Array(0);
    if (this.bodyUsed || body.stream?.locked) throw new TypeError("Body already consumed.");
    body.used = true;
    return body.stream ? collect(body.stream) : body.bytes;
  }
  async bytes() { return (await this.#bytes()).slice(); }
  async arrayBuffer() { return (await this.bytes()).buffer; }
  async text() { return new (lazy("marsh:text").TextDecoder)().decode(await this.#bytes()); }
  async json() { return JSON.parse(await this.text()); }
  async blob() { return new Blob([await this.#bytes()], { type: this.headers.get("content-type") ?? "" }); }
  async formData() {
    const type = this.headers.get("content-type") ?? "";
    return parseForm(await this.#bytes(), type);
  }
}

/** What is to be sent: `{ bytes }`, `{ stream }` or null. From here on the body counts as used. */
export function takeBody(holder) {
  const body = holder[kBody];
  if (!body) return null;
  if (holder.bodyUsed || body.stream?.locked) throw new TypeError("Body already consumed.");
  body.used = true;
  return body.stream ? { stream: body.stream } : { bytes: body.bytes };
}

/** A second body with the same content. */
export function cloneBody(holder) {
  const body = holder[kBody];
  if (!body) return null;
  if (holder.bodyUsed || body.stream?.locked) throw new TypeError("Body already consumed.");
  if (!body.stream) return { bytes: body.bytes, type: body.type };
  const [one, two] = body.stream.tee();
  body.stream = one;
  return { stream: two, type: body.type };
}

export const hasBody = (holder) => holder[kBody] !== null;

register("marsh:body", { Body, extract, takeBody, cloneBody, hasBody });
