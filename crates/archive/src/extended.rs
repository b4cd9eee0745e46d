//! Extended tar headers (PAX and GNU), which describe the entry after them. Reading them is limited in memory.

use std::borrow::Cow;
use std::io::Read;

use tar::{EntryType, Header};

use crate::error::{ArchiveError, corrupt, damaged};
use crate::names;

/// A path has at most one KiB; the rest is room for attributes, which marsh ignores.
const HEADER_BYTES: u64 = 64 << 10;

/// The properties of an entry that the headers before it state.
#[derive(Default)]
pub(crate) struct Extended {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
    pax: bool,
}

impl Extended {
    /// Reads `entry` if it is an extended header. Returns whether it is one.
    pub(crate) fn read_header(
        &mut self,
        entry: &mut tar::Entry<'_, impl Read>,
    ) -> Result<bool, ArchiveError> {
        match entry.header().entry_type() {
            EntryType::XHeader => {
                if std::mem::replace(&mut self.pax, true) {
                    return Err(damaged("two PAX headers describe one entry"));
                }
                for (key, value) in records(&content(entry)?)? {
                    self.record(key, value)?;
                }
            }
            // A global header applies to every entry, so it must not have a path, a size or a sparse map.
            EntryType::XGlobalHeader => {
                let mut all = Extended::default();
                for (key, value) in records(&content(entry)?)? {
                    all.record(key, value)?;
                }
                if all.path.is_some() || all.size.is_some() || all.sparse {
                    return Err(damaged("a global PAX header states a path, a size or a sparse map"));
                }
            }
            EntryType::GNULongName => {
                let mut name = content(entry)?;
                if name.last() == Some(&0) {
                    name.pop();
                }
                self.set_path(name)?;
            }
            EntryType::GNULongLink => {
                let target = names::shown(&content(entry)?);
                return Err(ArchiveError::Link { path: names::shown(&entry.path_bytes()), target });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), ArchiveError> {
        match key {
            b"path" => self.set_path(value.to_vec())?,
            b"size" => {
                let size = number(value)
                    .ok_or_else(|| damaged("invalid size in a PAX header: expected a number"))?;
                if self.size.replace(size).is_some() {
                    return Err(damaged("a PAX header states two sizes"));
                }
            }
            _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
            _ => {}
        }
        Ok(())
    }

    fn set_path(&mut self, path: Vec<u8>) -> Result<(), ArchiveError> {
        match self.path.replace(path) {
            None => Ok(()),
            Some(_) => Err(damaged("two extended headers state the path of one entry")),
        }
    }

    pub(crate) fn path<'a>(&'a self, header: &'a Header) -> Cow<'a, [u8]> {
        self.path.as_deref().map_or_else(|| header.path_bytes(), Cow::Borrowed)
    }

    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    pub(crate) fn is_sparse(&self) -> bool {
        self.sparse
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.pax || self.path.is_some()
    }

    /// Whether the path has bytes after the NUL that ends it, which some readers take as part of the path.
    pub(crate) fn hides_bytes(&self, header: &Header) -> bool {
        let hides = |field: &[u8]| field.iter().skip_while(|byte| **byte != 0).any(|byte| *byte != 0);
        self.path.is_none()
            && (hides(&header.as_old().name) || header.as_ustar().is_some_and(|ustar| hides(&ustar.prefix)))
    }
}

fn content(entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, ArchiveError> {
    let size = entry.size();
    let too_large = || ArchiveError::TooLarge { what: "an extended header".into(), limit: HEADER_BYTES };
    if size > HEADER_BYTES {
        return Err(too_large());
    }
    let bytes = read_limited(entry, HEADER_BYTES).map_err(corrupt)?.ok_or_else(too_large)?;
    if bytes.len() as u64 != size {
        return Err(damaged("an extended header ends early"));
    }
    Ok(bytes)
}

/// Parses records of the form `LENGTH KEY=VALUE` and a line feed, where LENGTH counts the whole record.
fn records(bytes: &[u8]) -> Result<Vec<Record<'_>>, ArchiveError> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (record, after) = first_record(rest).ok_or_else(|| damaged("invalid record in a PAX header"))?;
        found.push(record);
        rest = after;
    }
    Ok(found)
}

type Record<'a> = (&'a [u8], &'a [u8]);

fn first_record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(&bytes[..space])?).ok()?;
    let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some(((&record[..equals], &record[equals + 1..]), &bytes[length..]))
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Reads all bytes of `reader`, or returns `None` if there are more than `limit`.
pub(crate) fn read_limited(reader: &mut impl Read, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}
