//! The one place that calls the parser, with a stack that is large enough.
//!
//! The parser and the visitors of its tree recurse on native stack, in the process that owns data and locks; a stack that
//! ends there ends the process. So a text is measured first ([`crate::nesting`]): a text beyond [`MAX_DEPTH`] is an error
//! with its place, and every other text is parsed and visited with [`BASE`] + depth × [`PER_UNIT`] bytes of stack. The lint
//! in `clippy.toml` keeps other callers from the parser; `parse/stack_tests.rs` measures that no construct needs more.

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::Parser;
use oxc_span::SourceType;

use crate::diagnostic::DiagnosticCode;
use crate::nesting::{self, MAX_DEPTH, MAX_UNCERTAIN, Nesting, Uncertain};
use crate::syntax_error::SyntaxError;

/// Bytes of stack for a unit of nesting: twice what the hungriest construct needs, in a debug build.
const PER_UNIT: usize = 4 << 10;

/// Bytes of stack for a text without nesting.
const BASE: usize = 128 << 10;

/// Bytes that callers have: no thread of marsh that parses has less than 2 MB.
const CALLER: usize = 768 << 10;

/// Parses `source` and hands `read` the tree and the errors.
///
/// # Errors
///
/// The text nests deeper than [`MAX_DEPTH`], or the system gives no stack for it.
pub(crate) fn parse<R: Send>(
    source: &str,
    language: SourceType,
    read: impl FnOnce(&Program<'_>, Vec<SyntaxError>) -> R + Send,
) -> Result<R, SyntaxError> {
    let nesting = nesting::measure(source, language);
    check(&nesting)?;
    on_stack(BASE + nesting.depth * PER_UNIT, || on_this_stack(source, language, read))
}

#[expect(clippy::disallowed_methods, reason = "the one place that the lint leaves")]
fn on_this_stack<R>(
    source: &str,
    language: SourceType,
    read: impl FnOnce(&Program<'_>, Vec<SyntaxError>) -> R,
) -> R {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, language).parse();
    let errors = parsed.diagnostics.errors().map(SyntaxError::from).collect();
    read(&parsed.program, errors)
}

/// Runs `work` here if it needs little, and on a thread with `bytes` of stack otherwise.
fn on_stack<R: Send>(bytes: usize, work: impl FnOnce() -> R + Send) -> Result<R, SyntaxError> {
    if bytes <= CALLER {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("marsh-parse".to_owned()).stack_size(bytes);
        let thread = thread.spawn_scoped(scope, work).map_err(|error| SyntaxError {
            code: DiagnosticCode::NestingTooDeep,
            message: format!("cannot start a thread with {bytes} bytes of stack to parse this: {error}"),
            offset: None,
            help: None,
        })?;
        match thread.join() {
            Ok(result) => Ok(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn check(nesting: &Nesting) -> Result<(), SyntaxError> {
    let Some(over) = nesting.over else { return Ok(()) };
    let (message, offset, help) = match nesting.uncertain {
        None => (
            format!("the code nests deeper than {MAX_DEPTH} levels"),
            over,
            "split the expression or statement into several",
        ),
        Some(Uncertain::Jsx) => (
            format!("a file with JSX is limited to {MAX_UNCERTAIN} brackets, operators and keywords"),
            over,
            "split the file",
        ),
        Some(Uncertain::From(offset)) => (
            "cannot tell how deep the code nests: from here on it has more than one reading".to_owned(),
            offset,
            "write a regular expression after `(`, `=` or `,`, so that its `/` cannot divide",
        ),
    };
    let help = Some(help.to_owned());
    Err(SyntaxError { code: DiagnosticCode::NestingTooDeep, message, offset: Some(offset), help })
}

#[cfg(test)]
mod constructs;
#[cfg(test)]
mod stack_tests;
