//! Unpacking within limits.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use marsh_fs::{Durability, NewFile};
use marsh_types::{Digest, DigestWriter, Manifest, RelPath};
use tar::EntryType;

use crate::TOP;
use crate::digest::files_checksum;
use crate::error::ArchiveError;
use crate::pack::read_limited;

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
    let binaries: HashSet<String> = manifest.binaries.iter().map(|path| format!("files/{path}")).collect();
    for file in &mut files {
        file.executable = binaries.contains(file.path.as_str());
        marsh_fs::set_mode(&file.path.below(into), if file.executable { 0o555 } else { 0o444 })?;
    }
    let files_checksum = files_checksum(files.iter().map(|file| (&file.path, &file.sha256)));
    Ok(Unpacked { manifest, files, files_checksum, unpacked_bytes })
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
    let mut seen = Seen::default();
    let (mut total, mut count) = (0_u64, 0_u64);
    let failed = {
        let mut outcome = Ok(());
        match tar.entries() {
            Ok(entries) => {
                for entry in entries {
                    count += 1;
                    outcome = match entry {
                        _ if count > limits.entries => {
                            Err(ArchiveError::TooManyEntries { limit: limits.entries })
                        }
                        Ok(entry) => one(entry, limits, &mut seen, &mut total, visit),
                        Err(error) => Err(corrupt(error)),
                    };
                    if outcome.is_err() {
                        break;
                    }
                }
            }
            Err(error) => outcome = Err(corrupt(error)),
        }
        outcome
    };
    let mut capped = tar.into_inner();
    if let Err(error) = failed {
        // A limit that stopped the stream shows as an early end; it is the cause.
        if capped.inner.get_ref().get_ref().over {
            return Err(ArchiveError::TooLarge { what: "the archive".into(), limit: limits.archive_bytes });
        }
        return Err(if capped.over { ArchiveError::Bomb { limit: limits.unpacked_bytes } } else { error });
    }
    // What follows the end of the tar must be padding, within the same limits, and the gzip stream must end well.
    drain(&mut capped, limits)?;
    let mut rest = capped.inner.into_inner();
    if !rest.fill_buf().map_err(corrupt)?.is_empty() {
        return Err(ArchiveError::Corrupt {
            reason: "there is something after the end of the archive".into(),
        });
    }
    seen.check()?;
    Ok(total)
}

fn drain(
    capped: &mut Capped<GzDecoder<BufReader<Capped<impl Read>>>>,
    limits: &Limits,
) -> Result<(), ArchiveError> {
    let mut buffer = [0; 8192];
    loop {
        let count = match capped.read(&mut buffer) {
            Ok(count) => count,
            Err(_) if capped.over => return Err(ArchiveError::Bomb { limit: limits.unpacked_bytes }),
            Err(error) => return Err(corrupt(error)),
        };
        if count == 0 {
            return Ok(());
        }
        if buffer[..count].iter().any(|byte| *byte != 0) {
            return Err(ArchiveError::Corrupt { reason: "there is something after the last entry".into() });
        }
    }
}

fn one<R: Read>(
    mut entry: tar::Entry<'_, R>,
    limits: &Limits,
    seen: &mut Seen,
    total: &mut u64,
    visit: &mut Visit<'_>,
) -> Result<(), ArchiveError> {
    let raw = entry.path_bytes().into_owned();
    let shown: String = String::from_utf8_lossy(&raw).chars().take(200).collect();
    let kind = entry.header().entry_type();
    if matches!(kind, EntryType::XGlobalHeader) {
        return Ok(());
    }
    let link = || {
        let target = entry.link_name_bytes().map(|name| String::from_utf8_lossy(&name).into_owned());
        ArchiveError::Link { path: shown.clone(), target: target.unwrap_or_default() }
    };
    let device = |what| ArchiveError::Device { path: shown.clone(), what };
    match kind {
        EntryType::Regular | EntryType::Continuous | EntryType::Directory => {}
        EntryType::Link | EntryType::Symlink => return Err(link()),
        EntryType::Char => return Err(device("character device")),
        EntryType::Block => return Err(device("block device")),
        EntryType::Fifo => return Err(device("pipe")),
        EntryType::GNUSparse => return Err(device("sparse file")),
        _ => return Err(device("special entry")),
    }
    let is_dir = kind == EntryType::Directory;
    let Some(path) = inside(&raw, &shown, limits)? else {
        return if is_dir { Ok(()) } else { Err(ArchiveError::OutsideTop { path: shown }) };
    };
    // What file managers of one system leave in archives.
    if path.segments().any(|segment| segment.starts_with("._") || segment == "PaxHeader") {
        return Ok(());
    }
    seen.add(&path, is_dir)?;
    if is_dir {
        return Ok(());
    }
    let size = entry.size();
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
        return Err(ArchiveError::Corrupt { reason: format!("{path} ends early") });
    }
    Ok(())
}

