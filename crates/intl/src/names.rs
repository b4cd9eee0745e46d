//! `Intl.DisplayNames`: what languages, regions, scripts, currencies and calendars are called.

use icu_locale::LanguageIdentifier;
use serde::Deserialize;

use crate::data::{section, text};
use crate::error::{Error, Result};
use crate::part::fill;

/// What the constructor resolved.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NameOptions {
    /// A locale that has data.
    pub locale: String,
    /// `long`, `short`, `narrow`
    pub style: String,
    /// `language`, `region`, `script`, `currency`, `calendar`, `dateTimeField`
    #[serde(rename = "type")]
    pub kind: String,
    /// `dialect`, `standard`
    #[serde(default)]
    pub language_display: String,
}

/// The name of a code in its canonical form; `None` if the locale has none.
pub fn name(options: &NameOptions, code: &str) -> Result<Option<String>> {
    let short = options.style != "long";
    let table = |key: &'static str, code: &str| -> Result<Option<String>> {
        let names = section(&options.locale, "names")?;
        let names = &names[key];
        let own = if short { names[format!("{code}-alt-short")].as_str() } else { None };
        Ok(own.or_else(|| names[code].as_str()).map(str::to_owned))
    };
    match options.kind.as_str() {
        "region" => table("territories", code),
        "script" => table("scripts", code),
        // As V8 does: the name in every style.
        "currency" => {
            let currencies = section(&options.locale, "currencies")?;
            Ok(currencies[code]["name"].as_str().map(str::to_owned))
        }
        "calendar" => {
            let key = match code {
                "gregory" => "gregorian",
                "ethioaa" => "ethiopic-amete-alem",
                other => other,
            };
            table("calendar", key)
        }
        "dateTimeField" => {
            let fields = section(&options.locale, "fields")?;
            let base = match code {
                "weekOfYear" => "week",
                "dayPeriod" => "dayperiod",
                "timeZoneName" => "zone",
                other => other,
            };
            let key =
                if options.style == "long" { base.to_owned() } else { format!("{base}-{}", options.style) };
            Ok(fields[key]["name"].as_str().or_else(|| fields[base]["name"].as_str()).map(str::to_owned))
        }
        _ => language(options, code, &table),
    }
}

type Table<'a> = &'a dyn Fn(&'static str, &str) -> Result<Option<String>>;

/// The name of a tag: of a dialect if there is one, else of the language with script, region and variants in brackets.
fn language(options: &NameOptions, code: &str, table: Table<'_>) -> Result<Option<String>> {
    let id: LanguageIdentifier = code
        .parse()
        .map_err(|_| Error::Range(format!("Invalid argument to Intl.DisplayNames.prototype.of: {code}")))?;
    let (mut script, mut region) = (id.script, id.region);
    let mut base = id.language.as_str().to_owned();
    let mut found = None;
    if options.language_display != "standard" {
        // Both, or the one that there is.
        let (with_script, with_region) = (script.is_some(), region.is_some());
        if with_script || with_region {
            let mut tag = base.clone();
            for subtag in
                script.map(|one| one.to_string()).into_iter().chain(region.map(|one| one.to_string()))
            {
                tag.push('-');
                tag.push_str(&subtag);
            }
            found = table("languages", &tag)?;
            if found.is_some() {
                (script, region) = (None, None);
            }
        }
    }
    let name = match found {
        Some(name) => Some(name),
        None => table("languages", &base)?,
    };
    let plain = script.is_none() && region.is_none() && id.variants.is_empty();
    let name = match name {
        Some(name) => name,
        None if plain => return Ok(None),
        None => std::mem::take(&mut base),
    };
    let names = section(&options.locale, "names")?;
    let separator = text(&names["pattern"]["localeSeparator"]);
    let mut rest = String::new();
    let mut add = |part: String| {
        // What would look like the brackets around it.
        let part = part.replace('(', "[").replace(')', "]");
        rest = if rest.is_empty() { part } else { fill(separator, &[&rest, &part]) };
    };
    if let Some(script) = script {
        add(table("scripts", script.as_str())?.unwrap_or_else(|| script.to_string()));
    }
    if let Some(region) = region {
        add(table("territories", region.as_str())?.unwrap_or_else(|| region.to_string()));
    }
    for variant in id.variants.iter() {
        add(table("variants", &variant.as_str().to_uppercase())?
            .unwrap_or_else(|| variant.as_str().to_uppercase()));
    }
    if rest.is_empty() {
        return Ok(Some(name));
    }
    let name = name.replace('(', "[").replace(')', "]");
    Ok(Some(fill(text(&names["pattern"]["localePattern"]), &[&name, &rest])))
}
