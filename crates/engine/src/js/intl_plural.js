// `Intl.PluralRules`, `Intl.RelativeTimeFormat` and `Intl.ListFormat`.

import { call as host, register } from "marsh:core";
import {
  coerceOptions, finish, getOption, getOptions, listed, matcher, resolveLocale, slots, typeOption,
} from "marsh:intl_core";
import { digitOptions, knowsDigits, mathematical, range } from "marsh:intl_number";

const { stringify } = JSON;
const rules = new WeakMap();

export class PluralRules {
  constructor(locales, options) {
    options = coerceOptions(options);
    matcher(options);
    const { locale, data } = resolveLocale(locales, []);
    const resolved = { locale };
    resolved.type = getOption(options, "type", "string", ["cardinal", "ordinal"], "cardinal");
    resolved.notation = getOption(options, "notation", "string", ["standard", "scientific", "engineering", "compact"], "standard");
    digitOptions(resolved, options, 0, 3, "standard");
    rules.set(this, { resolved, request: stringify({ ...resolved, locale: data }) });
  }

  select(value) {
    const { request } = slots(rules, this, "Intl.PluralRules.prototype.select");
    const number = Number(value);
    return host("intl.plural", request, Object.is(number, -0) ? "-0" : String(number));
  }

  selectRange(start, end) {
    const { request } = slots(rules, this, "Intl.PluralRules.prototype.selectRange");
    return host("intl.plural", request, ...range(start, end));
  }

  resolvedOptions() {
    const { resolved, request } = slots(rules, this, "Intl.PluralRules.prototype.resolvedOptions");
    const pluralCategories = host("intl.pluralCategories", request);
    return listed(
      { ...resolved, pluralCategories }, "locale", "type", "notation", "minimumIntegerDigits", "minimumFractionDigits",
      "maximumFractionDigits", "minimumSignificantDigits", "maximumSignificantDigits", "pluralCategories", "roundingIncrement",
      "roundingMode", "roundingPriority", "trailingZeroDisplay",
    );
  }
}
finish(PluralRules, "PluralRules");

const relatives = new WeakMap();

export class RelativeTimeFormat {
  constructor(locales, options) {
    options = coerceOptions(options);
    matcher(options);
    const numbering = typeOption(options, "numberingSystem");
    const { locale, data, nu } = resolveLocale(locales, [["nu", numbering, (found) => found.numberingSystem, (value) => knowsDigits(value)]]);
    const style = getOption(options, "style", "string", ["long", "short", "narrow"], "long");
    const numeric = getOption(options, "numeric", "string", ["always", "auto"], "always");
    const resolved = { locale, style, numeric, numberingSystem: nu };
    relatives.set(this, { resolved, request: stringify({ ...resolved, locale: data }) });
  }

  format(value, unit) {
    return host("intl.relative", slots(relatives, this, "Intl.RelativeTimeFormat.prototype.format").request, ...relative(value, unit, "format"));
  }

  formatToParts(value, unit) {
    const { request } = slots(relatives, this, "Intl.RelativeTimeFormat.prototype.formatToParts");
    return host("intl.relative", request, ...relative(value, unit, "formatToParts"), true);
  }

  resolvedOptions() {
    return { ...slots(relatives, this, "Intl.RelativeTimeFormat.prototype.resolvedOptions").resolved };
  }
}
finish(RelativeTimeFormat, "RelativeTimeFormat");

function relative(value, unit, name) {
  const number = Number(value);
  unit = String(unit);
  if (!Number.isFinite(number)) {
    throw new RangeError(`The number value used in Intl.RelativeTimeFormat.prototype.${name}() is not finite`);
  }
  return [mathematical(number), unit.endsWith("s") ? unit.slice(0, -1) : unit];
}

const lists = new WeakMap();

export class ListFormat {
  constructor(locales, options) {
    options = getOptions(options);
    matcher(options);
    const { locale, data } = resolveLocale(locales, []);
    const type = getOption(options, "type", "string", ["conjunction", "disjunction", "unit"], "conjunction");
    const style = getOption(options, "style", "string", ["long", "short", "narrow"], "long");
    const resolved = { locale, type, style };
    lists.set(this, { resolved, request: stringify({ ...resolved, locale: data }) });
  }

  format(list) {
    return host("intl.list", slots(lists, this, "Intl.ListFormat.prototype.format").request, elements(list));
  }

  formatToParts(list) {
    return host("intl.list", slots(lists, this, "Intl.ListFormat.prototype.formatToParts").request, elements(list), true);
  }

  resolvedOptions() {
    return { ...slots(lists, this, "Intl.ListFormat.prototype.resolvedOptions").resolved };
  }
}
finish(ListFormat, "ListFormat");

function elements(list) {
  if (list === undefined) return "[]";
  const texts = [];
  for (const value of list) {
    if (typeof value !== "string") throw new TypeError("Iterable yielded a non-String value");
    texts.push(value);
  }
  return stringify(texts);
}

register("marsh:intl_plural", { PluralRules, RelativeTimeFormat, ListFormat });
