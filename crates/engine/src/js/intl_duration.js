// `Intl.DurationFormat`: a list of units, each a number; by the steps of ECMA-402.

import { register } from "marsh:core";
import { finish, getOption, getOptions, matcher, numberOption, resolveLocale, slots, typeOption } from "marsh:intl_core";
import { NumberFormat, knowsDigits } from "marsh:intl_number";
import { ListFormat } from "marsh:intl_plural";

const units = ["years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"];
const digital = ["hours", "minutes", "seconds"];
const fractional = ["milliseconds", "microseconds", "nanoseconds"];
const formats = new WeakMap();

/** GetDurationUnitOptions */
function unitOptions(unit, options, base, previous, twoDigitHours) {
  const allowed = digital.includes(unit)
    ? ["long", "short", "narrow", "numeric", "2-digit"]
    : fractional.includes(unit) ? ["long", "short", "narrow", "numeric"] : ["long", "short", "narrow"];
  let style = getOption(options, unit, "string", allowed);
  let displayDefault = "always";
  if (style === undefined) {
    if (base === "digital") {
      style = digital.includes(unit) || fractional.includes(unit) ? "numeric" : "short";
      if (!digital.includes(unit)) displayDefault = "auto";
    } else if (["fractional", "numeric", "2-digit"].includes(previous)) {
      style = "numeric";
      if (unit !== "minutes" && unit !== "seconds") displayDefault = "auto";
    } else {
      style = base;
      displayDefault = "auto";
    }
  }
  if (style === "numeric" && fractional.includes(unit)) {
    style = "fractional";
    displayDefault = "auto";
  }
  const display = getOption(options, `${unit}Display`, "string", ["auto", "always"], displayDefault);
  if (display === "always" && style === "fractional") throw new RangeError(`${unit}Display cannot be always`);
  if (previous === "fractional" && style !== "fractional") throw new RangeError(`${unit} follows a fraction`);
  if (["numeric", "2-digit"].includes(previous)) {
    if (!["fractional", "numeric", "2-digit"].includes(style)) throw new RangeError(`${unit} follows a number without a unit`);
    if (unit === "minutes" || unit === "seconds") style = "2-digit";
  }
  if (unit === "hours" && twoDigitHours) style = "2-digit";
  return { style, display };
}

/** ToDurationRecord, as exact numbers. */
function record(input) {
  if (typeof input === "string") input = parse(input);
  if (typeof input !== "object" || input === null) throw new TypeError("Duration must be an object");
  const values = {};
  let any = false;
  let sign = 0;
  for (const unit of units) {
    const value = input[unit];
    values[unit] = 0;
    if (value === undefined) continue;
    any = true;
    const number = Number(value);
    if (!Number.isInteger(number)) throw new RangeError(`${unit} must be an integer`);
    values[unit] = number + 0;
    if (number !== 0) {
      if (sign !== 0 && Math.sign(number) !== sign) throw new RangeError("The units of a duration have one sign");
      sign = Math.sign(number);
    }
  }
  if (!any) throw new TypeError("A duration has at least one unit");
  return { values, sign };
}

function parse(text) {
  const match = /^([+-])?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,9}))?S)?)?$/i.exec(text);
  if (!match || /^[+-]?PT?$|T$/i.test(text)) throw new RangeError(`Invalid duration '${text}'`);
  const sign = match[1] === "-" ? -1 : 1;
  const fraction = (match[9] ?? "").padEnd(9, "0");
  const numbers = [...match.slice(2, 9), fraction.slice(0, 3), fraction.slice(3, 6), fraction.slice(6, 9)];
  return Object.fromEntries(units.map((unit, at) => [unit, sign * Number(numbers[at] ?? 0)]));
}

