// `Intl.NumberFormat` and the `toLocaleString` of numbers.

import { call as host, register } from "marsh:core";
import {
  callable, coerceOptions, finish, formatter, getOption, listed, matcher, numberOption, resolveLocale, slots, typeOption,
} from "marsh:intl_core";

const { stringify } = JSON;

export const units = [
  "acre", "bit", "byte", "celsius", "centimeter", "day", "degree", "fahrenheit", "fluid-ounce", "foot", "gallon", "gigabit",
  "gigabyte", "gram", "hectare", "hour", "inch", "kilobit", "kilobyte", "kilogram", "kilometer", "liter", "megabit", "megabyte",
  "meter", "microsecond", "mile", "mile-scandinavian", "milliliter", "millimeter", "millisecond", "minute", "month",
  "nanosecond", "ounce", "percent", "petabyte", "pound", "second", "stone", "terabit", "terabyte", "week", "yard", "year",
];
export const numberingSystems = [
  "adlm", "ahom", "arab", "arabext", "bali", "beng", "bhks", "brah", "cakm", "cham", "deva", "diak", "fullwide", "gara", "gong",
  "gonm", "gujr", "gukh", "guru", "hanidec", "hmng", "hmnp", "java", "kali", "kawi", "khmr", "knda", "krai", "lana", "lanatham",
  "laoo", "latn", "lepc", "limb", "mathbold", "mathdbl", "mathmono", "mathsanb", "mathsans", "mlym", "modi", "mong", "mroo",
  "mtei", "mymr", "mymrepka", "mymrpao", "mymrshan", "mymrtlng", "nagm", "newa", "nkoo", "olck", "onao", "orya", "osma",
  "outlined", "rohg", "saur", "segment", "shrd", "sind", "sinh", "sora", "sund", "sunu", "takr", "talu", "tamldec", "telu",
  "thai", "tibt", "tirh", "tnsa", "vaii", "wara", "wcho",
];
export const knowsDigits = (value) => numberingSystems.includes(value);

const increments = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500, 5000];
const modes = ["ceil", "floor", "expand", "trunc", "halfCeil", "halfFloor", "halfExpand", "halfTrunc", "halfEven"];

/** SetNumberFormatDigitOptions */
export function digitOptions(resolved, options, leastDefault, mostDefault, notation, compactDigits) {
  const mnid = numberOption(options.minimumIntegerDigits, "minimumIntegerDigits", 1, 21, 1);
  let mnfd = options.minimumFractionDigits;
  let mxfd = options.maximumFractionDigits;
  let mnsd = options.minimumSignificantDigits;
  let mxsd = options.maximumSignificantDigits;
  resolved.minimumIntegerDigits = mnid;
  const increment = numberOption(options.roundingIncrement, "roundingIncrement", 1, 5000, 1);
  if (!increments.includes(increment)) throw new RangeError("roundingIncrement value is out of range.");
  resolved.roundingMode = getOption(options, "roundingMode", "string", modes, "halfExpand");
  const priority = getOption(options, "roundingPriority", "string", ["auto", "morePrecision", "lessPrecision"], "auto");
  resolved.trailingZeroDisplay = getOption(options, "trailingZeroDisplay", "string", ["auto", "stripIfInteger"], "auto");
  if (increment !== 1) mostDefault = leastDefault;
  resolved.roundingIncrement = increment;
  const hasSd = mnsd !== undefined || mxsd !== undefined;
  const hasFd = mnfd !== undefined || mxfd !== undefined;
  let needSd = true;
  let needFd = true;
  if (priority === "auto") {
    needSd = hasSd;
    if (needSd || (!hasFd && notation === "compact")) needFd = false;
  }
  if (needSd) {
    if (hasSd) {
      resolved.minimumSignificantDigits = numberOption(mnsd, "minimumSignificantDigits", 1, 21, 1);
      resolved.maximumSignificantDigits = numberOption(mxsd, "maximumSignificantDigits", resolved.minimumSignificantDigits, 21, 21);
    } else {
      resolved.minimumSignificantDigits = 1;
      resolved.maximumSignificantDigits = 21;
    }
  }
  if (needFd) {
    if (hasFd) {
      mnfd = numberOption(mnfd, "minimumFractionDigits", 0, 100, undefined);
      mxfd = numberOption(mxfd, "maximumFractionDigits", 0, 100, undefined);
      if (mnfd === undefined) mnfd = Math.min(leastDefault, mxfd);
      else if (mxfd === undefined) mxfd = Math.max(mostDefault, mnfd);
      else if (mnfd > mxfd) throw new RangeError("maximumFractionDigits value is out of range.");
      resolved.minimumFractionDigits = mnfd;
      resolved.maximumFractionDigits = mxfd;
    } else {
      resolved.minimumFractionDigits = leastDefault;
      resolved.maximumFractionDigits = mostDefault;
    }
  }
  if (!needSd && !needFd) {
    resolved.minimumFractionDigits = 0;
    resolved.maximumFractionDigits = 0;
    resolved.minimumSignificantDigits = 1;
    resolved.maximumSignificantDigits = 2;
    resolved.roundingPriority = "morePrecision";
  } else {
    resolved.roundingPriority = priority;
  }
  if (increment !== 1) {
    if (needSd || priority !== "auto") throw new TypeError("roundingIncrement goes with fraction digits alone");
    if (resolved.minimumFractionDigits !== resolved.maximumFractionDigits) {
      throw new RangeError("With roundingIncrement, minimumFractionDigits and maximumFractionDigits are the same");
    }
  }
}

