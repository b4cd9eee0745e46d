//! Documents about models: types, definitions, method runs and their records.

mod definition;
mod output;
mod run;
mod types;

pub use definition::*;
pub use output::*;
pub use run::*;
pub use types::*;
