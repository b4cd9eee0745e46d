// node:util

import { lazy, register } from "marsh:core";
import { missing } from "marsh:unsupported";

const { inspect: show, formatLog } = lazy("marsh:inspect");
export const inspect = Object.assign((value, options) => show(value, { depth: 2, singleQuotes: true, ...options }), { custom: Symbol.for("nodejs.util.inspect.custom"), defaultOptions: {} });
export const format = (...args) => formatLog(args);
export const formatWithOptions = (_, ...args) => formatLog(args);
const custom = Symbol.for("nodejs.util.promisify.custom");
export function promisify(original) {
  if (typeof original !== "function") throw new TypeError('The "original" argument must be of type function');
  if (original[custom]) return original[custom];
  return function (...args) {
    return new Promise((resolve, reject) => {
      original.call(this, ...args, (error, value) => (error ? reject(error) : resolve(value)));
    });
  };
}
promisify.custom = custom;
export function callbackify(original) {
  return function (...args) {
    const callback = args.pop();
    original.apply(this, args).then((value) => queueMicrotask(() => callback(null, value)), (error) => queueMicrotask(() => callback(error ?? new Error("rejected"))));
  };
}
export function deprecate(callback) { return callback; }
export const debuglog = () => Object.assign(() => {}, { enabled: false });
export const debug = debuglog;
export function inherits(child, parent) {
  Object.defineProperty(child, "super_", { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(child.prototype, parent.prototype);
}
export const stripVTControlCharacters = (text) => text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, "");
export const toUSVString = (text) => String(text).toWellFormed();
export const isArray = Array.isArray;

const is = (Type) => (value) => value instanceof Type;
export const types = {
  isDate: is(Date), isRegExp: is(RegExp), isMap: is(Map), isSet: is(Set), isPromise: is(Promise), isWeakMap: is(WeakMap), isWeakSet: is(WeakSet),
  isNativeError: is(Error), isArrayBuffer: is(ArrayBuffer), isSharedArrayBuffer: is(SharedArrayBuffer), isUint8Array: is(Uint8Array), isDataView: is(DataView),
  isAnyArrayBuffer: (value) => value instanceof ArrayBuffer || value instanceof SharedArrayBuffer,
  isArrayBufferView: ArrayBuffer.isView,
  isTypedArray: (value) => ArrayBuffer.isView(value) && !(value instanceof DataView),
  isAsyncFunction: (value) => typeof value === "function" && value[Symbol.toStringTag] === "AsyncFunction",
  isGeneratorFunction: (value) => typeof value === "function" && /GeneratorFunction$/.test(value[Symbol.toStringTag]),
  isBoxedPrimitive: (value) => [String, Number, Boolean, Symbol, BigInt].some((Type) => typeof value === "object" && value instanceof Type),
  isProxy: missing("util.types.isProxy"),
};

const kindOf = (value) => Object.prototype.toString.call(value);
export function isDeepStrictEqual(a, b, seen = new Map()) {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b) || kindOf(a) !== kindOf(b)) return false;
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  if (a instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof RegExp) return String(a) === String(b);
  if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) return false;
  if (a instanceof Map) {
    if (a.size !== b.size) return false;
    for (const [key, value] of a) if (!b.has(key) || !isDeepStrictEqual(value, b.get(key), seen)) return false;
  } else if (a instanceof Set) {
    if (a.size !== b.size) return false;
    const rest = [...b];
    for (const value of a) {
      const at = rest.findIndex((other) => isDeepStrictEqual(value, other, new Map(seen)));
      if (at < 0) return false;
      rest.splice(at, 1);
    }
  } else if (a instanceof ArrayBuffer) {
    return isDeepStrictEqual(new Uint8Array(a), new Uint8Array(b), seen);
  }
  const keys = Reflect.ownKeys(a).filter((key) => Object.prototype.propertyIsEnumerable.call(a, key));
  const others = Reflect.ownKeys(b).filter((key) => Object.prototype.propertyIsEnumerable.call(b, key));
  return keys.length === others.length && keys.every((key) => Object.hasOwn(b, key) && isDeepStrictEqual(a[key], b[key], seen));
}
const { TextEncoder, TextDecoder } = lazy("marsh:text");
export { TextDecoder, TextEncoder };
const args = () => lazy("marsh:node_util_args");
export const parseArgs = (config) => args().parseArgs(config);
export const styleText = (...given) => args().styleText(...given);
export default register("node:util", {
  inspect, format, formatWithOptions, promisify, callbackify, deprecate, debuglog, debug, inherits, stripVTControlCharacters, toUSVString, isArray, types,
  isDeepStrictEqual, TextEncoder, TextDecoder, parseArgs, styleText,
});
