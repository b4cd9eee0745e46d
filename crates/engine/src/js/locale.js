// Text for people without Intl: numbers, dates and order as in American English, which is what reports are written in.
// Every other request fails with its name. Held by `tests/it/locale.rs`.

import { register, unsupported } from "marsh:core";

const english = ["en", "en-US"];
function refuseOther(what, locales) {
  const wanted = locales === undefined ? [] : [locales].flat();
  const known = wanted.length === 0 || wanted.some((locale) => english.includes(String(locale)));
  if (!known) throw unsupported(`${what} in the locale '${wanted[0]}'`);
}
function refuseOptions(what, options, known) {
  for (const [key, value] of Object.entries(options)) {
    if (value !== undefined && !known.includes(key)) throw unsupported(`${what} with the option '${key}'`);
  }
}
function oneOf(what, name, value, ...allowed) {
  if (!allowed.includes(value)) throw unsupported(`${what} with ${name} '${value}'`);
  return value;
}
function whole(name, value, least, most) {
  const number = Math.floor(Number(value));
  if (!(number >= least && number <= most)) throw new RangeError(`${name} value is out of range.`);
  return number;
}

// ---- numbers ----

const symbols = { USD: "$", EUR: "€", GBP: "£", JPY: "¥" };
const numberOptions = [
  "style", "currency", "minimumFractionDigits", "maximumFractionDigits", "minimumIntegerDigits", "useGrouping",
];

/** Whole and fractional digits of a number as it is written in decimal, times 10^shift; halves go away from zero. */
function rounded(value, shift, digits) {
  const [, integer, fraction = "", exponent = "0"] = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?n?$/.exec(String(value));
  const all = integer + fraction;
  // Where the decimal point is among the digits, and where they are cut.
  const point = integer.length + Number(exponent) + shift;
  const cut = point + digits;
  let kept = all.slice(0, Math.max(cut, 0)).padEnd(Math.max(cut, 0), "0");
  if (cut >= 0 && all[cut] >= "5") kept = String(BigInt(`0${kept}`) + 1n).padStart(kept.length, "0");
  const padded = kept.padStart(digits + 1, "0");
  const at = padded.length - digits;
  return [padded.slice(0, at).replace(/^0+(?=\d)/, ""), padded.slice(at)];
}

export function numberText(value, locales, options) {
  const what = "Number.prototype.toLocaleString";
  refuseOther(what, locales);
  options = { ...options };
  refuseOptions(what, options, numberOptions);
  const style = oneOf(what, "style", options.style ?? "decimal", "decimal", "percent", "currency");
  let sign = "";
  if (style === "currency") {
    if (options.currency === undefined) throw new TypeError("Currency code is required with currency style.");
    sign = symbols[oneOf(what, "currency", String(options.currency).toUpperCase(), ...Object.keys(symbols))];
  }
  const usual = style === "decimal" ? [0, 3] : style === "percent" || sign === "¥" ? [0, 0] : [2, 2];
  const least = options.minimumFractionDigits === undefined ? undefined : whole("minimumFractionDigits", options.minimumFractionDigits, 0, 100);
  const most = options.maximumFractionDigits === undefined ? undefined : whole("maximumFractionDigits", options.maximumFractionDigits, 0, 100);
  if (least > most) throw new RangeError("maximumFractionDigits value is out of range.");
  const minimum = least ?? Math.min(usual[0], most ?? usual[0]);
  const maximum = most ?? Math.max(usual[1], minimum);
  const negative = value < 0 || Object.is(value, -0);
  const size = negative ? -value : value;
  let text = Number.isNaN(value) ? "NaN" : "∞";
  if (typeof size === "bigint" || Number.isFinite(size)) {
    let [integer, fraction] = rounded(size, style === "percent" ? 2 : 0, maximum);
    while (fraction.length > minimum && fraction.endsWith("0")) fraction = fraction.slice(0, -1);
    fraction = fraction.padEnd(minimum, "0");
    integer = integer.padStart(whole("minimumIntegerDigits", options.minimumIntegerDigits ?? 1, 1, 21), "0");
    const grouped = options.useGrouping ?? true;
    if (grouped && grouped !== "false") integer = integer.replace(/\B(?=(\d{3})+$)/g, ",");
    text = fraction ? `${integer}.${fraction}` : integer;
  }
  return `${negative ? "-" : ""}${sign}${text}${style === "percent" ? "%" : ""}`;
}

