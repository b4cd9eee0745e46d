//! What the CLI edge needs to know of an error beyond its message.

/// A library error that can be shown to a user.
///
/// The message is the error's `Display`; this trait adds what scripts and hints need. Only the CLI edge calls it, so
/// that message, hint, code and exit code are decided in one place.
pub trait Explain: std::error::Error {
    /// Stable code in snake case, e.g. `model_not_found`. Part of the public contract of `--json`.
    fn code(&self) -> &'static str;

    /// What the user can do next. Never suggests what cannot work.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Extra fields for the JSON error document (field name, available names, location …).
    fn details(&self) -> Option<serde_json::Value> {
        None
    }
}
