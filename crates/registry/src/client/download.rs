//! Downloading an archive with retries, resuming after each interruption.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use marsh_fs::GrowingFile;
use marsh_types::{CalVer, Channel, Digest, DigestWriter, ExtensionName};

use super::retry::{FailedTry, Retries};
use super::{Backend, Registry};
use crate::directory::named;
use crate::error::RegistryError;

/// A try that received this many bytes resets the number of retries.
const WORTHWHILE: u64 = 1 << 20;

pub(crate) struct Wanted<'a> {
    pub name: &'a ExtensionName,
    pub version: CalVer,
    pub channel: Channel,
    /// `None`: the bytes are not verified.
    pub expected: Option<Digest>,
}

/// An archive's bytes from `offset` on, which may be less than the requested offset.
pub(crate) struct ArchiveStream {
    pub reader: Box<dyn Read>,
    pub offset: u64,
    /// The size of the whole archive.
    pub total: Option<u64>,
}

/// Fills `file`, which may have the start of the archive, until its bytes have the expected digest. Returns the digest.
/// Clears the file if its bytes are wrong.
pub(crate) fn download(
    registry: &Registry,
    wanted: &Wanted<'_>,
    file: &mut GrowingFile,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<Digest, RegistryError> {
    let mut resumed = !file.is_empty();
    let mut digest = DigestWriter::new();
    file.replay(&mut |bytes| digest.update(bytes))?;
    if resumed && wanted.expected == Some(digest.clone().finish()) {
        return Ok(digest.finish());
    }
    let mut retries = Retries::new(registry.options.retries);
    loop {
        let before = file.len();
        match transfer(registry, wanted, file, &mut digest, progress) {
            Ok(()) => {}
            Err(failure) => {
                if file.len() >= before.saturating_add(WORTHWHILE) {
                    retries = Retries::new(registry.options.retries);
                }
                retries.pause(failure)?;
                resumed |= !file.is_empty();
                continue;
            }
        }
        let found = digest.clone().finish();
        let Some(expected) = wanted.expected.filter(|expected| *expected != found) else { return Ok(found) };
        file.clear()?;
        digest = DigestWriter::new();
        // The start of the file may have been of another archive: try once more from an empty file.
        if !std::mem::take(&mut resumed) {
            let what = named(wanted.name, Some(wanted.version));
            return Err(RegistryError::ChecksumMismatch { what, expected, found });
        }
    }
}

fn transfer(
    registry: &Registry,
    wanted: &Wanted<'_>,
    file: &mut GrowingFile,
    digest: &mut DigestWriter,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<(), FailedTry> {
    let limit = registry.options.max_archive_bytes;
    let too_large = || RegistryError::TooLarge { what: named(wanted.name, Some(wanted.version)), limit };
    if file.len() > limit {
        file.clear()?;
        *digest = DigestWriter::new();
    }
    let mut source = match &registry.backend {
        Backend::Directory(directory) => from_directory(directory, wanted, file.len())?,
        Backend::Remote(remote) => remote.archive(wanted, file.len())?,
    };
    if source.total.is_some_and(|total| total > limit) {
        return Err(too_large().into());
    }
    if source.offset != file.len() {
        file.clear()?;
        *digest = DigestWriter::new();
    }
    progress(file.len(), source.total);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = match source.reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(registry.interrupted(&error.to_string())),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        if file.len() + count as u64 > limit {
            file.clear()?;
            *digest = DigestWriter::new();
            return Err(too_large().into());
        }
        file.write(bytes)?;
        digest.update(bytes);
        progress(file.len(), source.total);
    }
    match source.total {
        Some(total) if file.len() < total => {
            Err(registry.interrupted(&format!("the connection ended after {} of {total} bytes", file.len())))
        }
        _ => Ok(()),
    }
}

impl Registry {
    fn interrupted(&self, reason: &str) -> FailedTry {
        FailedTry::again(RegistryError::Unreachable {
            registry: self.location.to_string(),
            reason: reason.to_owned(),
        })
    }
}

fn from_directory(
    directory: &crate::directory::Directory,
    wanted: &Wanted<'_>,
    offset: u64,
) -> Result<ArchiveStream, RegistryError> {
    let version = directory.offered(wanted.name, wanted.version)?;
    if let Some(expected) = wanted.expected.filter(|expected| *expected != version.checksum) {
        let what = named(wanted.name, Some(wanted.version));
        return Err(RegistryError::ChecksumMismatch { what, expected, found: version.checksum });
    }
    let path = directory.archive(&version.checksum);
    let read = |error| RegistryError::read(&path, error);
    let mut file = File::open(&path).map_err(read)?;
    let total = file.metadata().map_err(read)?.len();
    let offset = if offset < total { offset } else { 0 };
    file.seek(SeekFrom::Start(offset)).map_err(read)?;
    Ok(ArchiveStream { reader: Box::new(file), offset, total: Some(total) })
}
