// The namespace `Intl`. Each constructor is evaluated when it is first used.

import { call as host, lazy, lazyProperty, register } from "marsh:core";
import { canonicalizeList } from "marsh:intl_core";

export const Intl = {};
Object.defineProperty(Intl, Symbol.toStringTag, { value: "Intl", configurable: true });

const functions = {
  getCanonicalLocales(locales) {
    return canonicalizeList(locales);
  },
  supportedValuesOf(key) {
    switch (String(key)) {
      case "calendar": return [...lazy("marsh:intl_date").calendars];
      case "collation": return [...lazy("marsh:intl_text").collations];
      case "currency": return host("intl.currencies");
      case "numberingSystem": return [...lazy("marsh:intl_number").numberingSystems];
      case "timeZone": return host("intl.zones");
      case "unit": return [...lazy("marsh:intl_number").units];
    }
    throw new RangeError(`Invalid key : ${key}`);
  },
};
for (const [name, value] of Object.entries(functions)) {
  Object.defineProperty(Intl, name, { value, writable: true, enumerable: false, configurable: true });
}

function late(module, ...names) {
  for (const name of names) lazyProperty(Intl, name, () => lazy(module)[name]);
}
late("marsh:intl_date", "DateTimeFormat");
late("marsh:intl_number", "NumberFormat");
late("marsh:intl_text", "Collator");
late("marsh:intl_plural", "PluralRules", "RelativeTimeFormat", "ListFormat");
late("marsh:intl_locale", "Locale");
late("marsh:intl_text", "DisplayNames", "Segmenter");
late("marsh:intl_duration", "DurationFormat");

register("marsh:intl", { Intl });
