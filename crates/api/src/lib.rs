//! Every public document of marsh. No I/O.
#![warn(missing_docs)]
pub mod event;
pub mod workflow;
