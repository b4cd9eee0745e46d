// Plurals, relative times, lists, names, tags and durations.
const locales = ["en", "de", "fr", "es", "ru", "pl", "ar", "ja", "cs", "pt-BR", "lt", "he", "sl"];
const counts = [0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 21, 22, 100, 101, 111, 1000000, 1.5, 0.5, -1, "1.0"];
for (const locale of locales) {
  for (const type of ["cardinal", "ordinal"]) {
    check(`${locale} ${type}`, () => counts.map((count) => new Intl.PluralRules(locale, { type }).select(count)));
    check(`${locale} ${type} resolved`, () => new Intl.PluralRules(locale, { type }).resolvedOptions());
  }
  check(`${locale} plural ranges`, () => [[0, 1], [1, 2], [1, 5], [2, 21], [0.5, 1]].map(([a, b]) => new Intl.PluralRules(locale).selectRange(a, b)));
  check(`${locale} visible digits`, () => [1, 2, 1.5].map((count) => new Intl.PluralRules(locale, { minimumFractionDigits: 1 }).select(count)));
  for (const style of ["long", "short", "narrow"]) {
    for (const numeric of ["always", "auto"]) {
      check(`${locale} relative ${style} ${numeric}`, () => ["second", "minute", "hour", "day", "week", "month", "quarter", "year"].map((unit) => [-10, -2, -1, -0, 0, 1, 2, 5, 1.5].map((value) => new Intl.RelativeTimeFormat(locale, { style, numeric }).format(value, unit))));
    }
    for (const type of ["conjunction", "disjunction", "unit"]) {
      check(`${locale} list ${type} ${style}`, () => [[], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]].map((list) => new Intl.ListFormat(locale, { type, style }).format(list)));
    }
    check(`${locale} duration ${style}`, () => [{ hours: 1, minutes: 30 }, { years: 1, months: 2, days: 3 }, { seconds: 5, milliseconds: 250 }, { hours: -2 }].map((duration) => new Intl.DurationFormat(locale, { style }).format(duration)));
  }
  check(`${locale} languages`, () => ["en", "de", "en-GB", "zh-Hant", "zh-Hant-TW", "sr-Latn", "es-419", "pt-BR", "fr-CH", "xx", "de-AT", "en-Latn-GB"].map((code) => new Intl.DisplayNames(locale, { type: "language" }).of(code)));
  check(`${locale} languages, standard`, () => ["en-GB", "zh-Hant-TW", "es-419"].map((code) => new Intl.DisplayNames(locale, { type: "language", languageDisplay: "standard" }).of(code)));
  check(`${locale} regions`, () => ["US", "DE", "GB", "419", "ZZ", "XX", "UN"].map((code) => ["long", "short"].map((style) => new Intl.DisplayNames(locale, { type: "region", style }).of(code))));
  check(`${locale} scripts`, () => ["Latn", "Cyrl", "Hant", "Arab", "Xxxx"].map((code) => new Intl.DisplayNames(locale, { type: "script" }).of(code)));
  check(`${locale} currencies`, () => ["USD", "eur", "JPY", "XYZ", "CHF"].map((code) => ["long", "short", "narrow"].map((style) => new Intl.DisplayNames(locale, { type: "currency", style }).of(code))));
  check(`${locale} calendars`, () => ["gregory", "buddhist", "islamic-civil", "iso8601", "japanese"].map((code) => new Intl.DisplayNames(locale, { type: "calendar" }).of(code)));
  check(`${locale} fields`, () => ["era", "year", "quarter", "month", "weekOfYear", "weekday", "day", "dayPeriod", "hour", "minute", "second", "timeZoneName"].map((code) => ["long", "short", "narrow"].map((style) => new Intl.DisplayNames(locale, { type: "dateTimeField", style }).of(code))));
}
check("relative parts", () => [[-3, "day"], [1234.5, "hours"], [0, "day"]].map(([value, unit]) => new Intl.RelativeTimeFormat("en", { numeric: "auto" }).formatToParts(value, unit)));
check("relative of a bad unit", () => thrown(() => new Intl.RelativeTimeFormat("en").format(1, "fortnight")).name);
check("relative of infinity", () => thrown(() => new Intl.RelativeTimeFormat("en").format(Infinity, "day")).name);
check("list parts", () => new Intl.ListFormat("en").formatToParts(["a", "b", "c"]));
check("list of numbers", () => thrown(() => new Intl.ListFormat("en").format([1])).name);
check("lists before vowels", () => [["padre", "hijo"], ["padre", "iglesia"], ["agua", "hielo"], ["a", "b", "isla"]].map((list) => new Intl.ListFormat("es").format(list)));
check("lists of choices before vowels", () => [["siete", "ocho"], ["7", "8"], ["10", "11"], ["mujer", "hombre"]].map((list) => new Intl.ListFormat("es", { type: "disjunction" }).format(list)));
check("duration digital", () => [{ hours: 1, minutes: 2, seconds: 3 }, { minutes: 5 }, { hours: 12, seconds: 3, milliseconds: 45 }, { days: 1, hours: 5 }].map((duration) => new Intl.DurationFormat("en", { style: "digital" }).format(duration)));
check("duration parts", () => new Intl.DurationFormat("en", { style: "long" }).formatToParts({ hours: 1, minutes: 30 }));
check("duration fraction", () => new Intl.DurationFormat("en", { seconds: "numeric", fractionalDigits: 3 }).format({ minutes: 1, seconds: 2, milliseconds: 345 }));
check("duration text", () => new Intl.DurationFormat("en", { style: "long" }).format("P1Y2M3DT4H5M6.7S"));
check("duration resolved", () => [undefined, { style: "digital" }, { hours: "2-digit" }].map((options) => new Intl.DurationFormat("en", options).resolvedOptions()));
check("duration refused", () => [{}, { hours: 1.5 }, { hours: 1, minutes: -1 }, "P"].map((duration) => thrown(() => new Intl.DurationFormat("en").format(duration)).name));
check("duration options refused", () => thrown(() => new Intl.DurationFormat("en", { hours: "numeric", minutes: "long" })).name);
check("codes in lower case", () => [["region", "de"], ["script", "cyrl"], ["currency", "eur"]].map(([type, code]) => new Intl.DisplayNames("en", { type }).of(code)));
check("names of other places", () => ["001", "HK"].map((code) => new Intl.DisplayNames("en", { type: "region" }).of(code)));
check("names of rare languages", () => ["gsw", "mul", "en-US-posix"].map((code) => new Intl.DisplayNames("en", { type: "language" }).of(code)));
check("names refused", () => [["region", "USA"], ["language", "e"], ["currency", "EURO"], ["script", "La"], ["calendar", "x"], ["dateTimeField", "century"]].map(([type, code]) => thrown(() => new Intl.DisplayNames("en", { type }).of(code)).name));
check("names need a type", () => [thrown(() => new Intl.DisplayNames("en", {})).name, thrown(() => new Intl.DisplayNames("en")).name]);
check("names without fallback", () => new Intl.DisplayNames("en", { type: "region", fallback: "none" }).of("QX"));
check("names resolved", () => [new Intl.DisplayNames("de", { type: "language" }).resolvedOptions(), new Intl.ListFormat("de").resolvedOptions(), new Intl.RelativeTimeFormat("ar").resolvedOptions()]);
check("canonical tags", () => ["EN-us", "iw", "sh", "zh-hans-cn", "en-u-ca-gregorian", "de-DD", "cmn-Hans", "ja-Latn-hepburn-heploc", "en-a-bbb-x-c", "en-t-de", "sr-YU", "en-u-kn-true", "aa-saaho", "hy-arevela", "en-UK"].map((tag) => Intl.getCanonicalLocales(tag)));
check("tags of a list", () => Intl.getCanonicalLocales(["de", "en", "de", new Intl.Locale("fr")]));
check("tags refused", () => ["", "a", "en--us", "x-private", "en_US", "de-419-DE", "en-x"].map((tag) => thrown(() => Intl.getCanonicalLocales(tag)).name));
check("Locale", () => { const l = new Intl.Locale("zh-hant-tw-u-ca-roc-nu-hanidec-co-stroke-kn-hc-h12-kf-upper"); return [String(l), l.baseName, l.language, l.script, l.region, l.calendar, l.numberingSystem, l.collation, l.numeric, l.hourCycle, l.caseFirst, l.variants]; });
check("Locale options", () => String(new Intl.Locale("en", { language: "de", script: "Latn", region: "at", calendar: "buddhist", numeric: true, hourCycle: "h23", numberingSystem: "thai", firstDayOfWeek: "mon" })));
check("Locale maximize", () => ["zh", "en", "sr", "pa-PK", "und-US", "az", "zh-TW", "hi-Latn"].map((tag) => [String(new Intl.Locale(tag).maximize()), String(new Intl.Locale(tag).minimize())]));
check("Locale customs", () => ["en-US", "de-DE", "ar-EG", "fa-IR", "ja-JP", "he-IL", "hi-IN", "th-TH"].map((tag) => { const l = new Intl.Locale(tag); return [l.getHourCycles(), l.getNumberingSystems(), l.getTextInfo(), l.getWeekInfo(), l.getCalendars()]; }));
check("Locale refused", () => ["", "e", 5, undefined].map((tag) => thrown(() => new Intl.Locale(tag)).name));
check("Locale without new", () => thrown(() => Intl.Locale("en")).name);
check("names of Intl", () => Object.getOwnPropertyNames(Intl).sort());
check("methods", () => ["Locale", "DateTimeFormat", "NumberFormat", "PluralRules", "Collator", "ListFormat", "RelativeTimeFormat", "DisplayNames", "Segmenter", "DurationFormat"].map((name) => [name, Object.getOwnPropertyNames(Intl[name].prototype).sort(), Intl[name].length, Object.prototype.toString.call(Intl[name].prototype)]));
check("supported values", () => ["calendar", "collation", "currency", "numberingSystem", "timeZone", "unit"].map((key) => Intl.supportedValuesOf(key).length > 5));
check("supported numbering systems", () => Intl.supportedValuesOf("numberingSystem"));
check("supported units", () => Intl.supportedValuesOf("unit"));
check("supported zones", () => Intl.supportedValuesOf("timeZone"));
check("supported currencies", () => ["EUR", "USD", "JPY", "XYZ"].map((code) => Intl.supportedValuesOf("currency").includes(code)));
check("supported collations", () => Intl.supportedValuesOf("collation"));
check("supported calendars", () => Intl.supportedValuesOf("calendar"));
check("supported nothing", () => thrown(() => Intl.supportedValuesOf("color")).name);
