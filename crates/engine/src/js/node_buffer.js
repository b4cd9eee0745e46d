// node:buffer: the vendored Buffer, with Rust's encoders and decoders in its place for text.

import { call as host, lazy, register } from "marsh:core";
import { Buffer, SlowBuffer, kMaxLength } from "marsh:buffer";
import { missing } from "marsh:unsupported";

const encodings = {
  utf8: "utf8", "utf-8": "utf8", hex: "hex", base64: "base64", base64url: "base64url", ascii: "latin1", latin1: "latin1", binary: "latin1",
  ucs2: "utf16le", "ucs-2": "utf16le", "utf-16le": "utf16le", utf16le: "utf16le",
};
function encodingOf(name) {
  const known = encodings[String(name || "utf8").toLowerCase()];
  if (!known) throw Object.assign(new TypeError(`Unknown encoding: ${name}`), { code: "ERR_UNKNOWN_ENCODING" });
  return known;
}

function encode(text, encoding) {
  switch (encodingOf(encoding)) {
    case "utf8":
      return host("text.utf8", text);
    case "hex":
      return Uint8Array.fromHex(/^(?:[0-9a-f]{2})*/i.exec(text)[0]);
    case "base64":
    case "base64url": {
      const end = text.indexOf("=");
      const clean = (end < 0 ? text : text.slice(0, end)).replace(/[^A-Za-z0-9+/_-]/g, "");
      // A single letter at the end is half a byte.
      return host("base64.decode", clean.length % 4 === 1 ? clean.slice(0, -1) : clean);
    }
    case "utf16le": {
      const bytes = new Uint8Array(text.length * 2);
      for (let at = 0; at < text.length; at++) {
        const code = text.charCodeAt(at);
        bytes[2 * at] = code & 255;
        bytes[2 * at + 1] = code >> 8;
      }
      return bytes;
    }
    default: {
      const bytes = new Uint8Array(text.length);
      for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
      return bytes;
    }
  }
}

function decode(bytes, encoding) {
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
      return new (lazy("marsh:text").TextDecoder)("utf-16le", { ignoreBOM: true }).decode(bytes.subarray(0, bytes.length & ~1));
    default: {
      const ascii = String(encoding).toLowerCase() === "ascii";
      let text = "";
      for (let at = 0; at < bytes.length; at += 8192) {
        const part = bytes.subarray(at, at + 8192);
        text += String.fromCharCode(...(ascii ? part.map((byte) => byte & 127) : part));
      }
      return text;
    }
  }
}

Object.defineProperty(Buffer, "name", { value: "Buffer", configurable: true });
const wrap = (bytes) => Object.setPrototypeOf(bytes, Buffer.prototype);
const { from, isEncoding } = Buffer;
const { write, indexOf, lastIndexOf } = Buffer.prototype;
const plain = (buffer, start, end) => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length).subarray(start, end);

Buffer.from = (value, encodingOrOffset, length) => {
  if (typeof value === "string") return wrap(encode(value, encodingOrOffset));
  if (typeof value === "number" || value === undefined || value === null) {
    const error = new TypeError(`The first argument must be a string, a Buffer, an ArrayBuffer or an Array. Received ${typeof value}`);
    throw Object.assign(error, { code: "ERR_INVALID_ARG_TYPE" });
  }
  return from(value, encodingOrOffset, length);
};
Buffer.isEncoding = (name) => typeof name === "string" && (name.toLowerCase() === "base64url" || isEncoding(name));
Buffer.byteLength = (value, encoding) => (typeof value === "string" ? encode(value, encodings[String(encoding).toLowerCase()] ?? "utf8").length : value.byteLength);
const methods = {
  toString(encoding, start = 0, end = this.length) {
    start = Math.max(0, Number(start) || 0);
    end = Math.min(this.length, end === null ? this.length : Number(end) || 0);
    return end <= start ? "" : decode(plain(this, start, end), encoding);
  },
  write(text, offset, length, encoding) {
    if (typeof offset === "string") [encoding, offset, length] = [offset, undefined, undefined];
    if (typeof length === "string") [encoding, length] = [length, undefined];
    const kind = encodingOf(encoding);
    if (kind === "utf8" || offset < 0 || offset > this.length) return write.call(this, text, offset ?? 0, length ?? this.length - (offset ?? 0), kind === "base64url" ? "base64" : kind);
    offset ??= 0;
    const bytes = encode(text, kind).subarray(0, Math.min(length ?? Infinity, this.length - offset));
    this.set(bytes, offset);
    return bytes.length;
  },
  indexOf(value, from, encoding) {
    if (typeof from === "string") [encoding, from] = [from, 0];
    return indexOf.call(this, typeof value === "string" ? Buffer.from(value, encoding) : value, from ?? 0);
  },
  lastIndexOf(value, from, encoding) {
    if (typeof from === "string") [encoding, from] = [from, undefined];
    return lastIndexOf.call(this, typeof value === "string" ? Buffer.from(value, encoding) : value, from);
  },
  includes(value, from, encoding) { return this.indexOf(value, from, encoding) >= 0; },
  toLocaleString(...args) { return this.toString(...args); },
};
for (const [kind, encoding] of [["utf8", "utf8"], ["hex", "hex"], ["base64", "base64"], ["base64url", "base64url"], ["latin1", "latin1"], ["ascii", "ascii"], ["ucs2", "utf16le"]]) {
  methods[`${kind}Slice`] = function (start, end) { return this.toString(encoding, start, end); };
  methods[`${kind}Write`] = function (text, offset, length) { return this.write(text, offset, length, encoding); };
}
for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(Buffer.prototype, name, { value, writable: true, configurable: true, enumerable: false });
}
Buffer.copyBytesFrom = (view, offset = 0, length = view.length - offset) => {
  const part = view.subarray(offset, offset + length);
  return from(part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength));
};

export const constants = { MAX_LENGTH: kMaxLength, MAX_STRING_LENGTH: 2 ** 30 - 1 };
export const INSPECT_MAX_BYTES = 50;
const { atob, btoa } = lazy("marsh:text");
const { Blob, File } = lazy("marsh:blob");
export { atob, Blob, btoa, Buffer, File, kMaxLength, SlowBuffer };
export const kStringMaxLength = constants.MAX_STRING_LENGTH;
export function isUtf8(bytes) {
  try {
    new (lazy("marsh:text").TextDecoder)("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
export const isAscii = (bytes) => lazy("marsh:text").bytesOf(bytes).every((byte) => byte < 128);
export const transcode = (bytes, source, target) => Buffer.from(Buffer.from(bytes).toString(source), target);
export const resolveObjectURL = missing("buffer.resolveObjectURL");
export default register("node:buffer", {
  Buffer, SlowBuffer, kMaxLength, kStringMaxLength, constants, INSPECT_MAX_BYTES, atob, btoa, Blob, File, isUtf8, isAscii, transcode, resolveObjectURL,
});
