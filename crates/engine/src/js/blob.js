// Blob and File: bytes with a type.

import { call as host, lazy, register } from "marsh:core";

const kBytes = Symbol("bytes");

/** What a part of a Blob comes to; a Blob's own bytes are not copied. */
export function bytesOf(part) {
  if (part instanceof Blob) return part[kBytes];
  if (part instanceof ArrayBuffer || ArrayBuffer.isView(part)) return lazy("marsh:text").bytesOf(part);
  return host("text.utf8", String(part));
}

export class Blob {
  constructor(parts = [], { type = "", endings = "transparent" } = {}) {
    if (typeof parts !== "object" || typeof parts?.[Symbol.iterator] !== "function") {
      throw new TypeError("a Blob is made of a sequence of parts");
    }
    const native = (part) =>
      endings === "native" && typeof part === "string" ? part.replace(/\r\n?|\n/g, "\n") : part;
    const chunks = [...parts].map((part) => bytesOf(native(part)));
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    Object.defineProperty(this, kBytes, { value: bytes });
    Object.defineProperty(this, "type", { value: /^[ -~]*$/.test(type) ? String(type).toLowerCase() : "", enumerable: true });
  }
  get size() { return this[kBytes].length; }
  async arrayBuffer() { return this[kBytes].slice().buffer; }
  async bytes() { return this[kBytes].slice(); }
  async text() { return new (lazy("marsh:text").TextDecoder)().decode(this[kBytes]); }
  slice(start = 0, end = this.size, type = "") { return new Blob([this[kBytes].slice(start, end)], { type }); }
  stream() {
    let rest = this[kBytes];
    // In pieces, so that who reads slowly holds no second copy of it all.
    const read = async () => {
      if (rest.length === 0) return null;
      const chunk = rest.slice(0, 65536);
      rest = rest.subarray(chunk.length);
      return chunk;
    };
    return lazy("marsh:streams").readableOf(read);
  }
  get [Symbol.toStringTag]() { return "Blob"; }
}

export class File extends Blob {
  constructor(parts, name, options = {}) {
    if (arguments.length < 2) throw new TypeError("a File takes parts and a name");
    super(parts, options);
    Object.defineProperty(this, "name", { value: String(name), enumerable: true });
    Object.defineProperty(this, "lastModified", { value: options.lastModified ?? Date.now(), enumerable: true });
  }
  get [Symbol.toStringTag]() { return "File"; }
}

// What has a URL stays until the URL is revoked or the module version ends.
const objects = new Map();

export function createObjectURL(blob) {
  if (!(blob instanceof Blob)) throw new TypeError("createObjectURL takes a Blob");
  const url = `blob:null/${host("crypto.uuid")}`;
  objects.set(url, blob);
  return url;
}
export const revokeObjectURL = (url) => void objects.delete(url);
/** The Blob that a URL stands for, whatever its fragment. */
export const objectOf = (url) => objects.get(url.split("#")[0]);

register("marsh:blob", { Blob, File, bytesOf, createObjectURL, revokeObjectURL });
