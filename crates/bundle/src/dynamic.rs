//! Code that is made from text at run time: `eval`, `Function`, timers that take text, imports of computed names.
//!
//! Found in the syntax tree, by name and not by substring: `retrieval(…)`, comments and strings are nothing, and an alias
//! (`const run = eval`) is as much a use as the call. A use behind a computed property of an arbitrary object is not found:
//! this check keeps honest code reviewable; the host's isolation contains dishonest code.

use std::path::Path;

use oxc_ast::ast::{
    BinaryExpression, BindingPattern, CallExpression, ComputedMemberExpression, Expression,
    IdentifierReference, ImportExpression, NewExpression, Program, StaticMemberExpression, TSType,
    TSTypeAnnotation, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_syntax::operator::BinaryOperator;

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::parse::parse;
use crate::scan::source_type;

/// Every use of code that is made from text, in source order.
///
/// # Errors
///
/// The text has a syntax error, or nests too deep.
pub fn dynamic_code(source: &str, path: &Path) -> Result<Vec<Diagnostic>, Diagnostic> {
    let file = path.to_string_lossy().into_owned();
    let found = parse(source, source_type(path), |program, errors| match errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(find(program)),
    });
    let mut found = found.flatten().map_err(|error| error.diagnostic(file.clone(), source))?;
    found.sort_by_key(|(at, _)| *at);
    found.dedup_by_key(|(at, _)| *at);
    let diagnostic = |(at, what): (u32, &str)| {
        Diagnostic::new(DiagnosticCode::DynamicCode, format!("{what} makes code from text while it runs"))
            .with_hint(Some("write the code out; published extensions are read before they are run".into()))
            .at(file.clone(), source, at as usize)
    };
    Ok(found.into_iter().map(diagnostic).collect())
}

const GLOBALS: [&str; 4] = ["globalThis", "self", "window", "global"];
const TIMERS: [&str; 3] = ["setTimeout", "setInterval", "setImmediate"];

pub(crate) fn find(program: &Program<'_>) -> Vec<(u32, &'static str)> {
    let mut finder = Finder { found: Vec::new() };
    finder.visit_program(program);
    finder.found
}

struct Finder {
    found: Vec<(u32, &'static str)>,
}

fn maker(name: &str) -> Option<&'static str> {
    match name {
        "eval" => Some("`eval`"),
        "Function" => Some("`Function`"),
        _ => None,
    }
}

fn is_global(expression: &Expression<'_>) -> bool {
    matches!(expression.get_inner_expression(), Expression::Identifier(id) if GLOBALS.contains(&id.name.as_str()))
}

fn is_maker_of_functions(expression: &Expression<'_>) -> bool {
    matches!(expression.get_inner_expression(), Expression::Identifier(id) if id.name == "Function")
}

