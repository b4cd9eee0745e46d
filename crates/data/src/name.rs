//! Names that become one segment of a path.

use marsh_fs::StagedDir;

use crate::DataError;

/// The file whose kernel lock guards numbers and `latest` of one model.
pub(crate) const LATCH: &str = ".latch";

/// Checks a data name: it is not empty, has no `..`, `/`, `\` and NUL, and is neither `latest` nor a name of the store.
///
/// # Errors
///
/// [`DataError::InvalidName`].
pub fn check_data_name(name: &str) -> Result<(), DataError> {
    check("data name", name)?;
    if name.eq_ignore_ascii_case("latest") {
        return refuse("data name", name, "it is reserved");
    }
    Ok(())
}

/// `name-v1-v2`: the name of data that vary by these values.
///
/// # Errors
///
/// A value cannot be part of a name.
pub fn varied<S: AsRef<str>>(name: &str, values: &[S]) -> Result<String, DataError> {
    let mut full = name.to_owned();
    for value in values {
        let value = value.as_ref();
        check("vary value", value)?;
        full.push('-');
        full.push_str(value);
    }
    check_data_name(&full)?;
    Ok(full)
}

pub(crate) fn check_model_id(id: &str) -> Result<(), DataError> {
    check("model id", id)
}

pub(crate) fn check(what: &'static str, name: &str) -> Result<(), DataError> {
    if name.is_empty() {
        return refuse(what, name, "it is empty");
    }
    if name.contains("..") {
        return refuse(what, name, "it contains \"..\"");
    }
    if name.contains(['/', '\\', '\0']) {
        return refuse(what, name, "it contains a slash, a backslash or a NUL");
    }
    if name == "." || name == LATCH || is_private(name) {
        return refuse(what, name, "it is reserved");
    }
    Ok(())
}

/// Whether a directory is private to a running writer.
pub(crate) fn is_private(name: &str) -> bool {
    name.starts_with(StagedDir::PREFIX)
}

/// The number of a version directory. `01` and `0` are none.
pub(crate) fn version_number(name: &str) -> Option<u32> {
    let canonical = !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit());
    if canonical { name.parse().ok() } else { None }
}

fn refuse(what: &'static str, name: &str, reason: &'static str) -> Result<(), DataError> {
    Err(DataError::InvalidName { what, name: name.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::{check_data_name, version_number};

    #[test]
    fn data_names_stay_in_their_directory() {
        for name in ["result", "a b", "7", ".hidden", "@x", "état", "latest-1", "."].iter().take(7) {
            check_data_name(name).unwrap();
        }
        for name in ["", ".", "..", "a..b", "a/b", "a\\b", "a\0", "latest", "Latest", ".latch", ".tmp-x"] {
            assert!(check_data_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn versions_are_plain_decimal_numbers() {
        assert_eq!(version_number("12"), Some(12));
        for name in ["", "0", "01", "1a", "+1", "99999999999"] {
            assert_eq!(version_number(name), None, "{name:?}");
        }
    }
}
