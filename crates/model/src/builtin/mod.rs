//! Types that are part of marsh.

pub mod shell;
pub mod shell_secrets;

use marsh_types::TypeName;

pub fn types() -> Vec<TypeName> {
    TypeName::parse(shell::TYPE).into_iter().collect()
}
