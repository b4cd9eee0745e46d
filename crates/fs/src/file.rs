//! Files: replaced as a whole, created exclusively, or appended to.
//!
//! A write goes to a private sibling, which is renamed to its final name. A write that fails removes the sibling
//! (`tests/atomic.rs`: `atomic_write_that_fails_leaves_no_temporary_file`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::dir;
use crate::error::{Context, FsError};
use crate::failpoint;
use crate::order;
use crate::trace::{self, Op};

/// How much of a write survives a power failure after the call has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every process sees the old file or the new one. A power failure may lose the new one.
    Atomic,
    /// The file's data is on disk before its name appears, so the name never shows torn bytes. The caller makes the name
    /// durable with one [`sync_dir`](crate::sync_dir) per transaction.
    Synced,
    /// The file's data is on disk before its name appears, and any later sync on the same file system makes data and name
    /// durable. Cheaper than `Synced`; use it where such a sync follows. On file systems that do not keep the order of
    /// changes this is `Synced`.
    Ordered,
}

/// Replaces `path` with `bytes` in one step. An existing file keeps its mode; a new one gets 0644 less the umask. A
/// symlink at `path` is replaced, never followed.
///
/// # Errors
/// The bytes cannot be written or the file cannot be renamed. The old file is unchanged.
pub fn atomic_write(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    let mode = match existing_mode(path) {
        Some(mode) => Mode::Exactly(mode),
        None => Mode::Masked(0o644),
    };
    write_and_rename(path, mode, durability, |file| file.write_all(bytes))
}

/// [`atomic_write`] for a caller that holds the lock that all writers of `path` take. The temporary file has a fixed name,
/// so the next writer replaces the one that a dead writer left.
///
/// # Errors
/// As [`atomic_write`].
pub fn atomic_write_locked(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    remove_leftover(path)?;
    let mode = existing_mode(path).map_or(Mode::Masked(0o644), Mode::Exactly);
    write_and_rename_as(&locked_sibling(path), path, mode, durability, |file| file.write_all(bytes))
}

/// Removes the temporary file that a dead [`atomic_write_locked`] of `path` left. Returns `false` if there is none. The
/// caller must hold the same lock.
///
/// # Errors
/// The file exists and cannot be removed.
pub fn remove_leftover(path: &Path) -> Result<bool, FsError> {
    dir::remove_file_if_exists(&locked_sibling(path))
}

/// Whether a file of this name is a temporary file of [`atomic_write_locked`].
pub fn is_leftover(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(LOCKED_SUFFIX)
}

/// Removes the files that writers under a lock ([`atomic_write_locked`]) left in `directory` itself
/// when they died. Returns how many. The caller must hold the lock that all these writers take.
///
/// # Errors
/// The directory cannot be read, or a file in it cannot be removed.
pub fn sweep_leftovers(directory: &Path) -> Result<usize, FsError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(FsError::new("read directory", directory, error)),
    };
    let mut swept = 0;
    let is_left = |entry: &fs::DirEntry| entry.file_name().to_str().is_some_and(is_leftover);
    for entry in entries.flatten().filter(is_left) {
        swept += usize::from(dir::remove_file_if_exists(&entry.path())?);
    }
    Ok(swept)
}

const LOCKED_SUFFIX: &str = ".marsh-new";

fn locked_sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{LOCKED_SUFFIX}"))
}

/// [`atomic_write`] for secrets: the file has mode 0600 from its first instant, whatever mode an earlier file had.
///
/// # Errors
/// As [`atomic_write`].
pub fn atomic_write_private(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    write_and_rename(path, Mode::Exactly(0o600), durability, |file| file.write_all(bytes))
}

/// Creates `path` with `bytes` in one step. Returns `false` if something has that name already; it stays as it is.
///
/// # Errors
/// The bytes cannot be written, or the rename fails for another reason than a taken name.
pub fn atomic_write_new(path: &Path, bytes: &[u8], durability: Durability) -> Result<bool, FsError> {
    create_whole(path, bytes, 0o644, durability)
}

/// [`atomic_write_new`] for secrets: the file has mode 0600 from its first instant.
///
/// # Errors
/// As [`atomic_write_new`].
pub fn atomic_write_new_private(path: &Path, bytes: &[u8], durability: Durability) -> Result<bool, FsError> {
    create_whole(path, bytes, 0o600, durability)
}

