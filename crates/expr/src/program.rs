//! Expressions that are read once and evaluated often, and the evaluator over them.

use std::fmt;

use serde_json::Value as Json;

use crate::cel::ast::{Op, Tree};
use crate::cel::{check, evaluate, parser};
use crate::declared::Declared;
use crate::error::ExprError;
use crate::limits::Limits;
use crate::pointer::Pointers;
use crate::scope::Scope;
use crate::value::Value;

/// Gives an expression its meaning. `expression` is what stands between `${{` and `}}`, trimmed.
pub trait Evaluator {
    fn evaluate(&self, expression: &str, scope: &dyn Scope) -> Result<Value, ExprError>;

    /// What is wrong with the expression whatever the values are: its syntax, types that never fit, and names that are
    /// not `declared`. Nothing is looked up.
    fn check(&self, expression: &str, declared: &Declared) -> Vec<Problem>;
}

/// An error that evaluation is sure to end in, if it comes to the place.
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
    pub limits: Limits,
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

/// [`Cel`], within the usual limits.
pub fn check_expression(expression: &str, declared: &Declared) -> Vec<Problem> {
    Cel::default().check(expression, declared)
}

/// An expression whose syntax and types are right.
#[derive(Debug)]
pub struct Program {
    tree: Tree,
}

impl Program {
    pub fn parse(expression: &str) -> Result<Program, ExprError> {
        let tree = parser::parse(expression)?;
        match check(&tree, None).into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(Program { tree }),
        }
    }

    pub fn evaluate(&self, scope: &dyn Scope, limits: &Limits) -> Result<Value, ExprError> {
        evaluate(&self.tree, scope, limits)
    }

    /// The variables and namespaces that it mentions, each once, in order.
    pub fn names(&self) -> Vec<String> {
        crate::refs::names(&self.tree)
    }

    /// If it is nothing but one literal text, number, bool or null: that.
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

/// A result as JSON, and what of it is secret.
#[derive(Clone, PartialEq)]
pub struct Evaluated {
    /// Secrets in clear.
    pub value: Json,
    /// JSON pointers to what is secret. The empty pointer: all of it.
    pub secrets: Pointers,
}

impl Evaluated {
    pub fn of(value: &Value) -> Result<Evaluated, ExprError> {
        let mut secrets = Pointers::new();
        let value = value.to_json_noting(&mut String::new(), &mut secrets)?;
        Ok(Evaluated { value, secrets })
    }

    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// The value with `mark` in the place of each secret, to show to people.
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
