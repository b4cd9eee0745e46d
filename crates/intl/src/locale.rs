//! Language tags: what they name, and for which of them there are data.

use std::collections::BTreeMap;

use icu_locale::extensions::unicode::{Key, Value};
use icu_locale::{LanguageIdentifier, Locale, LocaleCanonicalizer, LocaleDirectionality, LocaleExpander};
use serde::Serialize;

use crate::data::{self, members, text};
use crate::error::{Error, Result};

/// A tag in its parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// The whole tag in its canonical form.
    pub tag: String,
    /// Without extensions.
    pub base_name: String,
    /// `en`
    pub language: String,
    /// `Latn`
    pub script: Option<String>,
    /// `GB`
    pub region: Option<String>,
    /// `1996-fonipa`
    pub variants: Option<String>,
    /// What the Unicode extension says: `nu` for `-u-nu-arab`. A keyword alone stands for `true`.
    pub keywords: BTreeMap<String, String>,
}

fn parse(tag: &str) -> Result<Locale> {
    let invalid = || Error::Range(format!("Incorrect locale information provided: '{tag}'"));
    // Duplicate variants and singletons are refused by the parser, underscores by the standard alone.
    if tag.contains('_') {
        return Err(invalid());
    }
    let mut locale = Locale::try_from_str(tag).map_err(|_| invalid())?;
    LocaleCanonicalizer::new_extended().canonicalize(&mut locale);
    Ok(locale)
}

fn parts(locale: &Locale) -> Tag {
    let id = &locale.id;
    let variants: Vec<&str> = id.variants.iter().map(|variant| variant.as_str()).collect();
    let keyword = |(key, value): (&Key, &Value)| (key.as_str().to_owned(), value.to_string());
    Tag {
        tag: locale.to_string(),
        base_name: id.to_string(),
        language: id.language.as_str().to_owned(),
        script: id.script.map(|script| script.as_str().to_owned()),
        region: id.region.map(|region| region.as_str().to_owned()),
        variants: (!variants.is_empty()).then(|| variants.join("-")),
        keywords: locale.extensions.unicode.keywords.iter().map(keyword).collect(),
    }
}

impl Tag {
    /// Reads a tag and brings it into its canonical form.
    pub fn parse(tag: &str) -> Result<Tag> {
        Ok(parts(&parse(tag)?))
    }

    /// The tag with other subtags and keywords; an empty text takes one away.
    pub fn with(tag: &str, changes: &BTreeMap<String, String>) -> Result<Tag> {
        let mut locale = parse(tag)?;
        let invalid = |value: &str| Error::Range(format!("Incorrect locale information provided: '{value}'"));
        for (key, value) in changes {
            match key.as_str() {
                "language" => locale.id.language = value.parse().map_err(|_| invalid(value))?,
                "script" => locale.id.script = Some(value.parse().map_err(|_| invalid(value))?),
                "region" => locale.id.region = Some(value.parse().map_err(|_| invalid(value))?),
                "variants" => {
                    let id: LanguageIdentifier =
                        format!("und-{value}").parse().map_err(|_| invalid(value))?;
                    locale.id.variants = id.variants;
                }
                key => {
                    let key: Key = key.parse().map_err(|_| invalid(key))?;
                    locale.extensions.unicode.keywords.set(key, value.parse().map_err(|_| invalid(value))?);
                }
            }
        }
        LocaleCanonicalizer::new_extended().canonicalize(&mut locale);
        Ok(parts(&locale))
    }

    /// With the subtags that it leaves open.
    pub fn maximize(tag: &str) -> Result<Tag> {
        let mut locale = parse(tag)?;
        LocaleExpander::new_extended().maximize(&mut locale.id);
        Ok(parts(&locale))
    }

    /// Without the subtags that need not be said.
    pub fn minimize(tag: &str) -> Result<Tag> {
        let mut locale = parse(tag)?;
        LocaleExpander::new_extended().minimize(&mut locale.id);
        Ok(parts(&locale))
    }
}

/// The longest part of a tag without extensions that has data; `None` if its language has none.
pub fn best(base_name: &str) -> Result<Option<String>> {
    let mut at = base_name;
    loop {
        if at != "und" && data::has(at)? {
            return Ok(Some(at.to_owned()));
        }
        match at.rsplit_once('-') {
            Some((rest, _)) => at = rest,
            None => return Ok(None),
        }
    }
}

/// The locale that answers a request, with what it prefers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// A locale that has data.
    pub locale: String,
    /// What the Unicode extension of the tag says.
    pub keywords: BTreeMap<String, String>,
    /// `latn`
    pub numbering_system: String,
    /// The digits of the language, for `native`.
    pub native: String,
    /// `gregory`
    pub calendar: &'static str,
    /// `h12`
    pub hour_cycle: &'static str,
}

