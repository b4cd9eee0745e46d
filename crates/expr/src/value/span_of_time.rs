//! Points and lengths of time.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};

/// Milliseconds since 1970, in the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    const MIN: i64 = -62_135_596_800_000;
    const MAX: i64 = 253_402_300_799_999;

    pub fn of_millis(millis: i64) -> Option<Timestamp> {
        (Self::MIN..=Self::MAX).contains(&millis).then_some(Timestamp(millis))
    }

    pub fn of_seconds(seconds: i64) -> Option<Timestamp> {
        Self::of_millis(seconds.checked_mul(1000)?)
    }

    /// RFC 3339, with a `Z` or an offset.
    pub fn parse(text: &str) -> Option<Timestamp> {
        if !(20..=30).contains(&text.len()) {
            return None;
        }
        let instant: Instant = text.parse().ok()?;
        Self::of_millis(instant.as_millisecond())
    }

    /// `None`: there is no such time zone.
    pub fn zoned(self, zone: Option<&str>) -> Option<Zoned> {
        let zone = match zone {
            None => TimeZone::UTC,
            Some(name) => jiff::tz::db().get(name).ok()?,
        };
        Some(Instant::from_millisecond(self.0).ok()?.to_zoned(zone))
    }

    pub fn plus(self, length: Duration) -> Option<Timestamp> {
        let millis = i64::try_from(length.0.div_euclid(1_000_000)).ok()?;
        Self::of_millis(self.0.checked_add(millis)?)
    }

    pub fn minus(self, length: Duration) -> Option<Timestamp> {
        let millis = i64::try_from(length.0.div_euclid(1_000_000)).ok()?;
        Self::of_millis(self.0.checked_sub(millis)?)
    }

    pub fn since(self, other: Timestamp) -> Duration {
        Duration(i128::from(self.0 - other.0) * 1_000_000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Instant::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

/// Nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duration(i128);

impl Duration {
    const SECOND: i128 = 1_000_000_000;
    /// About 300 thousand years: more than lies between any two timestamps, and far from every overflow.
    const MAX: i128 = 10_000_000_000_000 * Self::SECOND;

    fn checked(nanos: i128) -> Option<Duration> {
        (-Self::MAX..=Self::MAX).contains(&nanos).then_some(Duration(nanos))
    }

    pub fn plus(self, other: Duration) -> Option<Duration> {
        Self::checked(self.0 + other.0)
    }

    pub fn minus(self, other: Duration) -> Option<Duration> {
        Self::checked(self.0 - other.0)
    }

    pub fn whole(self, unit_seconds: i128) -> i64 {
        i64::try_from(self.0 / (Self::SECOND * unit_seconds)).unwrap_or(i64::MAX)
    }

    pub fn millis(self) -> i64 {
        i64::try_from(self.0.div_euclid(1_000_000)).unwrap_or(i64::MAX)
    }

    /// `300ms`, `-1.5h`, `2h45m`: numbers with a unit each, and one sign for all.
    pub fn parse(text: &str) -> Option<Duration> {
        let (negative, mut rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let mut nanos: i128 = 0;
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            let (number, tail) = rest.split_at(digits);
            let (unit, tail) = unit(tail)?;
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
                return None;
            }
            let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
            nanos = nanos.checked_add(whole.checked_mul(unit)?)?;
            let fraction = &fraction[..fraction.len().min(13)];
            if !fraction.is_empty() {
                let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
                nanos = nanos.checked_add(fraction.parse::<i128>().ok()? * unit / scale)?;
            }
            rest = tail;
        }
        Self::checked(if negative { -nanos } else { nanos })
    }
}

fn unit(text: &str) -> Option<(i128, &str)> {
    let units: [(&str, i128); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", Duration::SECOND),
        ("m", 60 * Duration::SECOND),
        ("h", 3600 * Duration::SECOND),
    ];
    units.iter().find_map(|(name, nanos)| Some((*nanos, text.strip_prefix(name)?)))
}

/// Seconds, with as many places as it takes: `90s`, `-0.5s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (seconds, nanos) = (self.0.abs() / Self::SECOND, self.0.abs() % Self::SECOND);
        if nanos == 0 {
            return write!(f, "{sign}{seconds}s");
        }
        let places = format!("{nanos:09}");
        write!(f, "{sign}{seconds}.{}s", places.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Timestamp};

    #[test]
    fn durations_are_read_and_written() {
        for (text, written) in [
            ("90s", "90s"),
            ("1.5h", "5400s"),
            ("2h45m", "9900s"),
            ("-0.5s", "-0.5s"),
            ("300ms", "0.3s"),
            (".5s", "0.5s"),
            ("1us1ns", "0.000001001s"),
            ("+1s", "1s"),
            ("0s", "0s"),
        ] {
            assert_eq!(Duration::parse(text).unwrap().to_string(), written, "{text}");
        }
        for text in ["", "-", "1", "s", "1.2.3s", "1x", "1s ", "99999999999999999999999h", "１s"] {
            assert!(Duration::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn timestamps_are_read_and_written() {
        for (text, written) in [
            ("2024-02-29T12:30:00Z", "2024-02-29T12:30:00.000Z"),
            ("2024-02-29T12:30:00.250+02:00", "2024-02-29T10:30:00.250Z"),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), written);
        }
        for text in
            ["", "2024-02-30T00:00:00Z", "2024-02-29", "2024-02-29T12:30:00.000", "yesterday at noon, UTC"]
        {
            assert!(Timestamp::parse(text).is_none(), "{text}");
        }
    }
}
