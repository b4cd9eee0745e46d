//! What the bench shares with other tools that compare marsh with Deno: finding Deno, and the error of that.
//! The bench itself is the binary of this crate.

#![expect(clippy::print_stderr, reason = "an installation takes a while and says so")]

pub mod deno;
pub mod error;
