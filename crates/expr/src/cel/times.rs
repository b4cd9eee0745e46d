//! Functions of points and lengths of time.

use super::computed::{argument, shown};
use crate::error::ExprErrorKind;
use crate::value::{Duration, Timestamp, Value};

pub(super) fn of_timestamp(
    at: Timestamp,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, ExprErrorKind> {
    let zone = match arguments {
        [] => None,
        [zone] if zone.as_str().is_some() => zone.as_str(),
        _ => return Ok(None),
    };
    let unknown = || {
        let zone = arguments.first().map(shown).unwrap_or_default();
        argument(format!("there is no time zone {zone}; one is called `Europe/Paris`"))
    };
    let time = at.zoned(zone).ok_or_else(unknown)?;
    let part = match name {
        "getFullYear" => i64::from(time.year()),
        "getMonth" => i64::from(time.month()) - 1,
        "getDate" => i64::from(time.day()),
        "getDayOfMonth" => i64::from(time.day()) - 1,
        "getDayOfWeek" => i64::from(time.weekday().to_sunday_zero_offset()),
        "getDayOfYear" => i64::from(time.day_of_year()) - 1,
        "getHours" => i64::from(time.hour()),
        "getMinutes" => i64::from(time.minute()),
        "getSeconds" => i64::from(time.second()),
        "getMilliseconds" => i64::from(time.millisecond()),
        _ => return Ok(None),
    };
    Ok(Some(Value::from(part)))
}

pub(super) fn of_duration(length: Duration, name: &str) -> Option<Value> {
    Some(Value::from(match name {
        "getHours" => length.whole(3600),
        "getMinutes" => length.whole(60),
        "getSeconds" => length.whole(1),
        "getMilliseconds" => length.millis(),
        _ => return None,
    }))
}
