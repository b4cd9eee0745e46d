//! Names in archives: which may be created, and which are one.

use std::collections::HashMap;

use marsh_types::RelPath;

use crate::TOP;
use crate::error::ArchiveError;

/// As messages show it.
pub(crate) fn shown(raw: &[u8]) -> String {
    String::from_utf8_lossy(&raw[..raw.len().min(800)]).chars().take(200).collect()
}

/// What file managers of one system leave in archives. Neither packed nor unpacked.
pub(crate) fn is_passed_over(path: &RelPath) -> bool {
    path.segments().any(|segment| segment.starts_with("._") || segment == "PaxHeader")
}

/// The path below `extension/`; `None` for the top itself.
pub(crate) fn inside(raw: &[u8], max_depth: usize) -> Result<Option<RelPath>, ArchiveError> {
    let bad = |reason: &str| ArchiveError::BadName { path: shown(raw), reason: reason.to_owned() };
    let text = std::str::from_utf8(raw).map_err(|_| bad("it is not UTF-8"))?;
    if text.starts_with('/') {
        return Err(ArchiveError::AbsolutePath { path: shown(raw) });
    }
    if text.split(['/', '\\']).any(|segment| segment == "..") {
        return Err(ArchiveError::Traversal { path: shown(raw) });
    }
    let full = RelPath::parse(text).map_err(|error| bad(error.reason))?;
    if full.segments().count() > max_depth {
        return Err(bad("it lies too deep"));
    }
    if let Some(segment) = full.segments().find(|segment| is_reserved(segment)) {
        return Err(bad(&format!("`{segment}` is no file name on every system")));
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

/// Names that some system reserves or changes.
fn is_reserved(segment: &str) -> bool {
    if segment.ends_with('.')
        || segment.ends_with(' ')
        || segment.contains([':', '*', '?', '"', '<', '>', '|'])
    {
        return true;
    }
    // "CON .txt" is CON as well.
    let stem = segment.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || numbered("COM")
        || numbered("LPT")
}

/// The form in which file systems that ignore case see a name. Through upper case, which joins what lower case alone
/// keeps apart (`ſ` and `s`).
fn folded(segment: &str) -> String {
    segment.to_uppercase().to_lowercase()
}

/// Every path so far, as a tree, so that many deep paths cost what their names cost and no more.
pub(crate) struct Seen {
    /// By the directory that holds it and its folded name.
    nodes: HashMap<(usize, String), Node>,
    limit: u64,
}

struct Node {
    id: usize,
    name: String,
    is_dir: bool,
}

impl Seen {
    /// Directories that no entry names count to the limit as well: each is made on disk.
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

    /// Whether this file lies at the top.
    pub(crate) fn has_file(&self, name: &str) -> bool {
        self.nodes.get(&(0, folded(name))).is_some_and(|node| node.name == name && !node.is_dir)
    }
}
