//! The names that an expression can use, for checks before anything runs.

use std::collections::BTreeMap;

use crate::error::ExprErrorKind;
use crate::namespaces::{NAMESPACES, namespace};
use crate::near::near;

/// The variables and namespaces that an expression can use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// With their keys, if these are known.
    variables: BTreeMap<String, Option<Vec<String>>>,
    namespaces: Vec<&'static str>,
}

impl Declared {
    /// No names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable with unknown keys.
    #[must_use]
    pub fn with(mut self, variable: impl Into<String>) -> Self {
        self.variables.insert(variable.into(), None);
        self
    }

    /// Adds a variable with these keys only, for example `inputs` with the declared inputs.
    #[must_use]
    pub fn with_keys(
        mut self,
        variable: impl Into<String>,
        keys: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.variables.insert(variable.into(), Some(keys.into_iter().map(Into::into).collect()));
        self
    }

    /// Adds the functions of `data`, `file`, `vault`, `workers` or `model` (`model.method`). Other names are ignored.
    #[must_use]
    pub fn with_functions_of(mut self, name: &str) -> Self {
        self.namespaces.extend(namespace(name).map(|namespace| namespace.name));
        self
    }

    pub(crate) fn has_variable(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    pub(crate) fn keys_of(&self, variable: &str) -> Option<&[String]> {
        self.variables.get(variable)?.as_deref()
    }

    pub(crate) fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(&name)
    }

    pub(crate) fn unknown_variable(&self, name: &str) -> ExprErrorKind {
        let known: Vec<String> = self
            .variables
            .keys()
            .cloned()
            .chain(
                NAMESPACES
                    .iter()
                    .map(|space| space.name.to_owned())
                    .filter(|space| self.has_namespace(space) && !self.variables.contains_key(space)),
            )
            .collect();
        let near = near(name, known.iter().map(String::as_str));
        ExprErrorKind::UnknownVariable { name: name.to_owned(), known, near }
    }
}
