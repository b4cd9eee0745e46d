//! Why an expression has no value, and where it stands.

use std::fmt;
use std::ops::Range;

use marsh_types::{ErrorCode, Explain};

use crate::place::Place;
use crate::scope::LookupError;
use crate::value::TooDeep;

/// Why an expression has no value. Never holds the text of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExprError {
    kind: Box<ExprErrorKind>,
    /// The part of the expression that it is about, in bytes. `None`: it is about all of it.
    span: Option<Range<usize>>,
}

impl ExprError {
    pub(crate) fn at(kind: ExprErrorKind, span: Range<usize>) -> ExprError {
        ExprError { kind: Box::new(kind), span: Some(span) }
    }

    /// The error, at `span` unless it knows better.
    #[must_use]
    pub(crate) fn or_at(mut self, span: Range<usize>) -> ExprError {
        self.span.get_or_insert(span);
        self
    }

    /// For failures that the caller knows of.
    pub fn failed(message: impl Into<String>) -> ExprError {
        ExprErrorKind::Failed { message: message.into() }.into()
    }

    /// Whether nothing may make up for it, as `true || …` makes up for others.
    pub(crate) fn is_final(&self) -> bool {
        matches!(*self.kind, ExprErrorKind::Limit { .. } | ExprErrorKind::TooDeep(_))
    }

    pub fn kind(&self) -> &ExprErrorKind {
        &self.kind
    }

    /// The part of the expression that the error is about, in bytes.
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

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprErrorKind {
    #[error("{message}")]
    Syntax { message: String },
    /// The expression, or what it computes, is larger than this crate works with.
    #[error("{what}, and no more than {limit} are allowed")]
    Limit { what: &'static str, limit: usize },
    #[error(transparent)]
    TooDeep(TooDeep),
    #[error("unknown variable `{name}`; known here: {}", list(known))]
    UnknownVariable { name: String, known: Vec<String>, near: Option<String> },
    #[error("there is no function `{name}`")]
    UnknownFunction { name: String, near: Option<String> },
    /// Operand or argument types that an operator or function does not take.
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
    /// An argument whose type is right and whose value is not.
    #[error("{message}")]
    Argument { message: String },
    #[error("the result holds {value}, and JSON has no number for that")]
    NotFinite { value: String },
    #[error(transparent)]
    Lookup(LookupError),
    /// For callers with failures of their own.
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

/// An error with the place of its expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot evaluate `{expression}`{}: {source}", place(pointer))]
pub struct ExprErrorAt {
    /// JSON pointer into the value that was expanded; empty for the value itself.
    pub pointer: String,
    pub expression: String,
    pub source: Box<ExprError>,
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at {pointer}") }
}

impl ExprErrorAt {
    /// The expression with a line of carets below the part that is wrong.
    pub fn excerpt(&self) -> String {
        crate::place::excerpt(&self.expression, self.source.span())
    }

    /// `file:line:column: message`, the expression with carets, and the hint. `scalar` is where the text of the value
    /// begins that the expression is in.
    pub fn report(&self, scalar: &Place) -> String {
        scalar.report(&self.expression, &self.source)
    }
}

impl Explain for ExprErrorAt {
    fn code(&self) -> ErrorCode {
        self.source.code()
    }

    fn hint(&self) -> Option<String> {
        self.source.hint()
    }

    fn details(&self) -> Option<serde_json::Value> {
        let mut details = serde_json::json!({"pointer": self.pointer, "expression": self.expression});
        if let Some(span) = self.source.span() {
            details["span"] = serde_json::json!([span.start, span.end]);
        }
        Some(details)
    }
}
