//! `cargo xtask intl-data`: the tables of `crates/intl` from the CLDR.
//!
//! The CLDR comes as JSON from npm, in packages whose versions stand in [`PACKAGES`]; `npm` checks their digests. Every
//! locale of [`LANGUAGES`] becomes a few sections of names and patterns, each held as its difference from the locale's parent,
//! and all of them one file whose format `crates/intl/src/data.rs` describes.

mod pack;
mod sections;
mod supplement;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

/// Where the data come from: the release of the CLDR that the Deno of `crates/conformance` has, where npm has it.
const PACKAGES: [&str; 12] = [
    "cldr-core@47.0.0",
    "cldr-bcp47@48.2.0",
    "cldr-dates-full@47.0.0",
    "cldr-numbers-full@47.0.0",
    "cldr-units-full@46.1.0",
    "cldr-localenames-full@47.0.0",
    "cldr-misc-full@46.1.0",
    "cldr-cal-islamic-full@48.2.0",
    "cldr-cal-persian-full@46.1.0",
    "cldr-cal-buddhist-full@39.0.0",
    "cldr-cal-japanese-full@39.0.0",
    "cldr-cal-roc-full@28.0.0",
];

/// The languages that marsh speaks, each with all its regions and scripts: those of Deno, and others with many speakers
/// whose data in the CLDR are complete.
const LANGUAGES: [&str; 80] = [
    "af", "ak", "am", "ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "es",
    "et", "eu", "fa", "fi", "fil", "fr", "ga", "gl", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it",
    "ja", "ka", "kk", "km", "kn", "ko", "kok", "ky", "lo", "lt", "lv", "mk", "ml", "mn", "mr", "ms", "my",
    "nb", "ne", "nl", "no", "pa", "pl", "ps", "pt", "ro", "ru", "sd", "si", "sk", "sl", "sq", "sr", "sv",
    "sw", "ta", "te", "th", "tr", "uk", "ur", "uz", "vi", "zh", "zu", "und",
];

/// The packages, unpacked.
struct Cldr(PathBuf);

impl Cldr {
    /// Installs the packages below `target`, unless they are there.
    fn fetch(root: &Path) -> Result<Cldr, String> {
        let dir = root.join("target/cldr");
        marsh_fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-save", "--legacy-peer-deps", "--prefix"])
            .arg(&dir)
            .args(PACKAGES);
        if !super::run(&mut npm)? {
            return Err("npm cannot install the CLDR".to_owned());
        }
        Ok(Cldr(dir.join("node_modules")))
    }

    /// A JSON file; `None` if there is none.
    fn read(&self, path: &str) -> Result<Option<Value>, String> {
        let path = self.0.join(path);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_slice(&text).map(Some).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn core(&self, name: &str) -> Result<Value, String> {
        let path = format!("cldr-core/supplemental/{name}.json");
        self.read(&path)?.ok_or(format!("missing {path}"))
    }

    /// What a package says of a locale, without the head that names the locale.
    fn main(&self, package: &str, locale: &str, file: &str) -> Result<Value, String> {
        let path = format!("cldr-{package}-full/main/{locale}/{file}.json");
        Ok(self.read(&path)?.map_or(Value::Null, |mut value| value["main"][locale].take()))
    }
}

/// Writes the tables, or with `check` compares them with those that are there.
pub fn run(root: &Path, check: bool) -> Result<bool, String> {
    let cldr = Cldr::fetch(root)?;
    let available = cldr.read("cldr-core/availableLocales.json")?.unwrap_or_default();
    let all: Vec<&str> = available["availableLocales"]["full"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let wanted = |locale: &&str| {
        let language = locale.split('-').next().unwrap_or_default();
        // Scripts that no other data of marsh know.
        LANGUAGES.contains(&language)
            && !["en-Dsrt", "en-Shaw", "zh-Latn"].iter().any(|left| locale.starts_with(left))
    };
    let mut locales: BTreeSet<&str> = all.into_iter().filter(wanted).collect();
    locales.insert("und");
    let aliases = aliases(&cldr, &locales, &wanted)?;
    let parents = cldr.core("parentLocales")?;
    let parents = &parents["supplemental"]["parentLocales"]["parentLocale"];
    let parent = |locale: &str| -> String {
        let mut at = locale.to_owned();
        loop {
            at = match parents[&at].as_str() {
                Some("root") => "und".to_owned(),
                Some(known) => known.to_owned(),
                None => at.rsplit_once('-').map_or("und".to_owned(), |(rest, _)| rest.to_owned()),
            };
            if locales.contains(at.as_str()) {
                return at;
            }
        }
    };
    let mut packed = pack::Pack::new(supplement::make(&cldr)?);
    // Parents come before their children.
    let mut order: Vec<(&str, String)> = locales.iter().map(|locale| (*locale, parent(locale))).collect();
    order.sort_by_key(|(locale, parent)| (*locale != "und", parent != "und", locale.len(), *locale));
    for (locale, parent) in order {
        let sections = sections::make(&cldr, locale)?;
        packed.add(locale, (locale != "und").then_some(parent.as_str()), sections)?;
    }
    for (alias, target) in &aliases {
        packed.add(alias, Some(target), BTreeMap::new())?;
    }
    let bytes = packed.finish()?;
    let path = root.join("crates/intl/data/locales.bin");
    if check {
        let there = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok(there == bytes);
    }
    let written = marsh_fs::create_dir_all(path.parent().unwrap_or(root))
        .and_then(|()| marsh_fs::atomic_write(&path, &bytes, marsh_fs::Durability::Atomic));
    written.map_err(|error| error.to_string())?;
    super::print(format!("{}: {} bytes, {} locales\n", path.display(), bytes.len(), locales.len()));
    Ok(true)
}

/// Names of locales that have no data of their own: `de-DE` for `de`, `zh-TW` for `zh-Hant-TW`.
fn aliases(
    cldr: &Cldr,
    locales: &BTreeSet<&str>,
    wanted: &dyn Fn(&&str) -> bool,
) -> Result<BTreeMap<String, String>, String> {
    let default = cldr.read("cldr-core/defaultContent.json")?.unwrap_or_default();
    let mut found = BTreeMap::new();
    for name in default["defaultContent"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if let Some((parent, _)) = name.rsplit_once('-')
            && wanted(&name)
            && locales.contains(parent)
        {
            found.insert(name.to_owned(), parent.to_owned());
        }
    }
    let with_script: Vec<String> =
        locales.iter().map(|locale| (*locale).to_owned()).chain(found.keys().cloned()).collect();
    for locale in with_script {
        if let [language, script, region] = locale.split('-').collect::<Vec<_>>()[..]
            && script.len() == 4
        {
            let short = format!("{language}-{region}");
            if !locales.contains(short.as_str()) && !found.contains_key(&short) {
                found.insert(short, locale);
            }
        }
    }
    Ok(found)
}

/// The members of an object; none of anything else.
fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The members that pass, under the names that they get.
fn pick(value: &Value, name: impl Fn(&str) -> Option<String>) -> Value {
    Value::Object(
        members(value).filter_map(|(key, value)| Some((name(key)?, value.clone()))).collect::<Map<_, _>>(),
    )
}