impl<'a> Visit<'a> for Finder {
    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        self.found.extend(maker(&it.name).map(|what| (it.span.start, what)));
    }

    fn visit_static_member_expression(&mut self, it: &StaticMemberExpression<'a>) {
        if is_global(&it.object) {
            self.found.extend(maker(&it.property.name).map(|what| (it.span.start, what)));
        }
        // `Function.prototype` makes nothing.
        if it.property.name == "prototype" && is_maker_of_functions(&it.object) {
            return;
        }
        walk::walk_static_member_expression(self, it);
    }

    fn visit_computed_member_expression(&mut self, it: &ComputedMemberExpression<'a>) {
        if is_global(&it.object)
            && let Expression::StringLiteral(name) = it.expression.get_inner_expression()
        {
            self.found.extend(maker(&name.value).map(|what| (it.span.start, what)));
        }
        walk::walk_computed_member_expression(self, it);
    }

    fn visit_variable_declarator(&mut self, it: &VariableDeclarator<'a>) {
        if let (BindingPattern::ObjectPattern(pattern), Some(init)) = (&it.id, &it.init)
            && is_global(init)
        {
            let names = pattern.properties.iter().filter_map(|property| property.key.static_name());
            let makers = names.filter_map(|name| maker(&name)).map(|what| (it.span.start, what));
            self.found.extend(makers);
        }
        walk::walk_variable_declarator(self, it);
    }

    fn visit_binary_expression(&mut self, it: &BinaryExpression<'a>) {
        // `x instanceof Function` only asks.
        if it.operator == BinaryOperator::Instanceof && is_maker_of_functions(&it.right) {
            self.visit_expression(&it.left);
            return;
        }
        walk::walk_binary_expression(self, it);
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        let first = it.arguments.first().and_then(|argument| argument.as_expression());
        let name = match it.callee.get_inner_expression() {
            Expression::Identifier(id) => Some(id.name.as_str()),
            Expression::StaticMemberExpression(member) if is_global(&member.object) => {
                Some(member.property.name.as_str())
            }
            // `(() => {}).constructor("…")` is `Function` by another name.
            Expression::StaticMemberExpression(member) if member.property.name == "constructor" => {
                self.found.push((it.span.start, "`constructor(…)`"));
                None
            }
            _ => None,
        };
        if name.is_some_and(|name| TIMERS.contains(&name))
            && let Some(Expression::StringLiteral(_) | Expression::TemplateLiteral(_)) =
                first.map(Expression::get_inner_expression)
        {
            self.found.push((it.span.start, "a timer with a text"));
        }
        walk::walk_call_expression(self, it);
    }

    fn visit_new_expression(&mut self, it: &NewExpression<'a>) {
        if let Expression::StaticMemberExpression(member) = it.callee.get_inner_expression()
            && member.property.name == "constructor"
        {
            self.found.push((it.span.start, "`constructor(…)`"));
        }
        walk::walk_new_expression(self, it);
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        let literal = match it.source.get_inner_expression() {
            Expression::StringLiteral(_) => true,
            Expression::TemplateLiteral(template) => template.single_quasi().is_some(),
            _ => false,
        };
        if !literal {
            self.found.push((it.span.start, "`import(…)` of a computed name"));
        }
        walk::walk_import_expression(self, it);
    }

    // Types run nothing.
    fn visit_ts_type_annotation(&mut self, _: &TSTypeAnnotation<'a>) {}

    fn visit_ts_type(&mut self, _: &TSType<'a>) {}
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::dynamic_code;

    #[test]
    fn code_from_text_in_every_form_is_found() {
        for source in [
            "eval('1')",
            "(0, eval)('1')",
            "globalThis.eval('1')",
            "globalThis['eval']('1')",
            "const run = eval; run('1')",
            "const { eval: run } = globalThis;",
            "new Function('return 1')",
            "Function('return 1')()",
            "const F = Function; new F('1')",
            "new globalThis.Function('1')",
            "(() => {}).constructor('return 1')()",
            "setTimeout('work()', 1)",
            "globalThis.setInterval(`work()`, 1)",
            "const name = './a.ts'; await import(name)",
        ] {
            assert!(!dynamic_code(source, Path::new("a.ts")).unwrap().is_empty(), "{source}");
        }
    }

    #[test]
    fn code_that_only_looks_similar_is_not_found() {
        for source in [
            "retrieval('1'); const evaluate = 1; evaluate;",
            "// eval('1')\nconst text = \"new Function('1')\";",
            "const redis = { eval(x: string) { return x; } }; redis.eval('1')",
            "function f(g: Function) { return g instanceof Function; }",
            "setTimeout(() => {}, 1); await import('./a.ts'); Function.prototype.call;",
        ] {
            let found = dynamic_code(source, Path::new("a.ts")).unwrap();
            assert!(found.is_empty(), "{source}: {found:?}");
        }
    }

    #[test]
    fn a_use_has_its_line_and_column() {
        let found = dynamic_code("const a = 1;\n  eval('a');\n", Path::new("a.ts")).unwrap();
        assert_eq!((found[0].line, found[0].column), (Some(2), Some(3)));
    }
}
