//! What can go wrong: a request that the standard refuses, one that marsh does not know, or tables that cannot be read.

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value that the standard refuses with a `RangeError`.
    #[error("{0}")]
    Range(String),
    /// Something that ICU does and marsh does not.
    #[error("{0}")]
    Unsupported(String),
    /// The tables inside of the binary are damaged.
    #[error("invalid locale data: {0}")]
    Data(String),
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) fn data(what: impl std::fmt::Display) -> Error {
    Error::Data(what.to_string())
}
