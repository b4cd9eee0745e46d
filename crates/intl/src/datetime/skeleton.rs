//! Skeletons of dates: which fields there are, and how each is written.

/// The fields of a pattern, in the order in which they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Era,
    Year,
    Quarter,
    Month,
    Week,
    WeekOfMonth,
    Weekday,
    DayOfYear,
    DayOfWeekInMonth,
    Day,
    DayPeriod,
    Hour,
    Minute,
    Second,
    Fraction,
    Zone,
}

pub(super) const FIELDS: [Field; 16] = [
    Field::Era,
    Field::Year,
    Field::Quarter,
    Field::Month,
    Field::Week,
    Field::WeekOfMonth,
    Field::Weekday,
    Field::DayOfYear,
    Field::DayOfWeekInMonth,
    Field::Day,
    Field::DayPeriod,
    Field::Hour,
    Field::Minute,
    Field::Second,
    Field::Fraction,
    Field::Zone,
];

impl Field {
    /// How the CLDR names it in `appendItems` and among the fields.
    pub(super) fn append_key(self) -> (&'static str, &'static str) {
        match self {
            Field::Era => ("Era", "era"),
            Field::Year => ("Year", "year"),
            Field::Quarter => ("Quarter", "quarter"),
            Field::Month => ("Month", "month"),
            Field::Week | Field::WeekOfMonth => ("Week", "week"),
            Field::Weekday | Field::DayOfWeekInMonth => ("Day-Of-Week", "weekday"),
            Field::DayOfYear | Field::Day => ("Day", "day"),
            Field::DayPeriod => ("DayPeriod", "dayperiod"),
            Field::Hour => ("Hour", "hour"),
            Field::Minute => ("Minute", "minute"),
            Field::Second | Field::Fraction => ("Second", "second"),
            Field::Zone => ("Timezone", "zone"),
        }
    }

    pub(super) fn bit(self) -> u32 {
        1 << self as u32
    }

    pub(super) fn is_date(self) -> bool {
        self < Field::DayPeriod
    }
}

// The distances of UTS 35: forms of a field are near or far from each other; text is negative, numbers positive.
const NARROW: i32 = -0x101;
const SHORTER: i32 = -0x102;
const SHORT: i32 = -0x103;
const LONG: i32 = -0x104;
const NUMERIC: i32 = 0x100;
const DELTA: i32 = 0x10;

/// Letter, field, form, and the shortest length that has this form.
const FORMS: [(char, Field, i32, usize); 50] = [
    ('G', Field::Era, SHORT, 1),
    ('G', Field::Era, LONG, 4),
    ('G', Field::Era, NARROW, 5),
    ('y', Field::Year, NUMERIC, 1),
    ('Y', Field::Year, NUMERIC + DELTA, 1),
    ('u', Field::Year, NUMERIC + 2 * DELTA, 1),
    ('Q', Field::Quarter, NUMERIC, 1),
    ('Q', Field::Quarter, SHORT, 3),
    ('Q', Field::Quarter, LONG, 4),
    ('M', Field::Month, NUMERIC, 1),
    ('M', Field::Month, SHORT, 3),
    ('M', Field::Month, LONG, 4),
    ('M', Field::Month, NARROW, 5),
    ('L', Field::Month, NUMERIC + DELTA, 1),
    ('L', Field::Month, SHORT - DELTA, 3),
    ('L', Field::Month, LONG - DELTA, 4),
    ('L', Field::Month, NARROW - DELTA, 5),
    ('w', Field::Week, NUMERIC, 1),
    ('W', Field::WeekOfMonth, NUMERIC, 1),
    ('E', Field::Weekday, SHORT, 1),
    ('E', Field::Weekday, LONG, 4),
    ('E', Field::Weekday, NARROW, 5),
    ('E', Field::Weekday, SHORTER, 6),
    ('c', Field::Weekday, NUMERIC + 2 * DELTA, 1),
    ('c', Field::Weekday, SHORT - 2 * DELTA, 3),
    ('c', Field::Weekday, LONG - 2 * DELTA, 4),
    ('c', Field::Weekday, NARROW - 2 * DELTA, 5),
    ('D', Field::DayOfYear, NUMERIC, 1),
    ('F', Field::DayOfWeekInMonth, NUMERIC, 1),
    ('d', Field::Day, NUMERIC, 1),
    ('a', Field::DayPeriod, SHORT, 1),
    ('a', Field::DayPeriod, LONG, 4),
    ('a', Field::DayPeriod, NARROW, 5),
    ('B', Field::DayPeriod, SHORT - 3 * DELTA, 1),
    ('B', Field::DayPeriod, LONG - 3 * DELTA, 4),
    ('B', Field::DayPeriod, NARROW - 3 * DELTA, 5),
    ('H', Field::Hour, NUMERIC + 10 * DELTA, 1),
    ('k', Field::Hour, NUMERIC + 11 * DELTA, 1),
    ('h', Field::Hour, NUMERIC, 1),
    ('K', Field::Hour, NUMERIC + DELTA, 1),
    ('m', Field::Minute, NUMERIC, 1),
    ('s', Field::Second, NUMERIC, 1),
    ('S', Field::Fraction, NUMERIC, 1),
    ('v', Field::Zone, SHORT - 2 * DELTA, 1),
    ('v', Field::Zone, LONG - 2 * DELTA, 4),
    ('z', Field::Zone, SHORT, 1),
    ('z', Field::Zone, LONG, 4),
    ('O', Field::Zone, SHORT - DELTA, 1),
    ('O', Field::Zone, LONG - DELTA, 4),
    ('Z', Field::Zone, SHORT - DELTA, 1),
];

