//! The exit codes of results; the class of an error decides that of a failure (`docs/reference/exit-codes.md`).

/// The command did what it was asked to.
pub const DONE: u8 = 0;
/// It failed: the run failed, something was not found, a check did not pass.
pub const FAILED: u8 = 1;
/// Stopped by Ctrl-C or a termination signal.
pub const INTERRUPTED: u8 = 130;
