//! What an expression can name.

use serde_json::{Map, Value};

/// The variables of an evaluation: `inputs`, `self`, `env`, `run`, …
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scope(Map<String, Value>);

impl Scope {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn with(mut self, root: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set(root, value);
        self
    }

    pub fn set(&mut self, root: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(root.into(), value.into());
    }

    pub fn get(&self, root: &str) -> Option<&Value> {
        self.0.get(root)
    }

    /// The names, in the order in which they were set.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
