//! Paths in archives: which are valid, and which name the same file on some system.

use std::collections::HashMap;

use marsh_types::RelPath;

use crate::TOP;
use crate::error::ArchiveError;

/// A path for messages: at most 200 characters.
pub(crate) fn shown(raw: &[u8]) -> String {
    String::from_utf8_lossy(&raw[..raw.len().min(800)]).chars().take(200).collect()
}

/// Whether the path is metadata that macOS puts into archives, which is neither packed nor unpacked.
pub(crate) fn is_ignored(path: &RelPath) -> bool {
    path.segments().any(|segment| segment.starts_with("._") || segment == "PaxHeader")
}

/// Parses a path and returns the part below `extension/`, or `None` for `extension/` itself.
pub(crate) fn inside(raw: &[u8], max_depth: usize) -> Result<Option<RelPath>, ArchiveError> {
    let bad = |reason: &str| ArchiveError::BadName { path: shown(raw), reason: reason.to_owned() };
    let text = std::str::from_utf8(raw).map_err(|_| bad("it is not valid UTF-8"))?;
    if text.starts_with('/') {
        return Err(ArchiveError::AbsolutePath { path: shown(raw) });
    }
    if text.split(['/', '\\']).any(|segment| segment == "..") {
        return Err(ArchiveError::Traversal { path: shown(raw) });
    }
    let full = RelPath::parse(text).map_err(|error| bad(error.reason))?;
    if full.segments().count() > max_depth {
        return Err(bad(&format!("it has more than {max_depth} segments")));
    }
    if let Some(segment) = full.segments().find(|segment| is_reserved(segment)) {
        return Err(bad(&format!("`{segment}` is not a valid file name on every system")));
    }
    let Some((top, rest)) = full.as_str().split_once('/') else {
        return if full.as_str() == TOP {
            Ok(None)
        } else {
            Err(ArchiveError::OutsideTop { path: shown(raw) })
        };
    };
    if top != TOP {
        return Err(ArchiveError::OutsideTop { path: shown(raw) });
    }
    RelPath::parse(rest).map(Some).map_err(|error| bad(error.reason))
}

/// Whether some system reserves or changes this name.
fn is_reserved(segment: &str) -> bool {
    if segment.ends_with('.')
        || segment.ends_with(' ')
        || segment.contains([':', '*', '?', '"', '<', '>', '|'])
    {
        return true;
    }
    // Windows reads "CON .txt" as CON.
    let stem = segment.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || numbered("COM")
        || numbered("LPT")
}

/// The name as a file system that ignores case compares it. Upper case comes first, because lower case alone keeps `ſ` and
/// `s` apart.
fn folded(segment: &str) -> String {
    segment.to_uppercase().to_lowercase()
}

/// The paths of the entries read so far, as a tree, so that many deep paths do not store their common parts again.
pub(crate) struct Seen {
    /// The key is the id of the parent directory and the folded name.
    nodes: HashMap<(usize, String), Node>,
    limit: u64,
}

struct Node {
    id: usize,
    name: String,
    is_dir: bool,
}

impl Seen {
    /// A tree without paths. Directories without an entry count towards `limit` too, because each is created on disk.
    pub(crate) fn new(limit: u64) -> Seen {
        Seen { nodes: HashMap::new(), limit }
    }

    pub(crate) fn add(&mut self, path: &RelPath, is_dir: bool) -> Result<(), ArchiveError> {
        let mut parent = 0;
        let mut end = 0;
        for name in path.segments() {
            let start = end;
            end = start + name.len();
            let is_last = end == path.as_str().len();
            let so_far = || path.as_str()[..end].to_owned();
            let dir_here = is_dir || !is_last;
            let id = self.nodes.len() + 1;
            match self.nodes.get(&(parent, folded(name))) {
                Some(node) if node.name != name => {
                    let other = format!("{}{}", &path.as_str()[..start], node.name);
                    return Err(ArchiveError::CaseCollision { path: so_far(), other });
                }
                Some(node) if node.is_dir != dir_here => {
                    return Err(ArchiveError::FileAndDirectory { path: so_far() });
                }
                Some(_) if !dir_here => return Err(ArchiveError::Duplicate { path: so_far() }),
                Some(node) => parent = node.id,
                None if id as u64 > self.limit => {
                    return Err(ArchiveError::TooManyEntries { limit: self.limit });
                }
                None => {
                    let node = Node { id, name: name.to_owned(), is_dir: dir_here };
                    self.nodes.insert((parent, folded(name)), node);
                    parent = id;
                }
            }
            end += 1;
        }
        Ok(())
    }

    /// Whether a file of this name is at the top.
    pub(crate) fn has_file(&self, name: &str) -> bool {
        self.nodes.get(&(0, folded(name))).is_some_and(|node| node.name == name && !node.is_dir)
    }
}
