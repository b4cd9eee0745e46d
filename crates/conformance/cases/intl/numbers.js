// Numbers, percentages, currencies, units: ten locales, and what the options change.
const locales = ["en-US", "de-DE", "fr-FR", "es-ES", "ja-JP", "zh-CN", "hi-IN", "ar-EG", "pt-BR", "ru-RU", "de-CH", "pl-PL", "sv-SE", "en-IN"];
const values = [0, -0, 1, -1234.5678, 1234567.891, 0.000123456, 1e21, NaN, -Infinity, 12345678901234567890n, "0.1234567890123456789"];
const all = (locale, options, list = values) => list.map((value) => new Intl.NumberFormat(locale, options).format(value));

for (const locale of locales) {
  check(`${locale} plain`, () => all(locale));
  check(`${locale} percent`, () => all(locale, { style: "percent", maximumFractionDigits: 1 }, [0, 0.256, -12.5, 1]));
  for (const currency of ["EUR", "USD", "JPY", "CHF", "XYZ"]) {
    for (const currencyDisplay of ["symbol", "narrowSymbol", "code", "name"]) {
      check(`${locale} ${currency} ${currencyDisplay}`, () => all(locale, { style: "currency", currency, currencyDisplay }, [0, 1, -1234.5, 1234567]));
    }
  }
  check(`${locale} accounting`, () => all(locale, { style: "currency", currency: "USD", currencySign: "accounting" }, [1, -1234.5]));
  check(`${locale} accounting, always a sign`, () => all(locale, { style: "currency", currency: "USD", currencySign: "accounting", signDisplay: "always" }, [1, -1234.5]));
  for (const compactDisplay of ["short", "long"]) {
    check(`${locale} compact ${compactDisplay}`, () => all(locale, { notation: "compact", compactDisplay }, [0, 7, 999, 1000, 1234, 15500, 999999, 1e6, 2.5e6, 123456789, 1e9, 5e12, -4321, 1e16]));
  }
  check(`${locale} compact currency`, () => all(locale, { style: "currency", currency: "EUR", notation: "compact" }, [5, 1234, 15500, 2.5e6, 1e9]));
  check(`${locale} compact, more digits`, () => all(locale, { notation: "compact", maximumFractionDigits: 2 }, [1234, 999.999, 1234567]));
  for (const unitDisplay of ["long", "short", "narrow"]) {
    for (const unit of ["kilometer", "kilometer-per-hour", "liter", "celsius", "percent", "byte", "day", "foot-per-second", "gigabyte", "mile-per-gallon"]) {
      check(`${locale} ${unit} ${unitDisplay}`, () => all(locale, { style: "unit", unit, unitDisplay }, [0, 1, 2, 5, 21, 1.5, -1234]));
    }
  }
  check(`${locale} scientific`, () => all(locale, { notation: "scientific" }, [0, 1, 123456, -0.00012, 9999999]));
  check(`${locale} engineering`, () => all(locale, { notation: "engineering" }, [0, 1, 123456, -0.00012, 999999.9]));
  check(`${locale} parts`, () => new Intl.NumberFormat(locale, { style: "currency", currency: "EUR" }).formatToParts(-1234567.5));
  check(`${locale} compact parts`, () => new Intl.NumberFormat(locale, { notation: "compact", compactDisplay: "long" }).formatToParts(-1234567.5));
  check(`${locale} unit parts`, () => new Intl.NumberFormat(locale, { style: "unit", unit: "kilometer-per-hour", unitDisplay: "long" }).formatToParts(50));
  check(`${locale} range`, () => [[3, 5], [-3, 5], [1e3, 1e6], [2, 2]].map(([a, b]) => new Intl.NumberFormat(locale).formatRange(a, b)));
  check(`${locale} currency range`, () => [[3, 5], [2, 2.001]].map(([a, b]) => new Intl.NumberFormat(locale, { style: "currency", currency: "EUR" }).formatRange(a, b)));
  check(`${locale} unit range`, () => new Intl.NumberFormat(locale, { style: "unit", unit: "kilometer", unitDisplay: "long" }).formatRange(1, 5));
  check(`${locale} toLocaleString`, () => [(1234.5).toLocaleString(locale), 98765432123456789n.toLocaleString(locale), [1.5, 2000, "x"].toLocaleString(locale), (0.5).toLocaleString(locale, { style: "percent" })]);
}
for (const signDisplay of ["auto", "never", "always", "exceptZero", "negative"]) {
  check(`sign ${signDisplay}`, () => all("en-US", { signDisplay }, [0, -0, 1, -1, -0.0001, 0.0001, NaN, Infinity, -Infinity]));
  check(`sign ${signDisplay} percent`, () => all("de", { signDisplay, style: "percent" }, [0, -0, 1, -1]));
}
for (const roundingMode of ["ceil", "floor", "expand", "trunc", "halfCeil", "halfFloor", "halfExpand", "halfTrunc", "halfEven"]) {
  check(`rounding ${roundingMode}`, () => all("en-US", { roundingMode, maximumFractionDigits: 0 }, [-2.5, -1.5, -1.4, 0.5, 1.4, 1.5, 1.6, 2.5]));
}
for (const roundingIncrement of [1, 2, 5, 10, 25, 50, 100]) {
  check(`increment ${roundingIncrement}`, () => all("en-US", { roundingIncrement, minimumFractionDigits: 2, maximumFractionDigits: 2 }, [1.225, 1.23, 1.249, 0.01, 1.5]));
}
for (const roundingPriority of ["auto", "morePrecision", "lessPrecision"]) {
  check(`priority ${roundingPriority}`, () => all("en-US", { roundingPriority, maximumSignificantDigits: 3, maximumFractionDigits: 1 }, [1.23456, 123.456, 12345.6, 0.0123]));
}
for (const useGrouping of [true, false, "auto", "always", "min2", "true", undefined]) {
  check(`grouping ${typeof useGrouping} ${useGrouping}`, () => ["en", "es", "pl", "pt-PT", "en-IN", "de-AT"].map((locale) => all(locale, { useGrouping }, [1234, 12345, 1234567])));
}
check("significant digits", () => [[1, 3], [3, 3], [5, 10]].map(([minimumSignificantDigits, maximumSignificantDigits]) => all("en", { minimumSignificantDigits, maximumSignificantDigits }, [0, 1, 123.456, 123456, 0.00012345])));
check("integer digits", () => all("en", { minimumIntegerDigits: 5 }, [1, 12345678, -3]));
check("trailing zeros", () => all("en", { trailingZeroDisplay: "stripIfInteger", minimumFractionDigits: 2 }, [1, 1.5, 2.004]));
check("digits of other scripts", () => ["arab", "deva", "thai", "hanidec", "fullwide", "mathbold"].map((numberingSystem) => new Intl.NumberFormat("en", { numberingSystem }).format(1234567890.5)));
check("digits by tag", () => ["en-u-nu-thai", "ar-u-nu-latn", "hi-u-nu-deva", "fa", "mr", "bn", "en-u-nu-nope"].map((locale) => new Intl.NumberFormat(locale).format(1234567.5)));
check("strings", () => ["123456789012345678901234567890.5", " 12 ", "0x10", "1e3", "", "abc", "-0", "Infinity", "1e400"].map((value) => new Intl.NumberFormat("en").format(value)));
check("objects", () => [{ valueOf: () => 5 }, [7], null, true, new Date(5)].map((value) => new Intl.NumberFormat("en").format(value)));
check("undefined", () => new Intl.NumberFormat("en").format());
check("symbol", () => new Intl.NumberFormat("en").format(Symbol()));
check("range parts", () => new Intl.NumberFormat("en-US", { style: "currency", currency: "EUR", maximumFractionDigits: 0 }).formatRangeToParts(3, 5));
check("approximate parts", () => new Intl.NumberFormat("en-US", { style: "currency", currency: "EUR", maximumFractionDigits: 0 }).formatRangeToParts(2.9, 3.1));
check("range of NaN", () => new Intl.NumberFormat("en").formatRange(1, NaN));
check("range of undefined", () => new Intl.NumberFormat("en").formatRange(1));
check("resolved", () => [undefined, { style: "currency", currency: "usd" }, { style: "unit", unit: "liter" }, { notation: "compact" }, { maximumSignificantDigits: 3 }, { style: "percent", useGrouping: false }, { roundingPriority: "lessPrecision" }].map((options) => new Intl.NumberFormat("de-u-nu-arab", options).resolvedOptions()));
check("resolved locales", () => ["de-DE-u-nu-arab-ca-buddhist", "xx", "no", "zh-TW", "zh-SG", "en-Latn-US", "tl", "pa-PK", "iw", "de-XX", "sr-Latn-RS", "en-u-nu-nope", "es-419"].map((locale) => new Intl.NumberFormat(locale).resolvedOptions().locale));
for (const [name, options] of Object.entries({
  "no currency": { style: "currency" }, "bad currency": { style: "currency", currency: "EURO" }, "no unit": { style: "unit" }, "bad unit": { style: "unit", unit: "parsec" },
  "bad style": { style: "nope" }, "digits out of range": { maximumFractionDigits: 101 }, "minimum over maximum": { minimumFractionDigits: 5, maximumFractionDigits: 2 },
  "bad increment": { roundingIncrement: 3 }, "bad digits": { numberingSystem: "x" }, "null": null,
})) check(`refused: ${name}`, () => thrown(() => new Intl.NumberFormat("en", options)).name);
for (const tag of ["", "x", "en_US", "en-", 5, null, ["en", 5], "i-klingon", "de-1901-1901", "abcdefghi"]) check(`refused tag: ${tag}`, () => thrown(() => new Intl.NumberFormat(tag)).name);
check("without new", () => [Intl.NumberFormat("en").format(1234), Intl.NumberFormat("en") instanceof Intl.NumberFormat]);
check("bound format", () => [1, 2].map(new Intl.NumberFormat("en", { minimumFractionDigits: 1 }).format));
check("supportedLocalesOf", () => Intl.NumberFormat.supportedLocalesOf(["de", "xx", "en-us", "zh-Hant-TW"]));
check("shape", () => [Object.prototype.toString.call(new Intl.NumberFormat()), Intl.NumberFormat.length, Intl.NumberFormat.name, Object.prototype.toString.call(Intl)]);
check("incompatible receiver", () => thrown(() => Intl.NumberFormat.prototype.formatToParts.call({}, 1)).name);
