//! Why an expression has no value, and where it stands.

use marsh_types::Explain;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    #[error(
        "`{expression}` is not supported: this version evaluates paths such as inputs.name, and literals"
    )]
    Unsupported { expression: String },
    #[error("unknown variable `{name}`; known here: {}", list(known))]
    UnknownVariable { name: String, known: Vec<String>, near: Option<String> },
    #[error("`{path}` has no key `{key}`")]
    NoSuchKey { key: String, path: String, near: Option<String> },
    #[error("`{path}` is {kind} and has no `{key}`")]
    NotAContainer { key: String, path: String, kind: &'static str },
    #[error("`{path}` has {length} elements, so there is none at index {index}")]
    OutOfBounds { path: String, index: i64, length: usize },
    /// For evaluators with failures of their own.
    #[error("{message}")]
    Failed { message: String },
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}

impl Explain for ExprError {
    fn code(&self) -> &'static str {
        match self {
            ExprError::Unsupported { .. } => "expression_unsupported",
            ExprError::UnknownVariable { .. } => "expression_unknown_variable",
            ExprError::NoSuchKey { .. } | ExprError::NotAContainer { .. } => "expression_no_such_key",
            ExprError::OutOfBounds { .. } => "expression_out_of_bounds",
            ExprError::Failed { .. } => "expression_failed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ExprError::UnknownVariable { near, .. } | ExprError::NoSuchKey { near, .. } => {
                near.as_ref().map(|near| format!("did you mean `{near}`?"))
            }
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

impl Explain for ExprErrorAt {
    fn code(&self) -> &'static str {
        self.source.code()
    }

    fn hint(&self) -> Option<String> {
        self.source.hint()
    }

    fn details(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({"pointer": self.pointer, "expression": self.expression}))
    }
}