/// The field of a letter, and its form at this length.
pub(super) fn form(letter: char, length: usize) -> Option<(Field, i32)> {
    FORMS
        .iter()
        .rfind(|(known, _, _, least)| *known == letter && *least <= length)
        .map(|(_, field, form, _)| (*field, *form))
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Literal(String),
    Field(char, usize),
}

/// The pieces of a pattern; quotes are taken off.
pub(super) fn items(pattern: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut quoted = false;
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let literal = match character {
            '\'' if characters.peek() == Some(&'\'') => {
                characters.next();
                '\''
            }
            '\'' => {
                quoted = !quoted;
                continue;
            }
            letter if letter.is_ascii_alphabetic() && !quoted => {
                match items.last_mut() {
                    Some(Item::Field(known, length)) if *known == letter => *length += 1,
                    _ => items.push(Item::Field(letter, 1)),
                }
                continue;
            }
            other => other,
        };
        match items.last_mut() {
            Some(Item::Literal(text)) => text.push(literal),
            _ => items.push(Item::Literal(literal.to_string())),
        }
    }
    items
}

/// A pattern out of its pieces.
pub(super) fn pattern(items: &[Item]) -> String {
    let mut pattern = String::new();
    for item in items {
        match item {
            Item::Field(letter, length) => pattern.extend(std::iter::repeat_n(*letter, *length)),
            Item::Literal(text) if text.chars().any(|one| one.is_ascii_alphabetic() || one == '\'') => {
                pattern.push('\'');
                pattern.push_str(&text.replace('\'', "''"));
                pattern.push('\'');
            }
            Item::Literal(text) => pattern.push_str(text),
        }
    }
    pattern
}

/// Which fields there are: for each its form, letter and length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Skeleton {
    pub(super) fields: [Option<(i32, char, usize)>; 16],
}

impl Skeleton {
    /// Of a pattern, or of a text that is one already.
    pub(super) fn of(text: &str) -> Skeleton {
        let mut skeleton = Skeleton::default();
        for item in items(text) {
            let Item::Field(letter, length) = item else { continue };
            if let Some((field, base)) = form(letter, length) {
                let value = if base > 0 { base + length as i32 } else { base };
                skeleton.fields[field as usize] = Some((value, letter, length));
            }
        }
        if skeleton.has(Field::Minute) && skeleton.has(Field::Fraction) && !skeleton.has(Field::Second) {
            skeleton.fields[Field::Second as usize] = Some((NUMERIC + 1, 's', 1));
        }
        match skeleton.fields[Field::Hour as usize] {
            Some((_, 'h' | 'K', _)) => {
                skeleton.fields[Field::DayPeriod as usize].get_or_insert((SHORT, 'a', 1));
            }
            Some(_) => skeleton.fields[Field::DayPeriod as usize] = None,
            None => {}
        }
        skeleton
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.fields[field as usize].is_some()
    }

    pub(super) fn length(&self, field: Field) -> usize {
        self.fields[field as usize].map_or(0, |(_, _, length)| length)
    }

    pub(super) fn mask(&self) -> u32 {
        FIELDS.iter().filter(|field| self.has(**field)).map(|field| field.bit()).sum()
    }

    /// The letters of its fields in their usual forms, by which patterns take each other's place.
    pub(super) fn base(&self) -> String {
        let mut base = String::new();
        for (_, letter, length) in self.fields.iter().flatten() {
            let shortest = FORMS
                .iter()
                .filter(|(known, _, form, _)| known == letter && *form < 0)
                .map(|row| row.3)
                .min();
            let numeric = form(*letter, *length).is_some_and(|(_, form)| form > 0);
            let length = if numeric { 1 } else { shortest.unwrap_or(1) };
            base.extend(std::iter::repeat_n(*letter, length));
        }
        base
    }

    /// How far another skeleton is from this one, of which only the fields in `mask` count; and which of them it lacks.
    pub(super) fn distance(&self, other: &Skeleton, mask: u32) -> (i32, u32, u32) {
        let (mut distance, mut missing, mut extra) = (0, 0, 0);
        for field in FIELDS {
            let own = if mask & field.bit() == 0 { None } else { self.fields[field as usize] };
            match (own, other.fields[field as usize]) {
                (None, None) => {}
                (None, Some(_)) => {
                    distance += 0x10000;
                    extra |= field.bit();
                }
                (Some(_), None) => {
                    distance += 0x1000;
                    missing |= field.bit();
                }
                (Some((one, ..)), Some((two, ..))) => distance += (one - two).abs(),
            }
        }
        (distance, missing, extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_letters_are_text() {
        let read = items("h 'o''clock' a");
        assert_eq!(read[1], Item::Literal(" o'clock ".to_owned()));
        assert_eq!(items(&pattern(&read)), read);
    }

    #[test]
    fn twelve_hours_have_a_day_period() {
        assert!(Skeleton::of("hm").has(Field::DayPeriod));
        assert!(!Skeleton::of("HmB").has(Field::DayPeriod));
    }

    #[test]
    fn lengths_do_not_change_the_base() {
        assert_eq!(Skeleton::of("EEEE, d. MMMM y").base(), "yMMMEd");
        assert_eq!(Skeleton::of("dd.MM.yy").base(), "yMd");
    }
}
