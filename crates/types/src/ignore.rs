//! The one place where a failure is dropped on purpose.

use std::fmt::Display;

/// Drops the error of `result`, and logs it at debug level together with `reason`.
///
/// `reason` completes the sentence "nothing depends on this, because …": `the reader closed the pipe`. Use this in place
/// of `drop(result)`, `.ok();` and `let _ =`, so that every dropped failure says why it may be dropped and can be seen with
/// `MARSH_LOG=debug`.
///
/// For a result whose error has no text (a value that a closed channel gives back), map the error to a text first.
pub fn ignore<T, E: Display>(result: Result<T, E>, reason: &'static str) {
    if let Err(error) = result {
        tracing::debug!(%error, reason, "ignored a failure");
    }
}
