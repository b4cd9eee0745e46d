//! Errors with the expressions that they are about.

use marsh_types::{ErrorCode, Explain};

use crate::error::ExprError;
use crate::source_location::{SourceLocation, excerpt};

/// An error and its expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot evaluate `{expression}`{}: {source}", place(pointer))]
pub struct ExprErrorAt {
    /// JSON pointer into the value that was expanded; empty for the value itself.
    pub pointer: String,
    /// The expression.
    pub expression: String,
    /// The error.
    pub source: Box<ExprError>,
}

fn place(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at {pointer}") }
}

impl ExprErrorAt {
    /// The expression with a line of carets below the faulty part.
    pub fn excerpt(&self) -> String {
        excerpt(&self.expression, self.source.span())
    }

    /// `file:line:column: message`, the expression with carets, and the hint. `scalar` is the location of the text that holds
    /// the expression.
    pub fn report(&self, scalar: &SourceLocation) -> String {
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
