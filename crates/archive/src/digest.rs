//! The digest of an unpacked tree, as lockfiles record it (extension formats, "filesChecksum").
//!
//! The digest is the SHA-256 of the concatenation, for every regular file in the order of the paths, of: path, NUL, SHA-256
//! of the content in hex, line feed.

use std::path::Path;

use marsh_types::{Digest, DigestWriter, RelPath};

use crate::error::ArchiveError;

/// The digest of a tree whose files' digests are known. Paths sort by UTF-16 code units, as other implementations sort them.
pub fn files_checksum<'a>(files: impl IntoIterator<Item = (&'a RelPath, &'a Digest)>) -> Digest {
    let mut files: Vec<(&RelPath, &Digest)> = files.into_iter().collect();
    files.sort_by(|a, b| a.0.as_str().encode_utf16().cmp(b.0.as_str().encode_utf16()));
    let mut writer = DigestWriter::new();
    for (path, digest) in files {
        writer.update(path.as_str().as_bytes());
        writer.update(b"\0");
        writer.update(digest.to_hex().as_bytes());
        writer.update(b"\n");
    }
    writer.finish()
}

/// The digest of a directory, or `None` if it is missing. Ignores links and files named `._*`.
///
/// # Errors
/// A file or directory cannot be read, or a path is not portable.
pub fn digest_dir(dir: &Path) -> Result<Option<Digest>, ArchiveError> {
    if !dir.is_dir() {
        return Ok(None);
    }
    let mut files: Vec<(RelPath, Digest)> = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(next) = pending.pop() {
        let read = |source| ArchiveError::Read { path: next.clone(), source };
        for entry in std::fs::read_dir(&next).map_err(read)? {
            let entry = entry.map_err(read)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(read)?);
            if entry.file_name().to_string_lossy().starts_with("._") {
                continue;
            }
            if kind.is_dir() {
                pending.push(path);
            } else if kind.is_file() {
                let below = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                let rel = RelPath::parse(&below).map_err(|error| ArchiveError::BadName {
                    path: error.path,
                    reason: error.reason.to_owned(),
                })?;
                let error = |source| ArchiveError::Read { path: path.clone(), source };
                let mut writer = DigestWriter::new();
                let mut file = std::fs::File::open(&path).map_err(error)?;
                std::io::copy(&mut file, &mut writer).map_err(error)?;
                files.push((rel, writer.finish()));
            }
        }
    }
    Ok(Some(files_checksum(files.iter().map(|(path, digest)| (path, digest)))))
}
