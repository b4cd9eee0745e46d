// node:assert

import { lazy, register } from "marsh:core";
import { isDeepStrictEqual } from "node:util";

const show = (value) => lazy("marsh:inspect").inspect(value);

export class AssertionError extends Error {
  constructor({ message, actual, expected, operator } = {}) {
    super(message ?? `${show(actual)} ${operator} ${show(expected)}`);
    this.name = "AssertionError";
    this.code = "ERR_ASSERTION";
    Object.assign(this, { actual, expected, operator, generatedMessage: message === undefined });
  }
}

function check(holds, actual, expected, operator, message) {
  if (holds) return;
  if (message instanceof Error) throw message;
  throw new AssertionError({ message, actual, expected, operator });
}

export function ok(value, message) { check(value, value, true, "==", message ?? (value ? undefined : `Expected a truthy value, got ${show(value)}`)); }
export const strictEqual = (a, b, message) => check(Object.is(a, b), a, b, "strictEqual", message);
export const notStrictEqual = (a, b, message) => check(!Object.is(a, b), a, b, "notStrictEqual", message);
export const deepStrictEqual = (a, b, message) => check(isDeepStrictEqual(a, b), a, b, "deepStrictEqual", message);
export const notDeepStrictEqual = (a, b, message) => check(!isDeepStrictEqual(a, b), a, b, "notDeepStrictEqual", message);
export const equal = (a, b, message) => check(a == b || (a !== a && b !== b), a, b, "==", message);
export const notEqual = (a, b, message) => check(a != b, a, b, "!=", message);
export const deepEqual = deepStrictEqual;
export const notDeepEqual = notDeepStrictEqual;
export const match = (text, pattern, message) => check(pattern.test(text), text, pattern, "match", message);
export const doesNotMatch = (text, pattern, message) => check(!pattern.test(text), text, pattern, "doesNotMatch", message);
export const fail = (message = "Failed") => check(false, undefined, undefined, "fail", message);
export const ifError = (value) => { if (value !== null && value !== undefined) throw value; };

function fits(error, expected) {
  if (expected === undefined || typeof expected === "string") return true;
  if (expected instanceof RegExp) return expected.test(String(error));
  if (typeof expected === "function") return expected.prototype !== undefined && error instanceof expected ? true : Error.isPrototypeOf(expected) ? false : expected(error) === true;
  return Object.entries(expected).every(([key, value]) => (value instanceof RegExp ? value.test(error[key]) : isDeepStrictEqual(error[key], value)));
}
export function throws(callback, expected, message) {
  try {
    callback();
  } catch (error) {
    if (!fits(error, expected)) throw error;
    return;
  }
  check(false, undefined, expected, "throws", message ?? "Missing expected exception.");
}
export async function rejects(promise, expected, message) {
  try {
    await (typeof promise === "function" ? promise() : promise);
  } catch (error) {
    if (!fits(error, expected)) throw error;
    return;
  }
  check(false, undefined, expected, "rejects", message ?? "Missing expected rejection.");
}
export const doesNotThrow = (callback) => void callback();
export const doesNotReject = async (promise) => void (await (typeof promise === "function" ? promise() : promise));

const assert = Object.assign((value, message) => ok(value, message), {
  AssertionError, ok, equal, notEqual, strictEqual, notStrictEqual, deepEqual, notDeepEqual, deepStrictEqual, notDeepStrictEqual,
  match, doesNotMatch, fail, ifError, throws, rejects, doesNotThrow, doesNotReject,
});
assert.strict = assert;
export const strict = assert;
export { assert };
export default register("node:assert", assert);
