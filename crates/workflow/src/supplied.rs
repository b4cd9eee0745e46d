//! Workflow files of extensions. Every command can use them; only their extension changes them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use marsh_repo::Layout;

use crate::error::WorkflowError;

/// Deep enough for any layout that is in use.
const MAX_DEPTH: usize = 6;

/// The files: those of local sources, then those of installed extensions, each sorted by path.
pub(crate) fn files(layout: &Layout) -> Result<Vec<PathBuf>, WorkflowError> {
    let mut found = Vec::new();
    collect(&layout.root().join("extensions").join("workflows"), 0, &mut found)?;
    for scope in children(&layout.pulled_extensions())? {
        for extension in children(&scope)? {
            collect(&extension.join("workflows"), 0, &mut found)?;
            collect(&extension.join("extensions").join("workflows"), 0, &mut found)?;
        }
    }
    Ok(found)
}

/// Whether a file belongs to an extension.
pub(crate) fn is_supplied(layout: &Layout, path: &Path) -> bool {
    !path.starts_with(layout.workflows())
}

/// The entries of a directory, sorted; none if there is no such directory.
fn children(dir: &Path) -> Result<Vec<PathBuf>, WorkflowError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(WorkflowError::io(dir, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        found.push(entry.map_err(|error| WorkflowError::io(dir, error))?.path());
    }
    found.sort();
    Ok(found)
}

fn collect(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), WorkflowError> {
    for path in children(dir)? {
        let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if is_yaml && path.is_file() {
            found.push(path);
        } else if depth < MAX_DEPTH && path.is_dir() {
            collect(&path, depth + 1, found)?;
        }
    }
    Ok(())
}
