//! What happened to each type since the server started. Bounded by the number of types that there are.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use marsh_types::TypeName;
use marsh_types::time::iso_millis;

use crate::error::Failure;
use crate::protocol::LastError;

#[derive(Debug, Default)]
pub struct Tally {
    types: Mutex<BTreeMap<TypeName, Count>>,
}

#[derive(Debug, Clone, Default)]
pub struct Count {
    pub calls: u64,
    pub failed_calls: u64,
    /// Why the newest sources could not be used; gone as soon as they can.
    pub last_error: Option<LastError>,
}

impl Tally {
    /// A call has found its code.
    pub fn called(&self, type_name: &TypeName) {
        let mut types = self.lock();
        let count = types.entry(type_name.clone()).or_default();
        count.calls += 1;
        count.last_error = None;
    }

    pub fn call_failed(&self, type_name: &TypeName) {
        self.lock().entry(type_name.clone()).or_default().failed_calls += 1;
    }

    /// The newest sources of a type can be used.
    pub fn sound(&self, type_name: &TypeName) {
        self.lock().entry(type_name.clone()).or_default().last_error = None;
    }

    /// They cannot. The same reason again keeps the time at which it began.
    pub fn unsound(&self, type_name: &TypeName, failure: Failure) {
        let mut types = self.lock();
        let count = types.entry(type_name.clone()).or_default();
        if count.last_error.as_ref().is_none_or(|last| last.failure != failure) {
            count.last_error = Some(LastError { at: iso_millis(jiff::Timestamp::now()), failure });
        }
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
