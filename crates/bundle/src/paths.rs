//! Paths, absolute and relative to a root, without a look at the disk.

use std::path::{Component, Path, PathBuf};

use crate::import_map::normalized;

/// Normalised by text; against the working directory if relative.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    normalized(&std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()))
}

pub(crate) fn relative(path: &Path, root: &Path) -> String {
    let common = path.components().zip(root.components()).take_while(|(a, b)| a == b).count();
    let ups = root.components().skip(common).map(|_| "..".to_owned());
    let downs = path.components().skip(common).filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    ups.chain(downs).collect::<Vec<_>>().join("/")
}
