//! The exported declarations of a source, and which of them have a documentation comment. Read off the syntax tree.

use std::collections::HashMap;
use std::path::Path;

use oxc_ast::ast::{BindingPattern, Declaration, Program, Statement};
use oxc_span::GetSpan as _;

use crate::diagnostic::Diagnostic;
use crate::parse::parse;
use crate::scan::source_type;

/// How well the exports of a source are documented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DocumentedExports {
    /// The exported declarations. Overloads count one by one; exports of other modules do not count.
    pub total: usize,
    /// Those with a documentation comment that is not blank.
    pub documented: usize,
    /// Whether a comment documents the module itself (`@module`).
    pub module: bool,
}

/// The documentation of a source's exports.
///
/// # Errors
///
/// The text has a syntax error, or nests too deep.
pub fn documented_exports(source: &str, path: &Path) -> Result<DocumentedExports, Diagnostic> {
    parse(source, source_type(path), |program, errors| match errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(count(program, source)),
    })
    .flatten()
    .map_err(|error| error.diagnostic(path.to_string_lossy().into_owned(), source))
}

fn count(program: &Program<'_>, source: &str) -> DocumentedExports {
    let text = |start: u32, end: u32| source.get(start as usize..end as usize).unwrap_or_default();
    let docs = program.comments.iter().filter(|comment| comment.is_jsdoc());
    let docs: Vec<(u32, &str)> = docs
        .map(|comment| {
            let span = comment.content_span();
            (comment.attached_to, text(span.start, span.end))
        })
        .collect();
    let is_documented = |start: u32| {
        let said = |text: &str| text.chars().any(|c| !c.is_whitespace() && c != '*');
        docs.iter().any(|(at, text)| *at == start && said(text))
    };
    let mut found = DocumentedExports {
        module: docs.iter().any(|(_, text)| text.contains("@module")),
        ..DocumentedExports::default()
    };
    let mut add = |names: usize, documented: bool| {
        found.total += names;
        found.documented += if documented { names } else { 0 };
    };
    // Declarations that are exported further down.
    let mut local: HashMap<&str, bool> = HashMap::new();
    for statement in &program.body {
        if let Some(declaration) = statement.as_declaration() {
            let documented = is_documented(statement.span().start);
            local.extend(names(declaration).into_iter().map(|name| (name, documented)));
        }
    }
    for statement in &program.body {
        match statement {
            Statement::ExportDeclaration(export) => {
                let declaration = &export.declaration;
                let documented = is_documented(export.span.start) || is_documented(declaration.span().start);
                add(names(declaration).len().max(1), documented);
            }
            Statement::ExportNamedDeclaration(export) => {
                for specifier in &export.specifiers {
                    let name = specifier.local.name();
                    add(1, local.get(name.as_str()).copied().unwrap_or_default());
                }
            }
            Statement::ExportDefaultDeclaration(export) => add(1, is_documented(export.span.start)),
            _ => {}
        }
    }
    found
}

/// The names that a declaration binds; patterns count as one name each.
fn names<'a>(declaration: &'a Declaration<'_>) -> Vec<&'a str> {
    match declaration {
        Declaration::VariableDeclaration(variables) => variables
            .declarations
            .iter()
            .map(|one| match &one.id {
                BindingPattern::BindingIdentifier(id) => id.name.as_str(),
                _ => "",
            })
            .collect(),
        other => other.id().map(|id| id.name.as_str()).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{DocumentedExports, documented_exports};

    fn of(source: &str) -> DocumentedExports {
        documented_exports(source, std::path::Path::new("a.ts")).unwrap()
    }

    #[test]
    fn exports_with_a_comment_that_says_something_are_documented() {
        let found = of("/** One. */\nexport const a = 1;\n/** */\nexport function b() {}\n\
             /* no documentation */\nexport interface C {}\n/** D. */\nclass D {}\nconst e = 1, f = 2;\n\
             export { D, e as E };\nexport * from './other.ts';\nexport { x } from './other.ts';\n/** F. */\nexport default f;\n");
        assert_eq!(found, DocumentedExports { total: 6, documented: 3, module: false });
    }

    #[test]
    fn source_without_exports_has_none() {
        assert_eq!(of("const a = 1;\n"), DocumentedExports::default());
        assert!(of("/**\n * About.\n * @module\n */\n\nexport {};\n").module);
        assert!(documented_exports("export const", std::path::Path::new("a.ts")).is_err());
    }
}
