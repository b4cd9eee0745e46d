//! Tests of the crate as its users see it. Tests that start hosts are the binary's (`crates/cli/tests`).

mod broken_sources;
mod kinds_table;
