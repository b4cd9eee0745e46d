//! Errors of expressions, and their locations.

use std::fmt;
use std::ops::Range;

use marsh_types::{ErrorCode, Explain};

use crate::lookup_error::LookupError;
use crate::too_deep::TooDeep;

/// Why an expression has no value. It never holds the text of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExprError {
    kind: Box<ExprErrorKind>,
    /// The byte range of the faulty part. `None`: all of the expression.
    span: Option<Range<usize>>,
}

impl ExprError {
    pub(crate) fn at(kind: ExprErrorKind, span: Range<usize>) -> ExprError {
        ExprError { kind: Box::new(kind), span: Some(span) }
    }

    /// The error, at `span` unless it has one.
    #[must_use]
    pub(crate) fn or_at(mut self, span: Range<usize>) -> ExprError {
        self.span.get_or_insert(span);
        self
    }

    /// An error of the caller's own.
    pub fn failed(message: impl Into<String>) -> ExprError {
        ExprErrorKind::Failed { message: message.into() }.into()
    }

    /// Whether the error ends the evaluation. Others can be absorbed: `true || …` is true.
    pub(crate) fn is_final(&self) -> bool {
        matches!(*self.kind, ExprErrorKind::Limit { .. } | ExprErrorKind::TooDeep(_))
    }

    /// The kind of the error.
    pub fn kind(&self) -> &ExprErrorKind {
        &self.kind
    }

    /// The byte range of the faulty part; `None`: all of the expression.
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }
}

impl From<ExprErrorKind> for ExprError {
    fn from(kind: ExprErrorKind) -> ExprError {
        ExprError { kind: Box::new(kind), span: None }
    }
}

impl From<TooDeep> for ExprError {
    fn from(error: TooDeep) -> ExprError {
        ExprErrorKind::TooDeep(error).into()
    }
}

impl From<LookupError> for ExprError {
    fn from(error: LookupError) -> ExprError {
        ExprErrorKind::Lookup(error).into()
    }
}

impl From<LookupError> for ExprErrorKind {
    fn from(error: LookupError) -> ExprErrorKind {
        ExprErrorKind::Lookup(error)
    }
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for ExprError {}

/// The kinds of errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
pub enum ExprErrorKind {
    #[error("{message}")]
    Syntax { message: String },
    /// The expression or its result is too large.
    #[error("{what}, and no more than {limit} are allowed")]
    Limit { what: &'static str, limit: usize },
    #[error(transparent)]
    TooDeep(TooDeep),
    #[error("unknown variable `{name}`; known here: {}", list(known))]
    UnknownVariable { name: String, known: Vec<String>, near: Option<String> },
    #[error("unknown function `{name}`")]
    UnknownFunction { name: String, near: Option<String> },
    /// An operator or a function does not take these types.
    #[error("{message}")]
    Types { message: String, hint: Option<String> },
    #[error("`{path}` has no key `{key}`")]
    NoSuchKey { key: String, path: String, near: Option<String> },
    #[error("`{path}` is {kind} and has no `{key}`")]
    NotAContainer { key: String, path: String, kind: &'static str },
    #[error("`{path}` has {length} elements, so there is none at index {index}")]
    OutOfBounds { path: String, index: String, length: usize },
    #[error("{message}")]
    Arithmetic { message: &'static str },
    /// An argument has the right type and an invalid value.
    #[error("{message}")]
    Argument { message: String },
    #[error("the result holds {value}, and JSON has no number for that")]
    NotFinite { value: String },
    #[error(transparent)]
    Lookup(LookupError),
    /// An error of the caller's own.
    #[error("{message}")]
    Failed { message: String },
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

impl Explain for ExprError {
    fn code(&self) -> ErrorCode {
        match &*self.kind {
            ExprErrorKind::Syntax { .. } => ErrorCode::ExpressionSyntax,
            ExprErrorKind::Limit { .. } | ExprErrorKind::TooDeep(_) => ErrorCode::ExpressionTooLarge,
            ExprErrorKind::UnknownVariable { .. } => ErrorCode::ExpressionUnknownVariable,
            ExprErrorKind::UnknownFunction { .. } => ErrorCode::ExpressionUnknownFunction,
            ExprErrorKind::Types { .. } => ErrorCode::ExpressionType,
            ExprErrorKind::NoSuchKey { .. } | ExprErrorKind::NotAContainer { .. } => {
                ErrorCode::ExpressionNoSuchKey
            }
            ExprErrorKind::OutOfBounds { .. } => ErrorCode::ExpressionOutOfBounds,
            ExprErrorKind::Arithmetic { .. } => ErrorCode::ExpressionArithmetic,
            ExprErrorKind::Argument { .. } => ErrorCode::ExpressionArgument,
            ExprErrorKind::NotFinite { .. } => ErrorCode::ExpressionNotFinite,
            ExprErrorKind::Lookup(error) => error.code(),
            ExprErrorKind::Failed { .. } => ErrorCode::ExpressionFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        match &*self.kind {
            ExprErrorKind::UnknownVariable { near, .. }
            | ExprErrorKind::UnknownFunction { near, .. }
            | ExprErrorKind::NoSuchKey { near, .. } => {
                near.as_ref().map(|near| format!("did you mean `{near}`?"))
            }
            ExprErrorKind::Types { hint, .. } => hint.clone(),
            ExprErrorKind::Lookup(error) => error.hint(),
            _ => None,
        }
    }
}
