// Dates and times: ten locales and more, five zones and more, on both sides of summer time.
const locales = ["en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "it-IT", "ja-JP", "zh-CN", "zh-TW", "ko-KR", "ru-RU", "pt-BR", "hi-IN", "ar-EG", "tr-TR", "sv-SE", "pl-PL", "th-TH", "nl-NL", "cs-CZ", "he-IL", "vi-VN"];
const zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Tokyo", "Pacific/Auckland"];
// Before and after the clocks change in Europe and in America, a leap day, long ago.
const times = ["2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-10-25T00:59:59Z", "2026-11-01T05:59:00Z", "2026-11-01T06:00:00Z", "2024-02-29T23:59:59.999Z", "1999-12-31T12:00:00Z", "1970-01-01T00:00:00Z"].map((text) => Date.parse(text));
const at = Date.UTC(2026, 7, 2, 15, 4, 5, 678);
const all = (locale, options, list = times) => list.map((time) => new Intl.DateTimeFormat(locale, options).format(time));

for (const locale of locales) {
  for (const style of ["full", "long", "medium", "short"]) {
    check(`${locale} dateStyle ${style}`, () => all(locale, { dateStyle: style, timeZone: "UTC" }));
    check(`${locale} timeStyle ${style}`, () => all(locale, { timeStyle: style, timeZone: "Europe/Berlin" }));
    check(`${locale} both ${style}`, () => all(locale, { dateStyle: style, timeStyle: style, timeZone: "America/New_York" }));
  }
  check(`${locale} default`, () => all(locale, { timeZone: "UTC" }));
  check(`${locale} toLocaleString`, () => [new Date(at).toLocaleString(locale, { timeZone: "UTC" }), new Date(at).toLocaleDateString(locale, { timeZone: "UTC" }), new Date(at).toLocaleTimeString(locale, { timeZone: "UTC" })]);
  for (const [name, options] of Object.entries({
    "year, month": { year: "numeric", month: "long" }, "month, day": { month: "short", day: "numeric" }, "weekday": { weekday: "long" }, "weekday, day": { weekday: "short", day: "numeric" },
    "numbers of two digits": { year: "numeric", month: "2-digit", day: "2-digit" }, "short year": { year: "2-digit", month: "numeric", day: "numeric" },
    "all of a day": { weekday: "long", year: "numeric", month: "long", day: "numeric" }, "era": { era: "short", year: "numeric", month: "short", day: "numeric" },
    "hour": { hour: "numeric" }, "hour, minute": { hour: "2-digit", minute: "2-digit" }, "minute, second": { minute: "2-digit", second: "2-digit" },
    "24 hours": { hour: "numeric", minute: "2-digit", hour12: false }, "12 hours": { hour: "numeric", minute: "2-digit", hour12: true },
    "h11": { hour: "numeric", minute: "numeric", hourCycle: "h11" }, "h24": { hour: "numeric", minute: "numeric", hourCycle: "h24" },
    "milliseconds": { hour: "numeric", minute: "numeric", second: "numeric", fractionalSecondDigits: 3 }, "part of the day": { hour: "numeric", dayPeriod: "long" },
    "day and time": { year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit" }, "long day and time": { weekday: "long", year: "numeric", month: "long", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit" },
    "narrow": { weekday: "narrow", month: "narrow", day: "numeric" }, "month alone": { month: "long" }, "day alone": { day: "numeric" }, "year alone": { year: "numeric" }, "minute alone": { minute: "numeric" },
    "weekday, time": { weekday: "short", hour: "numeric", minute: "numeric" },
  })) check(`${locale} ${name}`, () => all(locale, { ...options, timeZone: "UTC" }, [at, times[7], times[5]]));
  check(`${locale} parts`, () => new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long", timeZone: "Asia/Kolkata" }).formatToParts(at));
  check(`${locale} part of the day, by hours`, () => Array.from({ length: 24 }, (_, hour) => new Intl.DateTimeFormat(locale, { hour: "numeric", dayPeriod: "short", timeZone: "UTC" }).format(hour * 3600e3)));
  check(`${locale} months`, () => Array.from({ length: 12 }, (_, month) => ["long", "short", "narrow"].map((form) => new Intl.DateTimeFormat(locale, { month: form, timeZone: "UTC" }).format(Date.UTC(2026, month, 5)))));
  check(`${locale} weekdays`, () => Array.from({ length: 7 }, (_, day) => ["long", "short", "narrow"].map((form) => new Intl.DateTimeFormat(locale, { weekday: form, timeZone: "UTC" }).format(Date.UTC(2026, 5, day + 1)))));
  for (const [name, days, options] of [
    ["days", 3, { dateStyle: "medium" }], ["months", 40, { dateStyle: "long" }], ["years", 400, { year: "numeric", month: "short", day: "numeric" }], ["numbers", 3, {}], ["hours", 0.1, { hour: "numeric", minute: "numeric" }],
    ["hours with a day", 0.1, { dateStyle: "short", timeStyle: "short" }], ["days with hours", 2, { month: "short", day: "numeric", hour: "numeric", minute: "numeric" }], ["nothing", 0, { dateStyle: "full" }], ["month and day over years", 400, { month: "short", day: "numeric" }],
    ["hours over days", 2, { hour: "numeric", minute: "numeric" }], ["months alone", 40, { month: "long" }], ["weekdays", 2, { weekday: "short", month: "short", day: "numeric" }],
  ]) check(`${locale} range of ${name}`, () => new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }).formatRange(at, at + days * 86400e3));
}
for (const timeZone of zones) {
  for (const timeZoneName of ["short", "long", "shortOffset", "longOffset", "shortGeneric", "longGeneric"]) {
    check(`${timeZone} ${timeZoneName}`, () => ["en-US", "de-DE", "fr-FR", "ja-JP", "en-GB", "es-ES", "en-AU"].map((locale) => [times[0], times[3], at].map((time) => new Intl.DateTimeFormat(locale, { timeZone, timeZoneName, hour: "numeric" }).format(time))));
  }
  check(`${timeZone} clocks`, () => all("en-GB", { timeZone, dateStyle: "short", timeStyle: "long" }));
}
for (const timeZone of ["utc", "GMT", "Etc/GMT", "Etc/UTC", "europe/berlin", "Europe/Kyiv", "US/Pacific", "+01:30", "-0800", "+00:00", "Asia/Calcutta", "America/Argentina/Buenos_Aires", "Etc/GMT+5"]) {
  check(`zone ${timeZone}`, () => [new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone, new Intl.DateTimeFormat("en", { timeZone, timeStyle: "full" }).format(at)]);
}
for (const timeZone of ["Mars/Phobos", "", "+25:00", "+1", "EST5", "UTC+1"]) check(`refused zone '${timeZone}'`, () => thrown(() => new Intl.DateTimeFormat("en", { timeZone })).name);
for (const calendar of ["buddhist", "japanese", "roc", "persian", "islamic-umalqura", "islamic-civil", "iso8601", "gregory"]) {
  for (const locale of ["en-US", "de-DE"]) {
    check(`${calendar} ${locale}`, () => [{ dateStyle: "full" }, { dateStyle: "medium" }, { dateStyle: "short" }, {}, { year: "numeric", month: "long", day: "numeric" }, { year: "numeric" }].map((options) => new Intl.DateTimeFormat(locale, { ...options, calendar, timeZone: "UTC" }).format(at)));
  }
}
check("japanese eras", () => ["2019-04-30", "2019-05-01", "1989-01-07", "1926-12-25", "1900-01-01"].map((day) => new Intl.DateTimeFormat("ja-JP-u-ca-japanese", { dateStyle: "long", timeZone: "UTC" }).format(Date.parse(day))));
check("calendar of Thailand", () => new Intl.DateTimeFormat("th-TH", { timeZone: "UTC" }).resolvedOptions());
check("calendar of Iran", () => new Intl.DateTimeFormat("fa-IR", { dateStyle: "long", timeZone: "UTC" }).format(at));
check("calendar of Saudi Arabia", () => new Intl.DateTimeFormat("ar-SA", { dateStyle: "long", timeZone: "UTC" }).format(at));
check("far years", () => [-62198755200000, -1e14, 8.64e15, 253402300800000].map((time) => new Intl.DateTimeFormat("en", { year: "numeric", month: "short", day: "numeric", era: "short", timeZone: "UTC" }).format(time)));
check("digits of other scripts", () => ["ar-EG", "hi-IN-u-nu-deva", "th-u-nu-thai", "fa-IR-u-ca-gregory", "mr-IN", "bn-BD"].map((locale) => new Intl.DateTimeFormat(locale, { dateStyle: "short", timeStyle: "short", timeZone: "UTC" }).format(at)));
check("range parts", () => new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeZone: "UTC" }).formatRangeToParts(at, at + 5 * 86400e3));
check("range parts of hours", () => new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" }).formatRangeToParts(at, at + 3600e3));
check("range parts, fallback", () => new Intl.DateTimeFormat("de", { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" }).formatRangeToParts(at, at + 86400e3));
check("resolved", () => [undefined, { dateStyle: "short" }, { timeStyle: "short" }, { year: "numeric", month: "2-digit" }, { hour: "numeric", hour12: false }, { weekday: "long", era: "long", timeZoneName: "short" }, { fractionalSecondDigits: 2, second: "numeric" }, { hour: "2-digit", dayPeriod: "narrow" }].map((options) => ["en-US", "de-DE", "ja-JP"].map((locale) => new Intl.DateTimeFormat(locale, { ...options, timeZone: "UTC" }).resolvedOptions())));
check("hour cycles", () => ["en-US", "de", "ja-JP", "en-US-u-hc-h23", "ja-JP-u-hc-h11", "fr-CA"].map((locale) => [undefined, true, false].map((hour12) => { const { locale: name, hourCycle } = new Intl.DateTimeFormat(locale, { hour: "numeric", hour12, timeZone: "UTC" }).resolvedOptions(); return [name, hourCycle]; })));
for (const [name, options] of Object.entries({
  "style and field": { dateStyle: "short", year: "numeric" }, "bad style": { dateStyle: "tiny" }, "bad weekday": { weekday: "numeric" }, "bad cycle": { hourCycle: "h25" }, "fraction of four": { fractionalSecondDigits: 4 }, "null": null,
})) check(`refused: ${name}`, () => thrown(() => new Intl.DateTimeFormat("en", options)).name);
check("timeStyle of a date", () => thrown(() => new Date(0).toLocaleDateString("en", { timeStyle: "short" })).name);
check("invalid date", () => [new Date(NaN).toLocaleString(), thrown(() => new Intl.DateTimeFormat().format(NaN)).name, thrown(() => new Intl.DateTimeFormat().formatRange(0)).name]);
check("without new", () => [Intl.DateTimeFormat("en", { timeZone: "UTC" }).format(0), Intl.DateTimeFormat() instanceof Intl.DateTimeFormat, Object.prototype.toString.call(Intl.DateTimeFormat())]);
check("defaults of methods", () => [new Date(at).toLocaleDateString("en", { hour: "numeric", timeZone: "UTC" }), new Date(at).toLocaleTimeString("en", { day: "numeric", timeZone: "UTC" }), new Date(at).toLocaleString("en", { weekday: "long", timeZone: "UTC" })]);
