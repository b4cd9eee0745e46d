//! Source files as the rules of publishing see them.

use std::path::Path;

use super::error::PublishError;

/// The file's ending in lower case: the rules of publishing ignore case.
pub(super) fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// Whether the file is JavaScript or TypeScript.
pub(super) fn is_code(path: &Path) -> bool {
    matches!(ending(path).as_str(), "ts" | "tsx" | "mts" | "cts" | "js" | "jsx" | "mjs" | "cjs")
}

/// The text of a source file.
pub(super) fn read(path: &Path) -> Result<String, PublishError> {
    marsh_fs::read_to_string(path).map_err(|source| PublishError::Read { path: path.to_owned(), source })
}