// ---- dates ----

const months = [
  "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const dateOptions = [
  "weekday", "year", "month", "day", "hour", "minute", "second", "hour12", "hourCycle", "timeZone", "timeZoneName", "dateStyle", "timeStyle",
];
const dateStyles = {
  full: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  long: { year: "numeric", month: "long", day: "numeric" },
  medium: { year: "numeric", month: "short", day: "numeric" },
  short: { year: "2-digit", month: "numeric", day: "numeric" },
};
const timeStyles = {
  medium: { hour: "numeric", minute: "2-digit", second: "2-digit" },
  short: { hour: "numeric", minute: "2-digit" },
};
const pair = (number) => String(number).padStart(2, "0");
const sized = (number, form) => (form === "2-digit" ? pair(number % 100) : String(number));
const named = (name, form) => (form === "short" ? name.slice(0, 3) : form === "narrow" ? name[0] : name);

function dateOf(what, { weekday, year, month, day }, at) {
  for (const form of [weekday, month]) oneOf(what, "the form", form ?? "long", "long", "short", "narrow", "numeric", "2-digit");
  const asked = [weekday && "W", month && "M", day && "D", year && "Y"].filter(Boolean).join("");
  if (!["W", "M", "D", "Y", "MD", "MY", "MDY", "WMD", "WMDY"].includes(asked)) throw unsupported(`${what} with these parts of a date`);
  const dayName = weekday && named(days[at.weekday], weekday);
  if (month === "long" || month === "short" || month === "narrow") {
    const front = [named(months[at.month], month), day && sized(at.day, day)].filter(Boolean).join(" ");
    const rest = year && sized(at.year, year);
    const date = rest ? `${front}${day ? "," : ""} ${rest}` : front;
    return dayName ? `${dayName}, ${date}` : date;
  }
  const date = [month && sized(at.month + 1, month), day && sized(at.day, day), year && sized(at.year, year)].filter(Boolean).join("/");
  return [dayName, date].filter(Boolean).join(", ");
}

function timeOf(what, { hour, minute, second, hour12, hourCycle, timeZoneName }, at) {
  const cycle = hour12 === undefined ? oneOf(what, "hourCycle", hourCycle ?? "h12", "h12", "h23") : hour12 ? "h12" : "h24";
  const half = cycle === "h12";
  if (!half && hour && !minute) throw unsupported(`${what} with an hour of 24 and no minute`);
  const shown = half ? at.hour % 12 || 12 : cycle === "h24" && at.hour === 0 ? 24 : at.hour;
  const parts = [];
  if (hour) parts.push(half && hour !== "2-digit" ? String(shown) : pair(shown));
  if (minute) parts.push(hour || second ? pair(at.minute) : String(at.minute));
  if (second) parts.push(minute || hour ? pair(at.second) : String(at.second));
  let text = parts.join(":");
  if (hour && half) text += at.hour < 12 ? " AM" : " PM";
  if (timeZoneName) {
    oneOf(what, "timeZoneName", timeZoneName, "short");
    const hours = Math.trunc(Math.abs(at.offset) / 60);
    const minutes = Math.abs(at.offset) % 60;
    text += at.offset === 0 ? " UTC" : ` GMT${at.offset > 0 ? "+" : "-"}${hours}${minutes ? `:${pair(minutes)}` : ""}`;
  }
  return text;
}

