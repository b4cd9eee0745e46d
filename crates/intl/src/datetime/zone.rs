//! Names of time zones: `CET`, `Central European Standard Time`, `GMT+1`, `Germany Time`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::calendar::{Moment, offset};
use crate::data::{members, section, supplement, text};
use crate::error::{Error, Result};
use crate::locale::region;
use crate::part::fill;

/// A zone, under the name that the CLDR has for it.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) rules: TimeZone,
    /// Empty for a fixed offset.
    pub(super) name: String,
}

/// The zone of an identifier in any case, and the name that is shown for it.
pub fn canonical_zone(name: &str) -> Result<String> {
    Zone::find(name).map(|(_, shown)| shown)
}

/// The identifiers of all zones that have data, each once.
pub fn zones() -> Result<Vec<String>> {
    let regions = &supplement()?["zones"]["regions"];
    let mut names: Vec<String> = members(regions)
        .map(|(name, _)| name.to_owned())
        .filter(|name| TimeZone::get(name).is_ok() && !name.starts_with("Etc/") && name.contains('/'))
        .collect();
    names.sort();
    Ok(names)
}

fn fixed(name: &str) -> Option<(i32, String)> {
    let (sign, digits) = match name.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits = match digits.split_once(':') {
        Some((hours, minutes)) if hours.len() == 2 && minutes.len() == 2 => format!("{hours}{minutes}"),
        _ => digits.to_owned(),
    };
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 = if digits.len() == 4 { digits[2..].parse().ok()? } else { 0 };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let sign_shown = if sign < 0 && (hours, minutes) != (0, 0) { '-' } else { '+' };
    Some((sign * (hours * 3600 + minutes * 60), format!("{sign_shown}{hours:02}:{minutes:02}")))
}

impl Zone {
    /// The zone, and the name that `resolvedOptions` shows.
    pub(super) fn find(name: &str) -> Result<(Zone, String)> {
        let unknown = || Error::Range(format!("Invalid time zone specified: {name}"));
        if let Some((seconds, shown)) = fixed(name) {
            let offset = jiff::tz::Offset::from_seconds(seconds).map_err(|_| unknown())?;
            let name = if seconds == 0 { "Etc/GMT".to_owned() } else { String::new() };
            return Ok((Zone { rules: TimeZone::fixed(offset), name }, shown));
        }
        let rules = TimeZone::get(name).map_err(|_| unknown())?;
        let iana = rules.iana_name().unwrap_or("UTC");
        let canonical = supplement()?["zones"]["aliases"][iana].as_str().unwrap_or(iana).to_owned();
        let shown = match canonical.as_str() {
            "Etc/UTC" | "Etc/GMT" | "UTC" | "GMT" => "UTC".to_owned(),
            other => other.to_owned(),
        };
        let name = if canonical == "UTC" { "Etc/UTC".to_owned() } else { canonical };
        Ok((Zone { rules, name }, shown))
    }
}

/// The names of a locale.
#[derive(Debug)]
pub(super) struct ZoneNames {
    locale: String,
    names: Arc<Value>,
    digits: Vec<char>,
}

/// The CLDR's mark for a name that must not be inherited.
fn usable(name: &Value) -> Option<&str> {
    name.as_str().filter(|name| *name != "∅∅∅")
}

impl ZoneNames {
    pub(super) fn of(locale: &str) -> Result<ZoneNames> {
        let numbers = section(locale, "numbers")?;
        let digits = text(&supplement()?["digits"][text(&numbers["default"])]).chars().collect();
        Ok(ZoneNames { locale: locale.to_owned(), names: section(locale, "zones")?, digits })
    }

    /// What `z`, `O` and `v` stand for, short or long.
    pub(super) fn name(&self, letter: char, length: usize, zone: &Zone, at: &Moment) -> Result<String> {
        let width = if length >= 4 { "long" } else { "short" };
        let found = match letter {
            'z' => self.specific(width, zone, at)?,
            'v' => Some(self.generic(width, zone, at)?),
            _ => None,
        };
        Ok(found.unwrap_or_else(|| self.offset(length >= 4, at.offset)))
    }

    fn of_zone(&self, width: &str, kind: &str, zone: &Zone) -> Option<&str> {
        usable(&self.names["zone"][&zone.name][width][kind])
    }

    fn of_meta(&self, width: &str, kind: &str, meta: &str) -> Option<&str> {
        usable(&self.names["meta"][meta][width][kind])
    }

    fn specific(&self, width: &str, zone: &Zone, at: &Moment) -> Result<Option<String>> {
        let kind = if at.daylight { "daylight" } else { "standard" };
        if let Some(name) = self.of_zone(width, kind, zone) {
            return Ok(Some(name.to_owned()));
        }
        let meta = metazone(&zone.name, at.epoch)?;
        Ok(meta.and_then(|meta| self.of_meta(width, kind, &meta)).map(str::to_owned))
    }

