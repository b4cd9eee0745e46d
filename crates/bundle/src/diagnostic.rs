//! What can be wrong with an extension's source, and what can go wrong while bundling it.
//!
//! Lines and columns count from 1; columns count characters.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A fault that the author of an extension (or whoever runs it) can act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Stable, snake case: `syntax_error`, `missing_file`, `missing_package`, `missing_export`, `integrity_mismatch`,
    /// `unreadable_file`, `unsupported_specifier`, `unsafe_archive`, `unsafe_import`, `config_error`, `cache_error`,
    /// `network`, `offline`, `bundle_error`.
    pub code: String,
    pub message: String,
    /// Relative to the request's root where the file is below it.
    pub file: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub source_line: Option<String>,
    pub hint: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            file: None,
            line: None,
            column: None,
            source_line: None,
            hint: None,
        }
    }

    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Points at byte `offset` of `source`.
    pub(crate) fn at(mut self, file: String, source: &str, offset: usize) -> Self {
        let location = Location::of(source, offset);
        self.file = Some(file);
        self.line = Some(location.line);
        self.column = Some(location.column);
        self.source_line = Some(location.text);
        self
    }

    pub(crate) fn in_file(mut self, file: String) -> Self {
        self.file = Some(file);
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}")?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

struct Location {
    line: u32,
    column: u32,
    text: String,
}

impl Location {
    fn of(source: &str, offset: usize) -> Self {
        // A span can lie past the end (unexpected end of file) or, in lossily read text, inside a character.
        let mut offset = offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &source[..offset];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = count(before.matches('\n').count());
        let column = count(source[start..offset].chars().count());
        let text = source[start..].lines().next().unwrap_or_default();
        Self { line: line + 1, column: column + 1, text: shorten(text, column as usize) }
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX - 1)
}

/// Minified files have lines of a megabyte: keep the part around the column.
fn shorten(line: &str, column: usize) -> String {
    const WIDTH: usize = 300;
    if line.len() <= WIDTH {
        return line.to_owned();
    }
    line.chars().skip(column.saturating_sub(WIDTH / 2)).take(WIDTH).collect()
}

/// `path` as messages show it: relative to `root` where it is below it.
pub(crate) fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Bundling did not yield a module.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The source, its configuration or a package is at fault. Never empty.
    #[error("{}", list(.0))]
    Diagnostics(Vec<Diagnostic>),
    /// The worker ended without an answer; the fault is marsh's, the bundler's or the system's.
    #[error("the bundler stopped without an answer ({status}){}", tail(.stderr_tail))]
    WorkerDied { status: String, stderr_tail: String },
    #[error("bundling took longer than {} s and was stopped", .after.as_secs())]
    Timeout { after: Duration },
    #[error("cannot use {}: {source}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl BundleError {
    pub(crate) fn one(diagnostic: Diagnostic) -> Self {
        BundleError::Diagnostics(vec![diagnostic])
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        BundleError::Io { path: path.to_path_buf(), source }
    }
}

impl From<marsh_fs::FsError> for BundleError {
    fn from(error: marsh_fs::FsError) -> Self {
        BundleError::Io { path: error.path, source: error.source }
    }
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn tail(stderr: &str) -> String {
    if stderr.trim().is_empty() { String::new() } else { format!(": {}", stderr.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns() {
        let at = |offset| {
            let location = Location::of("ab\nüx\n", offset);
            (location.line, location.column, location.text)
        };
        assert_eq!(at(0), (1, 1, "ab".into()));
        assert_eq!(at(3), (2, 1, "üx".into()));
        assert_eq!(at(4), (2, 1, "üx".into()), "inside a character");
        assert_eq!(at(5), (2, 2, "üx".into()));
        assert_eq!(at(99), (3, 1, String::new()), "past the end");
    }
}
