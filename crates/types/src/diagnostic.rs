//! A fault in an extension's source, as the bundler finds it, the store keeps it and listings show it.
//!
//! One type with one serde definition, for writers and readers alike
//! (`crates/extension/tests/it/broken_sources.rs`).

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A fault in the source, the configuration or the packages of an extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Stable, snake case: `syntax_error`, `missing_file`, `missing_package`, `missing_export`, `integrity_mismatch`,
    /// `unreadable`, `unreadable_file`, `unsupported_specifier`, `unsafe_archive`, `unsafe_import`, `config_error`,
    /// `cache_error`, `network`, `offline`, `bundle_error`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// Relative to the root of the extension where the file is below it.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// In characters, from 1.
    pub column: Option<u32>,
    /// The text of the line, shortened around the column.
    pub source_line: Option<String>,
    /// What the author can do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// The code of an entry point that cannot be read at all.
    const UNREADABLE: &str = "unreadable";
    /// The codes of causes that can disappear without an edit.
    const TRANSIENT: [&str; 3] = ["network", "offline", "cache_error"];

    /// A fault without a location.
    pub fn new(code: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code: code.to_owned(),
            message: message.into(),
            file: None,
            line: None,
            column: None,
            source_line: None,
            hint: None,
        }
    }

    /// The fault of an entry point that cannot be read.
    pub fn unreadable(path: &Path, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Diagnostic::UNREADABLE, message).in_file(path.display().to_string())
    }

    /// Whether the entry point could not be read at all.
    pub fn is_unreadable(&self) -> bool {
        self.code == Diagnostic::UNREADABLE
    }

    /// Whether the cause can disappear without an edit: the network, the cache.
    pub fn is_transient(&self) -> bool {
        Diagnostic::TRANSIENT.contains(&self.code.as_str())
    }

    /// Adds a hint; `None` keeps the present one.
    #[must_use]
    pub fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Points at byte `offset` of `source`.
    #[must_use]
    pub fn at(mut self, file: String, source: &str, offset: usize) -> Self {
        let location = Location::of(source, offset);
        self.file = Some(file);
        self.line = Some(location.line);
        self.column = Some(location.column);
        self.source_line = Some(location.text);
        self
    }

    /// Names the file, without a line.
    #[must_use]
    pub fn in_file(mut self, file: String) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_maps_to_line_and_column() {
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
