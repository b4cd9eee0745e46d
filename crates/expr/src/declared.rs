//! What an expression may name where it stands, for checks before anything runs.

use std::collections::BTreeMap;

use crate::cel::{NAMESPACES, namespace};
use crate::error::ExprErrorKind;
use crate::near::near;

/// The variables and namespaces of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// With the keys of those whose keys are known.
    variables: BTreeMap<String, Option<Vec<String>>>,
    namespaces: Vec<&'static str>,
}

impl Declared {
    pub fn new() -> Self {
        Self::default()
    }

    /// A variable of which nothing is known but that it is there.
    #[must_use]
    pub fn with(mut self, variable: impl Into<String>) -> Self {
        self.variables.insert(variable.into(), None);
        self
    }

    /// A variable that has these keys and no others, as `inputs` with the inputs that are declared.
    #[must_use]
    pub fn with_keys(
        mut self,
        variable: impl Into<String>,
        keys: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.variables.insert(variable.into(), Some(keys.into_iter().map(Into::into).collect()));
        self
    }

    /// The functions behind `data`, `file`, `vault`, `workers` or `model` (`model.method`). Other names are ignored.
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
