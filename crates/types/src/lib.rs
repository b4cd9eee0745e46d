//! Names, versions, kinds and the shapes that every other crate shares.
//!
//! Invariant: this crate does no I/O, reads no clock and no environment. A value of one of its types is valid by
//! construction: `TypeName`, `CalVer`, `DefinitionName` and `WorkflowName` cannot hold text that their parser refuses
//! (held by the unit tests beside each parser).

pub mod calver;
pub mod explain;
pub mod kind;
pub mod names;
pub mod near;
pub mod time;
pub mod yaml;

pub use calver::CalVer;
pub use explain::Explain;
pub use kind::{Kind, Origin};
pub use names::{DefinitionName, NameError, TypeName, WorkflowName};