    fn generic(&self, width: &str, zone: &Zone, at: &Moment) -> Result<String> {
        if zone.name.is_empty() || zone.name.starts_with("Etc/") {
            return Ok(self.offset(width == "long", at.offset));
        }
        if let Some(name) = self.of_zone(width, "generic", zone) {
            return Ok(name.to_owned());
        }
        if let Some(meta) = metazone(&zone.name, at.epoch)? {
            let generic = self.of_meta(width, "generic", &meta);
            if !at.daylight && !near_daylight(zone, at.epoch) {
                let standard =
                    self.of_zone(width, "standard", zone).or_else(|| self.of_meta(width, "standard", &meta));
                if let Some(standard) = standard
                    && generic.is_none_or(|generic| !generic.eq_ignore_ascii_case(standard))
                {
                    return Ok(standard.to_owned());
                }
            }
            if let Some(generic) = generic {
                let golden = golden(&meta, &region(&self.locale)?)?;
                let same = golden.as_deref().is_none_or(|golden| golden == zone.name)
                    || golden
                        .and_then(|golden| TimeZone::get(&golden).ok())
                        .is_none_or(|rules| offset(&rules, at.epoch) == (at.offset, at.daylight));
                if same {
                    return Ok(generic.to_owned());
                }
                return Ok(fill(text(&self.names["fallbackFormat"]), &[&self.place(zone)?, generic]));
            }
        }
        Ok(fill(text(&self.names["regionFormat"]), &[&self.place(zone)?]))
    }

    /// The country if the zone is its only or its main one, else the city.
    fn place(&self, zone: &Zone) -> Result<String> {
        let zones = &supplement()?["zones"];
        let country = text(&zones["regions"][&zone.name]);
        let only =
            members(&zones["regions"]).filter(|(_, region)| region.as_str() == Some(country)).count() == 1;
        if only || zones["primary"][country].as_str() == Some(&zone.name) {
            let names = section(&self.locale, "names")?;
            if let Some(name) = names["territories"][country].as_str() {
                return Ok(name.to_owned());
            }
        }
        let city = self.names["zone"][&zone.name]["exemplarCity"].as_str();
        let last = zone.name.rsplit('/').next().unwrap_or_default();
        Ok(city.map_or_else(|| last.replace('_', " "), str::to_owned))
    }

    /// `GMT+1`, or long `GMT+01:00`.
    pub(super) fn offset(&self, long: bool, seconds: i64) -> String {
        if seconds == 0 {
            return text(&self.names["gmtZeroFormat"]).to_owned();
        }
        let formats = text(&self.names["hourFormat"]);
        let (plus, minus) = formats.split_once(';').unwrap_or((formats, formats));
        let pattern = if seconds < 0 { minus } else { plus };
        let size = seconds.unsigned_abs();
        let (hours, minutes, rest) = (size / 3600, size / 60 % 60, size % 60);
        let separator = pattern.trim_end_matches('m').trim_end_matches(|one| one != 'H').len();
        let between = pattern[separator..].trim_end_matches('m');
        let mut shown = pattern[..separator].trim_end_matches('H').to_owned();
        shown.push_str(&if long { format!("{hours:02}") } else { hours.to_string() });
        if long || minutes > 0 || rest > 0 {
            shown.push_str(&format!("{between}{minutes:02}"));
        }
        if rest > 0 {
            shown.push_str(&format!("{between}{rest:02}"));
        }
        let native: String = shown
            .chars()
            .map(|one| {
                one.to_digit(10).and_then(|digit| self.digits.get(digit as usize).copied()).unwrap_or(one)
            })
            .collect();
        fill(text(&self.names["gmtFormat"]), &[&native])
    }
}

/// The group of zones to which a zone belongs at a time.
fn metazone(zone: &str, epoch: i64) -> Result<Option<String>> {
    let periods = text(&supplement()?["zones"]["meta"][zone]);
    let parse = |text: &str| -> Option<i64> {
        let time: jiff::civil::DateTime = text.replace(' ', "T").parse().ok()?;
        Some(TimeZone::UTC.to_timestamp(time).ok()?.as_millisecond())
    };
    Ok(periods.split('|').find_map(|period| {
        let mut fields = period.split(';');
        let meta = fields.next().filter(|meta| !meta.is_empty())?;
        let from = fields.next().and_then(parse).unwrap_or(i64::MIN);
        let to = fields.next().and_then(parse).unwrap_or(i64::MAX);
        (from <= epoch && epoch < to).then(|| meta.to_owned())
    }))
}

/// The zone that stands for a group in a region.
fn golden(meta: &str, region: &str) -> Result<Option<String>> {
    let golden = &supplement()?["zones"]["golden"];
    let own = golden[format!("{meta} {region}")].as_str();
    Ok(own.or_else(|| golden[format!("{meta} 001")].as_str()).map(str::to_owned))
}

/// Whether the zone has summer time within about half a year.
fn near_daylight(zone: &Zone, epoch: i64) -> bool {
    let now = offset(&zone.rules, epoch);
    let day = 86_400_000;
    // The next change after, and the last before: daylight time on the other side counts.
    let after = (1..=184).map(|days| offset(&zone.rules, epoch + days * day)).find(|other| *other != now);
    let before = (1..=184).map(|days| offset(&zone.rules, epoch - days * day)).find(|other| *other != now);
    [after, before].into_iter().flatten().any(|(_, daylight)| daylight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_zones_of_their_own() {
        assert_eq!(fixed("+0130"), Some((5400, "+01:30".to_owned())));
        assert_eq!(fixed("-00:00"), Some((0, "+00:00".to_owned())));
        assert_eq!(fixed("+1"), None);
        assert_eq!(fixed("+24:00"), None);
        assert_eq!(fixed("+0:130"), None);
    }

    #[test]
    fn names_of_zones_are_found_in_any_case() {
        assert_eq!(canonical_zone("europe/berlin").unwrap(), "Europe/Berlin");
        assert_eq!(canonical_zone("Asia/Kolkata").unwrap(), "Asia/Calcutta");
        assert_eq!(canonical_zone("utc").unwrap(), "UTC");
        assert!(canonical_zone("Mars/Phobos").is_err());
    }
}
