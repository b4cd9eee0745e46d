//! Maps whose entries are made when they are needed.

use std::fmt::Debug;

use super::Value;
use crate::lookup_error::Looked;

/// A map whose entries are made at their first use, such as `model`.
///
/// # Errors
///
/// A lookup fails if the caller cannot make the entry.
pub trait Lookup: Debug + Send + Sync {
    /// The entry of a key; `None`: there is none.
    fn get(&self, key: &str) -> Looked<Option<Value>>;
    /// All keys.
    fn keys(&self) -> Looked<Vec<String>>;
}