export function isUnit(value) {
  if (units.includes(value)) return true;
  const [one, other, ...more] = value.split("-per-");
  return other !== undefined && more.length === 0 && units.includes(one) && units.includes(other);
}

function unitOptions(resolved, options) {
  const style = getOption(options, "style", "string", ["decimal", "percent", "currency", "unit"], "decimal");
  resolved.style = style;
  const currency = getOption(options, "currency", "string");
  if (currency !== undefined && !/^[a-z]{3}$/i.test(currency)) throw new RangeError(`Invalid currency code : ${currency}`);
  if (currency === undefined && style === "currency") throw new TypeError("Currency code is required with currency style.");
  const display = getOption(options, "currencyDisplay", "string", ["code", "symbol", "narrowSymbol", "name"], "symbol");
  const sign = getOption(options, "currencySign", "string", ["standard", "accounting"], "standard");
  const unit = getOption(options, "unit", "string");
  if (unit !== undefined && !isUnit(unit)) throw new RangeError(`Invalid unit argument for Intl.NumberFormat() '${unit}'`);
  if (unit === undefined && style === "unit") throw new TypeError("Required option \"unit\" must not be undefined");
  const unitDisplay = getOption(options, "unitDisplay", "string", ["short", "narrow", "long"], "short");
  if (style === "currency") {
    resolved.currency = currency.toUpperCase();
    resolved.currencyDisplay = display;
    resolved.currencySign = sign;
  }
  if (style === "unit") {
    resolved.unit = unit;
    resolved.unitDisplay = unitDisplay;
  }
}

