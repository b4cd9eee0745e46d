//! Gives memory back to the kernel a moment after work began, so that an idle server does not hold what its calls needed.
//! An idle server runs no timer for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

/// From the first work to the trimming.
const MOMENT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct HeapTrimmer {
    due: Arc<AtomicBool>,
    /// `None`: the thread could not be started.
    thread: Option<Thread>,
}

impl HeapTrimmer {
    pub fn start() -> HeapTrimmer {
        let due = Arc::<AtomicBool>::default();
        let pending = Arc::clone(&due);
        let work = move || {
            loop {
                std::thread::park();
                if pending.load(Ordering::SeqCst) {
                    std::thread::sleep(MOMENT);
                    // Work from here on needs another turn.
                    pending.store(false, Ordering::SeqCst);
                    marsh_allocator::give_back();
                }
            }
        };
        let thread = std::thread::Builder::new().name("marsh-heap-trim".into()).spawn(work);
        HeapTrimmer { due, thread: thread.ok().map(|handle| handle.thread().clone()) }
    }

    /// Trims the heap a moment from now, because there was work.
    pub fn schedule(&self) {
        if !self.due.swap(true, Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.unpark();
        }
    }
}
