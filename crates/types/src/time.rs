//! Time stamps as every file format of marsh writes them: UTC, milliseconds, `Z`. The caller reads the clock.

/// `at` as `2026-08-22T10:15:00.123Z`.
pub fn iso_millis(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// `at` as `2026-08-22T10:15:00.123Z`. A time outside the range of the calendar becomes 1970-01-01.
pub fn iso_system(at: std::time::SystemTime) -> String {
    iso_millis(jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

/// A time stamp as part of a file name: `2026-08-22T10-15-00-123Z`.
pub fn file_stamp(iso: &str) -> String {
    iso.replace([':', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::{file_stamp, iso_millis};

    #[test]
    fn iso_millis_of_a_whole_second_has_three_digits() {
        let at: jiff::Timestamp = "2026-08-22T10:15:00Z".parse().unwrap();
        assert_eq!(iso_millis(at), "2026-08-22T10:15:00.000Z");
        assert_eq!(file_stamp(&iso_millis(at)), "2026-08-22T10-15-00-000Z");
    }
}
