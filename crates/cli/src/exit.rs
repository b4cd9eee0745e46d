//! The exit codes, a published table (`docs/reference/exit-codes.md`).

/// The command did what it was asked to.
pub const DONE: u8 = 0;
/// It failed: the run failed, something was not found, a check did not pass.
pub const FAILED: u8 = 1;
/// The command line was wrong.
pub const USAGE: u8 = 2;
/// Somebody else holds a lock, and the wait ended.
pub const BUSY: u8 = 75;
/// Stopped by Ctrl-C or a termination signal.
pub const INTERRUPTED: u8 = 130;
