//! The bound of the depth of values.

/// The deepest nesting of lists and maps.
pub(crate) const MAX_DEPTH: u16 = 200;

/// A value nests too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value nests more than {MAX_DEPTH} levels deep")]
pub struct TooDeep;
