//! Method runs that are going on, as other processes see them, and requests to cancel them.
//!
//! A process that runs methods keeps one file, `derived/running/<pid>-<token>.runs`, with a line for each start and each end. A
//! kernel lock on the file says that the process lives, so nothing has to beat like a heart. Other processes append requests
//! to the file's inbox beside it, which its owner reads several times a second. The files go when the process ends; one without a lock
//! belonged to a process that died, and its unfinished runs are stale (`crates/app/tests/it/run.rs`).
//!
//! Nothing here is synced: after a power failure no process runs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use marsh_data::OutputRecord;
use marsh_fs::{GrowingFile, LockFile};
use marsh_host_client::CancelToken;
use marsh_types::ignore;
use marsh_types::time::iso_system;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// How often an owner looks into its inbox.
const LOOK: Duration = Duration::from_millis(100);
/// How long a run may take to end after a request to cancel it.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

const FILES: &str = "runs";
const INBOX: &str = "requests";

/// A method run, as its process announces it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningRun {
    /// The name of the definition.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The machine that runs it.
    pub hostname: String,
    /// The record that the run would leave, with the status `running`.
    pub record: OutputRecord,
}

/// A run that has no end in the file of its process.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackedRun {
    /// The run.
    pub run: RunningRun,
    /// Whether its process lives.
    pub alive: bool,
    /// The last sign of life (RFC 3339).
    pub seen_at: String,
    file: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Started(Box<RunningRun>),
    Ended { id: String },
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    id: String,
    reason: String,
}

/// The method runs of one repository, on this machine.
#[derive(Debug)]
pub struct RunningRuns {
    dir: PathBuf,
    own: Mutex<Option<OwnFile>>,
    cancels: Arc<Mutex<HashMap<String, CancelToken>>>,
}

