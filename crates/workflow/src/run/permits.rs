//! How many method runs this process may have at once: one number for a run and everything nested in it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use marsh_host_client::CancelToken;

#[derive(Debug)]
pub(crate) struct Permits {
    max: Option<usize>,
    used: Mutex<usize>,
    freed: Condvar,
}

#[derive(Debug)]
pub(crate) struct Permit<'a>(&'a Permits);

impl Permits {
    pub fn new(max: Option<usize>) -> Permits {
        Permits { max, used: Mutex::new(0), freed: Condvar::new() }
    }

    /// How many there are; `None` for any number.
    pub fn max(&self) -> Option<usize> {
        self.max
    }

    /// Waits for a free one. `None`: it was cancelled before.
    pub fn take(&self, cancel: &CancelToken) -> Option<Permit<'_>> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if cancel.is_cancelled() {
                return None;
            }
            if self.max.is_none_or(|max| *used < max) {
                *used += 1;
                return Some(Permit(self));
            }
            // Cancellation does not wake this, so it looks.
            let waited = self.freed.wait_timeout(used, Duration::from_millis(50));
            used = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.used.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use marsh_host_client::CancelToken;

    use super::Permits;

    #[test]
    fn no_more_than_there_are() {
        let permits = Permits::new(Some(1));
        let token = CancelToken::new();
        let first = permits.take(&token).unwrap();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| permits.take(&token).is_some());
            drop(first);
            assert!(waits.join().unwrap());
        });
        let _held = permits.take(&token).unwrap();
        token.cancel("stop");
        assert!(permits.take(&token).is_none());
    }
}
