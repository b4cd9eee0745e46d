//! Unpacking an archive within limits.
//!
//! Every entry is checked before its content is read. The limits on sizes stop the stream, so that they hold however the
//! bytes are compressed (`tests/hostile.rs`).

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use marsh_fs::{Durability, NewFile};
use marsh_types::{Digest, DigestWriter, Manifest, RelPath};
use tar::EntryType;

use crate::bundles::{self, BUNDLES, BundlesRecord};
use crate::digest::files_checksum;
use crate::error::{ArchiveError, corrupt, damaged};
use crate::extended::{Extended, read_limited};
use crate::names::{self, Seen};

/// The limits on the size of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of the archive, compressed.
    pub archive_bytes: u64,
    /// Bytes of all files together.
    pub unpacked_bytes: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Number of files, directories and extended headers.
    pub entries: u64,
    /// Number of segments in a path.
    pub depth: usize,
}

impl Default for ArchiveLimits {
    fn default() -> ArchiveLimits {
        ArchiveLimits {
            archive_bytes: 64 << 20,
            unpacked_bytes: 256 << 20,
            file_bytes: 64 << 20,
            entries: 10_000,
            depth: 32,
        }
    }
}

/// One unpacked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackedFile {
    /// The path, relative to `extension/`.
    pub path: RelPath,
    /// The size in bytes.
    pub bytes: u64,
    /// The content's digest.
    pub sha256: Digest,
    /// Whether the manifest lists the file under `binaries`.
    pub executable: bool,
}

/// The content of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The manifest.
    pub manifest: Manifest,
    /// All files, sorted by path.
    pub files: Vec<UnpackedFile>,
    /// The digest of the tree, as lockfiles record it.
    pub files_checksum: Digest,
    /// The size of all files together, in bytes.
    pub unpacked_bytes: u64,
}

const MANIFEST: &str = "manifest.yaml";
/// Far more than the names in a manifest take.
const MANIFEST_BYTES: u64 = 1 << 20;

/// Unpacks a gzip'd tar into an existing empty directory, without the top directory `extension/`. Files get mode 0444, or
/// 0555 if the manifest lists them as binaries. Nothing is synced. Directories without files are not created.
///
/// # Errors
/// The archive is damaged, breaks a rule or exceeds a limit, or a file cannot be written. Files that were unpacked before
/// the error stay in `into`.
pub fn unpack(archive: impl Read, into: &Path, limits: &ArchiveLimits) -> Result<Unpacked, ArchiveError> {
    let mut files: Vec<UnpackedFile> = Vec::new();
    let mut manifest_text = None;
    let mut made: HashSet<std::path::PathBuf> = HashSet::new();
    let unpacked_bytes = walk(archive, limits, &mut |path, size, content| {
        let target = path.below(into);
        if let Some(parent) = target.parent()
            && made.insert(parent.to_owned())
        {
            marsh_fs::create_dir_all(parent)?;
        }
        if path.as_str() == MANIFEST {
            let bytes = read_content(content, size, MANIFEST_BYTES, path)?;
            write(&target, &mut bytes.as_slice(), path)?;
            files.push(UnpackedFile {
                path: path.clone(),
                bytes: size,
                sha256: Digest::of(&bytes),
                executable: false,
            });
            manifest_text = Some(bytes);
            return Ok(());
        }
        let sha256 = write(&target, content, path)?;
        files.push(UnpackedFile { path: path.clone(), bytes: size, sha256, executable: false });
        Ok(())
    })?;
    let manifest = parse_manifest(manifest_text)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    check_bundles(into, &files)?;
    let binaries: HashSet<String> = manifest.binaries.iter().map(|path| format!("files/{path}")).collect();
    for file in &mut files {
        file.executable = binaries.contains(file.path.as_str());
        marsh_fs::set_mode(&file.path.below(into), if file.executable { 0o555 } else { 0o444 })?;
    }
    let files_checksum = files_checksum(files.iter().map(|file| (&file.path, &file.sha256)));
    Ok(Unpacked { manifest, files, files_checksum, unpacked_bytes })
}

/// Checks the bundles against the record of bundles, if there is one.
fn check_bundles(into: &Path, files: &[UnpackedFile]) -> Result<(), ArchiveError> {
    let Some(file) = files.iter().find(|file| file.path.as_str() == BUNDLES) else { return Ok(()) };
    if file.bytes > bundles::MAX_BYTES {
        return Err(ArchiveError::TooLarge { what: BUNDLES.to_owned(), limit: bundles::MAX_BYTES });
    }
    let path = file.path.below(into);
    let bytes = marsh_fs::read(&path).map_err(|source| ArchiveError::Read { path, source })?;
    match BundlesRecord::parse(&bytes)? {
        Some(record) => record.verify(files.iter().map(|file| (&file.path, &file.sha256))),
        None => Ok(()),
    }
}

