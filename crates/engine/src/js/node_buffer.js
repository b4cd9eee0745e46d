// node:buffer, the part that text and bytes need. Numbers in binary say that they are missing.

import { call as host, lazy, register } from "marsh:core";
import { missing } from "marsh:unsupported";

const encodings = { utf8: "utf8", "utf-8": "utf8", hex: "hex", base64: "base64", base64url: "base64url", ascii: "latin1", latin1: "latin1", binary: "latin1", ucs2: "utf16le", "utf-16le": "utf16le", utf16le: "utf16le" };
function encodingOf(name = "utf8") {
  const known = encodings[String(name).toLowerCase()];
  if (!known) throw new TypeError(`Unknown encoding: ${name}`);
  return known;
}

function encode(text, encoding) {
  switch (encodingOf(encoding)) {
    case "utf8":
      return host("text.utf8", text);
    case "hex":
      return Uint8Array.fromHex(/^(?:[0-9a-f]{2})*/i.exec(text)[0]);
    case "base64":
    case "base64url":
      return host("base64.decode", text.replace(/[^A-Za-z0-9+/_-]/g, ""));
    case "utf16le":
      return new Uint8Array(Uint16Array.from(text, (_, at) => text.charCodeAt(at)).buffer);
    default:
      return Uint8Array.from({ length: text.length }, (_, at) => text.charCodeAt(at) & 255);
  }
}

const wrap = (bytes) => Object.setPrototypeOf(bytes, Buffer.prototype);

export class Buffer extends Uint8Array {
  static from(value, encodingOrOffset, length) {
    if (typeof value === "string") return wrap(encode(value, encodingOrOffset));
    if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new Buffer(value, encodingOrOffset, length);
    if (ArrayBuffer.isView(value) || Array.isArray(value)) return wrap(Uint8Array.from(value));
    if (value?.type === "Buffer" && Array.isArray(value.data)) return wrap(Uint8Array.from(value.data));
    throw new TypeError("The first argument must be of type string or an instance of Buffer, ArrayBuffer, or Array");
  }
  static alloc(size, fill, encoding) {
    const buffer = new Buffer(size);
    if (fill !== undefined && fill !== 0) buffer.fill(fill, 0, size, encoding);
    return buffer;
  }
  static allocUnsafe(size) { return new Buffer(size); }
  static allocUnsafeSlow(size) { return new Buffer(size); }
  static isBuffer(value) { return value instanceof Buffer; }
  static isEncoding(name) { return String(name).toLowerCase() in encodings; }
  static byteLength(value, encoding) { return typeof value === "string" ? encode(value, encoding).length : value.byteLength; }
  static concat(list, total = list.reduce((sum, item) => sum + item.length, 0)) {
    const out = Buffer.alloc(total);
    let at = 0;
    for (const item of list) {
      out.set(item.subarray(0, Math.max(0, total - at)), at);
      at += item.length;
    }
    return out;
  }
  static compare(a, b) {
    for (let at = 0; at < Math.min(a.length, b.length); at++) if (a[at] !== b[at]) return a[at] < b[at] ? -1 : 1;
    return Math.sign(a.length - b.length);
  }
  toString(encoding, start = 0, end = this.length) {
    const bytes = new Uint8Array(this.buffer, this.byteOffset, this.length).subarray(start, end);
    switch (encodingOf(encoding)) {
      case "utf8":
        return new (lazy("marsh:text").TextDecoder)("utf-8", { ignoreBOM: true }).decode(bytes);
      case "hex":
        return bytes.toHex();
      case "base64":
        return host("base64.encode", bytes);
      case "base64url":
        return host("base64.encode", bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
      case "utf16le":
        return new (lazy("marsh:text").TextDecoder)("utf-16le", { ignoreBOM: true }).decode(bytes);
      default:
        return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    }
  }
  toJSON() { return { type: "Buffer", data: [...this] }; }
  equals(other) { return Buffer.compare(this, other) === 0; }
  compare(other) { return Buffer.compare(this, other); }
  slice(start, end) { return this.subarray(start, end); }
  subarray(start, end) { return wrap(Uint8Array.prototype.subarray.call(this, start, end)); }
  write(text, offset = 0, length, encoding) {
    if (typeof offset === "string") [encoding, offset, length] = [offset, 0, undefined];
    if (typeof length === "string") [encoding, length] = [length, undefined];
    const bytes = encode(text, encoding).subarray(0, Math.min(length ?? Infinity, this.length - offset));
    this.set(bytes, offset);
    return bytes.length;
  }
  copy(target, at = 0, start = 0, end = this.length) {
    const bytes = this.subarray(start, Math.min(end, start + target.length - at));
    target.set(bytes, at);
    return bytes.length;
  }
  fill(value, start = 0, end = this.length, encoding) {
    if (typeof value === "number") return super.fill(value, start, end);
    const bytes = typeof value === "string" ? encode(value, encoding) : value;
    for (let at = start; at < end && bytes.length; at++) this[at] = bytes[(at - start) % bytes.length];
    return this;
  }
  indexOf(value, from = 0) {
    if (typeof value === "number") return super.indexOf(value, from);
    const bytes = typeof value === "string" ? encode(value) : value;
    outer: for (let at = from; at <= this.length - bytes.length; at++) {
      for (let b = 0; b < bytes.length; b++) if (this[at + b] !== bytes[b]) continue outer;
      return at;
    }
    return -1;
  }
  includes(value, from) { return this.indexOf(value, from) >= 0; }
  static get [Symbol.species]() { return Uint8Array; }
}
for (const kind of ["UInt8", "Int8", "UInt16", "Int16", "UInt32", "Int32", "Float", "Double", "BigInt64", "BigUInt64"]) {
  for (const order of kind.endsWith("8") ? [""] : ["LE", "BE"]) {
    const view = kind.replace("UInt", "Uint").replace("BigUint", "BigUint").replace(/^Float$/, "Float32").replace(/^Double$/, "Float64");
    Buffer.prototype[`read${kind}${order}`] = function (at = 0) {
      return new DataView(this.buffer, this.byteOffset, this.length)[`get${view}`](at, order === "LE");
    };
    Buffer.prototype[`write${kind}${order}`] = function (value, at = 0) {
      new DataView(this.buffer, this.byteOffset, this.length)[`set${view}`](at, value, order === "LE");
      return at + Number(/\d+$/.exec(view)[0]) / 8;
    };
  }
}

export const kMaxLength = 2 ** 31 - 1;
export const constants = { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: 2 ** 30 - 1 };
const { atob, btoa } = lazy("marsh:text");
const { Blob, File } = lazy("marsh:blob");
export { atob, Blob, btoa, File };
export const SlowBuffer = missing("buffer.SlowBuffer");
export const transcode = missing("buffer.transcode");
export default register("node:buffer", { Buffer, kMaxLength, constants, atob, btoa, Blob, File, SlowBuffer, transcode });
