//! Unpacking within limits.

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

/// What an archive may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Compressed.
    pub archive_bytes: u64,
    /// All files together.
    pub unpacked_bytes: u64,
    pub file_bytes: u64,
    /// Files, directories and headers.
    pub entries: u64,
    /// Names in a path.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            archive_bytes: 64 << 20,
            unpacked_bytes: 256 << 20,
            file_bytes: 64 << 20,
            entries: 10_000,
            depth: 32,
        }
    }
}

/// One file, its path below `extension/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackedFile {
    pub path: RelPath,
    pub bytes: u64,
    pub sha256: Digest,
    pub executable: bool,
}

/// What an archive held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    pub manifest: Manifest,
    /// Sorted by path.
    pub files: Vec<UnpackedFile>,
    pub files_checksum: Digest,
    pub unpacked_bytes: u64,
}

const MANIFEST: &str = "manifest.yaml";
/// A manifest lists names; this is generous.
const MANIFEST_BYTES: u64 = 1 << 20;

/// Unpacks a gzip'd tar into an existing empty directory, `extension/` stripped. Files are 0444, or 0555 when the manifest
/// lists them as binaries. Nothing is synced. Directories without files are not created.
pub fn unpack(archive: impl Read, into: &Path, limits: &Limits) -> Result<Unpacked, ArchiveError> {
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

/// The bundles are those of the record, if there is one.
fn check_bundles(into: &Path, files: &[UnpackedFile]) -> Result<(), ArchiveError> {
    let Some(file) = files.iter().find(|file| file.path.as_str() == BUNDLES) else { return Ok(()) };
    if file.bytes > bundles::MAX_BYTES {
        return Err(ArchiveError::TooLarge { what: BUNDLES.to_owned(), limit: bundles::MAX_BYTES });
    }
    let path = file.path.below(into);
    let bytes = std::fs::read(&path).map_err(|source| ArchiveError::Read { path, source })?;
    match BundlesRecord::parse(&bytes)? {
        Some(record) => record.verify(files),
        None => Ok(()),
    }
}

/// The manifest alone. The whole archive is checked, and nothing of it kept.
pub fn read_manifest(archive: impl Read, limits: &Limits) -> Result<Manifest, ArchiveError> {
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
        .map_err(|_| ArchiveError::Corrupt { reason: "the manifest is not UTF-8".into() })?;
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
    // What cannot be created because something is there is a collision that the file system sees and we did not.
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

/// Reads every entry to its end, judging it before `visit` sees it. Returns the size of all files.
fn walk(archive: impl Read, limits: &Limits, visit: &mut Visit<'_>) -> Result<u64, ArchiveError> {
    let compressed = Capped { inner: archive, left: limits.archive_bytes, over: false };
    let gzip = GzDecoder::new(BufReader::new(compressed));
    // Headers and padding count too, so that an archive of nothing but headers ends.
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
        _ => Err(damaged("there is something after the end of the archive")),
    });
    if let Err(error) = outcome {
        // A limit that stopped the stream shows as an early end; it is the cause.
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

/// The members are read raw: the tar crate would hold extended headers of any size in memory.
fn members<R: Read>(
    tar: &mut tar::Archive<R>,
    limits: &Limits,
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
        if extended.take_in(&mut entry)? {
            continue;
        }
        one(entry, &std::mem::take(&mut extended), limits, seen, total, visit)?;
    }
    if extended.is_pending() {
        return Err(damaged("it ends after the header of an entry that never comes"));
    }
    Ok(())
}

/// The end mark is two blocks of zeros, of which the first is read already; only padding may follow. Without it an archive
/// that lost its last files would look whole.
fn finish(tar: &mut impl Read) -> Result<(), ArchiveError> {
    let mut buffer = [0; 8192];
    let mut zeros = 0;
    loop {
        match tar.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) if buffer[..count].iter().all(|byte| *byte == 0) => zeros += count,
            Ok(_) => return Err(damaged("there is something after the last entry")),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(corrupt(error)),
        }
    }
    if zeros < 512 {
        return Err(damaged("it ends without the end mark; the last part is missing"));
    }
    Ok(())
}

fn one<R: Read>(
    mut entry: tar::Entry<'_, R>,
    extended: &Extended,
    limits: &Limits,
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
    // Readers that believe one and readers that believe the other would see two different archives.
    if extended.size().is_some_and(|other| other != size) {
        return Err(damaged(&format!("{shown:?} has two sizes")));
    }
    let is_dir = kind == EntryType::Directory;
    if !is_dir && raw.ends_with(b"/") {
        return Err(bad("it is a file, and its name ends like a directory's"));
    }
    if is_dir && size != 0 {
        return Err(damaged(&format!("the directory {shown:?} has content")));
    }
    if extended.hides_bytes(entry.header()) {
        return Err(bad("it goes on after a NUL"));
    }
    let Some(path) = names::inside(&raw, limits.depth)? else {
        return if is_dir { Ok(()) } else { Err(ArchiveError::OutsideTop { path: shown }) };
    };
    if names::is_passed_over(&path) {
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
    // Whoever looks does not have to read; an entry that ends early is damage all the same.
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

/// Ends with an error when more than `left` bytes would come.
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
                Err(io::Error::other("a limit was reached"))
            }
        }
    }
}
