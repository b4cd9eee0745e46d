// `Intl.DateTimeFormat` and the `toLocaleString` of dates.

import { call as host, register, unsupported } from "marsh:core";
import {
  callable, coerceOptions, finish, formatter, getOption, listed, matcher, numberOption, resolveLocale, slots, typeOption,
} from "marsh:intl_core";
import { knowsDigits } from "marsh:intl_number";

const { stringify } = JSON;

export const calendars = [
  "buddhist", "gregory", "islamic-civil", "islamic-tbla", "islamic-umalqura", "iso8601", "japanese", "persian", "roc",
];
// What ICU has beside them: refused by name, never shown in another calendar.
const missing = ["chinese", "coptic", "dangi", "ethioaa", "ethiopic", "hebrew", "indian"];
const aliases = { gregorian: "gregory", "ethiopic-amete-alem": "ethioaa", islamicc: "islamic-civil", islamic: "islamic-tbla", "islamic-rgsa": "islamic-tbla" };
const cycles = ["h11", "h12", "h23", "h24"];

function calendarOf(value) {
  const calendar = aliases[value] ?? value;
  if (missing.includes(calendar)) throw unsupported(`the calendar '${calendar}' of Intl.DateTimeFormat`);
  return calendar;
}

const widths = ["narrow", "short", "long"];
const sizes = ["2-digit", "numeric"];
const components = [
  ["weekday", widths, { narrow: "EEEEE", short: "EEE", long: "EEEE" }],
  ["era", widths, { narrow: "GGGGG", short: "G", long: "GGGG" }],
  ["year", sizes, { "2-digit": "yy", numeric: "y" }],
  ["month", [...sizes, ...widths], { "2-digit": "MM", numeric: "M", narrow: "MMMMM", short: "MMM", long: "MMMM" }],
  ["day", sizes, { "2-digit": "dd", numeric: "d" }],
  ["dayPeriod", widths, { narrow: "BBBBB", short: "B", long: "BBBB" }],
  ["hour", sizes, { "2-digit": "jj", numeric: "j" }],
  ["minute", sizes, { "2-digit": "mm", numeric: "m" }],
  ["second", sizes, { "2-digit": "ss", numeric: "s" }],
  ["fractionalSecondDigits", undefined, { 1: "S", 2: "SS", 3: "SSS" }],
  ["timeZoneName", ["short", "long", "shortOffset", "longOffset", "shortGeneric", "longGeneric"], {
    short: "z", long: "zzzz", shortOffset: "O", longOffset: "OOOO", shortGeneric: "v", longGeneric: "vvvv",
  }],
];
const dateNames = ["weekday", "year", "month", "day"];
const timeNames = ["dayPeriod", "hour", "minute", "second", "fractionalSecondDigits"];

/** What `resolvedOptions` shows of a pattern. */
function shownOf(pattern) {
  const found = {};
  const letters = pattern.replace(/'[^']*'/g, "").match(/([A-Za-z])\1*/g) ?? [];
  const byLength = (length) => (length === 5 ? "narrow" : length === 4 ? "long" : "short");
  for (const run of letters) {
    const { length } = run;
    const size = length === 2 ? "2-digit" : "numeric";
    switch (run[0]) {
      case "E": case "c": found.weekday = byLength(length); break;
      case "G": found.era = byLength(length); break;
      case "y": found.year = size; break;
      case "M": case "L": found.month = length > 2 ? byLength(length) : size; break;
      case "d": found.day = size; break;
      case "B": found.dayPeriod = byLength(length); break;
      case "h": case "H": case "k": case "K": found.hour = size; break;
      case "m": found.minute = size; break;
      case "s": found.second = size; break;
      case "S": found.fractionalSecondDigits = length; break;
      case "z": found.timeZoneName = length === 4 ? "long" : "short"; break;
      case "O": found.timeZoneName = length === 4 ? "longOffset" : "shortOffset"; break;
      case "v": found.timeZoneName = length === 4 ? "longGeneric" : "shortGeneric"; break;
    }
  }
  return found;
}

const formats = new WeakMap();

