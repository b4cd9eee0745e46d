//! The JavaScript between a module and its calls: contracts, validation, the context object.
//!
//! `build.rs` joins the files of `src/shim` to one module. Each file of `src/shim/kinds` registers one kind of the table
//! (`crates/types/src/kind.rs`), with its operations; the tests of this crate compare both.

use crate::engine::Shim;

/// The production shim. `names.js` holds every name of a context request or notice that it uses.
pub const SHIM: Shim = Shim { name: "marsh:shim", code: include_str!(concat!(env!("OUT_DIR"), "/shim.js")) };
