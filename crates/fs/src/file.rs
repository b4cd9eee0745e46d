//! Files: replaced as a whole, created exclusively, or appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::dir;
use crate::error::{Context, FsError};
use crate::failpoint;
use crate::order;
use crate::trace::{self, Op};

/// What survives a power failure after the call has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Visible atomically to every process; may be lost at power failure.
    Atomic,
    /// File data is on disk before the name appears, so the name never shows torn bytes. That the name itself is on
    /// disk takes one [`sync_dir`](crate::sync_dir) per transaction, which is the caller's.
    Synced,
    /// The same, and whatever is synced later on the same file system makes data and name durable: to be used where that
    /// follows, since it costs less. Where file systems do not keep the order of what happens, this is `Synced`.
    Ordered,
}

/// Replaces `path` with `bytes` in one step. Keeps the mode of an existing file; a new one gets 0644 less the umask. A
/// symlink at `path` is replaced, never followed.
pub fn atomic_write(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    let mode = match existing_mode(path) {
        Some(mode) => Mode::Exactly(mode),
        None => Mode::Masked(0o644),
    };
    write_and_rename(path, mode, durability, |file| file.write_all(bytes))
}

/// [`atomic_write`] for whoever holds the lock that all writers of `path` take. What a writer that died left behind has a
/// name that the next writer knows, so it replaces it.
pub fn atomic_write_locked(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    remove_leftover(path)?;
    let mode = existing_mode(path).map_or(Mode::Masked(0o644), Mode::Exactly);
    write_and_rename_as(&locked_sibling(path), path, mode, durability, |file| file.write_all(bytes))
}

/// Removes what an [`atomic_write_locked`] of `path` that died left behind, under the same lock. `false`: nothing.
pub fn remove_leftover(path: &Path) -> Result<bool, FsError> {
    dir::remove_file_if_exists(&locked_sibling(path))
}

/// Whether `name` is that of a leftover which [`remove_leftover`] removes.
pub fn is_leftover(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(LOCKED_SUFFIX)
}

const LOCKED_SUFFIX: &str = ".marsh-new";

fn locked_sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{LOCKED_SUFFIX}"))
}

/// [`atomic_write`] for secrets: the file is 0600 from its first instant, whatever was there before.
pub fn atomic_write_private(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), FsError> {
    write_and_rename(path, Mode::Exactly(0o600), durability, |file| file.write_all(bytes))
}

/// Creates `path` with `bytes` in one step. `false`: something of that name existed, and is untouched.
pub fn atomic_write_new(path: &Path, bytes: &[u8], durability: Durability) -> Result<bool, FsError> {
    create_whole(path, bytes, 0o644, durability)
}

/// [`atomic_write_new`] for secrets: the file is 0600 from its first instant.
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
            // Where renames always replace, a second link never does.
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

/// Copies the bytes and the mode of `from` to `to`, in one step for readers of `to`.
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

/// Sets the permission bits of `path`. Does nothing where there are none.
pub fn set_mode(path: &Path, mode: u32) -> Result<(), FsError> {
    use std::os::unix::fs::PermissionsExt;
    failpoint::hit("fs.set_mode").context("change the mode of", path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).context("change the mode of", path)?;
    Ok(())
}

/// Appends `bytes` with one write, creating the file if there is none. Concurrent appends do not mix.
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

/// A log that grows line by line. Each line is one write, so that lines of several threads or processes do not mix.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    path: PathBuf,
}

impl LogFile {
    /// Starts an empty log, dropping what an earlier one of that name held. Its directory is created if missing.
    pub fn create(path: &Path) -> Result<Self, FsError> {
        (|| {
            failpoint::hit("fs.log.create")?;
            // Truncated by hand: `truncate` and `append` exclude each other, and only `append` keeps lines whole.
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

    /// Continues a log, or starts one.
    pub fn append(path: &Path) -> Result<Self, FsError> {
        (|| {
            failpoint::hit("fs.log.open")?;
            let file = OpenOptions::new().append(true).create(true).open(path)?;
            Ok::<_, io::Error>(Self { file, path: path.to_path_buf() })
        })()
        .context("open log", path)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

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

/// A file that did not exist before, written piece by piece. For files inside a private directory
/// ([`StagedDir`](crate::StagedDir)): its bytes are visible while they are written.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
}

impl NewFile {
    /// Fails when `path` exists, a dangling symlink included.
    pub fn create(path: &Path) -> Result<Self, FsError> {
        Self::create_with_mode(path, 0o644)
    }

    /// `mode` is narrowed by the umask.
    pub fn create_with_mode(path: &Path, mode: u32) -> Result<Self, FsError> {
        (|| {
            failpoint::hit("fs.new_file.create")?;
            let file = open_new(path, mode)?;
            trace::done(path, Op::Create(&[]));
            Ok::<_, io::Error>(Self { file, path: path.to_path_buf() })
        })()
        .context("create", path)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        (|| {
            failpoint::writer("fs.new_file.write", &mut self.file)?.write_all(bytes)?;
            trace::done(&self.path, Op::Append(bytes));
            Ok::<_, io::Error>(())
        })()
        .context("write", &self.path)
    }

    /// [`finish`](Self::finish) with [`Durability::Ordered`] for whoever has other things to do meanwhile.
    pub fn finish_soon(self) -> Result<Settling, FsError> {
        (|| {
            failpoint::hit("fs.new_file.finish")?;
            order::begin(&self.file)
        })()
        .context("write", &self.path)?;
        Ok(Settling { file: self.file, path: self.path })
    }

    /// Ends the file, with its data on disk if `durability` asks for it.
    pub fn finish(self, durability: Durability) -> Result<(), FsError> {
        (|| {
            failpoint::hit("fs.new_file.finish")?;
            sync_data(&self.file, &self.path, durability)
        })()
        .context("write", &self.path)
    }
}

/// A file that is on its way to the disk, with [`Durability::Ordered`].
#[derive(Debug)]
#[must_use = "nothing is on disk before `settle`"]
pub struct Settling {
    file: File,
    path: PathBuf,
}

impl Settling {
    /// Waits until its data is there.
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

/// What a failed write leaves; if it cannot be removed either, the failure that is reported is the first.
fn discard(temp: &Path) {
    if fs::remove_file(temp).is_ok() {
        trace::done(temp, Op::Unlink);
    }
}

/// A name in the same directory that nobody else has: a rename stays on one file system.
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
