//! One binary for all integration tests: linking is what costs.

#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic is their way to fail")]

mod config;
mod schedule;
mod webhook;
