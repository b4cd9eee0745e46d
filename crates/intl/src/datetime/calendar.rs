//! Instants as people write them: an offset, a day in a calendar, a time of day.

use icu_calendar::Date;
use icu_calendar::cal::hijri::{TabularAlgorithmEpoch, TabularAlgorithmLeapYears};
use icu_calendar::cal::{Hijri, Persian};
use jiff::tz::TimeZone;

use crate::error::{Error, Result};

/// A point in time in a zone and a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Milliseconds since 1970.
    pub(super) epoch: i64,
    /// Seconds that the zone is ahead of UTC.
    pub(super) offset: i64,
    pub(super) daylight: bool,
    pub(super) era: u32,
    /// Of the era.
    pub(super) year: i64,
    /// From 1.
    pub(super) month: u32,
    pub(super) day: u32,
    /// Sunday is 0.
    pub(super) weekday: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    pub(super) millisecond: u32,
}

/// Year, month and day of the Gregorian calendar, carried back before it began.
fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u32, day as u32)
}

/// Era, year of the era, month and day.
type Day = (u32, i64, u32, u32);

/// The first days of Japan's eras since Meiji, with their numbers in the CLDR.
const JAPAN: [(i64, u32, u32, u32); 5] =
    [(2019, 5, 1, 236), (1989, 1, 8, 235), (1926, 12, 25, 234), (1912, 7, 30, 233), (1868, 9, 8, 232)];

fn in_calendar(calendar: &str, (year, month, day): (i64, u32, u32)) -> Result<Day> {
    let far = || Error::Unsupported(format!("the year {year} in the calendar '{calendar}'"));
    let iso = || -> Result<Date<icu_calendar::Iso>> {
        Date::try_new_iso(i32::try_from(year).map_err(|_| far())?, month as u8, day as u8).map_err(|_| far())
    };
    Ok(match calendar {
        "buddhist" => (0, year + 543, month, day),
        "roc" if year > 1911 => (1, year - 1911, month, day),
        "roc" => (0, 1912 - year, month, day),
        "japanese" => {
            let era = JAPAN.iter().find(|(y, m, d, _)| (year, month, day) >= (*y, *m, *d));
            let (first, _, _, era) = *era.ok_or_else(far)?;
            (era, year - first + 1, month, day)
        }
        "persian" => {
            let date = iso()?.to_calendar(Persian);
            let (year, month) = (i64::from(date.year().extended_year()), u32::from(date.month().ordinal));
            (0, year, month, u32::from(date.day_of_month().0))
        }
        "islamic-umalqura" => hijri(&iso()?.to_calendar(Hijri::new_umm_al_qura())),
        "islamic-civil" | "islamic-tbla" => {
            let epoch = if calendar == "islamic-civil" {
                TabularAlgorithmEpoch::Friday
            } else {
                TabularAlgorithmEpoch::Thursday
            };
            hijri(&iso()?.to_calendar(Hijri::new_tabular(TabularAlgorithmLeapYears::TypeII, epoch)))
        }
        _ if year > 0 => (1, year, month, day),
        _ => (0, 1 - year, month, day),
    })
}

fn hijri<C: icu_calendar::AsCalendar>(date: &Date<C>) -> Day {
    let year = i64::from(date.year().extended_year());
    let (era, year) = if year > 0 { (0, year) } else { (1, 1 - year) };
    (era, year, u32::from(date.month().ordinal), u32::from(date.day_of_month().0))
}

/// The zones whose summer time jiff's database calls the standard time, and which the CLDR's names take the other way.
const TURNED: [&str; 3] = ["Europe/Dublin", "Africa/Casablanca", "Africa/El_Aaiun"];

/// Seconds ahead of UTC, and whether that is summer time. Years that jiff does not reach have the rules of the last it does.
pub(super) fn offset(zone: &TimeZone, epoch: i64) -> (i64, bool) {
    let reached = epoch.clamp(-377_705_023_201_000, 253_402_207_200_999);
    let Ok(timestamp) = jiff::Timestamp::from_millisecond(reached) else { return (0, false) };
    let info = zone.to_offset_info(timestamp);
    let turned = zone.iana_name().is_some_and(|name| TURNED.contains(&name));
    let offset = i64::from(info.offset().seconds());
    let daylight = if turned { offset > 0 } else { info.dst().is_dst() };
    (offset, daylight)
}

impl Moment {
    pub(super) fn of(epoch: i64, zone: &TimeZone, calendar: &str) -> Result<Moment> {
        let (offset, daylight) = offset(zone, epoch);
        let local = epoch + offset * 1000;
        let (days, time) = (local.div_euclid(86_400_000), local.rem_euclid(86_400_000));
        let (era, year, month, day) = in_calendar(calendar, civil(days))?;
        Ok(Moment {
            epoch,
            offset,
            daylight,
            era,
            year,
            month,
            day,
            weekday: (days + 4).rem_euclid(7) as u32,
            hour: (time / 3_600_000) as u32,
            minute: (time / 60_000 % 60) as u32,
            second: (time / 1000 % 60) as u32,
            millisecond: (time % 1000) as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_leap_years() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(-719_529), (-1, 12, 31));
    }

    #[test]
    fn japan_counts_years_of_emperors() {
        assert_eq!(in_calendar("japanese", (2019, 4, 30)).unwrap(), (235, 31, 4, 30));
        assert_eq!(in_calendar("japanese", (2019, 5, 1)).unwrap(), (236, 1, 5, 1));
        assert!(in_calendar("japanese", (1800, 1, 1)).is_err());
    }

    #[test]
    fn nowruz_begins_a_persian_year() {
        assert_eq!(in_calendar("persian", (2024, 3, 20)).unwrap(), (0, 1403, 1, 1));
    }
}