/** What is formatted, as text: `String` of a number or a BigInt, or a text that stands for one. */
export function mathematical(value) {
  if (typeof value === "object" && value !== null) value = value[Symbol.toPrimitive]?.("number") ?? toPrimitive(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value === "string") {
    const number = Number(value);
    const plain = value.trim();
    // All digits of a text count; what is too large or no decimal is what `Number` makes of it.
    if (number !== 0 && Number.isFinite(number) && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return plain;
    value = number;
  }
  const number = Number(value);
  return Object.is(number, -0) ? "-0" : String(number);
}
function toPrimitive(object) {
  for (const name of ["valueOf", "toString"]) {
    if (typeof object[name] !== "function") continue;
    const value = object[name]();
    if (typeof value !== "object" && typeof value !== "function") return value;
  }
  throw new TypeError("Cannot convert object to primitive value");
}

const formats = new WeakMap();

class NumberFormatClass {
  constructor(locales, options) {
    options = coerceOptions(options);
    matcher(options);
    const numbering = typeOption(options, "numberingSystem");
    const isKnown = (value) => knowsDigits(value);
    const { locale, data, nu } = resolveLocale(locales, [["nu", numbering, (found) => found.numberingSystem, isKnown]]);
    const resolved = { locale, numberingSystem: nu };
    unitOptions(resolved, options);
    const { style } = resolved;
    const notation = getOption(options, "notation", "string", ["standard", "scientific", "engineering", "compact"], "standard");
    const digits = style === "currency" && notation === "standard" ? host("intl.currencyDigits", resolved.currency) : undefined;
    digitOptions(resolved, options, digits ?? 0, digits ?? (style === "percent" ? 0 : style === "currency" ? 0 : 3), notation);
    const compact = getOption(options, "compactDisplay", "string", ["short", "long"], "short");
    let grouping = notation === "compact" ? "min2" : "auto";
    const asked = options.useGrouping;
    if (asked !== undefined) {
      if (asked === true) grouping = "always";
      else if (asked === false || asked === null || asked === 0 || asked === "" || Number.isNaN(asked)) grouping = false;
      else if (asked !== "true" && asked !== "false") grouping = getOption(options, "useGrouping", "string", ["min2", "auto", "always"]);
    }
    resolved.useGrouping = grouping;
    resolved.notation = notation;
    if (notation === "compact") resolved.compactDisplay = compact;
    resolved.signDisplay = getOption(options, "signDisplay", "string", ["auto", "never", "always", "exceptZero", "negative"], "auto");
    const request = stringify({ ...resolved, locale: data, useGrouping: grouping === false ? "never" : grouping });
    formats.set(this, { resolved, request, bound: undefined });
  }

  get format() {
    const own = slots(formats, this, "get Intl.NumberFormat.prototype.format");
    return own.bound ??= (value) => host("intl.number", own.request, mathematical(value));
  }

  formatToParts(value) {
    return host("intl.number", slots(formats, this, "Intl.NumberFormat.prototype.formatToParts").request, mathematical(value), null, true);
  }

  formatRange(start, end) {
    const { request } = slots(formats, this, "Intl.NumberFormat.prototype.formatRange");
    return host("intl.number", request, ...range(start, end));
  }

  formatRangeToParts(start, end) {
    const { request } = slots(formats, this, "Intl.NumberFormat.prototype.formatRangeToParts");
    return host("intl.number", request, ...range(start, end), true);
  }

  resolvedOptions() {
    const { resolved } = slots(formats, this, "Intl.NumberFormat.prototype.resolvedOptions");
    return listed(
      resolved, "locale", "numberingSystem", "style", "currency", "currencyDisplay", "currencySign", "unit", "unitDisplay",
      "minimumIntegerDigits", "minimumFractionDigits", "maximumFractionDigits", "minimumSignificantDigits",
      "maximumSignificantDigits", "useGrouping", "notation", "compactDisplay", "signDisplay", "roundingIncrement", "roundingMode",
      "roundingPriority", "trailingZeroDisplay",
    );
  }
}

export function range(start, end) {
  if (start === undefined || end === undefined) throw new TypeError("start or end is undefined");
  const values = [mathematical(start), mathematical(end)];
  if (values.includes("NaN")) throw new RangeError("Invalid number value: NaN");
  return values;
}

Object.defineProperty(NumberFormatClass, "name", { value: "NumberFormat" });
export const NumberFormat = callable(finish(NumberFormatClass, "NumberFormat"));

export function numberText(value, locales, options) {
  return formatter("number", locales, options, () => new NumberFormat(locales, options)).format(value);
}

register("marsh:intl_number", { NumberFormat, numberText, units, numberingSystems });
