//! How deep a source text nests, before anything parses it.
//!
//! A recursive-descent parser and the visitors behind it use native stack for every level of nesting, and a text of 60 KB
//! can hold tens of thousands of levels. [`measure`] counts an upper bound of those levels in one pass over the bytes, so
//! that the parser's entry ([`crate::parse`]) can refuse a text that is too deep, and give every other text the stack that
//! it needs.
//!
//! # What is counted
//!
//! One *unit* for each open bracket, and one for each operator or keyword that may hold a construct open at its bracket
//! level: `!!!!a`, `a ? b : c ? d : e`, `if … else if …`, `new new A`, `A<A<A<…`. Left-associative chains (`a + b + c`,
//! `a.b.c`, `f()()()`) count as well: the parser loops over them, but they become deep trees for visitors. A unit at a
//! bracket level goes when the level closes, or where the grammar ends every construct of the level: at `;`, at `,` for
//! expressions, and where two operands meet, which only the end of a statement allows.
//!
//! # Why the bound holds
//!
//! Each recursion of the parser consumes a counted token, and a counted token is forgotten only where its construct has
//! ended in every program that parses; after the first syntax error the parser reads no further. What counting cannot
//! decide without parsing (`/` may begin a regular expression or divide; JSX text) makes the text *uncertain*: then the
//! bound is the number of all bytes and words in the text that could be counted tokens, in whatever reading.
//! `parse/stack_tests.rs` measures the stack of every construct against the bound.

mod scanner;
mod words;

use oxc_span::SourceType;

use scanner::{ANGLE, Scanner};
use words::{counts, is_keyword, is_word};

/// The deepest text that is parsed, in units. A chain of ten thousand operators stays below it, and so do five thousand
/// nested parentheses.
pub(crate) const MAX_DEPTH: usize = 20_000;

/// The same for a text whose bound counts more than it can nest ([`Nesting::uncertain`]).
pub(crate) const MAX_UNCERTAIN: usize = 5 * MAX_DEPTH;

/// An upper bound of the nesting of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nesting {
    /// In units; see the module documentation.
    pub depth: usize,
    /// Byte offset of the first token beyond the limit: [`MAX_DEPTH`], or [`MAX_UNCERTAIN`] if `uncertain`.
    pub over: Option<usize>,
    /// Why the text has more than one reading; then `depth` holds for all of them.
    pub uncertain: Option<Uncertain>,
}

/// What keeps the scanner from a single reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uncertain {
    /// The language has JSX, whose text looks like code.
    Jsx,
    /// From this byte offset on: mostly a `/` that may divide or begin a regular expression.
    From(usize),
}

/// The bound for `source`, read as `language`.
pub(crate) fn measure(source: &str, language: SourceType) -> Nesting {
    if language.is_jsx() {
        return every_reading(source, Uncertain::Jsx);
    }
    let mut scanner = Scanner::new(source);
    match scanner.run() {
        Some(()) => scanner.max,
        None => every_reading(source, Uncertain::From(scanner.at)),
    }
}

/// Counts what could be a counted token, wherever strings, comments and regular expressions begin and end.
fn every_reading(source: &str, uncertain: Uncertain) -> Nesting {
    let bytes = source.as_bytes();
    let (mut depth, mut over) = (0, None);
    let mut at = 0;
    while at < bytes.len() {
        if depth > MAX_UNCERTAIN && over.is_none() {
            over = Some(at);
        }
        let end = at + bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        if end > at {
            depth += usize::from(is_keyword(&bytes[at..end]));
            at = end;
            continue;
        }
        if counts(bytes[at]) || matches!(bytes[at], b'(' | b'[' | b'{' | b'`') {
            depth += match bytes[at] {
                // As a level, and as a link of a chain of calls.
                b'(' | b'[' | b'{' => 2,
                b'<' => 1 + ANGLE,
                _ => 1,
            };
        }
        at += 1;
    }
    Nesting { depth, over, uncertain: Some(uncertain) }
}
