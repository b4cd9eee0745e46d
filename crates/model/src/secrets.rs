//! Secrets in expressions: `vault.get('vault', 'key')`.
//!
//! Before an expression is evaluated, each call is replaced by a string literal that holds a sentinel, so a call can stand in
//! any expression. The result holds the sentinel wherever the evaluator put it, and only the code that needs the value gets
//! it ([`Secrets::reveal`]).

use std::sync::{Arc, Mutex, PoisonError};

use marsh_expr::{Declared, Evaluator, ExprError, Problem, Scope};
use marsh_vault::{Secrets, VaultError, Vaults};
use serde_json::Value;

use crate::Models;

/// Access to secrets, for the evaluation of a run's expressions.
#[derive(Debug, Clone)]
pub struct SecretAccess {
    /// Resolves references.
    pub vaults: Arc<Vaults>,
    /// The secrets of the run.
    pub secrets: Secrets,
}

impl Models {
    /// Access to the secrets of this command.
    pub fn secret_access(&self) -> SecretAccess {
        SecretAccess { vaults: Arc::clone(&self.vaults), secrets: self.secrets.clone() }
    }
}

impl SecretAccess {
    /// `inner` with `vault.get`. The audit trail names `caller`.
    pub fn evaluator<'a>(&'a self, inner: &'a dyn Evaluator, caller: &'a str) -> SecretEvaluator<'a> {
        SecretEvaluator { access: self, inner, caller, warnings: Mutex::default(), failure: Mutex::default() }
    }

    /// Whether a value or a part of it is a secret or a sentinel.
    pub fn is_secret(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.secrets.is_in(text.as_bytes()) || self.secrets.holds_sentinel(text),
            Value::Array(items) => items.iter().any(|item| self.is_secret(item)),
            Value::Object(map) => map.values().any(|item| self.is_secret(item)),
            _ => false,
        }
    }
}

/// An evaluator that resolves `vault.get`.
pub struct SecretEvaluator<'a> {
    access: &'a SecretAccess,
    inner: &'a dyn Evaluator,
    caller: &'a str,
    warnings: Mutex<Vec<String>>,
    failure: Mutex<Option<VaultError>>,
}

impl SecretEvaluator<'_> {
    /// Warnings for the user, such as a secret that could not be refreshed.
    pub fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The error of the first secret that could not be resolved. Lenient evaluation must not ignore it.
    pub fn failure(&self) -> Option<VaultError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Evaluator for SecretEvaluator<'_> {
    fn check(&self, expression: &str, declared: &Declared) -> Vec<Problem> {
        self.inner.check(expression, declared)
    }

    fn evaluate(&self, expression: &str, scope: &dyn Scope) -> Result<marsh_expr::Value, ExprError> {
        let mut warn = |warning| self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
        match self.access.vaults.hold(expression, &self.access.secrets, self.caller, &mut warn) {
            Ok(None) => self.inner.evaluate(expression, scope),
            Ok(Some(held)) => self.inner.evaluate(&held, scope),
            Err(error) => {
                let message = error.to_string();
                self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                Err(ExprError::failed(message))
            }
        }
    }
}
