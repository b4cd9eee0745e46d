//! Code that a reader of a published extension should look at: programs that it starts, and long runs of Base64. Neither is
//! wrong by itself. Both are found in the syntax tree, so comments and similar names do not count.

use std::path::Path;

use oxc_ast::ast::{
    BindingPattern, ComputedMemberExpression, Expression, Program, StaticMemberExpression, StringLiteral,
    TemplateElement, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::parse::parse;
use crate::scan::source_type;

/// The shortest run of Base64 characters that is worth a look.
const BLOB: usize = 100;

/// Every suspicious location, in source order.
///
/// # Errors
///
/// The text has a syntax error, or nests too deep.
pub fn suspicious_code(source: &str, path: &Path) -> Result<Vec<Diagnostic>, Diagnostic> {
    let file = path.to_string_lossy().into_owned();
    let found = parse(source, source_type(path), |program, errors| match errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(find(program)),
    });
    let mut found = found.flatten().map_err(|error| error.diagnostic(file.clone(), source))?;
    found.sort_by_key(|(at, ..)| *at);
    found.dedup_by_key(|(at, ..)| *at);
    let diagnostic = |(at, code, message): (u32, DiagnosticCode, &'static str)| {
        Diagnostic::new(code, message).at(file.clone(), source, at as usize)
    };
    Ok(found.into_iter().map(diagnostic).collect())
}

pub(crate) fn find(program: &Program<'_>) -> Vec<(u32, DiagnosticCode, &'static str)> {
    let mut finder = Finder { found: Vec::new() };
    finder.visit_program(program);
    finder.found
}

struct Finder {
    found: Vec<(u32, DiagnosticCode, &'static str)>,
}

impl Finder {
    fn starts_program(&mut self, at: u32) {
        self.found.push((at, DiagnosticCode::StartsProgram, "`Deno.Command` starts a program"));
    }

    fn text(&mut self, at: u32, text: &str) {
        let mut run = 0;
        for byte in text.bytes() {
            run =
                if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=') { run + 1 } else { 0 };
            if run >= BLOB {
                return self.found.push((
                    at,
                    DiagnosticCode::Base64,
                    "a long run of Base64 hides its content",
                ));
            }
        }
    }
}

/// `Deno`, also by way of the global object.
fn is_deno(expression: &Expression<'_>) -> bool {
    match expression.get_inner_expression() {
        Expression::Identifier(id) => id.name == "Deno",
        Expression::StaticMemberExpression(member) => {
            member.property.name == "Deno"
                && matches!(member.object.get_inner_expression(), Expression::Identifier(id) if id.name == "globalThis")
        }
        _ => false,
    }
}

impl<'a> Visit<'a> for Finder {
    fn visit_static_member_expression(&mut self, it: &StaticMemberExpression<'a>) {
        if it.property.name == "Command" && is_deno(&it.object) {
            self.starts_program(it.span.start);
        }
        walk::walk_static_member_expression(self, it);
    }

    fn visit_computed_member_expression(&mut self, it: &ComputedMemberExpression<'a>) {
        if is_deno(&it.object)
            && let Expression::StringLiteral(name) = it.expression.get_inner_expression()
            && name.value == "Command"
        {
            self.starts_program(it.span.start);
        }
        walk::walk_computed_member_expression(self, it);
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if let (BindingPattern::ObjectPattern(pattern), Some(init)) = (&it.id, &it.init)
            && is_deno(init)
            && pattern
                .properties
                .iter()
                .filter_map(|property| property.key.static_name())
                .any(|name| name == "Command")
        {
            self.starts_program(it.span.start);
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_string_literal(&mut self, it: &StringLiteral<'a>) {
        self.text(it.span.start, &it.value);
    }

    fn visit_template_element(&mut self, it: &TemplateElement<'a>) {
        self.text(it.span.start, &it.value.raw);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::suspicious_code;

    fn codes(source: &str) -> Vec<(String, Option<u32>)> {
        let found = suspicious_code(source, Path::new("x.ts")).unwrap();
        found.into_iter().map(|one| (one.code.to_string(), one.line)).collect()
    }

    #[test]
    fn programs_are_found_however_they_are_named() {
        for source in [
            "new Deno.Command('df')",
            "Deno['Command']",
            "const { Command } = Deno;",
            "const { Command: Run } = globalThis.Deno;",
            "const run = globalThis.Deno.Command;",
        ] {
            assert_eq!(codes(source), [("starts_program".to_owned(), Some(1))], "{source}");
        }
        for source in ["// new Deno.Command()", "'Deno.Command('", "my.Command()", "Deno.readFile('Command')"]
        {
            assert!(codes(source).is_empty(), "{source}");
        }
    }

    #[test]
    fn base64_is_found_in_texts_only() {
        let run = "QUJD".repeat(25);
        assert_eq!(codes(&format!("\n'{run}'")), [("base64".to_owned(), Some(2))]);
        assert_eq!(codes(&format!("`x ${{1}} {run}`")).len(), 1);
        for fine in [
            format!("// {run}"),
            format!("'{}'", &run[1..]),
            format!("const {run} = 1;"),
            format!("'{}'", "word ".repeat(50)),
        ] {
            assert!(codes(&fine).is_empty(), "{fine}");
        }
    }
}
