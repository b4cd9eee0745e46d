//! Locking.

use std::sync::{Mutex, PoisonError};

/// Lock a mutex whose data no panic can leave half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
