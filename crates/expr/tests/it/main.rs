//! The expression language through its public seam.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]

mod bounds;
mod conformance;
mod messages;
mod secrets;
mod support;
