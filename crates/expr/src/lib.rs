//! `${{ … }}` in values: finding expressions, evaluating them, putting results in their place.
//!
//! Pure: no I/O, no clock. Three parts that do not know each other's insides:
//!
//! * `template` finds expressions in text. It respects quotes and braces of the expression language, so that
//!   `${{ {"a": {}} }}` is one expression; text that ends an expression for simpler readers, at the first `}}`, ends
//!   it here too unless it is inside a string or a map. There is no escape form.
//! * [`Evaluator`] turns an expression into a value. [`PathEvaluator`] knows literals and paths such as
//!   `inputs.items[0]["a-b"]`; a full CEL engine takes its place without a change elsewhere.
//! * [`expand()`] walks a value. Keys are never evaluated. A string that is exactly one expression becomes the typed
//!   result; elsewhere results become text.
//!
//! The unit tests beside each part are tables of input and outcome.

mod error;
mod expand;
mod path;
mod refs;
mod scan;
mod scope;
mod template;
mod text;

pub use error::{ExprError, ExprErrorAt};
pub use expand::{Expanded, Mode, Unresolved, contains_expression, expand, expand_text, expressions};
pub use path::PathEvaluator;
pub use refs::{quote_model_names, references};
pub use scope::Scope;
pub use template::{Segment, segments};
pub use text::to_text;

/// Gives an expression its meaning.
pub trait Evaluator {
    /// `expression` is what stands between `${{` and `}}`, trimmed.
    fn evaluate(&self, expression: &str, scope: &Scope) -> Result<serde_json::Value, ExprError>;
}

impl<E: Evaluator + ?Sized> Evaluator for &E {
    fn evaluate(&self, expression: &str, scope: &Scope) -> Result<serde_json::Value, ExprError> {
        (**self).evaluate(expression, scope)
    }
}
