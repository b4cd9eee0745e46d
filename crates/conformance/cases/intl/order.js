// Order of texts, boundaries, case and normal forms.
const words = ["Äpfel", "apfel", "Zebra", "zoo", "Öl", "ol", "éclair", "eclair", "Eclair", "straße", "strasse", "2", "10", "1", "a-b", "ab", "a b", "ß", "ñ", "n", "ö", "å", "ä", "æ", "ch", "cz", "llama", "luz", "i", "ı", "İ", "I", "中", "文", "あ", "ア", "한", "я", "А", "!", "_", ""];
for (const locale of ["en", "de", "de-u-co-phonebk", "sv", "es", "es-u-co-trad", "fr-CA", "tr", "cs", "ja", "zh", "zh-u-co-stroke", "ko", "ru", "da", "lt", "pl", "fi"]) {
  check(`sort ${locale}`, () => [...words].sort(new Intl.Collator(locale).compare));
  check(`resolved ${locale}`, () => new Intl.Collator(locale).resolvedOptions());
}
const pairs = [["a", "á"], ["a", "A"], ["a", "b"], ["a", "a"], ["Á", "a"], ["résumé", "resume"], ["co-op", "coop"], ["10", "9"], ["x10", "x9"], ["ﬁ", "fi"], ["e\u0301", "é"], ["", "a"], ["a ", "a"]];
for (const sensitivity of ["base", "accent", "case", "variant"]) check(`sensitivity ${sensitivity}`, () => pairs.map(([a, b]) => new Intl.Collator("en", { sensitivity }).compare(a, b)));
for (const caseFirst of ["upper", "lower", "false"]) check(`case first ${caseFirst}`, () => ["a", "A", "b", "B", "á", "Á"].sort(new Intl.Collator("en", { caseFirst }).compare));
check("numeric", () => ["10", "9", "x10", "x9", "1e3", "01", "1", "٣", "2.5", "2.10"].sort(new Intl.Collator("en", { numeric: true }).compare));
check("numeric by tag", () => ["10", "9"].sort(new Intl.Collator("en-u-kn").compare));
check("without punctuation", () => pairs.map(([a, b]) => new Intl.Collator("en", { ignorePunctuation: true }).compare(a, b)));
check("search", () => pairs.map(([a, b]) => new Intl.Collator("de", { usage: "search", sensitivity: "base" }).compare(a, b)));
check("resolved options", () => [{ numeric: true, caseFirst: "upper" }, { usage: "search" }, { collation: "phonebk" }, { sensitivity: "base", ignorePunctuation: true }].map((options) => new Intl.Collator("de-u-kn-kf-lower", options).resolvedOptions()));
check("localeCompare", () => pairs.map(([a, b]) => [a.localeCompare(b), a.localeCompare(b, "sv"), a.localeCompare(b, undefined, { sensitivity: "base", numeric: true })]));
check("localeCompare of others", () => ["a".localeCompare(), "null".localeCompare(null), "1".localeCompare(1)]);
check("localeCompare refused", () => [thrown(() => "a".localeCompare("b", "e")).name, thrown(() => "a".localeCompare("b", "en", { sensitivity: "x" })).name]);
const texts = ["Hello, world! It's 3.14 o'clock.", "He said \"Hi.\" Then left. Dr. Smith came.", "a👍🏽b👨‍👩‍👧‍👦c🇩🇪d", "नमस्ते दुनिया", "e\u0301\u0302x\r\ny", "吾輩は猫である。名前はまだない。", "สวัสดีครับผม", "中文分词测试", "한국어 문장입니다.", "user@example.com https://a.b/c?d=1", ""];
for (const granularity of ["grapheme", "word", "sentence"]) {
  texts.forEach((text, at) => check(`segments ${granularity} ${at}`, () => [...new Intl.Segmenter("en", { granularity }).segment(text)].map((one) => [one.segment, one.index, one.isWordLike])));
}
check("segment containing", () => [0, 4, 5, 6, 12, -1, 99, undefined].map((at) => { const one = new Intl.Segmenter("en", { granularity: "word" }).segment("Hello world.").containing(at); return one && [one.segment, one.index, one.isWordLike, one.input]; }));
check("segmenter resolved", () => new Intl.Segmenter("de", { granularity: "word" }).resolvedOptions());
check("segmenter refused", () => [thrown(() => new Intl.Segmenter("en", { granularity: "line" })).name, thrown(() => Intl.Segmenter("en")).name]);
check("upper case", () => [undefined, "en", "tr", "az", "lt", "el", "de", ["tr", "en"]].map((locale) => ["iıİI", "straße", "ΆΊά", "i̇ì", "ŉ"].map((text) => text.toLocaleUpperCase(locale))));
check("lower case", () => [undefined, "en", "tr", "az", "lt", "el", "de"].map((locale) => ["IİıI", "STRASSE", "ΑΣ ΑΣΑ", "ÌÍ", "Ǆ"].map((text) => text.toLocaleLowerCase(locale))));
check("case refused", () => thrown(() => "a".toLocaleUpperCase("x")).name);
check("normal forms", () => ["NFC", "NFD", "NFKC", "NFKD"].map((form) => ["é", "ﬁ", "①", "Å", "한", "ẛ̣"].map((text) => text.normalize(form))));
check("normal form refused", () => thrown(() => "a".normalize("NFX")).name);
