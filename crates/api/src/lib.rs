//! Every public document of marsh: what commands print with `--json`, what `--events` streams, what the server answers.

#![warn(missing_docs)]

pub mod workflow;
