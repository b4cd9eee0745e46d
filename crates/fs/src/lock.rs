//! Advisory locks on open descriptors.
//!
//! The kernel ties a lock to the open file, so it goes when the process goes, however it goes. Hence no age guesses, no
//! heartbeats and nothing to clean up. Lock files are never unlinked: a second locker of a re-created file would get
//! the lock too. A lock belongs to the handle, not to the thread: taking it twice in one process waits for itself, until
//! the timeout.
//!
//! Waiting polls: a blocking system call could neither be bounded nor interrupted.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Context, FsError};
use crate::failpoint;

const TELL_AFTER: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Who holds an exclusive lock, as far as the lock file tells. Shared holders do not sign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: Option<u32>,
    pub command: Option<String>,
    /// RFC 3339.
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

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{} is held by {holder}; gave up after {:.1} s", path.display(), waited.as_secs_f64())]
    Timeout { path: PathBuf, holder: Holder, waited: Duration },
    #[error("the file system of {} has no file locks: {source}", path.display())]
    Unsupported { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Fs(#[from] FsError),
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
    signed: bool,
}

impl LockFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the locked file is the one that `path` names now. A lock on content that others may rename away says
    /// nothing until this has been asked.
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
            self.file.set_len(0).ok();
        }
        self.file.unlock().ok();
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Exclusive,
    Shared,
}

/// Takes the lock alone, waiting up to `timeout`. After one second `on_wait` hears, once, who is in the way. The lock
/// file and its directory are created if missing.
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

/// [`lock_exclusive`] for a lock that is taken often and held for microseconds. The signature says who took it last and
/// stays when the lock is free, so that a process which takes it again need not write it again.
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

/// [`lock_exclusive`] without waiting. `None`: someone holds it.
pub fn try_lock_exclusive(path: &Path, command: &str) -> Result<Option<LockFile>, LockError> {
    let file = open(path, Kind::Exclusive)?;
    if !try_lock(&file, path, Kind::Exclusive)? {
        return Ok(None);
    }
    let mut lock = LockFile { file, path: path.to_path_buf(), signed: false };
    lock.sign(command)?;
    Ok(Some(lock))
}

/// Takes the lock together with other readers. Works on a lock file that this user may only read.
pub fn lock_shared(
    path: &Path,
    timeout: Duration,
    on_wait: &mut dyn FnMut(&Holder),
) -> Result<LockFile, LockError> {
    acquire(path, Kind::Shared, timeout, on_wait)
}

/// [`lock_shared`] on a file of content: it is opened for reading, not created and not written to. `None`: there is no
/// such file.
pub fn lock_existing_shared(path: &Path, timeout: Duration) -> Result<Option<LockFile>, LockError> {
    let Some(file) = open_existing(path)? else { return Ok(None) };
    wait(file, path, Kind::Shared, timeout, &mut |_| {}).map(Some)
}

/// Takes the lock of a file of content alone, without waiting. `None`: someone uses it, or there is no such file.
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

    /// Written over the old line and then cut to length, so that a waiter always reads one whole line.
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

/// Only for messages: a signature of a dead process (which a crash leaves until the next exclusive holder) is nobody's.
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