/// Reads the manifest of an archive. Checks the whole archive and writes no files.
///
/// # Errors
/// As [`unpack`].
pub fn read_manifest(archive: impl Read, limits: &ArchiveLimits) -> Result<Manifest, ArchiveError> {
    let mut text = None;
    walk(archive, limits, &mut |path, size, content| {
        if path.as_str() == MANIFEST {
            text = Some(read_content(content, size, MANIFEST_BYTES, path)?);
        }
        Ok(())
    })?;
    parse_manifest(text)
}

fn parse_manifest(bytes: Option<Vec<u8>>) -> Result<Manifest, ArchiveError> {
    let bytes = bytes.ok_or(ArchiveError::NoManifest)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| ArchiveError::Corrupt { reason: "invalid UTF-8 in the manifest".into() })?;
    Ok(Manifest::parse(&text)?)
}

fn read_content(
    content: &mut dyn Read,
    size: u64,
    limit: u64,
    path: &RelPath,
) -> Result<Vec<u8>, ArchiveError> {
    let mut content = content;
    match read_limited(&mut content, limit).map_err(corrupt)? {
        Some(bytes) if bytes.len() as u64 == size => Ok(bytes),
        Some(_) => Err(ArchiveError::Corrupt { reason: format!("{path} ends early") }),
        None => Err(ArchiveError::TooLarge { what: path.to_string(), limit }),
    }
}

fn write(target: &Path, content: &mut dyn Read, path: &RelPath) -> Result<Digest, ArchiveError> {
    // If the name is taken, the file system treats two names as one that `Seen` told apart.
    let mut file = NewFile::create(target).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ArchiveError::Duplicate { path: path.to_string() },
        _ => ArchiveError::Fs(error),
    })?;
    let mut digest = DigestWriter::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                digest.update(&buffer[..count]);
                file.write(&buffer[..count])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(corrupt(error)),
        }
    }
    file.finish(Durability::Atomic)?;
    Ok(digest.finish())
}

type Visit<'a> = dyn FnMut(&RelPath, u64, &mut dyn Read) -> Result<(), ArchiveError> + 'a;

/// Checks every entry, calls `visit` for each file and reads the file to its end. Returns the size of all files.
fn walk(archive: impl Read, limits: &ArchiveLimits, visit: &mut Visit<'_>) -> Result<u64, ArchiveError> {
    let compressed = Capped { inner: archive, left: limits.archive_bytes, over: false };
    let gzip = GzDecoder::new(BufReader::new(compressed));
    // Headers and padding count too, so that an archive that consists of headers is stopped.
    let ceiling = limits.unpacked_bytes.saturating_add(limits.entries.saturating_mul(4096));
    let mut tar = tar::Archive::new(Capped { inner: gzip, left: ceiling, over: false });
    let mut seen = Seen::new(limits.entries);
    let mut total = 0;
    let outcome = members(&mut tar, limits, &mut seen, &mut total, visit);
    let mut capped = tar.into_inner();
    let outcome = outcome.and_then(|()| finish(&mut capped));
    let unpacked_over = capped.over;
    let mut rest = capped.inner.into_inner();
    let outcome = outcome.and_then(|()| match rest.fill_buf().map_err(corrupt)? {
        [] => Ok(()),
        _ => Err(damaged("unexpected bytes after the end of the archive")),
    });
    if let Err(error) = outcome {
        // A limit that stopped the stream looks like an early end to the reader. Report the limit.
        if rest.get_ref().over {
            return Err(ArchiveError::TooLarge { what: "the archive".into(), limit: limits.archive_bytes });
        }
        return Err(if unpacked_over { ArchiveError::Bomb { limit: limits.unpacked_bytes } } else { error });
    }
    if !seen.has_file(MANIFEST) {
        return Err(ArchiveError::NoManifest);
    }
    Ok(total)
}

