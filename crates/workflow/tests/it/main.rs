//! One binary for all integration tests: linking is what costs.

#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic is their way to fail")]

mod common;
mod evaluate;
mod expressions;
mod limits;
mod losses;
mod names;
mod nested;
mod refuse;
mod resume;
mod rules;
mod run;
mod schema;
mod store;
