//! Workflows and their runs: the documents of `marsh workflow …` and `marsh summarise`, and the words that they share with
//! the journal and the records of runs.
//!
//! The functions that make these documents are in `crates/workflow/src/document.rs`; its tests hold the exact form.

mod approval;
mod data;
mod definition;
pub mod event;
mod history;
mod run;
mod summary;
mod validation;
mod words;

pub use approval::*;
pub use data::*;
pub use definition::*;
pub use history::*;
pub use run::*;
pub use summary::*;
pub use validation::*;
pub use words::*;
