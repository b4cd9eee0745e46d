//! Calls of each type since the server started. Bounded by the number of types.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use marsh_types::TypeName;

#[derive(Debug, Default)]
pub struct CallCounters {
    types: Mutex<BTreeMap<TypeName, Count>>,
}

#[derive(Debug, Clone, Default)]
pub struct Count {
    pub calls: u64,
    pub failed_calls: u64,
}

impl CallCounters {
    /// A call has found its code.
    pub fn called(&self, type_name: &TypeName) {
        let mut types = self.lock();
        let count = types.entry(type_name.clone()).or_default();
        count.calls += 1;
    }

    pub fn call_failed(&self, type_name: &TypeName) {
        self.lock().entry(type_name.clone()).or_default().failed_calls += 1;
    }

    pub fn forget(&self, type_name: &TypeName) {
        self.lock().remove(type_name);
    }

    pub fn get(&self, type_name: &TypeName) -> Count {
        self.lock().get(type_name).cloned().unwrap_or_default()
    }

    /// The types that this server had to do with.
    pub fn types(&self) -> Vec<TypeName> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TypeName, Count>> {
        // Counts are whole after every statement.
        self.types.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
