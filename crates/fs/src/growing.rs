//! A file that grows over several attempts: a download that is resumed, a journal that continues after a crash.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Context, FsError};
use crate::failpoint;
use crate::file::{Durability, sync_data};
use crate::trace::{self, Op};

/// A file that continues where an earlier writer stopped. Its bytes are visible while it grows, so it belongs in a private
/// directory. The caller holds a lock so that there is one writer at a time.
#[derive(Debug)]
pub struct GrowingFile {
    file: File,
    path: PathBuf,
    len: u64,
}

impl GrowingFile {
    /// Opens the file, or creates it empty. Never follows a symlink of that name.
    ///
    /// # Errors
    /// Something other than a regular file has the name, or the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, FsError> {
        (|| {
            failpoint::hit("fs.growing.open")?;
            if std::fs::symlink_metadata(path).is_ok_and(|data| !data.is_file()) {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file"));
            }
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let len = file.metadata()?.len();
            trace::done(path, Op::Append(&[]));
            Ok::<_, io::Error>(Self { file, path: path.to_path_buf(), len })
        })()
        .context("open", path)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Passes the file's bytes to `each`, from the start, in pieces of up to 64 KiB.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn replay(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), FsError> {
        let mut pass = || {
            self.file.seek(SeekFrom::Start(0))?;
            let mut buffer = vec![0; 64 << 10];
            loop {
                match self.file.read(&mut buffer) {
                    Ok(0) => return Ok::<_, io::Error>(()),
                    Ok(count) => each(buffer.get(..count).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        };
        pass().context("read", &self.path)
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// The bytes cannot be written; a part of them may be in the file.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        (|| {
            self.file.seek(SeekFrom::Start(self.len))?;
            failpoint::writer("fs.growing.write", &mut self.file)?.write_all(bytes)?;
            trace::done(&self.path, Op::Append(bytes));
            Ok::<_, io::Error>(())
        })()
        .context("write", &self.path)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Removes all bytes.
    ///
    /// # Errors
    /// The file cannot be truncated.
    pub fn clear(&mut self) -> Result<(), FsError> {
        (|| {
            failpoint::hit("fs.growing.clear")?;
            self.file.set_len(0)?;
            trace::done(&self.path, Op::Truncate);
            Ok::<_, io::Error>(())
        })()
        .context("empty", &self.path)?;
        self.len = 0;
        Ok(())
    }

    /// Removes the bytes from `len` on, such as the torn end that a dead writer left.
    ///
    /// # Errors
    /// The file cannot be truncated.
    pub fn cut(&mut self, len: u64) -> Result<(), FsError> {
        (|| {
            failpoint::hit("fs.growing.cut")?;
            self.file.set_len(len)?;
            if trace::is_on() {
                trace::done(&self.path, Op::Truncate);
                trace::done(&self.path, Op::Append(&std::fs::read(&self.path)?));
            }
            Ok::<_, io::Error>(())
        })()
        .context("cut", &self.path)?;
        self.len = len;
        Ok(())
    }

    /// Puts the bytes written so far on disk. The name of a new file needs [`crate::sync_dir`].
    ///
    /// # Errors
    /// The data cannot be synced.
    pub fn sync(&mut self) -> Result<(), FsError> {
        (|| {
            failpoint::hit("fs.growing.sync")?;
            sync_data(&self.file, &self.path, Durability::Synced)
        })()
        .context("write", &self.path)
    }

    /// A second handle, for a thread that syncs while this one writes.
    ///
    /// # Errors
    /// The process has no free file descriptor.
    pub fn syncing(&self) -> Result<GrowingSync, FsError> {
        let file = self.file.try_clone().context("open", &self.path)?;
        Ok(GrowingSync { file, path: self.path.clone() })
    }

    /// Closes the file, after its data is on disk if `durability` asks for it.
    ///
    /// # Errors
    /// The data cannot be synced.
    pub fn finish(self, durability: Durability) -> Result<(), FsError> {
        (|| {
            failpoint::hit("fs.growing.finish")?;
            sync_data(&self.file, &self.path, durability)
        })()
        .context("write", &self.path)
    }
}

/// [`GrowingFile::sync`] for another thread. The kernel reports a failed write to one of the two handles only, so the
/// caller must treat a failure of either as a failure of the file.
#[derive(Debug)]
pub struct GrowingSync {
    file: File,
    path: PathBuf,
}

impl GrowingSync {
    /// Puts the bytes that were written before this call on disk.
    ///
    /// # Errors
    /// The data cannot be synced.
    pub fn sync(&self) -> Result<(), FsError> {
        (|| {
            failpoint::hit("fs.growing.sync")?;
            sync_data(&self.file, &self.path, Durability::Synced)
        })()
        .context("write", &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_file_reopened_continues_after_the_last_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("partial");
        let mut first = GrowingFile::open(&path).unwrap();
        first.write(b"abc").unwrap();
        drop(first);
        let mut second = GrowingFile::open(&path).unwrap();
        assert_eq!(second.len(), 3);
        let mut seen = Vec::new();
        second.replay(&mut |bytes| seen.extend_from_slice(bytes)).unwrap();
        second.write(b"def").unwrap();
        assert_eq!(seen, b"abc");
        assert_eq!(std::fs::read(&path).unwrap(), b"abcdef");
        second.clear().unwrap();
        second.write(b"x").unwrap();
        second.finish(Durability::Synced).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }

    #[test]
    fn cut_at_the_last_whole_line_removes_the_torn_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut first = GrowingFile::open(&path).unwrap();
        first.write(b"one\ntw").unwrap();
        drop(first);
        let mut second = GrowingFile::open(&path).unwrap();
        second.cut(4).unwrap();
        second.write(b"two\n").unwrap();
        second.sync().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn open_on_a_symlink_fails_and_does_not_follow_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("partial");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(GrowingFile::open(&path).is_err());
        assert!(!dir.path().join("elsewhere").exists());
    }
}
