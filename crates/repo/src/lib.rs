//! The repository on disk: finding it, its marker file, and the paths of everything in it.
//!
//! Invariants:
//! * The process environment is read in one place (`Environment::from_process`), by the names of one table
//!   (`env::variables`). Code below the command line gets values, never the names of variables.
//! * Only `Layout` spells paths inside a repository.
//! * `init` never changes a file that it did not create, except the marker (only with `force`), the managed block
//!   of `.gitignore` (`tests/init.rs`), and managed parts of the files of AI tools (`tests/tools.rs`).
//! * An upgrade of a former layout loses nothing, and its second run changes nothing (`tests/upgrade.rs`).

#![warn(missing_docs)]

pub mod discovery;
pub mod env;
pub mod init;
pub mod layout;
pub mod marker;
pub mod tools;
pub mod upgrade;

pub use discovery::{Repo, RepoError};
pub use env::Environment;
pub use init::{GitignoreAction, InitOptions, InitOutcome, ToolSetup, init, init_with};
pub use layout::Layout;
pub use marker::Marker;