/** Seconds, milliseconds or microseconds with what is smaller as their fraction, as text. */
function withFraction(values, unit) {
  const exponent = { seconds: 9, milliseconds: 6, microseconds: 3 }[unit];
  const at = units.indexOf(unit);
  const nano = units.slice(at).reduce((sum, name, n) => sum + BigInt(values[name]) * 10n ** BigInt(Math.max(exponent - 3 * n, 0)), 0n);
  const size = nano < 0n ? -nano : nano;
  const digits = String(size).padStart(exponent + 1, "0");
  return `${nano < 0n ? "-" : ""}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

function parts(own, { values, sign }) {
  const { options, resolved, data } = own;
  const groups = [];
  let separated = false;
  let signShown = true;
  for (let at = 0; at < units.length; at++) {
    const unit = units[at];
    const { style, display } = options[unit];
    let value = values[unit];
    let done = false;
    const numberOptions = { numberingSystem: resolved.numberingSystem };
    const next = units[at + 1];
    if (["seconds", "milliseconds", "microseconds"].includes(unit) && options[next].style === "fractional") {
      value = withFraction(values, unit);
      numberOptions.maximumFractionDigits = resolved.fractionalDigits ?? 9;
      numberOptions.minimumFractionDigits = resolved.fractionalDigits ?? 0;
      numberOptions.roundingMode = "trunc";
      done = true;
    }
    let shown = display === "always" || Number(value) !== 0;
    if (!shown && unit === "minutes" && separated) {
      shown = options.seconds.display === "always" || ["seconds", ...fractional].some((name) => values[name] !== 0);
    }
    if (shown) {
      if (signShown) {
        signShown = false;
        if (Number(value) === 0 && sign < 0) value = "-0";
      } else {
        numberOptions.signDisplay = "never";
      }
      const singular = unit.slice(0, -1);
      if (style === "numeric" || style === "2-digit" || style === "fractional") {
        if (style === "2-digit") numberOptions.minimumIntegerDigits = 2;
        numberOptions.useGrouping = false;
      } else {
        Object.assign(numberOptions, { style: "unit", unit: singular, unitDisplay: style });
      }
      const found = new NumberFormat(data, numberOptions).formatToParts(value).map((part) => ({ ...part, unit: singular }));
      if (separated) groups.at(-1).push({ type: "literal", value: ":" }, ...found);
      else groups.push(found);
      if (style === "numeric" || style === "2-digit") separated = digital.includes(unit);
    }
    if (done) break;
  }
  const style = resolved.style === "digital" ? "short" : resolved.style;
  const list = new ListFormat(data, { type: "unit", style }).formatToParts(groups.map((group) => group.map((part) => part.value).join("")));
  return list.flatMap((part) => (part.type === "element" ? groups.shift() : [part]));
}

export class DurationFormat {
  constructor(locales, options) {
    options = getOptions(options);
    matcher(options);
    const numbering = typeOption(options, "numberingSystem");
    const { locale, data, nu } = resolveLocale(locales, [["nu", numbering, (found) => found.numberingSystem, (value) => knowsDigits(value)]]);
    const style = getOption(options, "style", "string", ["long", "short", "narrow", "digital"], "short");
    const resolved = { locale, numberingSystem: nu, style };
    const own = {};
    let previous = "";
    for (const unit of units) {
      own[unit] = unitOptions(unit, options, style, previous, false);
      resolved[unit] = own[unit].style === "fractional" ? "numeric" : own[unit].style;
      resolved[`${unit}Display`] = own[unit].display;
      if (["hours", "minutes", "seconds", "milliseconds", "microseconds"].includes(unit)) previous = own[unit].style;
    }
    const fraction = numberOption(options.fractionalDigits, "fractionalDigits", 0, 9, undefined);
    if (fraction !== undefined) resolved.fractionalDigits = fraction;
    formats.set(this, { resolved, options: own, data });
  }

  format(duration) {
    const own = slots(formats, this, "Intl.DurationFormat.prototype.format");
    return parts(own, record(duration)).map((part) => part.value).join("");
  }

  formatToParts(duration) {
    return parts(slots(formats, this, "Intl.DurationFormat.prototype.formatToParts"), record(duration));
  }

  resolvedOptions() {
    return { ...slots(formats, this, "Intl.DurationFormat.prototype.resolvedOptions").resolved };
  }
}
finish(DurationFormat, "DurationFormat");

register("marsh:intl_duration", { DurationFormat });
