//! Two instants as a range: what both have in common is said once.

use std::collections::BTreeMap;

use serde_json::Value;

use super::calendar::Moment;
use super::skeleton::{Field, Item, items, pattern};
use super::{DateFormat, with_hour};
use crate::data::{members, text};
use crate::error::Result;
use crate::part::{Part, Source, placeholders};

/// Letters of a skeleton with their lengths.
type Letters = BTreeMap<char, usize>;

fn letters(skeleton: &str) -> Letters {
    let mut found = Letters::new();
    for item in items(skeleton) {
        if let Item::Field(letter, length) = item {
            let letter = match letter {
                'k' => 'H',
                'K' => 'h',
                'z' | 'O' | 'V' | 'Z' => 'v',
                'a' | 'b' => continue,
                other => other,
            };
            found.insert(letter, length);
        }
    }
    found
}

/// As UTS 35 normalizes skeletons for ranges: lengths of numbers do not count.
fn normalized(letters: &Letters, date: bool) -> Letters {
    let is_date = |letter: char| matches!(letter, 'G' | 'y' | 'M' | 'L' | 'E' | 'c' | 'd' | 'Q' | 'w');
    letters
        .iter()
        .filter(|(letter, _)| is_date(**letter) == date)
        .map(|(letter, length)| {
            let length = match letter {
                'M' if *length >= 3 => *length,
                'E' if *length >= 4 => *length,
                _ => 1,
            };
            (*letter, length)
        })
        .collect()
}

fn written(letters: &Letters) -> String {
    letters.iter().map(|(letter, length)| letter.to_string().repeat(*length)).collect()
}

/// How far a skeleton of the CLDR is from the one that is wanted; nothing if their fields differ.
fn distance(wanted: &Letters, known: &Letters) -> Option<usize> {
    if !wanted.keys().eq(known.keys()) {
        return None;
    }
    let differences = wanted.iter().map(|(letter, length)| {
        let other = known[letter];
        let text = |length: usize| *letter == 'M' && length > 2;
        if text(*length) == text(other) { length.abs_diff(other) } else { 0x100 + length.abs_diff(other) }
    });
    Some(differences.sum())
}

/// The largest field in which two moments differ, of those that are shown or larger.
fn difference(one: &Moment, other: &Moment) -> Option<(char, Field)> {
    Some(if one.era != other.era {
        ('G', Field::Era)
    } else if one.year != other.year {
        ('y', Field::Year)
    } else if one.month != other.month {
        ('M', Field::Month)
    } else if one.day != other.day {
        ('d', Field::Day)
    } else if one.hour / 12 != other.hour / 12 {
        ('a', Field::DayPeriod)
    } else if one.hour != other.hour {
        ('h', Field::Hour)
    } else if one.minute != other.minute {
        ('m', Field::Minute)
    } else if one.second != other.second {
        ('s', Field::Second)
    } else if one.millisecond != other.millisecond {
        ('S', Field::Fraction)
    } else {
        return None;
    })
}

/// The pattern of each end: the second begins where a field comes again.
fn split(pattern: &[Item]) -> usize {
    let mut seen = Vec::new();
    for (at, item) in pattern.iter().enumerate() {
        if let Item::Field(letter, _) = item {
            if seen.contains(letter) {
                return at;
            }
            seen.push(*letter);
        }
    }
    pattern.len()
}

/// A pattern for ranges, with where its second end begins.
struct Interval {
    items: Vec<Item>,
    second: usize,
    /// The earlier instant stands second.
    latest_first: bool,
}