/// Reads the entries raw, because the tar crate would hold extended headers of any size in memory.
fn members<R: Read>(
    tar: &mut tar::Archive<R>,
    limits: &ArchiveLimits,
    seen: &mut Seen,
    total: &mut u64,
    visit: &mut Visit<'_>,
) -> Result<(), ArchiveError> {
    let mut extended = Extended::default();
    let mut count = 0;
    for entry in tar.entries().map_err(corrupt)?.raw(true) {
        let mut entry = entry.map_err(corrupt)?;
        count += 1;
        if count > limits.entries {
            return Err(ArchiveError::TooManyEntries { limit: limits.entries });
        }
        if extended.read_header(&mut entry)? {
            continue;
        }
        one(entry, &std::mem::take(&mut extended), limits, seen, total, visit)?;
    }
    if extended.is_pending() {
        return Err(damaged("the last entry is missing after its extended header"));
    }
    Ok(())
}

/// Checks the end mark: two blocks of zeros, of which the first has been read, and then only padding. Without this check an
/// archive that lost its last files would look whole.
fn finish(tar: &mut impl Read) -> Result<(), ArchiveError> {
    let mut buffer = [0; 8192];
    let mut zeros = 0;
    loop {
        match tar.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) if buffer[..count].iter().all(|byte| *byte == 0) => zeros += count,
            Ok(_) => return Err(damaged("unexpected bytes after the last entry")),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(corrupt(error)),
        }
    }
    if zeros < 512 {
        return Err(damaged("missing end mark; the last part of the archive is missing"));
    }
    Ok(())
}

fn one<R: Read>(
    mut entry: tar::Entry<'_, R>,
    extended: &Extended,
    limits: &ArchiveLimits,
    seen: &mut Seen,
    total: &mut u64,
    visit: &mut Visit<'_>,
) -> Result<(), ArchiveError> {
    let raw = extended.path(entry.header());
    let shown = names::shown(&raw);
    let bad = |reason: &str| ArchiveError::BadName { path: shown.clone(), reason: reason.to_owned() };
    let device = |what| ArchiveError::Device { path: shown.clone(), what };
    let kind = entry.header().entry_type();
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
        EntryType::Link | EntryType::Symlink => {
            let target = entry.header().link_name_bytes().map(|name| names::shown(&name));
            return Err(ArchiveError::Link { path: shown, target: target.unwrap_or_default() });
        }
        EntryType::Char => return Err(device("character device")),
        EntryType::Block => return Err(device("block device")),
        EntryType::Fifo => return Err(device("pipe")),
        EntryType::GNUSparse => return Err(device("sparse file")),
        _ => return Err(device("special entry")),
    }
    if extended.is_sparse() {
        return Err(device("sparse file"));
    }
    let size = entry.size();
    // A reader that uses one size and a reader that uses the other would see two different archives.
    if extended.size().is_some_and(|other| other != size) {
        return Err(damaged(&format!("the headers of {shown:?} state two sizes")));
    }
    let is_dir = kind == EntryType::Directory;
    if !is_dir && raw.ends_with(b"/") {
        return Err(bad("it is a file, but its name ends with `/`"));
    }
    if is_dir && size != 0 {
        return Err(damaged(&format!("the directory {shown:?} has content")));
    }
    if extended.hides_bytes(entry.header()) {
        return Err(bad("it contains bytes after a NUL"));
    }
    let Some(path) = names::inside(&raw, limits.depth)? else {
        return if is_dir { Ok(()) } else { Err(ArchiveError::OutsideTop { path: shown }) };
    };
    if names::is_ignored(&path) {
        return Ok(());
    }
    seen.add(&path, is_dir)?;
    if is_dir {
        return Ok(());
    }
    if size > limits.file_bytes {
        return Err(ArchiveError::TooLarge { what: path.to_string(), limit: limits.file_bytes });
    }
    *total = total.saturating_add(size);
    if *total > limits.unpacked_bytes {
        return Err(ArchiveError::Bomb { limit: limits.unpacked_bytes });
    }
    let mut counted = CountedRead { inner: &mut entry, read: 0 };
    visit(&path, size, &mut counted)?;
    // `visit` need not read the content; an entry that ends early is damaged all the same.
    io::copy(&mut counted, &mut io::sink()).map_err(corrupt)?;
    if counted.read != size {
        return Err(damaged(&format!("{path} ends early")));
    }
    Ok(())
}

struct CountedRead<R> {
    inner: R,
    read: u64,
}

impl<R: Read> Read for CountedRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        Ok(count)
    }
}

/// A reader that fails once it has returned more than `left` bytes.
struct Capped<R> {
    inner: R,
    left: u64,
    over: bool,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => {
                self.left = left;
                Ok(count)
            }
            None => {
                self.over = true;
                Err(io::Error::other("a size limit is exceeded"))
            }
        }
    }
}
