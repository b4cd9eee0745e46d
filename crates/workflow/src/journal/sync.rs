//! Putting a journal on disk while its writer goes on.
//!
//! What a step prepares does not depend on the disk, what its code does must. So the sync of the facts that a step follows
//! from is begun as soon as they are written, on a thread of its own, and waited for by [`OnDisk::pass`] just before code
//! runs. Facts that are written while a sync is under way share the next one.
//!
//! All syncs of one journal are made here, since the kernel tells of a failed one once; and the failure is known to the
//! journal before a waiting step learns of it, so that the owner of the run never takes it for the failure of a step.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use marsh_fs::{FsError, GrowingSync};
use marsh_model::Gate;
use marsh_types::ignore;

#[derive(Debug, Default)]
struct State {
    /// How many syncs were asked for, and how many of them were answered.
    asked: u64,
    done: u64,
    failed: Option<Failed>,
    over: bool,
}

#[derive(Debug)]
struct Failed {
    message: String,
    /// For the owner.
    error: Option<FsError>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends with its journal.
#[derive(Debug)]
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub fn start(file: GrowingSync) -> std::io::Result<Syncer> {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("marsh-journal".into()).spawn(move || work(&theirs, &file))?;
        Ok(Syncer { shared, thread: Some(thread) })
    }

    /// Begins to put on disk what has been written by now.
    pub fn ask(&self) -> OnDisk {
        let mut state = self.shared.lock();
        state.asked += 1;
        self.shared.changed.notify_all();
        OnDisk { shared: Some(Arc::clone(&self.shared)), asked: state.asked }
    }

    /// What went wrong, once.
    pub fn failure(&self) -> Option<Result<FsError, String>> {
        let mut state = self.shared.lock();
        let failed = state.failed.as_mut()?;
        Some(failed.error.take().ok_or_else(|| failed.message.clone()))
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            ignore(thread.join().map_err(|_| "panicked"), "the journal ends with its owner");
        }
    }
}

fn work(shared: &Shared, file: &GrowingSync) {
    loop {
        let mut state = shared.lock();
        while state.asked == state.done && !state.over {
            state = shared.wait(state);
        }
        let (asked, is_due) = (state.asked, state.asked > state.done && state.failed.is_none());
        if state.over && !is_due {
            return;
        }
        drop(state);
        let result = if is_due { file.sync() } else { Ok(()) };
        let mut state = shared.lock();
        if let Err(error) = result {
            state.failed = Some(Failed { message: error.to_string(), error: Some(error) });
        }
        state.done = asked;
        shared.changed.notify_all();
    }
}

/// The facts that had been written when this was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct OnDisk {
    /// `None`: they are on disk.
    shared: Option<Arc<Shared>>,
    asked: u64,
}

impl Gate for OnDisk {
    /// Waits until they are on disk.
    fn pass(&self) -> Result<(), String> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let mut state = shared.lock();
        while state.done < self.asked && state.failed.is_none() {
            state = shared.wait(state);
        }
        match &state.failed {
            None => Ok(()),
            Some(failed) => Err(format!("the journal of the run cannot be written: {}", failed.message)),
        }
    }
}