impl DateFormat {
    /// The parts of a range.
    pub fn range_parts(&self, start: f64, end: f64) -> Result<Vec<Part>> {
        let (start, end) = (self.moment(start)?, self.moment(end)?);
        let single = |at: &Moment| -> Result<Vec<Part>> {
            Ok(self.shown(&self.pattern, at)?.into_iter().map(|part| part.with(Source::Shared)).collect())
        };
        let Some((letter, field)) = difference(&start, &end) else { return single(&start) };
        let all = letters(&pattern(&self.pattern));
        let smallest = [
            ('S', Field::Fraction),
            ('s', Field::Second),
            ('m', Field::Minute),
            ('h', Field::Hour),
            ('H', Field::Hour),
            ('d', Field::Day),
            ('E', Field::Day),
            ('c', Field::Day),
            ('M', Field::Month),
            ('L', Field::Month),
            ('y', Field::Year),
            ('G', Field::Era),
        ]
        .into_iter()
        .find(|(letter, _)| all.contains_key(letter))
        .map_or(Field::Era, |(_, field)| field);
        if field > smallest && !(field == Field::DayPeriod && all.contains_key(&'B')) {
            return single(&start);
        }
        let (date, time) = (normalized(&all, true), normalized(&all, false));
        let hour = self.pattern.iter().find_map(|item| match item {
            Item::Field(letter @ ('h' | 'H' | 'k' | 'K'), _) => Some(*letter),
            _ => None,
        });
        if field.is_date() {
            if time.is_empty()
                && let Some(interval) = self.interval(&date, letter, hour)
            {
                return self.both(&interval, &start, &end);
            }
            return self.fallback(&start, &end, date.is_empty(), hour);
        }
        let Some(interval) = self.interval(&time, letter, hour) else {
            return self.fallback(&start, &end, false, hour);
        };
        if date.is_empty() {
            return self.both(&interval, &start, &end);
        }
        // The date once, then the range of times.
        let is_date = |letter: &char| matches!(letter, 'G' | 'y' | 'M' | 'L' | 'E' | 'c' | 'd' | 'Q' | 'w');
        let only: Letters = all.iter().filter(|(letter, _)| is_date(letter)).map(|(l, n)| (*l, *n)).collect();
        let dates = items(&self.generator().pattern(&written(&only)));
        let join = text(&self.formats["join"]["medium"]);
        let mut whole = Vec::new();
        let mut second = None;
        for piece in placeholders(join) {
            match piece {
                Ok(0) => {
                    second = Some(whole.len() + interval.second);
                    whole.extend(interval.items.iter().cloned());
                }
                Ok(_) => whole.extend(dates.iter().cloned()),
                Err(literal) => whole.extend(items(literal)),
            }
        }
        let second = second.unwrap_or(whole.len());
        self.both(&Interval { items: whole, second, latest_first: interval.latest_first }, &start, &end)
    }

    /// The pattern of the CLDR for these fields when `letter` is the largest that differs.
    fn interval(&self, wanted: &Letters, letter: char, hour: Option<char>) -> Option<Interval> {
        let table = &self.formats["interval"];
        let in_table = |wanted: &Letters| -> Option<(Letters, &Value)> {
            members(table)
                .filter(|(_, value)| value.is_object())
                .filter_map(|(key, value)| {
                    let known = letters(key);
                    Some((distance(wanted, &known)?, known, value))
                })
                .min_by_key(|(distance, ..)| *distance)
                .map(|(_, known, value)| (known, value))
        };
        let keys: &[&str] = match letter {
            'a' => &["a", "B", "h", "H"],
            'h' => &["h", "H", "B"],
            'G' => &["G"],
            'y' => &["y"],
            'M' => &["M"],
            'd' => &["d"],
            'm' => &["m"],
            _ => return None,
        };
        let own = in_table(wanted)
            .and_then(|(known, value)| Some((known, keys.iter().find_map(|key| value[*key].as_str())?)));
        let (known, found) = match own {
            Some(found) => found,
            None => {
                // For `MMMd` in different years there is `yMMMd`.
                if !matches!(letter, 'G' | 'y' | 'M') || wanted.contains_key(&letter) {
                    return None;
                }
                let mut wider = wanted.clone();
                wider.insert(letter, 1);
                let (known, value) = in_table(&wider)?;
                (known, value[letter.to_string()].as_str()?)
            }
        };
        let fallback = text(&table["intervalFormatFallback"]);
        let latest_first = found.starts_with("latestFirst:") || fallback.starts_with("{1}");
        let found = found.trim_start_matches("latestFirst:").trim_start_matches("earliestFirst:");
        // Lengths as they were asked for.
        let adjust = |item: Item| match item {
            Item::Field(letter, length) => {
                let key = match letter {
                    'L' => 'M',
                    'c' => 'E',
                    'K' => 'h',
                    'k' => 'H',
                    other => other,
                };
                let asked = wanted.get(&key).copied().unwrap_or(length);
                let base = known.get(&key).copied().unwrap_or(asked);
                // Only a field that is written as the skeleton says becomes longer.
                let longer = if length == base && asked > base { asked } else { length };
                let letter = if key == 'v' {
                    self.pattern
                        .iter()
                        .find_map(|item| match item {
                            Item::Field(letter @ ('z' | 'v' | 'O'), _) => Some(*letter),
                            _ => None,
                        })
                        .unwrap_or(letter)
                } else {
                    letter
                };
                Item::Field(letter, longer)
            }
            other => other,
        };
        let mut adjusted: Vec<Item> = items(found).into_iter().map(adjust).collect();
        if let Some(hour) = hour {
            adjusted = with_hour(adjusted, hour);
        }
        let second = split(&adjusted);
        Some(Interval { items: adjusted, second, latest_first })
    }

