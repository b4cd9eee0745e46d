//! From the fields that are asked for to a pattern: the algorithm of UTS 35, "Matching Skeletons", as ICU runs it.

use serde_json::Value;

use super::skeleton::{Field, Item, Skeleton, form, items, pattern};
use crate::data::{members, text};
use crate::part::fill;

/// A pattern that the CLDR has.
#[derive(Debug)]
struct Known {
    skeleton: Skeleton,
    pattern: String,
    base: String,
    /// The skeleton was given, not read from the pattern.
    specified: bool,
}

/// The patterns of a locale and a calendar.
#[derive(Debug)]
pub(super) struct Generator<'a> {
    known: Vec<Known>,
    formats: &'a Value,
    names: &'a Value,
    /// What stands between seconds and their fraction.
    decimal: &'a str,
    /// The hour of the locale: `h`, `H`, `K` or `k`.
    hour: char,
}

const LENGTHS: [&str; 4] = ["full", "long", "medium", "short"];
/// Every field alone, so that there is always something to append.
const ALONE: [&str; 16] = ["G", "y", "Q", "M", "w", "W", "E", "D", "F", "d", "a", "H", "m", "s", "S", "v"];

impl<'a> Generator<'a> {
    /// `formats`: the patterns; `names`: of the fields.
    pub(super) fn new(formats: &'a Value, names: &'a Value, decimal: &'a str, hour: char) -> Generator<'a> {
        let mut generator = Generator { known: Vec::new(), formats, names, decimal, hour };
        for letter in ALONE {
            generator.add(None, letter);
        }
        for length in LENGTHS {
            generator.add(None, text(&formats["date"][length]));
            generator.add(None, text(&formats["time"][length]));
        }
        for (skeleton, pattern) in members(&formats["available"]) {
            generator.add(Some(skeleton), text(pattern));
        }
        // As ICU walks through them: by the first letter of the base.
        generator.known.sort_by_key(|known| known.base.chars().next());
        generator
    }

    fn add(&mut self, specified: Option<&str>, pattern: &str) {
        let skeleton = Skeleton::of(specified.unwrap_or(pattern));
        let base = skeleton.base();
        if let Some(known) = self.known.iter_mut().find(|known| known.skeleton == skeleton) {
            if specified.is_some() && !known.specified {
                *known = Known { skeleton, pattern: pattern.to_owned(), base, specified: true };
            }
            return;
        }
        if specified.is_none() && self.known.iter().any(|known| known.base == base) {
            return;
        }
        self.known.push(Known {
            skeleton,
            pattern: pattern.to_owned(),
            base,
            specified: specified.is_some(),
        });
    }

    fn best(&self, wanted: &Skeleton, mask: u32) -> Option<(&Known, u32, u32)> {
        let mut best: Option<(i32, &Known, u32, u32)> = None;
        for known in &self.known {
            let (distance, missing, extra) = wanted.distance(&known.skeleton, mask);
            if best.is_none_or(|(least, ..)| distance < least) {
                best = Some((distance, known, missing, extra));
            }
        }
        best.map(|(_, known, missing, extra)| (known, missing, extra))
    }

    /// The pattern for the fields of a skeleton.
    pub(super) fn pattern(&self, skeleton: &str) -> String {
        let wanted = Skeleton::of(skeleton);
        if let Some((known, 0, 0)) = self.best(&wanted, u32::MAX) {
            return self.adjust(&known.pattern, &wanted, Some(known), false);
        }
        let dates: u32 =
            super::skeleton::FIELDS.iter().filter(|field| field.is_date()).map(|field| field.bit()).sum();
        let date = self.appending(&wanted, wanted.mask() & dates);
        let time = self.appending(&wanted, wanted.mask() & !dates);
        if date.is_empty() || time.is_empty() {
            return format!("{date}{time}");
        }
        let length = match (wanted.length(Field::Month), wanted.has(Field::Weekday)) {
            (4, true) => "full",
            (4, false) => "long",
            (3, _) => "medium",
            _ => "short",
        };
        self.join(&date, &time, length)
    }

    /// A date and a time in one pattern.
    pub(super) fn join(&self, date: &str, time: &str, length: &str) -> String {
        let at = self.formats["at"][length].as_str();
        let join = at.unwrap_or_else(|| text(&self.formats["join"][length]));
        fill(join, &[time, date])
    }

    fn appending(&self, wanted: &Skeleton, mask: u32) -> String {
        if mask == 0 {
            return String::new();
        }
        let Some((known, mut missing, _)) = self.best(wanted, mask) else { return String::new() };
        let mut result = self.adjust(&known.pattern, wanted, Some(known), false);
        let both = Field::Second.bit() | Field::Fraction.bit();
        let mut last = 0;
        while missing != 0 && missing != last {
            if missing & both == Field::Fraction.bit() && mask & both == both {
                result = self.adjust(&result, wanted, Some(known), true);
                missing &= !Field::Fraction.bit();
                continue;
            }
            let before = missing;
            let Some((next, still, _)) = self.best(wanted, missing) else { break };
            let piece = self.adjust(&next.pattern, wanted, Some(next), false);
            let found = before & !still;
            if found != 0 {
                let top = super::skeleton::FIELDS[(31 - found.leading_zeros()) as usize];
                let (append, name) = top.append_key();
                let format = self.formats["append"][append].as_str().unwrap_or("{0} ├{2}: {1}┤");
                let name = format!("'{}'", text(&self.names[name]["name"]).replace('\'', "''"));
                result = fill(format, &[&result, &piece, &name]);
            }
            last = before;
            missing = still;
        }
        result
    }

    /// The pattern with the lengths that were asked for.
    fn adjust(&self, found: &str, wanted: &Skeleton, known: Option<&Known>, fraction: bool) -> String {
        let mut adjusted = Vec::new();
        for item in items(found) {
            let Item::Field(letter, length) = item else {
                adjusted.push(item);
                continue;
            };
            let Some((field, base)) = form(letter, length) else {
                adjusted.push(item);
                continue;
            };
            if fraction && field == Field::Second {
                adjusted.push(item);
                adjusted.push(Item::Literal(self.decimal.to_owned()));
                adjusted.push(Item::Field('S', wanted.length(Field::Fraction)));
                continue;
            }
            let Some((form, asked, mut wanted_length)) = wanted.fields[field as usize] else {
                adjusted.push(item);
                continue;
            };
            if asked == 'E' && wanted_length < 3 {
                wanted_length = 3;
            }
            let mut new_length = wanted_length;
            if matches!(field, Field::Minute | Field::Second) {
                new_length = length;
            } else if let Some(known) = known
                && known.specified
                && !matches!(asked, 'c' | 'e')
            {
                let numbers = (base > 0, form > 0);
                if known.skeleton.length(field) == wanted_length || numbers.0 != numbers.1 {
                    new_length = length;
                }
            }
            let keeps = matches!(field, Field::Hour | Field::Month | Field::Weekday)
                || (field == Field::Year && asked != 'Y');
            let mut new_letter = if keeps { letter } else { asked };
            if field == Field::Hour {
                new_letter = match (asked, self.hour) {
                    (asked, hour) if asked == hour => hour,
                    ('h', 'K') => 'K',
                    ('H', 'k') => 'k',
                    ('k', 'H') => 'H',
                    ('K', 'h') => 'h',
                    _ => new_letter,
                };
            }
            adjusted.push(Item::Field(new_letter, new_length));
        }
        pattern(&adjusted)
    }
}
