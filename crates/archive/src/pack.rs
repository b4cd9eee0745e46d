//! Packing an archive. Entries are sorted and have no times and owners, so that the same files give the same bytes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use flate2::{Compression, GzBuilder};
use marsh_types::{Digest, DigestWriter, Kind, RelPath};

use crate::TOP;
use crate::error::ArchiveError;
use crate::names::{self, Seen};
use crate::unpack::ArchiveLimits;

/// The source of an entry's content.
#[derive(Debug, Clone)]
pub enum Source {
    /// The content itself.
    Bytes(Vec<u8>),
    /// A file with the content.
    File(PathBuf),
}

/// One file to pack.
#[derive(Debug, Clone)]
pub struct PackEntry {
    /// The path, relative to `extension/`.
    pub path: RelPath,
    /// The content.
    pub source: Source,
    /// Whether the file gets mode 0755 in place of 0644.
    pub executable: bool,
}

/// A packed archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// The digest of the archive's bytes.
    pub sha256: Digest,
    /// The archive's size in bytes.
    pub bytes: u64,
}

/// The directories that every archive has, even when they are empty.
fn directories() -> impl Iterator<Item = &'static str> {
    let of_kinds = Kind::with_directory().flat_map(|kind| [kind.spec().directory, kind.spec().bundles]);
    of_kinds.chain(["workflows", "skills", "files"])
}

/// Writes an archive of these files to `out`. Their order does not matter. Files that [`unpack`](crate::unpack()) ignores
/// are left out.
///
/// # Errors
/// A path that [`unpack`](crate::unpack()) would refuse; a file cannot be read; `out` cannot be written.
pub fn pack(entries: Vec<PackEntry>, out: impl Write) -> Result<Packed, ArchiveError> {
    let limits = ArchiveLimits::default();
    let mut seen = Seen::new(limits.entries);
    let mut nodes: BTreeMap<String, Option<PackEntry>> = BTreeMap::new();
    nodes.insert(format!("{TOP}/"), None);
    for directory in directories() {
        nodes.insert(format!("{TOP}/{directory}/"), None);
        if let Some(path) = names::inside(format!("{TOP}/{directory}").as_bytes(), limits.depth)? {
            seen.add(&path, true)?;
        }
    }
    for entry in entries {
        if names::is_ignored(&entry.path) {
            continue;
        }
        let path = format!("{TOP}/{}", entry.path);
        names::inside(path.as_bytes(), limits.depth)?;
        seen.add(&entry.path, false)?;
        let segments: Vec<&str> = entry.path.segments().collect();
        for depth in 1..segments.len() {
            nodes.insert(format!("{TOP}/{}/", segments[..depth].join("/")), None);
        }
        nodes.insert(path, Some(entry));
    }
    let counted = Counted { out, digest: DigestWriter::new(), bytes: 0 };
    let gzip = GzBuilder::new().mtime(0).write(counted, Compression::default());
    let mut tar = tar::Builder::new(gzip);
    tar.mode(tar::HeaderMode::Deterministic);
    for (path, entry) in nodes {
        let mut header = tar::Header::new_ustar();
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        let content = match &entry {
            None => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                Vec::new()
            }
            Some(entry) => {
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(if entry.executable { 0o755 } else { 0o644 });
                match &entry.source {
                    Source::Bytes(bytes) => bytes.clone(),
                    Source::File(file) => marsh_fs::read(file)
                        .map_err(|source| ArchiveError::Read { path: file.clone(), source })?,
                }
            }
        };
        header.set_size(content.len() as u64);
        if header.set_path(&path).is_err() {
            // The path is too long for its field: a PAX header has all of it, and the field has the part that fits.
            append_long_name(&mut tar, &path).map_err(ArchiveError::Write)?;
            let cut = path.floor_char_boundary(path.len().min(100));
            header.as_old_mut().name[..cut].copy_from_slice(&path.as_bytes()[..cut]);
        }
        header.set_cksum();
        tar.append(&header, content.as_slice()).map_err(ArchiveError::Write)?;
    }
    let gzip = tar.into_inner().map_err(ArchiveError::Write)?;
    let mut counted = gzip.finish().map_err(ArchiveError::Write)?;
    counted.out.flush().map_err(ArchiveError::Write)?;
    Ok(Packed { sha256: counted.digest.finish(), bytes: counted.bytes })
}

fn append_long_name<W: Write>(tar: &mut tar::Builder<W>, path: &str) -> std::io::Result<()> {
    let rest = format!(" path={path}\n");
    // The length of a record includes the digits of the length.
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    let record = format!("{length}{rest}");
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::XHeader);
    header.set_path("PaxHeader")?;
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(record.len() as u64);
    header.set_cksum();
    tar.append(&header, record.as_bytes())
}

struct Counted<W> {
    out: W,
    digest: DigestWriter,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
