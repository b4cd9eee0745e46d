//! Finding or installing Deno, for the bench and other tools that compare marsh with Deno. The bench is the binary of this
//! crate.

#![warn(missing_docs)]
#![expect(clippy::print_stderr, reason = "an installation takes a while and reports it")]

pub mod deno;
pub mod error;
