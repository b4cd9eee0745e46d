//! What an expression can name: variables, and the functions behind `data`, `file`, `vault`, `workers` and `model`.
//!
//! Callers implement [`Scope`], or fill [`Variables`] when they have values only. Nothing is looked up before an
//! expression asks for it, and a lookup that fails is a [`LookupError`] with a code of the caller.

use marsh_types::ErrorCode;
use std::fmt::Debug;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::value::{TooDeep, Value};

/// Why a lookup gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// It does not exist where the expression stands.
    #[error("`{name}` is not available here")]
    NotAvailable { name: String },
    /// It should have been there. Messages must not hold secrets.
    #[error("{message}")]
    Failed { code: ErrorCode, message: String, hint: Option<String> },
}

impl LookupError {
    pub fn failed(code: ErrorCode, message: impl Into<String>) -> LookupError {
        LookupError::Failed { code, message: message.into(), hint: None }
    }

    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> LookupError {
        match self {
            LookupError::Failed { code, message, .. } => {
                LookupError::Failed { code, message, hint: Some(hint.into()) }
            }
            other => other,
        }
    }

    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            LookupError::NotAvailable { .. } => ErrorCode::ExpressionNotAvailable,
            LookupError::Failed { code, .. } => *code,
        }
    }

    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            LookupError::NotAvailable { .. } => None,
            LookupError::Failed { hint, .. } => hint.clone(),
        }
    }
}

pub type Looked<T> = Result<T, LookupError>;

/// What the names in an expression mean. Every part has a default: not there.
pub trait Scope {
    /// The variable, or `None` if there is none of that name.
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

/// Stored data. Records are maps, as the format has them; secrets in them are marked ([`Value::into_secret`]).
pub trait DataSource {
    /// The newest version of `name`, which the vary list is already part of; null if there is none.
    fn latest(&self, model: &str, name: &str) -> Looked<Value>;
    fn version(&self, model: &str, name: &str, version: u64) -> Looked<Value>;
    /// The numbers of the versions, ascending.
    fn list_versions(&self, model: &str, name: &str) -> Looked<Vec<u64>>;
    fn find_by_spec(&self, model: &str, spec: &str) -> Looked<Vec<Value>>;
    fn find_by_tag(&self, key: &str, value: &str) -> Looked<Vec<Value>>;
    fn query(&self, predicate: &str, select: Option<&str>) -> Looked<Vec<Value>>;
}

pub trait FileSource {
    /// The text of the first instance of the file, or `None`.
    fn contents(&self, model: &str, spec: &str) -> Looked<Option<String>>;
}

pub trait VaultSource {
    /// The secret. Whatever an expression makes of it is secret too; the evaluator sees to that.
    fn secret(&self, vault: &str, key: &str) -> Looked<String>;
}

pub trait WorkerSource {
    fn connected(&self) -> Looked<Vec<Value>>;
}

pub trait MethodSource {
    /// What `model.method(name, method[, inputs])` gives, in guards and asserts.
    fn call(&self, model: &str, method: &str, inputs: Option<&Value>) -> Looked<Value>;
}

/// A map whose entries are made when they are asked for, such as `model`.
pub trait Lookup: Debug + Send + Sync {
    fn get(&self, key: &str) -> Looked<Option<Value>>;
    fn keys(&self) -> Looked<Vec<String>>;
}

/// Variables with their values, and no functions.
#[derive(Debug, Clone, Default)]
pub struct Variables(IndexMap<String, Looked<Value>>);

impl Variables {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Json>) {
        self.set_made(name, Value::from_json(&value.into()));
    }

    /// A value that was made elsewhere; if that failed, looking it up says so.
    pub fn set_made(&mut self, name: impl Into<String>, value: Result<Value, TooDeep>) {
        let failed = |error: TooDeep| LookupError::failed(ErrorCode::ExpressionTooLarge, error.to_string());
        self.0.insert(name.into(), value.map_err(failed));
    }

    /// A value that is already one, as for what is secret or lazy.
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
