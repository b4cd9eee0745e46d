//! Places where a source makes code out of text, found by its syntax tree.
//!
//! A word in a comment or a string, or inside another word (`retrieval(`), is none. `eval` under another name, reached
//! through `globalThis`, or called indirectly is one, and so is `Function` in any of these ways.

use std::collections::HashSet;
use std::path::Path;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, BindingPattern, CallExpression, ComputedMemberExpression, Expression, IdentifierReference,
    ImportExpression, NewExpression, StaticMemberExpression, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::GetSpan as _;

use crate::diagnostic::Diagnostic;
use crate::scan::{SyntaxError, source_type};

/// One such place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DynamicCode {
    /// What is done there: `eval`, `Function`, a string given to a timer, a computed import.
    pub what: &'static str,
    /// From 1.
    pub line: u32,
    pub column: u32,
}

/// All places in a source that make code out of text, in source order. Fails on a syntax error only.
pub fn dynamic_code(source: &str, path: &Path) -> Result<Vec<DynamicCode>, Diagnostic> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, source_type(path)).parse();
    if let Some(error) = parsed.diagnostics.errors().next() {
        return Err(SyntaxError::from(error).diagnostic(path.to_string_lossy().into_owned(), source));
    }
    let mut finder = Finder::default();
    finder.visit_program(&parsed.program);
    let mut found = finder.found;
    found.sort_unstable();
    found.dedup();
    Ok(found
        .into_iter()
        .map(|(offset, what)| {
            let before = source.get(..offset as usize).unwrap_or(source);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
            let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
            DynamicCode { what, line: number(line), column: number(column) }
        })
        .collect())
}

const GLOBALS: [&str; 4] = ["globalThis", "self", "window", "global"];

#[derive(Default)]
struct Finder {
    found: Vec<(u32, &'static str)>,
    /// Spans of references that are harmless: an operand of `typeof`, a check for existence.
    declared: HashSet<String>,
}

impl Finder {
    fn word(name: &str) -> Option<&'static str> {
        match name {
            "eval" => Some("eval"),
            "Function" => Some("Function"),
            "AsyncFunction" | "GeneratorFunction" => Some("Function"),
            _ => None,
        }
    }

    fn is_global(expression: &Expression<'_>) -> bool {
        matches!(expression.get_inner_expression(), Expression::Identifier(id) if GLOBALS.contains(&id.name.as_str()))
    }

    /// `(() => {}).constructor`, `fn.constructor.constructor`: the way to `Function` without its name.
    fn is_function(expression: &Expression<'_>) -> bool {
        match expression.get_inner_expression() {
            Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_) => true,
            Expression::StaticMemberExpression(member) => member.property.name == "constructor",
            _ => false,
        }
    }
}

impl<'a> Visit<'a> for Finder {
    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if let BindingPattern::BindingIdentifier(id) = &it.id {
            self.declared.insert(id.name.to_string());
        }
        walk::walk_variable_declarator(self, it);
    }

    /// A mention of the name is enough: it is called here, or given to somebody who calls it.
    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        if let Some(what) = Self::word(&it.name)
            && !self.declared.contains(it.name.as_str())
        {
            self.found.push((it.span.start, what));
        }
    }

    fn visit_static_member_expression(&mut self, it: &StaticMemberExpression<'a>) {
        if let Some(what) = Self::word(&it.property.name)
            && Self::is_global(&it.object)
        {
            self.found.push((it.span.start, what));
        }
        // `value instanceof Function` and types do not come here; a prototype of Function is harmless and not called.
        walk::walk_static_member_expression(self, it);
    }

    fn visit_computed_member_expression(&mut self, it: &ComputedMemberExpression<'a>) {
        if Self::is_global(&it.object) {
            match &it.expression {
                Expression::StringLiteral(name) => {
                    if let Some(what) = Self::word(&name.value) {
                        self.found.push((it.span.start, what));
                    }
                }
                Expression::NumericLiteral(_) => {}
                _ => self.found.push((it.span.start, "a global of a computed name")),
            }
        }
        walk::walk_computed_member_expression(self, it);
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        if let Expression::StaticMemberExpression(member) = it.callee.get_inner_expression()
            && member.property.name == "constructor"
            && Self::is_function(&member.object)
        {
            self.found.push((it.span.start, "Function"));
        }
        if let Expression::Identifier(id) = it.callee.get_inner_expression()
            && matches!(id.name.as_str(), "setTimeout" | "setInterval")
            && it.arguments.first().is_some_and(|first| {
                matches!(first, Argument::StringLiteral(_) | Argument::TemplateLiteral(_))
            })
        {
            self.found.push((it.span.start, "a string given to a timer"));
        }
        walk::walk_call_expression(self, it);
    }

    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        if let Expression::StaticMemberExpression(member) = it.callee.get_inner_expression()
            && member.property.name == "constructor"
            && Self::is_function(&member.object)
        {
            self.found.push((it.span.start, "Function"));
        }
        walk::walk_new_expression(self, it);
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        let is_literal = match &it.source {
            Expression::StringLiteral(_) => true,
            Expression::TemplateLiteral(template) => template.single_quasi().is_some(),
            _ => false,
        };
        if !is_literal {
            self.found.push((it.source.span().start, "an import of a computed name"));
        }
        walk::walk_import_expression(self, it);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::dynamic_code;

    fn found(source: &str) -> Vec<&'static str> {
        dynamic_code(source, Path::new("a.ts")).unwrap().into_iter().map(|one| one.what).collect()
    }

    #[test]
    fn every_way_to_make_code_out_of_text_is_seen() {
        for (source, what) in [
            ("eval('1')", "eval"),
            ("(0, eval)('1')", "eval"),
            ("globalThis.eval('1')", "eval"),
            ("globalThis['eval']('1')", "eval"),
            ("const e = eval; e('1')", "eval"),
            ("[1].map(eval)", "eval"),
            ("new Function('return 1')", "Function"),
            ("Function('return 1')()", "Function"),
            ("const F = Function; new F('')", "Function"),
            ("(() => {}).constructor('return 1')()", "Function"),
            ("new (function () {}).constructor('')", "Function"),
            ("setTimeout('x()', 1)", "a string given to a timer"),
            ("setInterval(`x()`, 1)", "a string given to a timer"),
            ("const name = 'x'; await import(name)", "an import of a computed name"),
            ("globalThis[['ev', 'al'].join('')]('1')", "a global of a computed name"),
        ] {
            assert_eq!(found(source), [what], "{source}");
        }
    }

    #[test]
    fn words_that_look_alike_are_nothing() {
        for source in [
            "retrieval('x'); const medieval = 1; medieval;",
            "// eval('1')\nconst text = \"eval('1')\"; text;",
            "const t = `new Function()`; t;",
            "setTimeout(() => {}, 1)",
            "await import('./x.ts')",
            "interface Function2 { eval: string }\nexport const x = { eval: 1, Function: 2 };",
            "const f: Function = () => {}; f();",
            "model.eval('x')",
            "class A { constructor() {} }",
        ] {
            assert_eq!(found(source), [] as [&str; 0], "{source}");
        }
    }

    #[test]
    fn places_have_lines_and_columns() {
        let places = dynamic_code("const a = 1;\n  eval('x');\n", Path::new("a.ts")).unwrap();
        assert_eq!((places[0].line, places[0].column), (2, 3));
        assert!(dynamic_code("const = ;", Path::new("a.ts")).is_err());
    }
}