/** `required` and `defaults` as in CreateDateTimeFormat: "date", "time" or "any", and "date", "time" or "all". */
function create(locales, options, required, defaults) {
  options = coerceOptions(options);
  matcher(options);
  const calendar = typeOption(options, "calendar");
  const numbering = typeOption(options, "numberingSystem");
  const hour12 = getOption(options, "hour12", "boolean");
  let hourCycle = getOption(options, "hourCycle", "string", cycles);
  if (hour12 !== undefined) hourCycle = null;
  const knowsCalendar = (value) => calendars.includes(calendarOf(value));
  const knowsCycle = (value) => cycles.includes(value);
  const found = resolveLocale(locales, [
    ["ca", calendar === undefined ? undefined : calendarOf(calendar), (found) => found.calendar, knowsCalendar],
    ["nu", numbering, (found) => found.numberingSystem, (value) => knowsDigits(value)],
    ["hc", hourCycle ?? undefined, undefined, knowsCycle],
  ]);
  const usual = found.found.hourCycle;
  let cycle = hourCycle === null ? undefined : found.hc;
  if (hour12 !== undefined) {
    const twelve = usual === "h12" ? "h12" : found.data.endsWith("JP") || found.data === "ja" ? "h11" : "h12";
    cycle = hour12 ? twelve : "h23";
    // The tag keeps what holds.
    if (found.hc !== undefined && found.hc !== cycle) found.locale = dropHourCycle(found.locale);
  }
  let timeZone = options.timeZone;
  timeZone = host("intl.zone", timeZone === undefined ? host("os.timeZone") : String(timeZone));
  const asked = {};
  for (const [name, allowed] of components) {
    if (allowed === undefined) asked[name] = numberOption(options[name], name, 1, 3, undefined);
    else asked[name] = getOption(options, name, "string", allowed);
  }
  getOption(options, "formatMatcher", "string", ["basic", "best fit"], "best fit");
  const styles = ["full", "long", "medium", "short"];
  const dateStyle = getOption(options, "dateStyle", "string", styles);
  const timeStyle = getOption(options, "timeStyle", "string", styles);
  const resolved = { locale: found.locale, calendar: calendarOf(found.ca), numberingSystem: found.nu, timeZone };
  const request = { locale: found.data, calendar: resolved.calendar, numberingSystem: found.nu, timeZone, hourCycle: cycle };
  if (dateStyle !== undefined || timeStyle !== undefined) {
    for (const [name] of components) {
      if (asked[name] !== undefined) throw new TypeError(`Can't set option ${name} when ${dateStyle !== undefined ? "dateStyle" : "timeStyle"} is used`);
    }
    if (required === "date" && timeStyle !== undefined) throw new TypeError("Invalid option : timeStyle");
    if (required === "time" && dateStyle !== undefined) throw new TypeError("Invalid option : dateStyle");
    Object.assign(request, { dateStyle, timeStyle });
    if (timeStyle === undefined) request.hourCycle = undefined;
  } else {
    const looked = [...(required !== "time" ? dateNames : []), ...(required !== "date" ? timeNames : [])];
    if (looked.every((name) => asked[name] === undefined)) {
      if (defaults !== "time") for (const name of ["year", "month", "day"]) asked[name] = "numeric";
      if (defaults !== "date") for (const name of ["hour", "minute", "second"]) asked[name] = "numeric";
    }
    request.skeleton = components.map(([name, , letters]) => letters[asked[name]] ?? "").join("");
    if (asked.hour === undefined) request.hourCycle = undefined;
  }
  const text = stringify(request);
  const pattern = host("intl.datePattern", text);
  const shown = shownOf(pattern);
  if (shown.hour !== undefined) {
    resolved.hourCycle = { K: "h11", h: "h12", H: "h23", k: "h24" }[pattern.replace(/'[^']*'/g, "").match(/[KhHk]/)[0]];
    resolved.hour12 = resolved.hourCycle === "h11" || resolved.hourCycle === "h12";
  }
  if (dateStyle !== undefined || timeStyle !== undefined) Object.assign(resolved, { dateStyle, timeStyle });
  else Object.assign(resolved, shown);
  return { resolved, request: text, bound: undefined };
}

function dropHourCycle(locale) {
  return locale.replace(/-hc-h\d\d/, "").replace(/-u$/, "");
}

/** Milliseconds within the range of a Date. */
function instant(value) {
  const time = value === undefined ? Date.now() : Number(value);
  if (!(Math.abs(time) <= 8.64e15)) throw new RangeError("Invalid time value");
  return Math.trunc(time) + 0;
}

class DateTimeFormatClass {
  constructor(locales, options, required = "any", defaults = "date") {
    formats.set(this, create(locales, options, required, defaults));
  }

  get format() {
    const own = slots(formats, this, "get Intl.DateTimeFormat.prototype.format");
    return own.bound ??= (date) => host("intl.date", own.request, instant(date));
  }

  formatToParts(date) {
    return host("intl.date", slots(formats, this, "Intl.DateTimeFormat.prototype.formatToParts").request, instant(date), null, true);
  }

  formatRange(start, end) {
    const { request } = slots(formats, this, "Intl.DateTimeFormat.prototype.formatRange");
    return host("intl.date", request, ...range(start, end));
  }

  formatRangeToParts(start, end) {
    const { request } = slots(formats, this, "Intl.DateTimeFormat.prototype.formatRangeToParts");
    return host("intl.date", request, ...range(start, end), true);
  }

  resolvedOptions() {
    const { resolved } = slots(formats, this, "Intl.DateTimeFormat.prototype.resolvedOptions");
    return listed(
      resolved, "locale", "calendar", "numberingSystem", "timeZone", "hourCycle", "hour12", "weekday", "era", "year", "month", "day",
      "dayPeriod", "hour", "minute", "second", "fractionalSecondDigits", "timeZoneName", "dateStyle", "timeStyle",
    );
  }
}

function range(start, end) {
  if (start === undefined || end === undefined) throw new TypeError("startDate or endDate cannot be undefined");
  return [instant(start), instant(end)];
}

Object.defineProperty(DateTimeFormatClass, "name", { value: "DateTimeFormat" });
export const DateTimeFormat = callable(finish(DateTimeFormatClass, "DateTimeFormat"));

const needs = { toLocaleString: ["any", "all"], toLocaleDateString: ["date", "date"], toLocaleTimeString: ["time", "time"] };

export function dateText(date, locales, options, name) {
  const time = date.getTime();
  if (Number.isNaN(time)) return "Invalid Date";
  const make = () => new DateTimeFormatClass(locales, options, ...needs[name]);
  return formatter(name, locales, options, make).format(time);
}

register("marsh:intl_date", { DateTimeFormat, dateText, calendars });