fn create_whole(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> Result<bool, FsError> {
    let temp = temp_sibling(path);
    let result = (|| {
        failpoint::hit("fs.atomic_write_new.create")?;
        let mut file = open_new(&temp, mode)?;
        failpoint::writer("fs.atomic_write_new.fill", &mut file)?.write_all(bytes)?;
        trace::done(&temp, Op::Create(bytes));
        sync_data(&file, &temp, durability)?;
        drop(file);
        failpoint::hit("fs.atomic_write_new.rename")?;
        match dir::rename_exclusive(&temp, path) {
            Some(result) => result,
            // A rename may replace; a hard link never does.
            None => fs::hard_link(&temp, path).and_then(|()| {
                trace::done(path, Op::Link { from: &temp });
                fs::remove_file(&temp).inspect(|()| trace::done(&temp, Op::Unlink))
            }),
        }
    })();
    if result.is_err() {
        discard(&temp);
    }
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FsError::new("create", path, error)),
    }
}

/// Copies the bytes and the mode of `from` to `to`, in one step for readers of `to`. Returns the number of bytes.
///
/// # Errors
/// `from` cannot be read, or as [`atomic_write`].
pub fn copy_file(from: &Path, to: &Path, durability: Durability) -> Result<u64, FsError> {
    let mut source = File::open(from).context("read", from)?;
    let mode = existing_mode(from).map_or(Mode::Masked(0o644), Mode::Exactly);
    let mut copied = 0;
    write_and_rename(to, mode, durability, |file| {
        copied = io::copy(&mut source, file)?;
        Ok(())
    })?;
    Ok(copied)
}

/// Makes `link` a symbolic link to `target`, replacing a file or link of that name in one step.
///
/// # Errors
/// The link cannot be created, or a directory has its name.
pub fn symlink_atomic(target: &Path, link: &Path) -> Result<(), FsError> {
    let temp = temp_sibling(link);
    let result = (|| {
        failpoint::hit("fs.symlink.create")?;
        std::os::unix::fs::symlink(target, &temp)?;
        trace::done(&temp, Op::Symlink { target });
        failpoint::hit("fs.symlink.rename")?;
        fs::rename(&temp, link)?;
        trace::done(link, Op::Rename { from: &temp });
        Ok::<_, io::Error>(())
    })();
    if result.is_err() {
        discard(&temp);
    }
    result.context("link", link)
}

/// Sets the permission bits of `path`.
///
/// # Errors
/// The mode cannot be changed.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), FsError> {
    use std::os::unix::fs::PermissionsExt;
    failpoint::hit("fs.set_mode").context("change the mode of", path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).context("change the mode of", path)?;
    Ok(())
}

/// Appends `bytes` with one write, creating the file if it is missing. The bytes of concurrent appends do not mix.
///
/// # Errors
/// The file cannot be opened or written.
pub fn append(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    (|| {
        failpoint::hit("fs.append")?;
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        failpoint::writer("fs.append.write", &mut file)?.write_all(bytes)?;
        trace::done(path, Op::Append(bytes));
        Ok::<_, io::Error>(())
    })()
    .context("append to", path)
}

/// A log that grows line by line. Each line is one write, so the lines of several threads or processes do not mix.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    path: PathBuf,
}

impl LogFile {
    /// Starts an empty log, discarding the content of an earlier log of that name. Creates the directory if it is missing.
    ///
    /// # Errors
    /// The file or its directory cannot be created.
    pub fn create(path: &Path) -> Result<Self, FsError> {
        (|| {
            failpoint::hit("fs.log.create")?;
            // `set_len` truncates: the options `truncate` and `append` exclude each other, and only `append` keeps lines
            // whole.
            let open = || OpenOptions::new().append(true).create(true).open(path);
            let file = match (open(), path.parent()) {
                (Err(error), Some(dir)) if error.kind() == io::ErrorKind::NotFound => {
                    dir::create_dir_all(dir).map_err(|error| io::Error::new(error.kind(), error))?;
                    open()?
                }
                (other, _) => other?,
            };
            file.set_len(0)?;
            trace::done(path, Op::Truncate);
            Ok::<_, io::Error>(Self { file, path: path.to_path_buf() })
        })()
        .context("create log", path)
    }

    /// Continues a log, or starts one if it is missing.
    ///
    /// # Errors
    /// The file cannot be opened or created.
    pub fn append(path: &Path) -> Result<Self, FsError> {
        (|| {
            failpoint::hit("fs.log.open")?;
            let file = OpenOptions::new().append(true).create(true).open(path)?;
            Ok::<_, io::Error>(Self { file, path: path.to_path_buf() })
        })()
        .context("open log", path)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `line` and a newline with one write.
    ///
    /// # Errors
    /// The line cannot be written.
    pub fn write_line(&self, line: &str) -> Result<(), FsError> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        (|| {
            failpoint::hit("fs.log.write")?;
            (&self.file).write_all(&bytes)?;
            trace::done(&self.path, Op::Append(&bytes));
            Ok::<_, io::Error>(())
        })()
        .context("write to log", &self.path)
    }
}

/// A new file that is written piece by piece. Its bytes are visible while they are written, so use it inside a private
/// directory ([`StagedDir`](crate::StagedDir)).
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
}

