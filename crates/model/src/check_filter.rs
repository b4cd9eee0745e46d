//! Which pre-flight checks a validation runs.

use crate::definition::Stored;
use crate::types::TypeCode;

/// Which checks a validation runs. Those that the definition skips never run.
#[derive(Debug, Clone, Default)]
pub struct CheckFilter {
    /// Only checks with one of these labels; empty: with any.
    pub labels: Vec<String>,
    /// Only checks that precede this method; `None`: all.
    pub method: Option<String>,
}

impl CheckFilter {
    /// The checks that run, in the order of the type.
    pub(crate) fn select(&self, stored: &Stored, code: &TypeCode) -> Vec<String> {
        let rules = stored.definition.checks.as_ref();
        let skipped = rules.map(|rules| rules.skip.as_slice()).unwrap_or_default();
        let selected = code.description.checks.iter().filter(|(name, check)| {
            let applies = match (&self.method, &check.applies_to) {
                (Some(method), Some(methods)) => methods.contains(method),
                _ => true,
            };
            let is_labelled =
                self.labels.is_empty() || check.labels.iter().any(|label| self.labels.contains(label));
            !skipped.contains(name) && applies && is_labelled
        });
        selected.map(|(name, _)| name.clone()).collect()
    }
}