    fn both(&self, interval: &Interval, start: &Moment, end: &Moment) -> Result<Vec<Part>> {
        let (first, last) = if interval.latest_first { (end, start) } else { (start, end) };
        let mut parts = Vec::new();
        let mut letters = Vec::new();
        for (at, item) in interval.items.iter().enumerate() {
            let moment = if at < interval.second { first } else { last };
            parts.extend(self.shown(std::slice::from_ref(item), moment)?);
            letters.push(match item {
                Item::Field(letter, _) => Some(*letter),
                Item::Literal(_) => None,
            });
        }
        let sources = spans(&letters);
        let (one, other) = if interval.latest_first {
            (Source::EndRange, Source::StartRange)
        } else {
            (Source::StartRange, Source::EndRange)
        };
        let with_source = parts.into_iter().zip(sources).map(|(part, source)| {
            part.with(match source {
                Some(true) => one,
                Some(false) => other,
                None => Source::Shared,
            })
        });
        Ok(merged(with_source))
    }

    /// Both ends whole, with a mark between them.
    fn fallback(
        &self,
        start: &Moment,
        end: &Moment,
        prefixed: bool,
        hour: Option<char>,
    ) -> Result<Vec<Part>> {
        // ICU makes the pattern again from its fields. Times of different days are shown with their days.
        let fields = self.pattern.iter().filter_map(|item| match item {
            Item::Field('a' | 'b', _) | Item::Literal(_) => None,
            Item::Field(letter, length) => Some(letter.to_string().repeat(*length)),
        });
        let skeleton: String = prefixed.then(|| "yMd".to_owned()).into_iter().chain(fields).collect();
        let shown = items(&self.generator().pattern(&skeleton));
        let shown = hour.map_or_else(|| shown.clone(), |hour| with_hour(shown.clone(), hour));
        let mut parts = Vec::new();
        let fallback = text(&self.formats["interval"]["intervalFormatFallback"]);
        for piece in placeholders(fallback) {
            match piece {
                Err(literal) => parts
                    .push(Part::literal(literal.replace(['\u{202f}', '\u{2009}'], " ")).with(Source::Shared)),
                Ok(number) => {
                    let (moment, source) =
                        if number == 0 { (start, Source::StartRange) } else { (end, Source::EndRange) };
                    parts.extend(self.shown(&shown, moment)?.into_iter().map(|part| part.with(source)));
                }
            }
        }
        Ok(merged(parts.into_iter()))
    }
}

/// For each piece whether it belongs to the first end or the second: from the first to the last field that is there twice.
fn spans(letters: &[Option<char>]) -> Vec<Option<bool>> {
    let mut first: Option<(usize, usize)> = None;
    let mut second = None;
    let widen = |span: &mut Option<(usize, usize)>, at: usize| {
        *span = Some(span.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
    };
    for (at, letter) in letters.iter().enumerate() {
        if letter.is_none() {
            continue;
        }
        if let Some(again) = (at + 1..letters.len()).find(|other| letters[*other] == *letter) {
            widen(&mut first, at);
            widen(&mut second, again);
        }
    }
    let within =
        |span: Option<(usize, usize)>, at: usize| span.is_some_and(|(from, to)| (from..=to).contains(&at));
    (0..letters.len())
        .map(|at| if within(first, at) { Some(true) } else { within(second, at).then_some(false) })
        .collect()
}

fn merged(parts: impl Iterator<Item = Part>) -> Vec<Part> {
    let mut all: Vec<Part> = Vec::new();
    for part in parts {
        match all.last_mut() {
            Some(last) if last.kind == "literal" && part.kind == "literal" && last.source == part.source => {
                last.value.push_str(&part.value);
            }
            _ => all.push(part),
        }
    }
    all
}
