//! The expression language through its public seam.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]

mod bounds;
mod conformance;
mod generate;
mod messages;
mod second;
mod secrets;
mod support;
