// TextEncoder, TextDecoder, atob, btoa; the tables are Rust's.

import { call as host, register } from "marsh:core";

/** The bytes of any buffer source, without copying. */
export function bytesOf(source) {
  if (source === undefined) return new Uint8Array(0);
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  throw new TypeError("expected an ArrayBuffer or a view of one");
}

export class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return host("text.utf8", String(text)); }
  encodeInto(text, target) {
    text = String(text);
    const all = this.encode(text);
    if (all.length <= target.length) {
      target.set(all);
      return { read: text.length, written: all.length };
    }
    let read = 0;
    let written = 0;
    for (const character of text) {
      const bytes = this.encode(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
  get [Symbol.toStringTag]() { return "TextEncoder"; }
}

export class TextDecoder {
  #label;
  #held = null;
  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    this.#label = host("text.label", String(label).trim());
    this.fatal = !!fatal;
    this.ignoreBOM = !!ignoreBOM;
  }
  get encoding() { return this.#label; }
  decode(source, { stream = false } = {}) {
    const [text, held] = host("text.decode", this.#label, bytesOf(source), this.fatal, this.ignoreBOM, !!stream, this.#held);
    this.#held = held;
    return text;
  }
  get [Symbol.toStringTag]() { return "TextDecoder"; }
}

export const btoa = (text) => host("base64.btoa", String(text));

export function atob(text) {
  text = String(text);
  const packed = text.replace(/[\t\n\f\r ]/g, "");
  const bare = packed.length % 4 === 0 ? packed.replace(/={1,2}$/, "") : packed;
  if (/[-_=]/.test(bare)) throw new DOMException("Failed to decode base64: invalid character", "InvalidCharacterError");
  return host("base64.atob", text);
}

register("marsh:text", { TextEncoder, TextDecoder, atob, btoa, bytesOf });
