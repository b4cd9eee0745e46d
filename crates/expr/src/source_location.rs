//! Where an expression stands in a file, and how an error points at it.

use std::ops::Range;
use std::sync::Arc;

use marsh_types::Explain;

use crate::error::ExprError;

/// The location of a YAML scalar: its first character, after a quote if it has one. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// The path for messages.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
    /// The text of the file. With it, an expression inside a longer or folded text is found exactly.
    pub document: Option<Arc<str>>,
}

impl SourceLocation {
    /// A location without the text of its file.
    pub fn new(file: impl Into<String>, line: usize, column: usize) -> SourceLocation {
        SourceLocation { file: file.into(), line, column, document: None }
    }

    /// The location with the text of its file.
    #[must_use]
    pub fn in_document(mut self, document: Arc<str>) -> SourceLocation {
        self.document = Some(document);
        self
    }

    /// Line and column of byte `at` of `expression`. Without the document, or when the expression is written differently
    /// in it (escapes, folded lines), those of the scalar.
    pub fn position(&self, expression: &str, at: usize) -> (usize, usize) {
        self.find(expression, at).unwrap_or((self.line, self.column))
    }

    fn find(&self, expression: &str, at: usize) -> Option<(usize, usize)> {
        let document = self.document.as_deref()?;
        let from = offset_of(document, self.line, self.column)?;
        // What stands before the position on its own line is what is looked for; earlier lines may be indented.
        let before = expression.get(..at)?;
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line_end = expression[at..].find('\n').map_or(expression.len(), |end| at + end);
        let first_end = expression.find('\n').unwrap_or(expression.len());
        let first = &expression[..first_end];
        let begins = |at: &usize| document[..*at].trim_end().ends_with("${{");
        // A raw expression, as guards and asserts have it, begins where the scalar does.
        let mut all = document[from..].match_indices(first).map(|(at, _)| from + at);
        let start = all.clone().find(begins).or_else(|| all.next())?;
        let line = expression[line_start..line_end].trim();
        let found = if line_start == 0 { start } else { start + document[start..].find(line)? };
        let indent =
            expression[line_start..line_end].len() - expression[line_start..line_end].trim_start().len();
        let inside = if line_start == 0 { at } else { (at - line_start).saturating_sub(indent) };
        line_and_column(document, found + inside)
    }

    pub(crate) fn report(&self, expression: &str, error: &ExprError) -> String {
        let (line, column) = self.position(expression, error.span().map_or(0, |span| span.start));
        let mut text =
            format!("{}:{line}:{column}: {error}\n{}", self.file, excerpt(expression, error.span()));
        if let Some(hint) = error.hint() {
            text.push('\n');
            text.push_str(&hint);
        }
        text
    }
}

fn offset_of(document: &str, line: usize, column: usize) -> Option<usize> {
    let start: usize = document.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = document.get(start..)?;
    let inside = rest.char_indices().nth(column.checked_sub(1)?).map_or(rest.len(), |(at, _)| at);
    Some(start + inside)
}

fn line_and_column(document: &str, at: usize) -> Option<(usize, usize)> {
    let before = document.get(..at)?;
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    Some((line, before[start..].chars().count() + 1))
}

/// The line of the expression that the span starts in, with carets below the part of the span on that line.
pub(crate) fn excerpt(expression: &str, span: Option<Range<usize>>) -> String {
    let span = span.unwrap_or(0..expression.len());
    let start = floor_boundary(expression, span.start);
    let end = floor_boundary(expression, span.end).max(start);
    let line_start = expression[..start].rfind('\n').map_or(0, |end| end + 1);
    let line_end = expression[start..].find('\n').map_or(expression.len(), |end| start + end);
    let end = end.min(line_end);
    let indent = expression[line_start..start].chars().count();
    let width = expression[start..end].chars().count().max(1);
    format!("    {}\n    {}{}", &expression[line_start..line_end], " ".repeat(indent), "^".repeat(width))
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::{SourceLocation, excerpt};

    #[test]
    fn carets_stand_below_the_span() {
        assert_eq!(excerpt("a + bc", Some(4..6)), "    a + bc\n        ^^");
        assert_eq!(excerpt("a +\n  bc", Some(6..8)), "      bc\n      ^^");
        assert_eq!(excerpt("\"é\" + x", Some(7..8)), "    \"é\" + x\n          ^");
        assert_eq!(excerpt("ab", None), "    ab\n    ^^");
        assert_eq!(excerpt("ab", Some(2..2)), "    ab\n      ^");
    }

    #[test]
    fn an_expression_is_found_in_its_file() {
        let document = "name: x\nrun: \"say inputs.a: ${{ inputs.a }} and ${{ inputs.nam }}\"\nblock: |\n  ${{ a +\n    b }}\n";
        let quoted = SourceLocation::new("w.yaml", 2, 7).in_document(document.into());
        assert_eq!(quoted.position("inputs.nam", 7), (2, 52));
        assert_eq!(quoted.position("inputs.a", 0), (2, 25));
        let block = SourceLocation::new("w.yaml", 4, 3).in_document(document.into());
        assert_eq!(block.position("a +\n  b", 6), (5, 5));
        assert_eq!(block.position("written elsewhere", 6), (4, 3), "at least the scalar");
        assert_eq!(SourceLocation::new("w.yaml", 4, 3).position("a", 0), (4, 3));
    }
}
