//! Parsed expressions, and the evaluator of the dialect.

use std::fmt;

use serde_json::Value as Json;

use crate::cel::ast::{Op, Tree};
use crate::cel::{check, evaluate, parser};
use crate::declared::Declared;
use crate::error::ExprError;
use crate::limits::EvaluationLimits;
use crate::pointer::Pointers;
use crate::scope::Scope;
use crate::value::Value;

/// Evaluates expressions. `expression` is the text between `${{` and `}}`, trimmed.
pub trait Evaluator {
    /// Evaluates an expression.
    ///
    /// # Errors
    ///
    /// The expression is invalid, a lookup failed, or a limit was reached.
    fn evaluate(&self, expression: &str, scope: &dyn Scope) -> Result<Value, ExprError>;

    /// The errors of an expression that do not depend on values: syntax, types that never fit, and names that are not
    /// `declared`. Looks up nothing.
    fn check(&self, expression: &str, declared: &Declared) -> Vec<Problem>;
}

/// An error that evaluation surely ends with if it reaches the faulty part.
pub type Problem = ExprError;

impl<E: Evaluator + ?Sized> Evaluator for &E {
    fn evaluate(&self, expression: &str, scope: &dyn Scope) -> Result<Value, ExprError> {
        (**self).evaluate(expression, scope)
    }

    fn check(&self, expression: &str, declared: &Declared) -> Vec<Problem> {
        (**self).check(expression, declared)
    }
}

/// The dialect of CEL that `docs/reference/expressions.md` describes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cel {
    /// The bounds of each evaluation.
    pub limits: EvaluationLimits,
}

impl Evaluator for Cel {
    fn evaluate(&self, expression: &str, scope: &dyn Scope) -> Result<Value, ExprError> {
        Program::parse(expression)?.evaluate(scope, &self.limits)
    }

    fn check(&self, expression: &str, declared: &Declared) -> Vec<Problem> {
        match parser::parse(expression) {
            Ok(tree) => check(&tree, Some(declared)),
            Err(error) => vec![error],
        }
    }
}

/// [`Evaluator::check`] of [`Cel`] with the default limits.
pub fn check_expression(expression: &str, declared: &Declared) -> Vec<Problem> {
    Cel::default().check(expression, declared)
}

/// An expression with valid syntax and types.
#[derive(Debug)]
pub struct Program {
    tree: Tree,
}

impl Program {
    /// Parses an expression and checks its types.
    ///
    /// # Errors
    ///
    /// The first error of the expression.
    pub fn parse(expression: &str) -> Result<Program, ExprError> {
        let tree = parser::parse(expression)?;
        match check(&tree, None).into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(Program { tree }),
        }
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    ///
    /// A lookup failed, types do not fit, or a limit was reached.
    pub fn evaluate(&self, scope: &dyn Scope, limits: &EvaluationLimits) -> Result<Value, ExprError> {
        evaluate(&self.tree, scope, limits)
    }

    /// The variables and namespaces of the expression, each once, in order.
    pub fn names(&self) -> Vec<String> {
        crate::refs::names(&self.tree)
    }

    /// The value, if the expression is a literal text, number, bool or null.
    pub fn literal(&self) -> Option<Json> {
        match self.tree.op(self.tree.root) {
            Op::Literal(value) => value.to_json().ok(),
            _ => None,
        }
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// A result as JSON, and which parts of it are secret.
#[derive(Clone, PartialEq)]
pub struct Evaluated {
    /// Secrets in clear.
    pub value: Json,
    /// JSON pointers to the secret parts. The empty pointer means all of it.
    pub secrets: Pointers,
}

impl Evaluated {
    /// The JSON of a value.
    ///
    /// # Errors
    ///
    /// The value has no JSON, or is too large.
    pub fn of(value: &Value) -> Result<Evaluated, ExprError> {
        let mut secrets = Pointers::new();
        let value = value.to_json_noting(&mut String::new(), &mut secrets)?;
        Ok(Evaluated { value, secrets })
    }

    /// Whether any part is secret.
    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// The value with `mark` in the place of each secret, for display.
    pub fn redacted(&self, mark: &str) -> Json {
        redact(&self.value, &self.secrets, mark)
    }
}

pub(crate) fn redact(value: &Json, secrets: &[String], mark: &str) -> Json {
    let mut redacted = value.clone();
    for pointer in secrets {
        if let Some(secret) = redacted.pointer_mut(pointer) {
            *secret = Json::from(mark);
        }
    }
    redacted
}

/// Secrets do not show.
impl fmt::Debug for Evaluated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.redacted("(secret)");
        f.debug_struct("Evaluated").field("value", &shown).field("secrets", &self.secrets).finish()
    }
}
