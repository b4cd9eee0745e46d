//! Reading files that others left: users, repositories that were cloned, code that runs.
//!
//! * A read never blocks: what is not a regular file is refused before it is opened, so that no pipe, device or socket is.
//! * A read is bounded: a file beyond [`MAX_FILE`] is refused before a byte of it is read, holes included.
//! * [`open_own`] follows no link: files that marsh itself made are files.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Read as _, Result};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// The largest file that is read into memory, in bytes.
pub const MAX_FILE: u64 = 256 * 1024 * 1024;

/// Opens a regular file to read it. Links are followed.
///
/// # Errors
///
/// The file cannot be opened, or is not a regular file.
pub fn open_regular(path: &Path) -> Result<File> {
    open(path, &std::fs::metadata(path)?, OFlags::empty())
}

/// Opens a regular file that marsh made, to read it. A link in its place is refused.
///
/// # Errors
///
/// The file cannot be opened, or is not a regular file.
pub fn open_own(path: &Path) -> Result<File> {
    open(path, &std::fs::symlink_metadata(path)?, OFlags::NOFOLLOW)
}

/// Reads a file that a user or a repository holds. Links are followed.
///
/// # Errors
///
/// The file cannot be read, is not a regular file, or is larger than [`MAX_FILE`].
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    bounded(open_regular(path.as_ref())?)
}

/// [`read`], as text.
///
/// # Errors
///
/// Those of [`read`], and when the file is not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> Result<String> {
    text(read(path)?)
}

/// Reads a file that marsh made. A link in its place is refused.
///
/// # Errors
///
/// Those of [`read`].
pub fn read_own(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    bounded(open_own(path.as_ref())?)
}

/// [`read_own`], as text.
///
/// # Errors
///
/// Those of [`read_own`], and when the file is not UTF-8.
pub fn read_own_to_string(path: impl AsRef<Path>) -> Result<String> {
    text(read_own(path)?)
}

fn open(path: &Path, seen: &Metadata, flags: OFlags) -> Result<File> {
    refuse_other(seen)?;
    // It may be another file by now.
    let flags = (flags | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    refuse_other(&file.metadata()?)?;
    Ok(file)
}

fn refuse_other(metadata: &Metadata) -> Result<()> {
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => return Err(ErrorKind::IsADirectory.into()),
        () if kind.is_symlink() => "a link",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(Error::new(ErrorKind::InvalidInput, format!("expected a file, found {what}")))
}

fn bounded(file: File) -> Result<Vec<u8>> {
    let too_large = || {
        let limit = MAX_FILE / (1024 * 1024);
        Error::new(ErrorKind::FileTooLarge, format!("the file is larger than {limit} MB"))
    };
    let length = file.metadata()?.len();
    if length > MAX_FILE {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    // It may grow meanwhile.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE { Err(too_large()) } else { Ok(bytes) }
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;

    use super::{MAX_FILE, read, read_own, read_to_string};

    #[test]
    fn regular_file_is_read_through_a_link_unless_it_is_our_own() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "text").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read_to_string(&link).unwrap(), "text");
        assert_eq!(read_own(&file).unwrap(), b"text");
        assert!(read_own(&link).unwrap_err().to_string().contains("found a link"));
        assert_eq!(read(dir.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(read(dir.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn pipe_and_device_are_refused_without_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, zero) = (dir.path().join("pipe"), dir.path().join("zero"));
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        symlink("/dev/zero", &zero).unwrap();
        assert!(read(&pipe).unwrap_err().to_string().contains("found a pipe"));
        assert!(read_own(&pipe).unwrap_err().to_string().contains("found a pipe"));
        assert!(read(&zero).unwrap_err().to_string().contains("found a device"));
    }

    #[test]
    fn file_of_holes_beyond_the_limit_is_refused_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("holes");
        File::create(&path).unwrap().set_len(MAX_FILE * 100).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }
}
