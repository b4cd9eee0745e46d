//! Scopes: the variables of an expression, and the functions of `data`, `file`, `vault`, `workers` and `model`.
//!
//! Callers implement [`Scope`], or fill [`Variables`] if they have values only. A name is looked up when an expression uses
//! it. A lookup that fails is a [`LookupError`] with a code of the caller.

use indexmap::IndexMap;
use marsh_types::ErrorCode;
use serde_json::Value as Json;

use crate::lookup_error::{Looked, LookupError};
use crate::too_deep::TooDeep;
use crate::value::Value;

/// Gives the names of an expression their values. By default, functions are not available.
///
/// # Errors
///
/// A lookup fails if the caller cannot read the value.
pub trait Scope {
    /// The variable of this name; `None`: there is none.
    fn variable(&self, name: &str) -> Looked<Option<Value>>;

    /// The names of the variables, for messages.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// `data.…`
    fn data(&self) -> Option<&dyn DataSource> {
        None
    }

    /// `file.contents`
    fn files(&self) -> Option<&dyn FileSource> {
        None
    }

    /// `vault.get`
    fn vaults(&self) -> Option<&dyn VaultSource> {
        None
    }

    /// `workers.connected`
    fn workers(&self) -> Option<&dyn WorkerSource> {
        None
    }

    /// `model.method`
    fn methods(&self) -> Option<&dyn MethodSource> {
        None
    }
}

impl<S: Scope + ?Sized> Scope for &S {
    fn variable(&self, name: &str) -> Looked<Option<Value>> {
        (**self).variable(name)
    }

    fn names(&self) -> Vec<String> {
        (**self).names()
    }

    fn data(&self) -> Option<&dyn DataSource> {
        (**self).data()
    }

    fn files(&self) -> Option<&dyn FileSource> {
        (**self).files()
    }

    fn vaults(&self) -> Option<&dyn VaultSource> {
        (**self).vaults()
    }

    fn workers(&self) -> Option<&dyn WorkerSource> {
        (**self).workers()
    }

    fn methods(&self) -> Option<&dyn MethodSource> {
        (**self).methods()
    }
}

/// Stored data. Records are maps; secrets in them are marked ([`Value::into_secret`]).
///
/// # Errors
///
/// A lookup fails if the data cannot be read.
pub trait DataSource {
    /// The newest version of `name`, which includes the vary list; null if there is none.
    fn latest(&self, model: &str, name: &str) -> Looked<Value>;
    /// This version; null if there is none.
    fn version(&self, model: &str, name: &str, version: u64) -> Looked<Value>;
    /// The numbers of the versions, ascending.
    fn list_versions(&self, model: &str, name: &str) -> Looked<Vec<u64>>;
    /// The newest versions with this output.
    fn find_by_spec(&self, model: &str, spec: &str) -> Looked<Vec<Value>>;
    /// The newest versions with this tag.
    fn find_by_tag(&self, key: &str, value: &str) -> Looked<Vec<Value>>;
    /// The versions that match a predicate, or the selection of each.
    fn query(&self, predicate: &str, select: Option<&str>) -> Looked<Vec<Value>>;
}

/// Stored files.
pub trait FileSource {
    /// The text of the first instance of a file; `None`: there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is not text.
    fn contents(&self, model: &str, spec: &str) -> Looked<Option<String>>;
}

/// Vaults.
pub trait VaultSource {
    /// The secret. The evaluator marks the values that an expression computes from it.
    ///
    /// # Errors
    ///
    /// The vault failed, or has no such secret.
    fn secret(&self, vault: &str, key: &str) -> Looked<String>;
}

/// Remote workers.
pub trait WorkerSource {
    /// The connected workers.
    ///
    /// # Errors
    ///
    /// The caller cannot list them.
    fn connected(&self) -> Looked<Vec<Value>>;
}

/// Methods that guards and asserts call.
pub trait MethodSource {
    /// The result of `model.method(name, method[, inputs])`.
    ///
    /// # Errors
    ///
    /// The method failed.
    fn call(&self, model: &str, method: &str, inputs: Option<&Value>) -> Looked<Value>;
}

/// Variables with their values, and no functions.
#[derive(Debug, Clone, Default)]
pub struct Variables(IndexMap<String, Looked<Value>>);

impl Variables {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Json>) {
        self.set_made(name, Value::from_json(&value.into()));
    }

    /// Sets a variable to the result of a conversion. If that failed, the lookup fails.
    pub fn set_made(&mut self, name: impl Into<String>, value: Result<Value, TooDeep>) {
        let failed = |error: TooDeep| LookupError::failed(ErrorCode::ExpressionTooLarge, error.to_string());
        self.0.insert(name.into(), value.map_err(failed));
    }

    /// Sets a variable to a value, for example a secret or lazy one.
    pub fn set_value(&mut self, name: impl Into<String>, value: Value) {
        self.0.insert(name.into(), Ok(value));
    }
}

impl Scope for Variables {
    fn variable(&self, name: &str) -> Looked<Option<Value>> {
        self.0.get(name).cloned().transpose()
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}
