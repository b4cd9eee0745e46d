//! Calendar versions, `YYYY.MM.DD.MICRO`: the version scheme of types and extensions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar version with a date that exists. Versions order by date, then by the micro part as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalVer {
    year: u16,
    month: u8,
    day: u8,
    micro: u64,
}

/// A text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid version `{text}`: expected YYYY.MM.DD.MICRO, such as 2026.01.31.1")]
pub struct CalVerError {
    /// The text.
    pub text: String,
}

impl CalVer {
    /// The year, four digits.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, from 1.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The version to publish next. If `previous` is of `today` (year, month, day) or later, it is `previous` with the next
    /// micro part, otherwise the first version of `today`.
    pub fn next_after(previous: Option<CalVer>, today: (u16, u8, u8)) -> CalVer {
        let (year, month, day) = today;
        match previous {
            Some(previous) if (previous.year, previous.month, previous.day) >= today => {
                CalVer { micro: previous.micro.saturating_add(1), ..previous }
            }
            _ => CalVer { year, month, day, micro: 1 },
        }
    }

    /// The version of the same day with another micro part.
    #[must_use]
    pub fn with_micro(self, micro: u64) -> CalVer {
        CalVer { micro, ..self }
    }
}

impl FromStr for CalVer {
    type Err = CalVerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| CalVerError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<CalVer> {
    let mut parts = text.split('.');
    let (year, month, day, micro) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || month.len() != 2 || day.len() != 2 || micro.is_empty() {
        return None;
    }
    if ![year, month, day, micro].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let version = CalVer {
        year: year.parse().ok()?,
        month: month.parse().ok()?,
        day: day.parse().ok()?,
        micro: micro.parse().ok()?,
    };
    (version.day >= 1 && version.day <= days_in_month(version.year, version.month)?).then_some(version)
}

fn days_in_month(year: u16, month: u8) -> Option<u8> {
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

impl fmt::Display for CalVer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}.{:02}.{:02}.{}", self.year, self.month, self.day, self.micro)
    }
}

impl Serialize for CalVer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CalVer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::CalVer;

    #[test]
    fn version_with_an_existing_date_round_trips() {
        for text in ["2026.02.09.1", "2024.02.29.0", "2026.12.31.123456"] {
            assert_eq!(text.parse::<CalVer>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn version_with_a_missing_date_or_another_shape_is_refused() {
        for text in [
            "2025.02.29.1",
            "2026.13.01.1",
            "2026.1.01.1",
            "2026.01.01",
            "2026.01.01.1.1",
            "2026.01.00.1",
            "",
            "a.b.c.d",
            "2026.01.01.-1",
        ] {
            assert!(text.parse::<CalVer>().is_err(), "{text}");
        }
    }

    #[test]
    fn next_version_is_of_today_or_above_the_previous_one() {
        let next = |previous: Option<&str>| {
            CalVer::next_after(previous.map(|text| text.parse().unwrap()), (2026, 11, 24)).to_string()
        };
        assert_eq!(next(None), "2026.11.24.1");
        assert_eq!(next(Some("2026.11.23.7")), "2026.11.24.1");
        assert_eq!(next(Some("2026.11.24.7")), "2026.11.24.8");
        assert_eq!(
            next(Some("2026.12.01.2")),
            "2026.12.01.3",
            "the next version is above a published one of a later day"
        );
    }

    #[test]
    fn versions_of_one_day_order_by_the_micro_number() {
        let order: Vec<CalVer> = ["2026.01.01.9", "2026.01.01.10", "2026.01.02.1"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert!(order.is_sorted());
    }
}
