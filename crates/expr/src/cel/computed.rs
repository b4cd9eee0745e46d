//! The result of a function, and its messages.

use crate::error::ExprErrorKind;
use crate::value::{Kind, Value};

pub(super) type Computed = Result<Value, ExprErrorKind>;

/// A value for a message: text in quotes, shortened, and never a secret.
pub(super) fn shown(value: &Value) -> String {
    match (&value.kind, value.secret) {
        (_, true) => "(secret)".to_owned(),
        (Kind::String(text), false) if text.chars().count() > 40 => {
            format!("{:?}…", text.chars().take(40).collect::<String>())
        }
        (_, false) => format!("{value:?}"),
    }
}

pub(super) fn argument(message: impl Into<String>) -> ExprErrorKind {
    ExprErrorKind::Argument { message: message.into() }
}
