//! The time zone that schedules are meant in: the one of the machine.

use std::path::Path;

use jiff::tz::TimeZone;

/// `TZ`, if it is set and names a zone; else what `/etc/localtime` points to; else UTC.
pub fn local(tz: Option<&str>) -> TimeZone {
    let named = |name: &str| {
        let name = name.trim_start_matches(':');
        if name.is_empty() { None } else { TimeZone::get(name).or_else(|_| TimeZone::posix(name)).ok() }
    };
    tz.and_then(named)
        .or_else(|| {
            let target = std::fs::read_link(Path::new("/etc/localtime")).ok()?;
            let target = target.to_str()?;
            named(target.split_once("zoneinfo/")?.1)
        })
        .unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_name_or_a_rule_says_the_zone() {
        for (tz, noon) in [("Europe/Berlin", 14), (":Asia/Tokyo", 21), ("XYZ+5", 7), ("UTC", 12)] {
            let at: jiff::Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
            assert_eq!(at.to_zoned(local(Some(tz))).hour(), noon, "{tz}");
        }
    }
}