impl NewFile {
    /// Creates the file with mode 0644 less the umask.
    ///
    /// # Errors
    /// Something has the name `path` already, even a dangling symlink, or the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, FsError> {
        Self::create_with_mode(path, 0o644)
    }

    /// Creates the file with `mode` less the umask.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with_mode(path: &Path, mode: u32) -> Result<Self, FsError> {
        (|| {
            failpoint::hit("fs.new_file.create")?;
            let file = open_new(path, mode)?;
            trace::done(path, Op::Create(&[]));
            Ok::<_, io::Error>(Self { file, path: path.to_path_buf() })
        })()
        .context("create", path)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// The bytes cannot be written; a part of them may be in the file.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        (|| {
            failpoint::writer("fs.new_file.write", &mut self.file)?.write_all(bytes)?;
            trace::done(&self.path, Op::Append(bytes));
            Ok::<_, io::Error>(())
        })()
        .context("write", &self.path)
    }

    /// Starts a [`finish`](Self::finish) with [`Durability::Ordered`] and returns at once. Call [`Settling::settle`] to
    /// wait for the disk.
    ///
    /// # Errors
    /// The system cannot start to write the data out.
    pub fn finish_soon(self) -> Result<Settling, FsError> {
        (|| {
            failpoint::hit("fs.new_file.finish")?;
            order::begin(&self.file)
        })()
        .context("write", &self.path)?;
        Ok(Settling { file: self.file, path: self.path })
    }

    /// Closes the file, after its data is on disk if `durability` asks for it.
    ///
    /// # Errors
    /// The data cannot be synced.
    pub fn finish(self, durability: Durability) -> Result<(), FsError> {
        (|| {
            failpoint::hit("fs.new_file.finish")?;
            sync_data(&self.file, &self.path, durability)
        })()
        .context("write", &self.path)
    }
}

/// A file whose data is being written to the disk, with [`Durability::Ordered`].
#[derive(Debug)]
#[must_use = "the data may not be on disk before `settle` returns"]
pub struct Settling {
    file: File,
    path: PathBuf,
}

impl Settling {
    /// Waits until the data is on disk.
    ///
    /// # Errors
    /// The data cannot be written.
    pub fn settle(self) -> Result<(), FsError> {
        sync_data(&self.file, &self.path, Durability::Ordered).context("write", &self.path)
    }
}

enum Mode {
    Masked(u32),
    Exactly(u32),
}

fn write_and_rename(
    path: &Path,
    mode: Mode,
    durability: Durability,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FsError> {
    write_and_rename_as(&temp_sibling(path), path, mode, durability, fill)
}

fn write_and_rename_as(
    temp: &Path,
    path: &Path,
    mode: Mode,
    durability: Durability,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FsError> {
    let result = (|| {
        failpoint::hit("fs.atomic_write.create")?;
        let mut file = match mode {
            Mode::Masked(mode) => open_new(temp, mode)?,
            Mode::Exactly(mode) => {
                let file = open_new(temp, 0o600)?;
                set_file_mode(&file, mode)?;
                file
            }
        };
        fill(&mut failpoint::writer("fs.atomic_write.fill", &mut file)?)?;
        if trace::is_on() {
            trace::done(temp, Op::Create(&fs::read(temp)?));
        }
        failpoint::hit("fs.atomic_write.sync")?;
        sync_data(&file, temp, durability)?;
        drop(file);
        failpoint::hit("fs.atomic_write.rename")?;
        fs::rename(temp, path)?;
        trace::done(path, Op::Rename { from: temp });
        failpoint::hit("fs.atomic_write.done")
    })();
    if result.is_err() {
        discard(temp);
    }
    result.context("write", path)
}

pub(crate) fn sync_data(file: &File, path: &Path, durability: Durability) -> io::Result<()> {
    match durability {
        Durability::Atomic => Ok(()),
        Durability::Ordered if order::settle(file)? => {
            trace::done(path, Op::OrderFile);
            Ok(())
        }
        Durability::Synced | Durability::Ordered => {
            file.sync_data().inspect(|()| trace::done(path, Op::SyncFile))
        }
    }
}

/// Removes the temporary file of a write that failed. If that fails too, the caller reports the first failure.
fn discard(temp: &Path) {
    if fs::remove_file(temp).is_ok() {
        trace::done(temp, Op::Unlink);
    }
}

/// A unique name in the same directory, so that the rename stays on one file system.
fn temp_sibling(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.tmp", uuid::Uuid::new_v4()))
}

fn open_new(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    options.open(path)
}

fn existing_mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::symlink_metadata(path).ok()?;
    metadata.is_file().then(|| metadata.permissions().mode() & 0o777)
}

fn set_file_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    Ok(())
}
