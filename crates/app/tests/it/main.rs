//! One binary for all integration tests: linking takes most of the time.
//!
//! These tests open sessions on a scratch repository and call operations directly. They start no host; what needs one is
//! tested through the binary (`crates/cli/tests/it`).

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is their way to fail, and scratch files need no durability"
)]

mod audit;
mod data;
mod datastore;
mod datastore_setup;
mod defects_changes;
mod defects_hostile;
mod defects_names;
mod defects_sets;
mod defects_state;
mod extension;
mod installed;
mod model;
mod preferences;
mod publish;
mod registry;
mod repair;
mod report;
mod repository;
mod run;
mod server;
mod source;
mod support;
mod trust;
mod unverified;
mod vault;
mod workflow;
mod workflow_data;
mod workflow_files;