/// The first of the tags that has data, else American English.
pub fn find(tags: &[String]) -> Result<Found> {
    let mut chosen = ("en-US".to_owned(), BTreeMap::new());
    for tag in tags {
        let tag = Tag::parse(tag)?;
        if let Some(locale) = best(&tag.base_name)? {
            chosen = (locale, tag.keywords);
            break;
        }
    }
    let (locale, keywords) = chosen;
    let numbers = data::section(&locale, "numbers")?;
    Ok(Found {
        numbering_system: text(&numbers["default"]).to_owned(),
        native: text(&numbers["native"]).to_owned(),
        calendar: calendar(&locale)?,
        hour_cycle: if hours(&locale)? == 'h' { "h12" } else { "h23" },
        locale,
        keywords,
    })
}

/// The region of a tag: its own, or the one that its language suggests.
pub(crate) fn region(locale: &str) -> Result<String> {
    let mut id = parse(locale)?.id;
    LocaleExpander::new_extended().maximize(&mut id);
    Ok(id.region.map_or_else(|| "001".to_owned(), |region| region.as_str().to_owned()))
}

pub(crate) fn language(locale: &str) -> &str {
    locale.split('-').next().unwrap_or_default()
}

/// What people expect where a locale is spoken.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Customs {
    /// Calendars, the usual one first.
    pub calendars: Vec<String>,
    /// The usual hour cycle.
    pub hour_cycles: Vec<String>,
    /// Digits.
    pub numbering_systems: Vec<String>,
    /// `ltr` or `rtl`; nothing for a script that says neither.
    pub direction: Option<&'static str>,
    /// Monday is 1.
    pub first_day: u8,
    /// Days of the weekend.
    pub weekend: Vec<u8>,
    /// Time zones of the region, if the tag names one.
    pub time_zones: Option<Vec<String>>,
}

fn day(name: &str) -> u8 {
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .position(|known| *known == name)
        .map_or(7, |at| at as u8 + 1)
}

/// The hour of a region, `h` or `H`: what a `j` in a skeleton stands for.
pub(crate) fn hours(locale: &str) -> Result<char> {
    let hours = &data::supplement()?["hours"];
    let region = region(locale)?;
    let by_language = format!("{}-{region}", language(locale));
    let known =
        [by_language.as_str(), region.as_str(), "001"].into_iter().find_map(|key| hours[key].as_str());
    Ok(known.and_then(|hour| hour.chars().next()).unwrap_or('H'))
}

/// The calendar of a locale.
pub(crate) fn calendar(locale: &str) -> Result<&'static str> {
    let region = region(locale)?;
    let known = text(&data::supplement()?["calendars"][&region]);
    Ok(known.split(' ').find(|name| crate::datetime::CALENDARS.contains(name)).unwrap_or("gregory"))
}

/// What people expect where the tag is spoken.
pub fn customs(tag: &str) -> Result<Customs> {
    let parsed = Tag::parse(tag)?;
    let base = parsed.base_name.as_str();
    let supplement = data::supplement()?;
    let region = region(base)?;
    let of = |table: &str| {
        let table = &supplement[table];
        table[&region].as_str().or_else(|| table["001"].as_str()).unwrap_or_default()
    };
    let cycle = if hours(base)? == 'h' { "h12" } else { "h23" };
    let numbers = data::section(&best(base)?.unwrap_or("en".to_owned()), "numbers")?;
    let (start, end) = (day(of("weekendStart")), day(of("weekendEnd")));
    let weekend = if start <= end { (start..=end).collect() } else { vec![start, end] };
    let listed = supplement["calendars"][&region].as_str().unwrap_or("gregory");
    let calendars = listed.split(' ').map(str::to_owned).collect();
    let zones = parsed.region.as_ref().map(|region| {
        let mut zones: Vec<String> = members(&supplement["zones"]["regions"])
            .filter(|(_, of)| of.as_str() == Some(region))
            .map(|(zone, _)| zone.to_owned())
            .collect();
        zones.sort();
        zones
    });
    let locale = parse(base)?;
    let directions = LocaleDirectionality::new_extended();
    let direction = match directions.get(&locale.id) {
        Some(icu_locale::Direction::RightToLeft) => Some("rtl"),
        Some(_) => Some("ltr"),
        None => None,
    };
    Ok(Customs {
        calendars,
        hour_cycles: vec![cycle.to_owned()],
        numbering_systems: vec![text(&numbers["default"]).to_owned()],
        direction,
        first_day: day(of("firstDay")),
        weekend,
        time_zones: zones,
    })
}
