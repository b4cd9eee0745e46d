//! The text of a field.

use serde_json::Value;

use super::calendar::Moment;
use super::{DateFormat, calendar_key};
use crate::data::{members, supplement, text};
use crate::error::Result;
use crate::locale::language;
use crate::part::Part;

fn width(length: usize) -> &'static str {
    match length {
        4 => "w",
        5 => "n",
        6 => "s",
        _ => "a",
    }
}

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl DateFormat {
    fn number(&self, value: i64, least: usize) -> String {
        format!("{value:0least$}")
            .chars()
            .map(|one| {
                one.to_digit(10).and_then(|digit| self.digits.get(digit as usize).copied()).unwrap_or(one)
            })
            .collect()
    }

    fn month(&self, letter: char, length: usize, month: u32) -> String {
        if length < 3 {
            return self.number(i64::from(month), length);
        }
        let own = calendar_key(&self.options.calendar).map(|key| &self.dates[key]["months"]);
        let names = own.filter(|names| names.is_object()).unwrap_or(&self.dates["months"]);
        let form = if letter == 'L' { "s" } else { "f" };
        text(&names[form][width(length)][month.to_string()]).to_owned()
    }

    fn period(&self, letter: char, length: usize, at: &Moment) -> Result<String> {
        // The two halves are spelled out unless they are to be narrow, as ICU does.
        let names =
            &self.dates["periods"]["f"][if letter == 'a' && length < 5 { "w" } else { width(length) }];
        let half = if at.hour < 12 { "am" } else { "pm" };
        let key = match letter {
            'B' => self.flexible(names, at)?.unwrap_or_else(|| half.to_owned()),
            'b' if at.hour == 12 && at.minute == 0 && names["noon"].is_string() => "noon".to_owned(),
            'b' if at.hour == 0 && at.minute == 0 && names["midnight"].is_string() => "midnight".to_owned(),
            _ => half.to_owned(),
        };
        Ok(text(&names[key]).to_owned())
    }

    /// The part of the day by the rules of the language.
    fn flexible(&self, names: &Value, at: &Moment) -> Result<Option<String>> {
        let rules = &supplement()?["dayPeriods"][language(&self.options.locale)];
        let now = at.hour * 60 + at.minute;
        // ICU takes noon and midnight for whole hours: at half past they are over.
        let exact =
            self.pattern.iter().all(|item| !matches!(item, super::Item::Field('m', _))) || at.minute == 0;
        let mut found = None;
        for (name, rule) in members(rules) {
            // ICU says midnight only where `b` asks for it.
            if !names[name].is_string() || name == "midnight" {
                continue;
            }
            let mut ends = text(rule).split(' ').filter_map(|end| end.parse::<u32>().ok());
            match (ends.next(), ends.next()) {
                (Some(from), Some(before)) => {
                    let within = if from < before {
                        (from..before).contains(&now)
                    } else {
                        now >= from || now < before
                    };
                    if within && found.is_none() {
                        found = Some(name.to_owned());
                    }
                }
                (Some(point), None) if exact && point / 60 == at.hour => return Ok(Some(name.to_owned())),
                _ => {}
            }
        }
        Ok(found)
    }

    pub(super) fn field(&self, letter: char, length: usize, at: &Moment) -> Result<Part> {
        let number = |kind, value: u32| Part::new(kind, self.number(i64::from(value), length));
        Ok(match letter {
            'G' => {
                let own = calendar_key(&self.options.calendar).map(|key| &self.dates[key]["eras"]);
                let eras = own.unwrap_or(&self.dates["eras"]);
                let name = text(&eras[width(length)][at.era.to_string()]);
                Part::new("era", name)
            }
            'y' | 'Y' | 'u' if length == 2 => Part::new("year", self.number(at.year.rem_euclid(100), 2)),
            'y' | 'Y' | 'u' => Part::new("year", self.number(at.year, length)),
            'Q' | 'q' => Part::new("quarter", self.number(i64::from((at.month - 1) / 3 + 1), length.min(2))),
            'M' | 'L' => Part::new("month", self.month(letter, length, at.month)),
            'd' => number("day", at.day),
            'E' | 'c' | 'e' => {
                let form = if letter == 'c' { "s" } else { "f" };
                let names = &self.dates["days"][form][width(length)];
                Part::new("weekday", text(&names[DAYS[at.weekday as usize]]))
            }
            'a' | 'b' | 'B' => Part::new("dayPeriod", self.period(letter, length, at)?),
            'h' => number("hour", (at.hour + 11) % 12 + 1),
            'H' => number("hour", at.hour),
            'K' => number("hour", at.hour % 12),
            'k' => number("hour", (at.hour + 23) % 24 + 1),
            'm' => number("minute", at.minute),
            's' => number("second", at.second),
            'S' => {
                let digits: String = format!("{:03}", at.millisecond).chars().take(length).collect();
                let value = digits.parse().unwrap_or_default();
                Part::new("fractionalSecond", self.number(value, length.min(3)))
            }
            'z' | 'O' | 'v' | 'V' | 'Z' => {
                Part::new("timeZoneName", self.zone_names.name(letter, length, &self.zone, at)?)
            }
            other => Part::literal(other.to_string().repeat(length)),
        })
    }
}
