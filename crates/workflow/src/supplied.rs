//! Workflow files that extensions bring along: found and run like others, and changed by nobody but their extension.

use std::path::{Path, PathBuf};

use marsh_repo::Layout;

/// Deep enough for any layout that is in use.
const MAX_DEPTH: usize = 6;

/// The files: those of local sources, then those of installed extensions, each sorted by path. What cannot be read is
/// not there.
pub(crate) fn files(layout: &Layout) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&layout.root().join("extensions").join("workflows"), 0, &mut found);
    for scope in children(&layout.pulled_extensions()) {
        for extension in children(&scope) {
            collect(&extension.join("workflows"), 0, &mut found);
            collect(&extension.join("extensions").join("workflows"), 0, &mut found);
        }
    }
    found
}

/// Whether a file belongs to an extension.
pub(crate) fn is_supplied(layout: &Layout, path: &Path) -> bool {
    !path.starts_with(layout.workflows())
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn collect(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    for path in children(dir) {
        let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if is_yaml && path.is_file() {
            found.push(path);
        } else if depth < MAX_DEPTH && path.is_dir() {
            collect(&path, depth + 1, found);
        }
    }
}
