//! `Intl.DateTimeFormat`: instants in the patterns of the CLDR.

mod calendar;
mod fields;
mod generator;
mod interval;
mod skeleton;
mod zone;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::data::{section, supplement, text};
use crate::error::Result;
use crate::locale::hours;
use crate::part::Part;
use calendar::Moment;
use generator::Generator;
use skeleton::{Item, items, pattern};
use zone::{Zone, ZoneNames};

pub use zone::{canonical_zone, zones};

/// The calendars that have data.
pub const CALENDARS: [&str; 9] = [
    "buddhist",
    "gregory",
    "islamic-civil",
    "islamic-tbla",
    "islamic-umalqura",
    "iso8601",
    "japanese",
    "persian",
    "roc",
];

/// What the constructor resolved. Either a skeleton or styles.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DateOptions {
    /// A locale that has data.
    pub locale: String,
    /// One of [`CALENDARS`].
    pub calendar: String,
    /// `latn`
    pub numbering_system: String,
    /// An identifier, or an offset.
    pub time_zone: String,
    /// Which fields, and how: `yMMMd`. A `j` stands for the hour of the locale.
    #[serde(default)]
    pub skeleton: String,
    /// `full`, `long`, `medium`, `short`
    pub date_style: Option<String>,
    /// `full`, `long`, `medium`, `short`
    pub time_style: Option<String>,
    /// `h11`, `h12`, `h23`, `h24`; nothing leaves it to the locale.
    pub hour_cycle: Option<String>,
}

/// A formatter.
#[derive(Debug)]
pub struct DateFormat {
    options: DateOptions,
    zone: Zone,
    dates: Arc<Value>,
    formats: Arc<Value>,
    zone_names: ZoneNames,
    digits: Vec<char>,
    pattern: Vec<Item>,
    fields: Arc<Value>,
    decimal: String,
    hour: char,
}

fn letter(cycle: &str) -> char {
    match cycle {
        "h11" => 'K',
        "h12" => 'h',
        "h24" => 'k',
        _ => 'H',
    }
}

/// The part of the section `dates` that a calendar has its patterns in.
fn calendar_key(calendar: &str) -> Option<&str> {
    match calendar {
        "gregory" | "iso8601" => None,
        "islamic-umalqura" | "islamic-civil" | "islamic-tbla" => Some("islamic"),
        other => Some(other),
    }
}

/// The patterns of a calendar: its own, and for what it lacks those that all calendars share.
fn formats(options: &DateOptions, dates: &Arc<Value>) -> Result<Arc<Value>> {
    let part = |from: &Value, names: &[&str]| -> serde_json::Map<String, Value> {
        names.iter().map(|name| ((*name).to_owned(), from[*name].clone())).collect()
    };
    const ALL: [&str; 7] = ["date", "time", "join", "at", "available", "append", "interval"];
    let Some(key) = calendar_key(&options.calendar) else {
        // Years first, as in the standard of that name.
        return if options.calendar == "iso8601" { section("und", "dates") } else { Ok(dates.clone()) };
    };
    let mut formats = part(&dates["generic"], &ALL);
    for name in ["date", "available", "interval"] {
        if dates[key][name].is_object() {
            formats.insert(name.to_owned(), dates[key][name].clone());
        }
    }
    Ok(Arc::new(Value::Object(formats)))
}

fn with_hour(items: Vec<Item>, hour: char) -> Vec<Item> {
    let turned = |item| match item {
        Item::Field('h' | 'H' | 'k' | 'K', length) => Item::Field(hour, length),
        other => other,
    };
    items.into_iter().map(turned).collect()
}

impl DateFormat {
    /// A formatter for resolved options.
    pub fn new(options: DateOptions) -> Result<DateFormat> {
        let dates = section(&options.locale, "dates")?;
        let numbers = section(&options.locale, "numbers")?;
        let system = &options.numbering_system;
        let symbols = if numbers[system].is_object() { &numbers[system] } else { &numbers["latn"] };
        let mut format = DateFormat {
            zone: Zone::find(&options.time_zone)?.0,
            zone_names: ZoneNames::of(&options.locale)?,
            digits: text(&supplement()?["digits"][system]).chars().collect(),
            pattern: Vec::new(),
            fields: section(&options.locale, "fields")?,
            decimal: text(&symbols["symbols"]["decimal"]).to_owned(),
            hour: hours(&options.locale)?,
            formats: formats(&options, &dates)?,
            dates,
            options,
        };
        format.pattern = format.choose();
        Ok(format)
    }

    fn generator(&self) -> Generator<'_> {
        Generator::new(&self.formats, &self.fields, &self.decimal, self.hour)
    }

    fn choose(&self) -> Vec<Item> {
        let cycle = self.options.hour_cycle.as_deref().map(letter);
        let generator = self.generator();
        let (date, time) = (&self.options.date_style, &self.options.time_style);
        if date.is_none() && time.is_none() {
            let hour = cycle.unwrap_or(self.hour);
            let skeleton = self.options.skeleton.replace('j', &hour.to_string());
            return with_hour(items(&generator.pattern(&skeleton)), hour);
        }
        let time_pattern = time.as_ref().map(|time| text(&self.dates["time"][time]).to_owned());
        let whole = match (date, time_pattern) {
            (Some(date), Some(time)) => generator.join(text(&self.formats["date"][date]), &time, date),
            (Some(date), None) => text(&self.formats["date"][date]).to_owned(),
            (None, time) => time.unwrap_or_default(),
        };
        match cycle {
            Some(hour) if hour != self.hour && time.is_some() => {
                let skeleton: Vec<Item> =
                    items(&whole).into_iter().filter(|item| matches!(item, Item::Field(..))).collect();
                let period = |item: &Item| !matches!(item, Item::Field('a' | 'b' | 'B', _));
                let skeleton: Vec<Item> = with_hour(skeleton, hour).into_iter().filter(period).collect();
                with_hour(items(&generator.pattern(&pattern(&skeleton))), hour)
            }
            _ => items(&whole),
        }
    }

    /// The pattern that was chosen, in the letters of UTS 35.
    pub fn pattern(&self) -> String {
        pattern(&self.pattern)
    }

    fn moment(&self, epoch: f64) -> Result<Moment> {
        Moment::of(epoch as i64, &self.zone.rules, &self.options.calendar)
    }

    /// The parts of an instant: milliseconds since 1970.
    pub fn parts(&self, epoch: f64) -> Result<Vec<Part>> {
        self.shown(&self.pattern, &self.moment(epoch)?)
    }

    fn shown(&self, items: &[Item], at: &Moment) -> Result<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::new();
        let first_year =
            self.options.calendar == "japanese" && self.options.locale.starts_with("ja") && at.year == 1;
        for (place, item) in items.iter().enumerate() {
            let part = match item {
                // The first year of an era has a name where its unit is written.
                Item::Field('y', 1)
                    if first_year
                        && matches!(items.get(place + 1), Some(Item::Literal(next)) if next.starts_with('年')) =>
                {
                    Part::new("year", "元")
                }
                // As V8 does, for programs that look for a plain space.
                Item::Literal(literal) => Part::literal(literal.replace(['\u{202f}', '\u{2009}'], " ")),
                Item::Field(letter, length) => self.field(*letter, *length, at)?,
            };
            match parts.last_mut() {
                Some(last) if last.kind == "literal" && part.kind == "literal" => {
                    last.value.push_str(&part.value)
                }
                _ => parts.push(part),
            }
        }
        Ok(parts)
    }
}
