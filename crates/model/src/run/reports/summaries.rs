//! The thread that stores summaries, so that no run waits for a report.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use marsh_data::RunData;

use super::MadeReport;
use crate::error::ModelError;

/// Stores summaries, in the order in which they come. The thread starts with the first one.
#[derive(Debug)]
pub struct Summaries {
    data: RunData,
    thread: Mutex<Option<Storing>>,
}

#[derive(Debug)]
struct Storing {
    made: Sender<MadeReport>,
    thread: JoinHandle<Option<ModelError>>,
}

impl Summaries {
    /// Starts no thread yet. `data`: where the summaries go.
    pub fn new(data: RunData) -> Summaries {
        Summaries { data, thread: Mutex::default() }
    }

    /// Hands a summary over.
    pub fn add(&self, made: MadeReport) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let storing = thread.get_or_insert_with(|| {
            let (sender, receiver) = channel::<MadeReport>();
            let data = self.data.clone();
            let store = move || {
                let mut first = None;
                for made in receiver {
                    if let Err(error) = made.store(&data) {
                        first.get_or_insert(error);
                    }
                }
                first
            };
            Storing { made: sender, thread: std::thread::spawn(store) }
        });
        if storing.made.send(made).is_err() {
            tracing::warn!("the thread that stores summaries has ended");
        }
    }

    /// Waits until all are stored. Returns why the first one failed that did.
    pub fn finish(&self) -> Option<ModelError> {
        let storing = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        drop(storing.made);
        match storing.thread.join() {
            Ok(error) => error,
            Err(_) => {
                tracing::warn!("the thread that stores summaries panicked");
                None
            }
        }
    }
}
