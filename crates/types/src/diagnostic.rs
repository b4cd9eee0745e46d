//! A fault in an extension's source, as the bundler finds it, the store keeps it and listings show it.
//!
//! The type has one serde definition, so a reader reads every field that a writer wrote
//! (`crates/extension/tests/it/broken_sources.rs`).

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of fault a [`Diagnostic`] is. Its name in JSON is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiagnosticCode {
    /// The parser does not accept the text.
    SyntaxError,
    /// The text nests deeper than the parser's limit.
    NestingTooDeep,
    /// An import names a file that does not exist.
    MissingFile,
    /// An import names a package that is not mapped or not known.
    MissingPackage,
    /// An import names an export that its module does not have.
    MissingExport,
    /// A package is not what its digest says.
    IntegrityMismatch,
    /// An entry point cannot be read.
    Unreadable,
    /// A file that an import names cannot be read.
    UnreadableFile,
    /// An import has a form that is not supported.
    UnsupportedSpecifier,
    /// A package's archive holds what no package may hold.
    UnsafeArchive,
    /// A package imports a file outside of itself.
    UnsafeImport,
    /// A configuration or lock file is invalid.
    ConfigError,
    /// The cache of packages cannot be used.
    CacheError,
    /// The package registry did not answer as it should.
    Network,
    /// A package is not in the cache, and the network is off.
    Offline,
    /// The bundler failed for another reason.
    BundleError,
    /// The code makes code from text at run time.
    DynamicCode,
    /// The code starts a program.
    StartsProgram,
    /// A text holds a long run of Base64.
    Base64,
    /// A code that this version does not know, read from what a newer one has stored.
    #[serde(other)]
    Unknown,
}

impl DiagnosticCode {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            DiagnosticCode::SyntaxError => "syntax_error",
            DiagnosticCode::NestingTooDeep => "nesting_too_deep",
            DiagnosticCode::MissingFile => "missing_file",
            DiagnosticCode::MissingPackage => "missing_package",
            DiagnosticCode::MissingExport => "missing_export",
            DiagnosticCode::IntegrityMismatch => "integrity_mismatch",
            DiagnosticCode::Unreadable => "unreadable",
            DiagnosticCode::UnreadableFile => "unreadable_file",
            DiagnosticCode::UnsupportedSpecifier => "unsupported_specifier",
            DiagnosticCode::UnsafeArchive => "unsafe_archive",
            DiagnosticCode::UnsafeImport => "unsafe_import",
            DiagnosticCode::ConfigError => "config_error",
            DiagnosticCode::CacheError => "cache_error",
            DiagnosticCode::Network => "network",
            DiagnosticCode::Offline => "offline",
            DiagnosticCode::BundleError => "bundle_error",
            DiagnosticCode::DynamicCode => "dynamic_code",
            DiagnosticCode::StartsProgram => "starts_program",
            DiagnosticCode::Base64 => "base64",
            DiagnosticCode::Unknown => "unknown",
        }
    }

    /// Whether the cause can disappear without an edit: the network, the cache.
    pub const fn is_transient(self) -> bool {
        matches!(self, DiagnosticCode::Network | DiagnosticCode::Offline | DiagnosticCode::CacheError)
    }
}

impl std::fmt::Display for DiagnosticCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fault in the source, the configuration or the packages of an extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// What kind of fault it is.
    pub code: DiagnosticCode,
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
    /// A fault without a location.
    pub fn new(code: DiagnosticCode, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
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
        Diagnostic::new(DiagnosticCode::Unreadable, message).in_file(path.display().to_string())
    }

    /// Whether the entry point could not be read at all.
    pub fn is_unreadable(&self) -> bool {
        self.code == DiagnosticCode::Unreadable
    }

    /// Whether the cause can disappear without an edit: the network, the cache.
    pub fn is_transient(&self) -> bool {
        self.code.is_transient()
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

    #[test]
    fn code_has_one_name_in_rust_and_json() {
        let codes = [
            DiagnosticCode::SyntaxError,
            DiagnosticCode::NestingTooDeep,
            DiagnosticCode::MissingFile,
            DiagnosticCode::MissingPackage,
            DiagnosticCode::MissingExport,
            DiagnosticCode::IntegrityMismatch,
            DiagnosticCode::Unreadable,
            DiagnosticCode::UnreadableFile,
            DiagnosticCode::UnsupportedSpecifier,
            DiagnosticCode::UnsafeArchive,
            DiagnosticCode::UnsafeImport,
            DiagnosticCode::ConfigError,
            DiagnosticCode::CacheError,
            DiagnosticCode::Network,
            DiagnosticCode::Offline,
            DiagnosticCode::BundleError,
            DiagnosticCode::DynamicCode,
            DiagnosticCode::StartsProgram,
            DiagnosticCode::Base64,
        ];
        for code in codes {
            let json = serde_json::to_value(code).unwrap();
            assert_eq!(json, code.as_str());
            assert_eq!(serde_json::from_value::<DiagnosticCode>(json).unwrap(), code);
        }
        let newer: DiagnosticCode = serde_json::from_str("\"of_a_newer_version\"").unwrap();
        assert_eq!(newer, DiagnosticCode::Unknown);
    }
}
