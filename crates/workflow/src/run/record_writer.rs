//! Writes the record of a large run while the run goes on.
//!
//! The record is derived, so it may follow the journal; to render thousands of steps takes as long as many of them do. One
//! write at a time, and no more of them than [`SHARE`] allows. It ends, with the write that is under way, when it is
//! dropped: nothing of it comes after what its owner writes then.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use marsh_fs::Durability;
use marsh_types::ignore;

use crate::record::RunRecord;
use crate::runs::RunStore;

/// Writing may take this share of the time.
const SHARE: u32 = 20;

#[derive(Default)]
struct State {
    next: Option<RunRecord>,
    /// Since there was something to write.
    busy: bool,
    /// The last write: when it was done, and how long it took.
    last: Option<(Instant, Duration)>,
    failed: Option<String>,
    over: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct RecordWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl RecordWriter {
    pub fn start(runs: RunStore) -> std::io::Result<RecordWriter> {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("marsh-record".into()).spawn(move || work(&theirs, &runs))?;
        Ok(RecordWriter { shared, thread: Some(thread) })
    }

    /// Whether the record should be written again by now.
    pub fn is_due(&self) -> bool {
        let state = self.shared.lock();
        !state.busy && state.last.is_none_or(|(at, took)| at.elapsed() >= took * SHARE)
    }

    pub fn write(&self, record: RunRecord) {
        let mut state = self.shared.lock();
        state.next = Some(record);
        state.busy = true;
        self.shared.changed.notify_all();
    }

    /// Why a write failed, once.
    pub fn failure(&self) -> Option<String> {
        self.shared.lock().failed.take()
    }
}

impl Drop for RecordWriter {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            ignore(thread.join().map_err(|_| "panicked"), "the owner writes the record itself afterwards");
        }
    }
}

fn work(shared: &Shared, runs: &RunStore) {
    loop {
        let mut state = shared.lock();
        let record = loop {
            if state.over {
                return;
            }
            match state.next.take() {
                Some(record) => break record,
                None => state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(state);
        let start = Instant::now();
        let result = runs.write(&record, Durability::Atomic);
        drop(record);
        let mut state = shared.lock();
        state.failed = result.err().map(|error| error.to_string()).or(state.failed.take());
        state.last = Some((Instant::now(), start.elapsed()));
        state.busy = false;
    }
}
