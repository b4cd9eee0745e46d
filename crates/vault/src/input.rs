//! What a caller types to store a secret: its key, and its value or where the value comes from.
//!
//! Invariants:
//! * A value never becomes part of a key, because keys are the names of files and appear in listings, messages and the
//!   audit trail. So a key that contains `=` cannot be stored ([`check_new_key`]).
//! * No error of this module holds a text that can be a value.

use zeroize::Zeroizing;

use crate::config::check_name;
use crate::{Secret, VaultError};

/// Checks the key of a secret to store. Secrets that older versions stored under other keys stay readable and can be
/// deleted.
///
/// # Errors
///
/// The key is empty, leads out of the directory of the vault, or contains `=`.
pub fn check_new_key(key: &str) -> Result<(), VaultError> {
    if let Some((before, _)) = key.split_once('=') {
        // What follows `=` is a value, most likely.
        return Err(VaultError::InvalidName {
            what: "secret key",
            name: format!("{before}=…"),
            reason: "it contains \"=\"",
        });
    }
    check_name("secret key", key)
}

/// The key of a secret, and its value when that was typed with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInput {
    /// The key.
    pub key: String,
    /// The value; `None`: it is asked for, or is on standard input.
    pub value: Option<Secret>,
}

impl SecretInput {
    /// Reads `KEY`, `KEY=VALUE` or `KEY VALUE`. A value can contain `=` and can be empty.
    ///
    /// # Errors
    ///
    /// The key is empty or invalid, or there are two values.
    pub fn parse(first: &str, second: Option<&str>) -> Result<SecretInput, VaultError> {
        let (key, value) = match (first.split_once('='), second) {
            (Some(_), Some(_)) => {
                return Err(VaultError::InvalidInput { reason: "found two values, `KEY=VALUE` and `VALUE`" });
            }
            (Some((key, value)), None) => (key, Some(value)),
            (None, value) => (first, value),
        };
        if key.is_empty() {
            return Err(VaultError::InvalidInput { reason: "the key is empty" });
        }
        check_new_key(key)?;
        Ok(SecretInput { key: key.to_owned(), value: value.map(Secret::new) })
    }

    /// The value that standard input holds: all of it. A line break at its end goes if the text has no other, so that
    /// `echo VALUE` stores the value, and a file with several lines is stored as it is.
    ///
    /// # Errors
    ///
    /// There is no value.
    pub fn value_of_stream(text: &str) -> Result<Secret, VaultError> {
        let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let value = match line {
            Some(line) if !line.contains('\n') => line,
            _ => text,
        };
        match value.is_empty() {
            true => Err(VaultError::InvalidInput { reason: "standard input is empty" }),
            false => Ok(Secret::new(value)),
        }
    }

    /// The value that a person typed.
    ///
    /// # Errors
    ///
    /// Nothing was typed.
    pub fn value_of_prompt(typed: &Zeroizing<String>) -> Result<Secret, VaultError> {
        match typed.is_empty() {
            true => Err(VaultError::InvalidInput { reason: "nothing was typed" }),
            false => Ok(Secret::new(typed.as_str())),
        }
    }
}

#[cfg(test)]
mod tests {
    use marsh_types::{ErrorCode, Explain as _};

    use super::SecretInput;

    fn parsed(first: &str, second: Option<&str>) -> (String, Option<String>) {
        let input = SecretInput::parse(first, second).unwrap();
        (input.key, input.value.map(|value| value.expose().to_owned()))
    }

    fn pair(key: &str, value: &str) -> (String, Option<String>) {
        (key.to_owned(), Some(value.to_owned()))
    }

    #[test]
    fn key_and_value_are_read_from_every_documented_form() {
        assert_eq!(parsed("K", None), ("K".to_owned(), None));
        assert_eq!(parsed("K", Some("a=b")), pair("K", "a=b"));
        assert_eq!(parsed("K=a", None), pair("K", "a"));
        assert_eq!(parsed("K=a=b==", None), pair("K", "a=b=="));
        assert_eq!(parsed("K=", None), pair("K", ""));
        assert_eq!(parsed("K", Some("")), pair("K", ""));
    }

    #[test]
    fn input_without_a_key_or_with_two_values_is_refused_without_showing_a_value() {
        for (first, second) in [("=hunter2", None), ("", Some("hunter2")), ("K=hunter2", Some("hunter3"))] {
            let error = SecretInput::parse(first, second).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Usage, "{first}");
            let hint = error.hint().unwrap();
            assert!(
                hint.contains("KEY=VALUE") && hint.contains("KEY VALUE") && hint.contains("standard input")
            );
            assert!(!format!("{error} {error:?} {hint}").contains("hunter"), "{error}");
        }
        assert_eq!(SecretInput::parse("../K=v", None).unwrap_err().code(), ErrorCode::InvalidName);
    }

    #[test]
    fn key_to_store_with_an_equals_sign_is_refused_without_showing_what_follows() {
        let error = super::check_new_key("TOKEN=hunter2").unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidName);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        super::check_new_key("TOKEN").unwrap();
    }

    #[test]
    fn stream_loses_the_line_break_of_its_only_line() {
        let value = |text: &str| SecretInput::value_of_stream(text).unwrap().expose().to_owned();
        assert_eq!(value("a"), "a");
        assert_eq!(value("a\n"), "a");
        assert_eq!(value("a\r\n"), "a");
        assert_eq!(value("a\nb\n"), "a\nb\n");
        assert_eq!(value("a\nb"), "a\nb");
        assert_eq!(value("a\n\n"), "a\n\n");
        for nothing in ["", "\n", "\r\n"] {
            assert_eq!(SecretInput::value_of_stream(nothing).unwrap_err().code(), ErrorCode::Usage);
        }
    }
}