/// The path below `extension/`; `None` for the top itself.
fn inside(raw: &[u8], shown: &str, limits: &Limits) -> Result<Option<RelPath>, ArchiveError> {
    let bad = |reason: &str| ArchiveError::BadName { path: shown.to_owned(), reason: reason.to_owned() };
    let text = std::str::from_utf8(raw).map_err(|_| bad("it is not UTF-8"))?;
    if text.starts_with('/') {
        return Err(ArchiveError::AbsolutePath { path: shown.to_owned() });
    }
    if text.split(['/', '\\']).any(|segment| segment == "..") {
        return Err(ArchiveError::Traversal { path: shown.to_owned() });
    }
    let full = RelPath::parse(text).map_err(|error| bad(error.reason))?;
    if full.segments().count() > limits.depth {
        return Err(bad("it lies too deep"));
    }
    if let Some(segment) = full.segments().find(|segment| is_reserved(segment)) {
        return Err(bad(&format!("`{segment}` is no file name on every system")));
    }
    let mut segments = full.segments();
    if segments.next() != Some(TOP) {
        return Err(ArchiveError::OutsideTop { path: shown.to_owned() });
    }
    let rest: Vec<&str> = segments.collect();
    if rest.is_empty() {
        return Ok(None);
    }
    RelPath::parse(&rest.join("/")).map(Some).map_err(|error| bad(error.reason))
}

/// Names that some system reserves or changes.
fn is_reserved(segment: &str) -> bool {
    if segment.ends_with('.')
        || segment.ends_with(' ')
        || segment.contains([':', '*', '?', '"', '<', '>', '|'])
    {
        return true;
    }
    let stem = segment.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

/// Every path so far, in the form in which file systems that ignore case see it.
#[derive(Default)]
struct Seen {
    /// The path as written, and whether it is a directory.
    paths: BTreeMap<String, (String, bool)>,
}

impl Seen {
    fn add(&mut self, path: &RelPath, is_dir: bool) -> Result<(), ArchiveError> {
        let segments: Vec<&str> = path.segments().collect();
        for depth in 1..segments.len() {
            self.insert(&segments[..depth].join("/"), true, true)?;
        }
        self.insert(path.as_str(), is_dir, false)
    }

    fn insert(&mut self, path: &str, is_dir: bool, implied: bool) -> Result<(), ArchiveError> {
        match self.paths.get(&path.to_lowercase()) {
            Some((known, _)) if known != path => {
                Err(ArchiveError::CaseCollision { path: path.to_owned(), other: known.clone() })
            }
            Some((_, known_dir)) if *known_dir != is_dir => {
                Err(ArchiveError::FileAndDirectory { path: path.to_owned() })
            }
            Some(_) if !is_dir && !implied => Err(ArchiveError::Duplicate { path: path.to_owned() }),
            Some(_) => Ok(()),
            None => {
                self.paths.insert(path.to_lowercase(), (path.to_owned(), is_dir));
                Ok(())
            }
        }
    }

    fn check(&self) -> Result<(), ArchiveError> {
        if self.paths.get(MANIFEST).is_some_and(|(path, is_dir)| path == MANIFEST && !is_dir) {
            return Ok(());
        }
        Err(ArchiveError::NoManifest)
    }
}

fn corrupt(error: io::Error) -> ArchiveError {
    ArchiveError::Corrupt { reason: error.to_string() }
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
