// `Intl.Collator`, `Intl.Segmenter`, `Intl.DisplayNames`, and the methods of strings and arrays that know languages.

import { call as host, register } from "marsh:core";
import {
  callable, canonicalizeList, coerceOptions, finish, formatter, getOption, getOptions, listed, matcher, resolveLocale, slots, typeOption,
} from "marsh:intl_core";

const { stringify } = JSON;

// ---- order ----

export const collations = ["compat", "emoji", "eor", "phonebk", "pinyin", "searchjl", "stroke", "trad", "unihan", "zhuyin"];
// A collation that a language does not have is ignored, as the standard asks.
const special = {
  de: ["phonebk"], es: ["trad"], sv: ["trad"], fi: ["trad"], ar: ["compat"], ko: ["searchjl", "unihan"], ja: ["unihan"],
  zh: ["pinyin", "stroke", "unihan", "zhuyin"], bn: ["trad"], kn: ["trad"], vi: ["trad"], ln: ["phonetic"],
};
const hasCollation = (value, { locale }) => value === "eor" || value === "emoji" || (special[locale.split("-")[0]] ?? []).includes(value);

const orders = new WeakMap();

class CollatorClass {
  constructor(locales, options) {
    options = coerceOptions(options);
    const usage = getOption(options, "usage", "string", ["sort", "search"], "sort");
    matcher(options);
    const collation = typeOption(options, "collation");
    const numeric = getOption(options, "numeric", "boolean");
    const caseFirst = getOption(options, "caseFirst", "string", ["upper", "lower", "false"]);
    const found = resolveLocale(locales, [
      ["co", usage === "search" ? undefined : collation, (found) => (usage === "sort" && found.locale.startsWith("zh") ? "pinyin" : "default"), (value, found) => usage !== "search" && hasCollation(value, found)],
      ["kn", numeric === undefined ? undefined : String(numeric), "false", (value) => value === "true" || value === "false"],
      ["kf", caseFirst, (found) => (found.locale.startsWith("da") ? "upper" : "false"), (value) => ["upper", "lower", "false"].includes(value)],
    ]);
    const sensitivity = getOption(options, "sensitivity", "string", ["base", "accent", "case", "variant"], "variant");
    const ignorePunctuation = getOption(options, "ignorePunctuation", "boolean", undefined, found.data.startsWith("th"));
    const resolved = {
      locale: found.locale, usage, sensitivity, ignorePunctuation, collation: found.co, numeric: found.kn === "true", caseFirst: found.kf,
    };
    orders.set(this, { resolved, request: stringify({ ...resolved, locale: found.data }), bound: undefined });
  }

  get compare() {
    const own = slots(orders, this, "get Intl.Collator.prototype.compare");
    return own.bound ??= (one, other) => host("intl.compare", own.request, String(one), String(other));
  }

  resolvedOptions() {
    const { resolved } = slots(orders, this, "Intl.Collator.prototype.resolvedOptions");
    return listed(resolved, "locale", "usage", "sensitivity", "ignorePunctuation", "collation", "numeric", "caseFirst");
  }
}
Object.defineProperty(CollatorClass, "name", { value: "Collator" });
export const Collator = callable(finish(CollatorClass, "Collator"));

export function compare(one, other, locales, options) {
  return formatter("order", locales, options, () => new Collator(locales, options)).compare(one, other);
}

// ---- case ----

export function changeCase(text, upper, locales) {
  const [tag] = canonicalizeList(locales);
  const language = (tag ?? "en").split("-")[0];
  // Only these change letters in ways of their own.
  if (!["az", "el", "hy", "lt", "nl", "tr"].includes(language)) return upper ? text.toUpperCase() : text.toLowerCase();
  return host("intl.case", language, upper, text);
}

// Arrays that contain themselves are written once.
const joining = new Set();
export function joined(list, locales, options) {
  const array = Object(list);
  if (joining.has(array)) return "";
  joining.add(array);
  try {
    const parts = [];
    const length = Math.min(Math.max(Math.trunc(Number(array.length)) || 0, 0), Number.MAX_SAFE_INTEGER);
    for (let at = 0; at < length; at++) {
      const value = array[at];
      parts.push(value === undefined || value === null ? "" : String(value.toLocaleString(locales, options)));
    }
    return parts.join(",");
  } finally {
    joining.delete(array);
  }
}

// ---- boundaries ----

const segmenters = new WeakMap();

export class Segmenter {
  constructor(locales, options) {
    options = getOptions(options);
    matcher(options);
    const { locale } = resolveLocale(locales, []);
    const granularity = getOption(options, "granularity", "string", ["grapheme", "word", "sentence"], "grapheme");
    segmenters.set(this, { locale, granularity });
  }

