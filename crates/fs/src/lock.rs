//! Advisory locks on open descriptors.
//!
//! The kernel ties a lock to the open file and frees it when the process ends, however it ends. So there are no age
//! limits, no heartbeats and nothing to clean up (`tests/lock.rs`: `lock_of_a_killed_process_is_free`). Lock files are never
//! unlinked: a process that creates the file again would get the lock while another process holds the old one. A lock
//! belongs to the handle, not to the thread: a process that takes it twice waits for itself until the timeout.
//!
//! Waiting polls, because a blocking system call can neither be bounded nor interrupted.
//!
//! [`LockError`] has the codes of all errors of locks. Errors of other crates that contain one return its code, so that a
//! lock that another process holds always has class `Busy`, exit code 75 (`tests/lock.rs`:
//! `lock_error_has_the_code_of_its_cause`).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use marsh_types::{ErrorCode, Explain};
use serde::{Deserialize, Serialize};

use crate::error::{Context, FsError};
use crate::failpoint;

const TELL_AFTER: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The process that holds an exclusive lock, as the lock file says. Empty for shared locks, whose holders write nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process id.
    pub pid: Option<u32>,
    /// The command that the process runs, for messages: `extension pull`.
    pub command: Option<String>,
    /// When it took the lock, RFC 3339 in UTC.
    pub since: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => return f.write_str("another process"),
        }
        if let Some(command) = &self.command {
            write!(f, " ({command})")?;
        }
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        Ok(())
    }
}

/// A lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process held the lock for the whole wait.
    #[error("{} is held by {holder}; gave up after {:.1} s", path.display(), waited.as_secs_f64())]
    Timeout {
        /// The lock file.
        path: PathBuf,
        /// The process that holds the lock.
        holder: Holder,
        /// How long this process waited.
        waited: Duration,
    },
    /// The file system has no locks, as some network file systems.
    #[error("the file system of {} does not support file locks: {source}", path.display())]
    Unsupported {
        /// The lock file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The lock file cannot be opened, created or written.
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl Explain for LockError {
    fn code(&self) -> ErrorCode {
        match self {
            LockError::Timeout { .. } => ErrorCode::LockTimeout,
            LockError::Unsupported { .. } => ErrorCode::LockUnsupported,
            LockError::Fs(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            LockError::Timeout { .. } => Some(
                "wait for that process to end, or set a longer wait with MARSH_LOCK_TIMEOUT_MS".to_owned(),
            ),
            LockError::Unsupported { .. } => {
                Some("move the directory to a file system that supports locks".to_owned())
            }
            LockError::Fs(error) => error.hint(),
        }
    }

    /// `holder` and `waitedMs` of a timeout.
    fn details(&self) -> Option<serde_json::Value> {
        match self {
            LockError::Timeout { holder, waited, .. } => Some(serde_json::json!({
                "holder": holder, "waitedMs": u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            })),
            LockError::Unsupported { .. } | LockError::Fs(_) => None,
        }
    }
}

/// A held lock. Dropping it frees the lock.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
    signed: bool,
}

impl LockFile {
    /// The lock file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the locked file is the one that `path` names now. A caller that locks a file that others may rename must
    /// check this after it has the lock.
    pub fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        match (self.file.metadata(), std::fs::metadata(path)) {
            (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
            _ => false,
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if self.signed {
            marsh_types::ignore(
                self.file.set_len(0),
                "the name of the last holder is for messages, and the next holder overwrites it",
            );
        }
        marsh_types::ignore(self.file.unlock(), "closing the descriptor frees the lock too");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Exclusive,
    Shared,
}

/// Takes the lock exclusively, waiting up to `timeout`. After one second of waiting, `on_wait` is called once with the
/// holder. The lock file and its directory are created if they are missing. `command` is written into the lock file, so
/// that other processes can name the holder.
///
/// # Errors
/// [`LockError::Timeout`] if another process holds the lock until the timeout; otherwise as the variants say.
pub fn lock_exclusive(
    path: &Path,
    timeout: Duration,
    command: &str,
    on_wait: &mut dyn FnMut(&Holder),
) -> Result<LockFile, LockError> {
    let mut lock = acquire(path, Kind::Exclusive, timeout, on_wait)?;
    lock.sign(command)?;
    Ok(lock)
}

/// [`lock_exclusive`] for a lock that is taken often and held for microseconds. The line that names the holder stays in the
/// file when the lock is free, so that a process that takes the lock again need not write the line again.
///
/// # Errors
/// As [`lock_exclusive`].
pub fn lock_latch(path: &Path, timeout: Duration, command: &str) -> Result<LockFile, LockError> {
    let lock = acquire(path, Kind::Exclusive, timeout, &mut |_| {})?;
    let line = signature(command, None).context("write lock file", path)?;
    let mut last = vec![0; line.len()];
    let mut file = &lock.file;
    let is_ours =
        file.seek(SeekFrom::Start(0)).and_then(|_| file.read_exact(&mut last)).is_ok() && last == line;
    if !is_ours {
        lock.write_signature(&line)?;
    }
    Ok(lock)
}

/// [`lock_exclusive`] without waiting. Returns `None` if the lock is held.
///
/// # Errors
/// [`LockError::Unsupported`] and [`LockError::Fs`]; never [`LockError::Timeout`].
pub fn try_lock_exclusive(path: &Path, command: &str) -> Result<Option<LockFile>, LockError> {
    let file = open(path, Kind::Exclusive)?;
    if !try_lock(&file, path, Kind::Exclusive)? {
        return Ok(None);
    }
    let mut lock = LockFile { file, path: path.to_path_buf(), signed: false };
    lock.sign(command)?;
    Ok(Some(lock))
}

/// Takes the lock together with other shared holders, waiting up to `timeout`; `on_wait` as for [`lock_exclusive`]. Works on
/// a lock file that this user may only read.
///
/// # Errors
/// As [`lock_exclusive`].
pub fn lock_shared(
    path: &Path,
    timeout: Duration,
    on_wait: &mut dyn FnMut(&Holder),
) -> Result<LockFile, LockError> {
    acquire(path, Kind::Shared, timeout, on_wait)
}

/// [`lock_shared`] on a file with content: the file is opened for reading, never created and never written. Returns `None`
/// if the file is missing.
///
/// # Errors
/// As [`lock_exclusive`].
pub fn lock_existing_shared(path: &Path, timeout: Duration) -> Result<Option<LockFile>, LockError> {
    let Some(file) = open_existing(path)? else { return Ok(None) };
    wait(file, path, Kind::Shared, timeout, &mut |_| {}).map(Some)
}

/// Takes the lock of a file with content exclusively, without waiting. Returns `None` if the lock is held or the file is
/// missing.
///
/// # Errors
/// [`LockError::Unsupported`] and [`LockError::Fs`]; never [`LockError::Timeout`].
pub fn try_lock_existing_exclusive(path: &Path) -> Result<Option<LockFile>, LockError> {
    let Some(file) = open_existing(path)? else { return Ok(None) };
    if !try_lock(&file, path, Kind::Exclusive)? {
        return Ok(None);
    }
    Ok(Some(LockFile { file, path: path.to_path_buf(), signed: false }))
}

fn open_existing(path: &Path) -> Result<Option<File>, FsError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FsError::new("open lock file", path, error)),
    }
}

