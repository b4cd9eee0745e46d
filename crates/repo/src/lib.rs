//! The repository on disk: where it is, what its marker says, where everything in it lives.
//!
//! Invariants:
//! * The process environment is read in one place (`Environment::from_process`), by names that stand in one table
//!   (`env::VARIABLES`); everything below the command line gets values, never variable names.
//! * Paths inside a repository are spelled in `Layout` and nowhere else.
//! * `init` never changes a file that it did not create, except the marker (only with `force`) and the managed block
//!   of `.gitignore` (held by `tests/init.rs`).

pub mod discovery;
pub mod env;
pub mod init;
pub mod layout;
pub mod marker;

pub use discovery::{Repo, RepoError};
pub use env::Environment;
pub use init::{GitignoreAction, InitOutcome, init};
pub use layout::Layout;
pub use marker::Marker;
