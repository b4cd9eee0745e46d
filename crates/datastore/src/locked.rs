//! The lock of an extension's datastore. An extension's timers run only during a call, so the lock is held by one call, and
//! the work is done in a callback of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use marsh_extension::kinds::CallOptions;
use marsh_host_client::CancelToken;
use marsh_types::ignore;
use serde_json::{Value, json};

use crate::{Datastore, DatastoreError, LOCK_TTL};

/// The lock has no deadline of its own: the work has one.
const NO_DEADLINE: Duration = Duration::from_secs(30 * 86_400);
/// How much longer than the lock timeout an extension may take to give up.
const PATIENCE: Duration = Duration::from_secs(5);
const GAVE_UP: &str = "the lock was not free in time";

impl Datastore {
    pub(crate) fn locked<T>(
        &self,
        work: impl FnOnce() -> Result<T, DatastoreError>,
    ) -> Result<T, DatastoreError> {
        // A cancellation ends this call until the lock is held. From then on it ends the work, and the lock must still be
        // released.
        let token = CancelToken::new();
        let is_held = std::sync::Arc::new(AtomicBool::new(false));
        let subscription = {
            let (token, is_held) = (token.clone(), std::sync::Arc::clone(&is_held));
            self.cancel.on_cancel(move |reason| {
                if !is_held.load(Ordering::Acquire) {
                    token.cancel(reason);
                }
            })
        };
        let (held, waits) = channel::<()>();
        let asked = Instant::now();
        let patience = self.lock_timeout + PATIENCE;
        let outcome = std::thread::scope(|scope| {
            let watched = token.clone();
            scope.spawn(move || {
                if waits.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                    watched.cancel(GAVE_UP);
                }
            });
            let options = CallOptions { deadline: NO_DEADLINE, cancel: token.clone() };
            let extension = self.extension.clone().with_options(options);
            let began = std::cell::Cell::new(false);
            let done = std::cell::RefCell::new(None);
            let result = extension.with_lock(&self.lock_path(), &self.lock_options(), || {
                is_held.store(true, Ordering::Release);
                began.set(true);
                ignore(held.send(()), "the watch has ended and cancelled the call");
                *done.borrow_mut() = Some(work());
            });
            // Ends the watch if the work never began.
            drop(held);
            match (done.into_inner(), result) {
                // The work is done, whatever became of the lock afterwards: the end of its life releases it.
                (Some(done), _) => done,
                // Extensions word a timeout as they like, but they know how long to wait.
                (None, Err(_))
                    if token.reason().as_deref() == Some(GAVE_UP)
                        || !token.is_cancelled() && asked.elapsed() >= self.lock_timeout =>
                {
                    Err(DatastoreError::LockTimeout { seconds: self.lock_timeout.as_secs() })
                }
                (None, Err(source)) => Err(DatastoreError::Lock { source: Box::new(source) }),
                (None, Ok(_)) => Err(DatastoreError::LockLost { type_name: self.type_name().to_owned() }),
            }
        });
        drop(subscription);
        outcome
    }

    pub(crate) fn lock_path(&self) -> String {
        self.root.display().to_string()
    }

    pub(crate) fn lock_options(&self) -> Value {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        json!({
            "ttlMs": millis(LOCK_TTL),
            "retryIntervalMs": 250,
            "maxWaitMs": millis(self.lock_timeout),
        })
    }
}