/** `wanted` says which parts there are when none is asked for: "date", "time" or both. */
export function dateText(date, locales, options, name, wanted) {
  const what = `Date.prototype.${name}`;
  refuseOther(what, locales);
  options = { ...options };
  refuseOptions(what, options, dateOptions);
  if (Number.isNaN(date.getTime())) return "Invalid Date";
  const zone = options.timeZone === undefined ? undefined : String(options.timeZone).toUpperCase();
  if (zone !== undefined && !["UTC", "GMT", "ETC/UTC"].includes(zone)) throw unsupported(`${what} in the time zone '${options.timeZone}'`);
  const of = (part) => date[`get${zone ? "UTC" : ""}${part}`]();
  const at = {
    year: of("FullYear"), month: of("Month"), day: of("Date"), weekday: of("Day"), hour: of("Hours"), minute: of("Minutes"), second: of("Seconds"),
    offset: zone ? 0 : -date.getTimezoneOffset(),
  };
  const { dateStyle, timeStyle } = options;
  if (dateStyle !== undefined) Object.assign(options, dateStyles[oneOf(what, "dateStyle", dateStyle, ...Object.keys(dateStyles))]);
  if (timeStyle !== undefined) Object.assign(options, timeStyles[oneOf(what, "timeStyle", timeStyle, ...Object.keys(timeStyles))]);
  const has = (parts) => parts.some((part) => options[part] !== undefined);
  const dateParts = ["weekday", "year", "month", "day"];
  const timeParts = ["hour", "minute", "second"];
  const asked = [...(wanted.includes("date") ? dateParts : []), ...(wanted.includes("time") ? timeParts : [])];
  if (!has(asked)) {
    if (wanted.includes("date")) Object.assign(options, { year: "numeric", month: "numeric", day: "numeric" });
    if (wanted.includes("time")) Object.assign(options, timeStyles.medium);
  }
  const first = has(dateParts) ? dateOf(what, options, at) : "";
  const second = has(timeParts) || options.timeZoneName ? timeOf(what, options, at) : "";
  const between = options.month === "long" && has(timeParts) ? " at " : has(["month", "year", "day"]) || options.timeZoneName ? ", " : " ";
  return [first, second].filter(Boolean).join(between);
}

// ---- order ----

// Marks and signs come before digits and those before letters; among themselves in this order.
const signs = "\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789";
const letters = { "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o\u0338", "đ": "d\u0335", "ł": "l\u0335" };
const mark = /\p{M}/u;

/** The letters of a text without case and marks, and beside them what was left out of each. */
function keys(text) {
  const found = [];
  const add = (letter, upper) => {
    if (mark.test(letter) && found.length > 0) found.at(-1).marks += letter;
    else found.push({ letter, marks: "", upper });
  };
  for (const character of text.normalize("NFD")) {
    const lower = character.toLowerCase();
    const replaced = letters[lower];
    for (const letter of replaced ?? lower) add(letter, character !== lower);
    // A ligature comes after its two letters.
    if (replaced?.length > 1 && !mark.test(replaced[1])) found.at(-1).marks += lower;
  }
  return found;
}
const rank = (letter) => {
  const sign = signs.indexOf(letter);
  return sign >= 0 ? sign : signs.length + letter.codePointAt(0);
};
const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const isDigit = (key) => key !== undefined && key.letter >= "0" && key.letter <= "9";

function numberAt(list, at) {
  let digits = "";
  while (isDigit(list[at + digits.length])) digits += list[at + digits.length].letter;
  return digits;
}

export function compare(a, b, locales, options) {
  const what = "String.prototype.localeCompare";
  refuseOther(what, locales);
  options = { ...options };
  refuseOptions(what, options, ["numeric", "sensitivity", "usage"]);
  const sensitivity = oneOf(what, "sensitivity", options.sensitivity ?? "variant", "base", "accent", "case", "variant");
  if (a === b) return 0;
  const [left, right] = [keys(a), keys(b)];
  let [i, j] = [0, 0];
  let [marks, cases] = [0, 0];
  while (i < left.length && j < right.length) {
    if (options.numeric && isDigit(left[i]) && isDigit(right[j])) {
      const [one, other] = [numberAt(left, i), numberAt(right, j)];
      const differ = order(BigInt(one), BigInt(other));
      if (differ) return differ;
      i += one.length;
      j += other.length;
      continue;
    }
    const [one, other] = [left[i++], right[j++]];
    const differ = order(rank(one.letter), rank(other.letter));
    if (differ) return differ;
    marks ||= order(one.marks, other.marks);
    cases ||= order(one.upper, other.upper);
  }
  const differ = order(left.length - i, right.length - j);
  if (differ) return differ;
  const minor = { base: 0, accent: marks, case: cases, variant: marks || cases };
  return minor[sensitivity];
}

register("marsh:locale", { numberText, dateText, compare });
