// What all of `Intl` shares: the abstract operations of ECMA-402, by their steps.

import { call as host, register } from "marsh:core";

const { stringify } = JSON;

/** The slots of an object that a constructor made, or a TypeError that names the method. */
export function slots(map, object, what) {
  const found = map.get(object);
  if (!found) throw new TypeError(`Method ${what} called on incompatible receiver ${typeof object === "symbol" ? "Symbol()" : String(object)}`);
  return found;
}

export function canonicalizeList(locales) {
  if (locales === undefined) return [];
  if (typeof locales === "string" || localeTag(locales) !== undefined) locales = [locales];
  const object = Object(locales);
  if (locales === null) throw new TypeError("Cannot convert undefined or null to object");
  const seen = new Set();
  const length = Math.min(Math.max(Math.trunc(Number(object.length)) || 0, 0), Number.MAX_SAFE_INTEGER);
  for (let at = 0; at < length; at++) {
    if (!(at in object)) continue;
    const value = object[at];
    if (typeof value !== "string" && (typeof value !== "object" || value === null)) {
      throw new TypeError("Language ID should be string or object.");
    }
    seen.add(localeTag(value) ?? host("intl.tag", String(value)).tag);
  }
  return [...seen];
}

// Filled by `intl_locale.js`: the tag of an `Intl.Locale`.
const localeTags = new WeakMap();
export const rememberTag = (locale, tag) => localeTags.set(locale, tag);
const localeTag = (value) => (typeof value === "object" && value !== null ? localeTags.get(value) : undefined);

export function getOptions(options) {
  if (options === undefined) return Object.create(null);
  if (typeof options === "object" && options !== null) return options;
  throw new TypeError("Incorrect options: expected an object");
}
export function coerceOptions(options) {
  if (options === null) throw new TypeError("Cannot convert undefined or null to object");
  return options === undefined ? Object.create(null) : Object(options);
}

export function getOption(options, name, type, allowed, fallback) {
  let value = options[name];
  if (value === undefined) return fallback;
  if (type === "boolean") value = Boolean(value);
  else value = String(value);
  if (allowed !== undefined && !allowed.includes(value)) {
    throw new RangeError(`Value ${value} out of range for Intl options property ${name}`);
  }
  return value;
}

export function numberOption(value, name, least, most, fallback) {
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!(number >= least && number <= most)) throw new RangeError(`${name} value is out of range.`);
  return Math.floor(number);
}

export const matcher = (options) => getOption(options, "localeMatcher", "string", ["lookup", "best fit"], "best fit");

const typePattern = /^[a-z0-9]{3,8}(-[a-z0-9]{3,8})*$/i;
/** An option such as `numberingSystem`, which may be anything that has the form of one. */
export function typeOption(options, name) {
  const value = getOption(options, name, "string");
  if (value !== undefined && !typePattern.test(value)) throw new RangeError(`Invalid ${name} : ${value}`);
  return value?.toLowerCase();
}

/**
 * The locale, and the values of the keywords that count: for each `[key, option, default, isKnown]` what the option says, else
 * the tag, else the default.
 */
export function resolveLocale(locales, keys) {
  const found = host("intl.find", stringify(canonicalizeList(locales)));
  const result = { found, data: found.locale };
  const kept = [];
  for (const [key, option, fallback, isKnown] of keys) {
    let value = typeof fallback === "function" ? fallback(found) : fallback;
    const said = found.keywords[key];
    let fromTag;
    if (said !== undefined) {
      const spoken = said === "" ? "true" : said;
      if (isKnown(spoken, found)) {
        value = spoken;
        fromTag = said;
      }
    }
    if (option !== undefined && isKnown(option, found) && option !== value) {
      value = option;
      fromTag = undefined;
    }
    result[key] = value;
    if (fromTag !== undefined) kept.push(fromTag === "" || fromTag === "true" ? key : `${key}-${fromTag}`);
  }
  result.locale = kept.length ? `${found.locale}-u-${kept.sort().join("-")}` : found.locale;
  return result;
}

export function supportedLocalesOf(locales, options) {
  const requested = canonicalizeList(locales);
  if (options !== undefined) matcher(Object(options));
  return requested.filter((tag) => host("intl.best", host("intl.tag", tag).baseName) !== null);
}

/** Gives a class what all constructors have. */
export function finish(Class, name, length = 0) {
  Object.defineProperty(Class, "length", { value: length, configurable: true });
  Object.defineProperty(Class, "supportedLocalesOf", {
    value: { supportedLocalesOf(locales, options) { return supportedLocalesOf(locales, options); } }.supportedLocalesOf,
    writable: true, configurable: true,
  });
  Object.defineProperty(Class.prototype, Symbol.toStringTag, { value: `Intl.${name}`, configurable: true });
  return Class;
}

/** A constructor that also works without `new`, as those of the first edition do. */
export function callable(Class) {
  const made = {
    [Class.name](locales, options) { return new Class(locales, options); },
  }[Class.name];
  const Both = function (locales, options) {
    return Reflect.construct(Class, [locales, options], new.target ?? Class);
  };
  Object.defineProperty(Both, "name", { value: made.name, configurable: true });
  Object.defineProperty(Both, "length", { value: 0, configurable: true });
  Object.defineProperty(Both, "prototype", { value: Class.prototype, writable: false });
  Object.defineProperty(Class.prototype, "constructor", { value: Both, writable: true, configurable: true });
  for (const key of ["supportedLocalesOf"]) {
    Object.defineProperty(Both, key, Object.getOwnPropertyDescriptor(Class, key));
  }
  return Both;
}

/** What is shown of resolved options: in order, without what is not set. */
export function listed(resolved, ...names) {
  const result = {};
  for (const name of names) if (resolved[name] !== undefined) result[name] = resolved[name];
  return result;
}

/** Formatters for `toLocaleString` and the like: made once for the usual arguments. */
const usual = new Map();
export function formatter(key, locales, options, make) {
  if (options !== undefined || (locales !== undefined && typeof locales !== "string")) return make();
  const name = `${key} ${locales}`;
  let found = usual.get(name);
  if (!found) {
    if (usual.size > 50) usual.clear();
    usual.set(name, (found = make()));
  }
  return found;
}

register("marsh:intl_core", {
  slots, canonicalizeList, rememberTag, getOptions, coerceOptions, getOption, numberOption, matcher, typeOption,
  resolveLocale, supportedLocalesOf, finish, callable, listed, formatter,
});
