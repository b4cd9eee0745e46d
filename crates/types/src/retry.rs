//! How a failure counts when its caller decides whether to try again.
//!
//! The type of an error decides the class (`ModelError::retry_class` in the `model` crate), never its message or its code.

/// What another try of the same work can achieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryClass {
    /// The work failed for a reason that may pass: the code threw, a command failed, a file was unreadable.
    Transient,
    /// The work did not end within its time.
    Timeout,
    /// The process that ran the work died or ended itself.
    Crash,
    /// The code needed more memory than its limit. Another try needs as much.
    OutOfMemory,
    /// Names, arguments or files are wrong: the same work fails until a user changes them.
    Permanent,
    /// The caller stopped the work.
    Cancelled,
}
