//! Secrets in expressions: `vault.get('vault', 'key')`.
//!
//! A call becomes a string literal that holds a sentinel before the rest of the expression is evaluated, so that it may
//! stand in any expression. What comes out holds the sentinel, wherever the evaluator put it, and only the code that
//! needs the value gets it ([`Secrets::reveal`]).

use std::sync::{Arc, Mutex, PoisonError};

use marsh_expr::{Declared, Evaluator, ExprError, Problem, Scope};
use marsh_vault::{Secrets, VaultError, Vaults};
use serde_json::Value;

use crate::Models;

/// The way to secrets, for whoever evaluates expressions of a run.
#[derive(Debug, Clone)]
pub struct SecretAccess {
    pub vaults: Arc<Vaults>,
    pub secrets: Secrets,
}

impl Models {
    pub fn secret_access(&self) -> SecretAccess {
        SecretAccess { vaults: Arc::clone(&self.vaults), secrets: self.secrets.clone() }
    }
}

impl SecretAccess {
    /// `inner` with `vault.get`. `caller` stands in the audit trail.
    pub fn evaluator<'a>(&'a self, inner: &'a dyn Evaluator, caller: &'a str) -> SecretEvaluator<'a> {
        SecretEvaluator { access: self, inner, caller, warnings: Mutex::default(), failure: Mutex::default() }
    }

    /// Whether a value, or a part of it, is a secret or stands for one.
    pub fn is_secret(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.secrets.is_in(text.as_bytes()) || self.secrets.holds_sentinel(text),
            Value::Array(items) => items.iter().any(|item| self.is_secret(item)),
            Value::Object(map) => map.values().any(|item| self.is_secret(item)),
            _ => false,
        }
    }
}

/// An evaluator that knows vaults.
pub struct SecretEvaluator<'a> {
    access: &'a SecretAccess,
    inner: &'a dyn Evaluator,
    caller: &'a str,
    warnings: Mutex<Vec<String>>,
    failure: Mutex<Option<VaultError>>,
}

impl SecretEvaluator<'_> {
    /// What people should know, such as a secret that could not be refreshed.
    pub fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first secret that could not be had. Lenient evaluation must not pass over that.
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
