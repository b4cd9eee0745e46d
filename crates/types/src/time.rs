//! Time stamps as every file format here writes them: UTC, milliseconds, `Z`. Reading the clock is the caller's.

/// `2026-08-22T10:15:00.123Z`.
pub fn iso_millis(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The same of the system's clock; what lies outside of all calendars is the epoch.
pub fn iso_system(at: std::time::SystemTime) -> String {
    iso_millis(jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

/// The same instant as part of a file name: `2026-08-22T10-15-00-123Z`.
pub fn file_stamp(iso: &str) -> String {
    iso.replace([':', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::{file_stamp, iso_millis};

    #[test]
    fn always_three_digits_of_milliseconds() {
        let at: jiff::Timestamp = "2026-08-22T10:15:00Z".parse().unwrap();
        assert_eq!(iso_millis(at), "2026-08-22T10:15:00.000Z");
        assert_eq!(file_stamp(&iso_millis(at)), "2026-08-22T10-15-00-000Z");
    }
}