/// The file of this process.
#[derive(Debug)]
struct OwnFile {
    path: PathBuf,
    file: GrowingFile,
    _lock: LockFile,
    /// Ends the thread that reads the inbox, when dropped.
    _stop: Sender<()>,
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        for path in [self.path.clone(), self.path.with_extension(INBOX)] {
            ignore(
                marsh_fs::remove_file_if_exists(&path),
                "without its lock the file counts as left by the dead",
            );
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RunningRuns {
    /// `derived`: the directory of derived state. Reads and writes nothing yet.
    pub fn new(derived: &Path) -> RunningRuns {
        RunningRuns { dir: derived.join("running"), own: Mutex::default(), cancels: Arc::default() }
    }

    /// Announces a run until the answer is dropped. A request to cancel it cancels `cancel`.
    ///
    /// # Errors
    ///
    /// The file of this process cannot be written.
    pub(crate) fn announce(
        &self,
        run: RunningRun,
        cancel: &CancelToken,
    ) -> Result<Announced<'_>, ModelError> {
        let id = run.record.id.clone();
        locked(&self.cancels).insert(id.clone(), cancel.clone());
        let announced = Announced { runs: self, id };
        self.tell(&Line::Started(Box::new(run)))?;
        Ok(announced)
    }

    fn tell(&self, line: &Line) -> Result<(), ModelError> {
        let mut text = serde_json::to_vec(line)
            .map_err(|error| ModelError::Io { path: self.dir.clone(), source: error.into() })?;
        text.push(b'\n');
        let mut own = locked(&self.own);
        let own = match own.as_mut() {
            Some(own) => own,
            None => own.insert(self.open()?),
        };
        Ok(own.file.write(&text)?)
    }

    /// The file of this process. It gets its name when it is locked, so that no other process takes it for one of the dead.
    fn open(&self) -> Result<OwnFile, ModelError> {
        marsh_fs::create_dir_all(&self.dir)?;
        let name = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        let hidden = self.dir.join(format!(".{name}"));
        let file = GrowingFile::open(&hidden)?;
        let lock = marsh_fs::try_lock_existing_exclusive(&hidden)?.ok_or_else(|| ModelError::Io {
            path: hidden.clone(),
            source: std::io::ErrorKind::WouldBlock.into(),
        })?;
        let path = self.dir.join(name).with_extension(FILES);
        marsh_fs::rename(&hidden, &path)?;
        let (stop, stopped) = channel();
        let (inbox, cancels) = (path.with_extension(INBOX), Arc::clone(&self.cancels));
        std::thread::spawn(move || read_inbox(&inbox, &cancels, &stopped));
        Ok(OwnFile { path, file, _lock: lock, _stop: stop })
    }

    /// The runs without an end, the newest first: those of living processes, and those that died with their process.
    ///
    /// # Errors
    ///
    /// The directory or a file in it cannot be read.
    pub fn list(&self) -> Result<Vec<TrackedRun>, ModelError> {
        let mut tracked = Vec::new();
        for path in self.files()? {
            let Some((runs, modified)) = unfinished(&path)? else { continue };
            if runs.is_empty() {
                continue;
            }
            let alive = is_alive(&path)?;
            let seen_at = iso_system(if alive { SystemTime::now() } else { modified });
            tracked.extend(runs.into_iter().map(|run| TrackedRun {
                run,
                alive,
                seen_at: seen_at.clone(),
                file: path.clone(),
            }));
        }
        tracked.sort_by(|a, b| b.run.record.started_at.cmp(&a.run.record.started_at));
        Ok(tracked)
    }

    fn files(&self) -> Result<Vec<PathBuf>, ModelError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(ModelError::Io { path: self.dir.clone(), source }),
        };
        let paths = entries.flatten().map(|entry| entry.path());
        Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == FILES)).collect())
    }

    /// Asks the process of a run to cancel it, and waits until the run has ended.
    ///
    /// # Errors
    ///
    /// The request cannot be written, or the run did not end in time.
    pub fn cancel(&self, tracked: &TrackedRun, reason: &str) -> Result<(), ModelError> {
        let id = &tracked.run.record.id;
        let request = Request { id: id.clone(), reason: reason.to_owned() };
        let io = |source| ModelError::Io { path: tracked.file.clone(), source };
        let mut line = serde_json::to_vec(&request).map_err(|error| io(error.into()))?;
        line.push(b'\n');
        marsh_fs::append(&tracked.file.with_extension(INBOX), &line)?;
        let begun = Instant::now();
        loop {
            let runs = unfinished(&tracked.file)?.map(|(runs, _)| runs).unwrap_or_default();
            if runs.iter().all(|run| run.record.id != *id) || !is_alive(&tracked.file)? {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(ModelError::CancelIgnored { run: id.clone(), pid: tracked.run.record.pid });
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Forgets the runs of dead processes. The caller has noted their ends.
    ///
    /// # Errors
    ///
    /// A file cannot be removed.
    pub fn forget_dead(&self) -> Result<(), ModelError> {
        for path in self.files()? {
            if !is_alive(&path)? {
                marsh_fs::remove_file_if_exists(&path)?;
                marsh_fs::remove_file_if_exists(&path.with_extension(INBOX))?;
            }
        }
        Ok(())
    }
}

/// Whether a process holds the lock.
fn is_alive(path: &Path) -> Result<bool, ModelError> {
    Ok(path.is_file() && marsh_fs::try_lock_existing_exclusive(path)?.is_none())
}

/// The runs of a file that have no end in it, and when the file changed last; `None`: it is gone. The last line of a process that
/// died may be torn.
fn unfinished(path: &Path) -> Result<Option<(Vec<RunningRun>, SystemTime)>, ModelError> {
    let io = |source| ModelError::Io { path: path.to_owned(), source };
    let read = || -> std::io::Result<(String, SystemTime)> {
        Ok((marsh_fs::read_to_string(path)?, std::fs::metadata(path)?.modified()?))
    };
    let (text, modified) = match read() {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mut runs: Vec<RunningRun> = Vec::new();
    for line in text.lines() {
        match serde_json::from_str(line) {
            Ok(Line::Started(run)) => runs.push(*run),
            Ok(Line::Ended { id }) => runs.retain(|run| run.record.id != id),
            Err(error) => tracing::debug!(path = %path.display(), %error, "skipped a line"),
        }
    }
    Ok(Some((runs, modified)))
}

/// Cancels what requests name, until the other end of `stopped` is dropped.
fn read_inbox(inbox: &Path, cancels: &Mutex<HashMap<String, CancelToken>>, stopped: &Receiver<()>) {
    let mut read = 0;
    while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        let Ok(bytes) = marsh_fs::read(inbox) else { continue };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let new = bytes.get(read..whole).unwrap_or_default();
        read = read.max(whole);
        for line in new.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Request>(line) {
                Ok(request) => {
                    let cancel = locked(cancels).get(&request.id).cloned();
                    if let Some(cancel) = cancel {
                        tracing::info!(run = request.id, "cancelled on request");
                        cancel.cancel(&request.reason);
                    }
                }
                Err(error) => tracing::warn!(path = %inbox.display(), %error, "invalid request"),
            }
        }
    }
}

/// A run that is announced. Dropped, it has ended.
#[derive(Debug)]
pub(crate) struct Announced<'a> {
    runs: &'a RunningRuns,
    id: String,
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        locked(&self.runs.cancels).remove(&self.id);
        if let Err(error) = self.runs.tell(&Line::Ended { id: self.id.clone() }) {
            tracing::warn!(run = self.id, %error, "the end of the run could not be announced");
        }
    }
}

/// The name of this machine.
pub(crate) fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
