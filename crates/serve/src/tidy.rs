//! Gives memory back to the kernel when there was work and it has become quiet, or at the latest after a moment: an idle
//! server holds what it needs and not what its calls needed. Nothing runs while nothing happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

/// After work began.
const MOMENT: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Tidy {
    stirred: Arc<AtomicBool>,
    /// `None`: there was no thread for it.
    thread: Option<Thread>,
}

impl Tidy {
    pub fn start() -> Tidy {
        let stirred = Arc::<AtomicBool>::default();
        let theirs = Arc::clone(&stirred);
        let work = move || {
            loop {
                std::thread::park();
                if theirs.load(Ordering::SeqCst) {
                    std::thread::sleep(MOMENT);
                    // What happens from here on is for the next time.
                    theirs.store(false, Ordering::SeqCst);
                    marsh_allocator::give_back();
                }
            }
        };
        let thread = std::thread::Builder::new().name("marsh-tidy".into()).spawn(work);
        Tidy { stirred, thread: thread.ok().map(|handle| handle.thread().clone()) }
    }

    /// There was work.
    pub fn stir(&self) {
        if !self.stirred.swap(true, Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.unpark();
        }
    }
}
