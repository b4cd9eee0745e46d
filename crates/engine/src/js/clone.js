// structuredClone

import { register } from "marsh:core";

const errorTypes = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function refuse(value) {
  const what = typeof value === "symbol" ? String(value) : typeof value === "function" ? value.name || "function" : "value";
  throw new DOMException(`${what} could not be cloned`, "DataCloneError");
}

function clone(value, seen) {
  if (typeof value === "function" || typeof value === "symbol") refuse(value);
  if (typeof value !== "object" || value === null) return value;
  const known = seen.get(value);
  if (known) return known;
  const keep = (copy) => {
    seen.set(value, copy);
    return copy;
  };
  if (Array.isArray(value)) {
    const copy = keep(new Array(value.length));
    for (const key of Object.keys(value)) copy[key] = clone(value[key], seen);
    return copy;
  }
  if (value instanceof Date) return keep(new Date(value.getTime()));
  if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
  if (value instanceof Boolean || value instanceof Number || value instanceof String) return keep(Object(value.valueOf()));
  if (value instanceof Map) {
    const copy = keep(new Map());
    for (const [key, item] of [...value]) copy.set(clone(key, seen), clone(item, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = keep(new Set());
    for (const item of [...value]) copy.add(clone(item, seen));
    return copy;
  }
  if (value instanceof SharedArrayBuffer) refuse(value);
  if (value instanceof ArrayBuffer) return keep(value.slice(0));
  if (value instanceof DataView) return keep(new DataView(clone(value.buffer, seen), value.byteOffset, value.byteLength));
  if (ArrayBuffer.isView(value)) {
    const Type = globalThis[Object.getPrototypeOf(Object.getPrototypeOf(value)) && value[Symbol.toStringTag]];
    return keep(new Type(clone(value.buffer, seen), value.byteOffset, value.length));
  }
  if (value instanceof DOMException) return keep(new DOMException(value.message, value.name));
  if (value instanceof Error) {
    const Type = errorTypes[value.name] ?? Error;
    const copy = keep(new Type(String(value.message)));
    Object.defineProperty(copy, "stack", { value: value.stack, writable: true, configurable: true });
    if (Object.hasOwn(value, "cause")) {
      Object.defineProperty(copy, "cause", { value: clone(value.cause, seen), writable: true, configurable: true });
    }
    return copy;
  }
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) refuse(value);
  const tag = value[Symbol.toStringTag];
  // They never change, so the copy may be the same.
  if ((tag === "Blob" || tag === "File") && value instanceof globalThis[tag]) return keep(value);
  if (isOpaque(value)) refuse(value);
  const copy = keep({});
  for (const key of Object.keys(value)) copy[key] = clone(value[key], seen);
  return copy;
}

// What holds more than its properties say, and has no copy.
const opaque = new Set([
  "URL", "URLSearchParams", "Headers", "Request", "Response", "FormData", "AbortSignal", "AbortController", "ReadableStream", "WritableStream",
  "TransformStream", "EventTarget", "Event", "TextEncoder", "TextDecoder",
]);
function isOpaque(value) {
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  return opaque.has(tag) && value instanceof globalThis[tag];
}

export function structuredClone(value, options) {
  if (arguments.length === 0) throw new TypeError("structuredClone takes a value");
  const seen = new Map();
  for (const item of options?.transfer ?? []) {
    if (!(item instanceof ArrayBuffer)) refuse(item);
    if (item.detached || seen.has(item)) throw new DOMException("a buffer can be transferred once", "DataCloneError");
    // Detached only afterwards: a view of it still has to say which part it shows.
    seen.set(item, item.slice(0));
  }
  const copy = clone(value, seen);
  for (const item of options?.transfer ?? []) item.transfer(0);
  return copy;
}

register("marsh:clone", { structuredClone });
