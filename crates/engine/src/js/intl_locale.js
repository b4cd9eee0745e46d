// `Intl.Locale`.

import { call as host, register } from "marsh:core";
import { canonicalizeList, coerceOptions, getOption, rememberTag, slots } from "marsh:intl_core";

const { stringify } = JSON;
const tags = new WeakMap();
const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const typePattern = /^[a-z0-9]{3,8}(-[a-z0-9]{3,8})*$/i;

function make(tag) {
  return new Locale(tag.tag);
}

export class Locale {
  constructor(tag, options = undefined) {
    if (typeof tag !== "string" && (typeof tag !== "object" || tag === null)) {
      throw new TypeError("First argument to Intl.Locale constructor can't be empty or missing");
    }
    options = coerceOptions(options);
    const [given] = tags.has(tag) ? [tags.get(tag).tag] : canonicalizeList([String(tag)]);
    const changes = {};
    const forms = [
      ["language", /^([a-z]{2,3}|[a-z]{5,8})$/i], ["script", /^[a-z]{4}$/i], ["region", /^([a-z]{2}|\d{3})$/i],
      ["variants", /^([a-z0-9]{5,8}|\d[a-z0-9]{3})(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*$/i],
    ];
    for (const [name, form] of forms) {
      const value = getOption(options, name, "string");
      if (value === undefined) continue;
      if (!form.test(value)) throw new RangeError("Incorrect locale information provided");
      changes[name] = value;
    }
    const keyword = (name, key, allowed) => {
      const value = getOption(options, name, "string", allowed);
      if (value === undefined) return;
      if (!typePattern.test(value)) throw new RangeError("Incorrect locale information provided");
      changes[key] = value;
    };
    keyword("calendar", "ca");
    keyword("collation", "co");
    let firstDay = getOption(options, "firstDayOfWeek", "string");
    if (firstDay !== undefined) {
      firstDay = /^[0-7]$/.test(firstDay) ? days[(Number(firstDay) + 6) % 7] : firstDay;
      if (!typePattern.test(firstDay)) throw new RangeError("Incorrect locale information provided");
      changes.fw = firstDay;
    }
    keyword("hourCycle", "hc", ["h11", "h12", "h23", "h24"]);
    keyword("caseFirst", "kf", ["upper", "lower", "false"]);
    const numeric = getOption(options, "numeric", "boolean");
    if (numeric !== undefined) changes.kn = String(numeric);
    keyword("numberingSystem", "nu");
    const parsed = host("intl.tag", given, Object.keys(changes).length ? stringify(changes) : null);
    tags.set(this, parsed);
    rememberTag(this, parsed.tag);
  }

  toString() {
    return slots(tags, this, "Intl.Locale.prototype.toString").tag;
  }

  maximize() {
    return make(host("intl.tag", slots(tags, this, "Intl.Locale.prototype.maximize").tag, null, "maximize"));
  }

  minimize() {
    return make(host("intl.tag", slots(tags, this, "Intl.Locale.prototype.minimize").tag, null, "minimize"));
  }
}

const getters = {
  baseName: (tag) => tag.baseName,
  language: (tag) => tag.language,
  script: (tag) => tag.script ?? undefined,
  region: (tag) => tag.region ?? undefined,
  variants: (tag) => tag.variants ?? undefined,
  calendar: (tag) => tag.keywords.ca,
  collation: (tag) => tag.keywords.co,
  caseFirst: (tag) => tag.keywords.kf,
  hourCycle: (tag) => tag.keywords.hc,
  firstDayOfWeek: (tag) => tag.keywords.fw,
  numeric: (tag) => tag.keywords.kn !== undefined && tag.keywords.kn !== "false",
  numberingSystem: (tag) => tag.keywords.nu,
};
for (const [name, get] of Object.entries(getters)) {
  const getter = { get [name]() { return get(slots(tags, this, `Intl.Locale.prototype.${name}`)); } };
  Object.defineProperty(Locale.prototype, name, { ...Object.getOwnPropertyDescriptor(getter, name), enumerable: false });
}
const lists = {
  getCalendars: (tag, customs) => (tag.keywords.ca ? [tag.keywords.ca] : customs.calendars),
  getCollations: (tag) => (tag.keywords.co ? [tag.keywords.co] : ["emoji", "eor"]),
  getHourCycles: (tag, customs) => (tag.keywords.hc ? [tag.keywords.hc] : customs.hourCycles),
  getNumberingSystems: (tag, customs) => (tag.keywords.nu ? [tag.keywords.nu] : customs.numberingSystems),
  getTimeZones: (tag, customs) => customs.timeZones ?? undefined,
  getTextInfo: (tag, customs) => ({ direction: customs.direction ?? undefined }),
  getWeekInfo: (tag, customs) => {
    const own = days.indexOf(tag.keywords.fw);
    return { firstDay: own >= 0 ? own + 1 : customs.firstDay, weekend: customs.weekend };
  },
};
for (const [name, get] of Object.entries(lists)) {
  const value = {
    [name]() {
      const tag = slots(tags, this, `Intl.Locale.prototype.${name}`);
      return get(tag, host("intl.customs", tag.tag));
    },
  }[name];
  Object.defineProperty(Locale.prototype, name, { value, writable: true, configurable: true });
}
Object.defineProperty(Locale.prototype, Symbol.toStringTag, { value: "Intl.Locale", configurable: true });

register("marsh:intl_locale", { Locale });