  segment(input) {
    const { granularity } = slots(segmenters, this, "Intl.Segmenter.prototype.segment");
    const text = String(input);
    return new Segments(text, granularity);
  }

  resolvedOptions() {
    return { ...slots(segmenters, this, "Intl.Segmenter.prototype.resolvedOptions") };
  }
}
finish(Segmenter, "Segmenter");

class Segments {
  #text;
  #granularity;
  #found;

  constructor(text, granularity) {
    this.#text = text;
    this.#granularity = granularity;
  }

  // Found when they are first asked for, all at once.
  get #ends() {
    return this.#found ??= host("intl.segment", this.#granularity, this.#text);
  }

  #data(at) {
    const start = at === 0 ? 0 : this.#ends[at - 1][0];
    const [end, isWordLike] = this.#ends[at];
    const segment = { segment: this.#text.slice(start, end), index: start, input: this.#text };
    if (this.#granularity === "word") segment.isWordLike = isWordLike;
    return segment;
  }

  containing(index) {
    const at = Math.trunc(Number(index)) || 0;
    if (at < 0 || at >= this.#text.length) return undefined;
    let [low, high] = [0, this.#ends.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ends[middle][0] > at) high = middle;
      else low = middle + 1;
    }
    return this.#data(low);
  }

  [Symbol.iterator]() {
    let at = 0;
    const next = () => (at < this.#ends.length ? { value: this.#data(at++), done: false } : { value: undefined, done: true });
    return Object.create(segmentIterator, { next: { value: next, writable: true, configurable: true } });
  }
}
Object.defineProperty(Segments.prototype, "constructor", { value: Object, writable: true, configurable: true });
const segmentIterator = Object.create(Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())), {
  [Symbol.toStringTag]: { value: "Segmenter String Iterator", configurable: true },
});

// ---- names ----

const fields = [
  "era", "year", "quarter", "month", "weekOfYear", "weekday", "day", "dayPeriod", "hour", "minute", "second", "timeZoneName",
];
const names = new WeakMap();

export class DisplayNames {
  constructor(locales, options) {
    if (options === undefined) throw new TypeError("Cannot convert undefined or null to object");
    options = getOptions(options);
    const { locale, data } = resolveLocale(locales, []);
    matcher(options);
    const style = getOption(options, "style", "string", ["narrow", "short", "long"], "long");
    const type = getOption(options, "type", "string", ["language", "region", "script", "currency", "calendar", "dateTimeField"]);
    if (type === undefined) throw new TypeError("Required option \"type\" must not be undefined");
    const fallback = getOption(options, "fallback", "string", ["code", "none"], "code");
    const languageDisplay = getOption(options, "languageDisplay", "string", ["dialect", "standard"], "dialect");
    const resolved = { locale, style, type, fallback };
    if (type === "language") resolved.languageDisplay = languageDisplay;
    names.set(this, { resolved, request: stringify({ ...resolved, locale: data }) });
  }

  of(code) {
    const { resolved, request } = slots(names, this, "Intl.DisplayNames.prototype.of");
    const known = canonicalCode(resolved.type, String(code));
    const name = host("intl.name", request, known);
    return name ?? (resolved.fallback === "code" ? known : undefined);
  }

  resolvedOptions() {
    return { ...slots(names, this, "Intl.DisplayNames.prototype.resolvedOptions").resolved };
  }
}
finish(DisplayNames, "DisplayNames", 2);

function canonicalCode(type, code) {
  const refused = () => new RangeError("Invalid argument to Intl.DisplayNames.prototype.of");
  switch (type) {
    case "language": {
      if (!/^([a-z]{2,3}|[a-z]{5,8})(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*$/i.test(code)) throw refused();
      return host("intl.tag", code).tag;
    }
    case "region":
      if (!/^([a-z]{2}|\d{3})$/i.test(code)) throw refused();
      return code.toUpperCase();
    case "script":
      if (!/^[a-z]{4}$/i.test(code)) throw refused();
      return code[0].toUpperCase() + code.slice(1).toLowerCase();
    case "currency":
      if (!/^[a-z]{3}$/i.test(code)) throw refused();
      return code.toUpperCase();
    case "calendar":
      if (!/^[a-z0-9]{3,8}([-_][a-z0-9]{3,8})*$/i.test(code)) throw refused();
      return code.toLowerCase();
    default:
      if (!fields.includes(code)) throw refused();
      return code;
  }
}

register("marsh:intl_text", { Collator, Segmenter, DisplayNames, collations, compare, changeCase, joined });
