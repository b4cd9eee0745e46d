//! The expression language: a dialect of CEL. Nothing outside of this module knows how it is evaluated.
//!
//! An expression is read into a flat tree ([`ast`]), its types are checked as far as they are known ([`check`]), and then
//! it is walked ([`eval`]). Every step has bounds, so that no text and no value makes it panic, hang or fill the memory:
//!
//! * the tree's depth is bounded where it is built, so that walking it may recurse; chains of operators, which are as
//!   long as people like, are walked in a loop;
//! * the depth of values is bounded where they are made;
//! * evaluation counts steps and bytes, and stops at the limit.

pub(crate) mod ast;
pub(crate) mod check;
mod computed;
mod eval;
mod functions;
mod lexer;
mod ops;
pub(crate) mod parser;
mod regexes;
mod signatures;
mod strings;
mod times;
mod types;

pub(crate) use check::check;
pub(crate) use eval::evaluate;

/// Whether the name means a type or a namespace of the language, and no variable.
pub(crate) fn is_constant(name: &str) -> bool {
    check::constant(name).is_some()
}
