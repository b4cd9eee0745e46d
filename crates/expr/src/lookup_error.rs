//! Lookups that fail.

use marsh_types::ErrorCode;

/// Why a lookup failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Expressions at this position cannot use the name.
    #[error("`{name}` is not available here")]
    NotAvailable {
        /// The name.
        name: String,
    },
    /// The caller failed. Messages must not hold secrets.
    #[error("{message}")]
    Failed {
        /// The code of the failure.
        code: ErrorCode,
        /// The message.
        message: String,
        /// What the user can do.
        hint: Option<String>,
    },
}

impl LookupError {
    /// A failure of the caller.
    pub fn failed(code: ErrorCode, message: impl Into<String>) -> LookupError {
        LookupError::Failed { code, message: message.into(), hint: None }
    }

    /// The error with a hint.
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

/// The result of a lookup.
pub type Looked<T> = Result<T, LookupError>;
