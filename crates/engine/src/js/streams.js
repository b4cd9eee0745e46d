// Web streams: the vendored classes, and the ones that are built on them.

import { call as host, lazy, register } from "marsh:core";
import * as base from "marsh:web_streams";

const { ReadableStream, TransformStream, WritableStream } = base;
export { ReadableStream, TransformStream, WritableStream };

/** A byte stream over something that yields chunks and ends with null. Reads only when asked: that is the back-pressure. */
export function readableOf(read, cancel, Class = ReadableStream) {
  return new Class({
    type: "bytes",
    async pull(controller) {
      const chunk = await read();
      if (chunk !== null) return controller.enqueue(chunk);
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel,
  }, { highWaterMark: 0 });
}

export function chunkBytes(chunk) {
  if (typeof chunk === "string") throw new TypeError("expected a chunk of bytes, not a string");
  return lazy("marsh:text").bytesOf(chunk);
}

/** The bytes of a whole stream. */
export async function collect(stream) {
  const chunks = [];
  let size = 0;
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    if (!(value instanceof Uint8Array)) {
      const error = new TypeError("a body stream must yield Uint8Array chunks");
      reader.cancel(error).catch(() => {});
      throw error;
    }
    chunks.push(value);
    size += value.length;
  }
  if (chunks.length === 1) return chunks[0];
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** The two ends of a TransformStream, under the name of the class that is built on it. */
class Pair {
  #transform;
  constructor(transformer) { this.#transform = new TransformStream(transformer); }
  get readable() { return this.#transform.readable; }
  get writable() { return this.#transform.writable; }
  get [Symbol.toStringTag]() { return this.constructor.name; }
}

export class TextEncoderStream extends Pair {
  constructor() {
    let high = "";
    const encode = (text, controller) => {
      if (text) controller.enqueue(host("text.utf8", text));
    };
    super({
      transform(chunk, controller) {
        // A surrogate pair may be cut in two by the chunk's end.
        let text = high + String(chunk);
        const last = text.charCodeAt(text.length - 1);
        high = last >= 0xd800 && last <= 0xdbff ? text.at(-1) : "";
        if (high) text = text.slice(0, -1);
        encode(text, controller);
      },
      flush(controller) { encode(high, controller); },
    });
  }
  get encoding() { return "utf-8"; }
}

export class TextDecoderStream extends Pair {
  #decoder;
  constructor(label = "utf-8", options = {}) {
    const decoder = new (lazy("marsh:text").TextDecoder)(label, options);
    const put = (text, controller) => {
      if (text) controller.enqueue(text);
    };
    super({
      transform: (chunk, controller) => put(decoder.decode(chunkBytes(chunk), { stream: true }), controller),
      flush: (controller) => put(decoder.decode(), controller),
    });
    this.#decoder = decoder;
  }
  get encoding() { return this.#decoder.encoding; }
  get fatal() { return this.#decoder.fatal; }
  get ignoreBOM() { return this.#decoder.ignoreBOM; }
}

// One that is dropped half-way gives its state back when it is collected.
const abandoned = new FinalizationRegistry((id) => host("flate.drop", id));

function flate(format, compress) {
  if (!["gzip", "deflate", "deflate-raw"].includes(format)) {
    throw new TypeError(`'${format}' is not a compression format: gzip, deflate, deflate-raw`);
  }
  const id = host("flate.open", format, compress);
  const put = (bytes, controller) => {
    if (bytes.length) controller.enqueue(bytes);
  };
  const transformer = {
    transform: (chunk, controller) => put(host("flate.push", id, chunkBytes(chunk)), controller),
    flush: (controller) => put(host("flate.finish", id), controller),
  };
  abandoned.register(transformer, id);
  return transformer;
}

export class CompressionStream extends Pair {
  constructor(format) { super(flate(String(format), true)); }
}
export class DecompressionStream extends Pair {
  constructor(format) { super(flate(String(format), false)); }
}

register("marsh:streams", {
  ...base, TextEncoderStream, TextDecoderStream, CompressionStream, DecompressionStream, readableOf, chunkBytes, collect,
});
