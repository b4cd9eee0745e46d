//! Types that are part of marsh.

pub mod shell;
pub(crate) mod shell_output;
pub mod shell_secrets;

use marsh_types::TypeName;

/// The names of the built-in types.
pub fn types() -> Vec<TypeName> {
    TypeName::parse(shell::TYPE).into_iter().collect()
}