fn acquire(
    path: &Path,
    kind: Kind,
    timeout: Duration,
    on_wait: &mut dyn FnMut(&Holder),
) -> Result<LockFile, LockError> {
    wait(open(path, kind)?, path, kind, timeout, on_wait)
}

fn wait(
    file: File,
    path: &Path,
    kind: Kind,
    timeout: Duration,
    on_wait: &mut dyn FnMut(&Holder),
) -> Result<LockFile, LockError> {
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut told = false;
    while !try_lock(&file, path, kind)? {
        let waited = start.elapsed();
        if waited >= timeout {
            return Err(LockError::Timeout { path: path.to_path_buf(), holder: read_holder(&file), waited });
        }
        if !told && waited >= TELL_AFTER {
            told = true;
            let holder = read_holder(&file);
            tracing::info!(path = %path.display(), %holder, "waiting for a lock");
            on_wait(&holder);
        }
        std::thread::sleep(pause.min(timeout - waited));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(LockFile { file, path: path.to_path_buf(), signed: false })
}

fn open(path: &Path, kind: Kind) -> Result<File, FsError> {
    let read_write = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    failpoint::hit("fs.lock.open").context("open lock file", path)?;
    let result = match (read_write(), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            crate::dir::create_dir_all(parent)?;
            read_write()
        }
        (Err(error), _) if kind == Kind::Shared && is_read_only(&error) => File::open(path),
        (other, _) => other,
    };
    result.context("open lock file", path)
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn try_lock(file: &File, path: &Path, kind: Kind) -> Result<bool, LockError> {
    loop {
        let result = match kind {
            Kind::Exclusive => file.try_lock(),
            Kind::Shared => file.try_lock_shared(),
        };
        return match result {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(TryLockError::Error(source)) if is_unsupported(&source) => {
                Err(LockError::Unsupported { path: path.to_path_buf(), source })
            }
            Err(TryLockError::Error(source)) => Err(FsError::new("lock", path, source).into()),
        };
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let no_locks = [Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOLCK];
    if error.raw_os_error().is_some_and(|code| no_locks.iter().any(|errno| errno.raw_os_error() == code)) {
        return true;
    }
    error.kind() == io::ErrorKind::Unsupported
}

impl LockFile {
    fn sign(&mut self, command: &str) -> Result<(), FsError> {
        let line = signature(command, Some(jiff::Timestamp::now())).context("write lock file", &self.path)?;
        self.write_signature(&line)?;
        self.signed = true;
        Ok(())
    }

    /// Writes the new line over the old one and then truncates the file, so that a waiter always reads one whole line.
    fn write_signature(&self, line: &[u8]) -> Result<(), FsError> {
        (|| {
            failpoint::hit("fs.lock.sign")?;
            let mut file = &self.file;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(line)?;
            file.set_len(line.len() as u64)
        })()
        .context("write lock file", &self.path)
    }
}

fn signature(command: &str, since: Option<jiff::Timestamp>) -> io::Result<Vec<u8>> {
    let holder = Holder {
        pid: Some(std::process::id()),
        command: Some(command.to_owned()),
        since: since.map(|since| format!("{since:.3}")),
    };
    let mut line = serde_json::to_vec(&holder)?;
    line.push(b'\n');
    Ok(line)
}

/// The holder, for messages. The line of a dead process, which a crash leaves until the next exclusive holder, is ignored.
fn read_holder(mut file: &File) -> Holder {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(4096).read_to_string(&mut text));
    let line = text.lines().next().unwrap_or_default();
    match (read, serde_json::from_str::<Holder>(line)) {
        (Ok(_), Ok(holder)) if holder.pid.is_some_and(is_alive) => holder,
        _ => Holder::default(),
    }
}

fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH)))
}
