//! The scope that adds stored data and other models to another one.

use marsh_expr::{
    DataSource, FileSource, Looked, MethodSource, Scope, Value as Term, VaultSource, WorkerSource,
};

use crate::named;
use crate::stored::StoredData;

/// A scope that adds `model`, `data.…`, `file.…` and `workers.…` to another one.
pub struct WithData<'a> {
    /// The other scope.
    pub inner: &'a dyn Scope,
    /// The data.
    pub data: &'a StoredData,
}

const MODEL: &str = "model";

impl Scope for WithData<'_> {
    fn variable(&self, name: &str) -> Looked<Option<Term>> {
        match self.inner.variable(name)? {
            None if name == MODEL => Ok(Some(named::models(self.data))),
            found => Ok(found),
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.inner.names();
        names.push(MODEL.to_owned());
        names
    }

    fn data(&self) -> Option<&dyn DataSource> {
        Some(self.data)
    }

    fn files(&self) -> Option<&dyn FileSource> {
        Some(self.data)
    }

    fn vaults(&self) -> Option<&dyn VaultSource> {
        self.inner.vaults()
    }

    fn workers(&self) -> Option<&dyn WorkerSource> {
        Some(self.data)
    }

    fn methods(&self) -> Option<&dyn MethodSource> {
        self.inner.methods()
    }
}
