//! What a user sees of an error beyond its message.

use crate::code::{ErrorClass, ErrorCode};

/// A library error that can be shown to a user.
///
/// The message is the error's `Display`; this trait adds what scripts and hints need. `marsh_api::ErrorReport` makes
/// the one public document from it.
pub trait Explain: std::error::Error {
    /// The stable code. Part of the public contract of `--json`.
    fn code(&self) -> ErrorCode;

    /// The class; decides exit code, HTTP status and retry.
    fn class(&self) -> ErrorClass {
        self.code().class()
    }

    /// What the user can do next. Suggests only what can work.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Extra fields for the error document (field name, available names, location …).
    fn details(&self) -> Option<serde_json::Value> {
        None
    }
}
