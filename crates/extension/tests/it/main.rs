//! Tests of the crate as its users see it. Tests that start hosts are the binary's (`crates/cli/tests`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod broken_sources;
mod kinds_table;
mod many_sources;
mod mounts;
