//! One source text: which modules it asks for, what it exports, what is wrong with its syntax.
//!
//! A real parser, so that `import` in a comment, a string or a template is text, and every form is seen: static,
//! side-effect, re-export, `import(…)`, `require(…)` and `import x = require(…)` with a literal. Type-only forms are
//! left out: they are gone before the bundler resolves anything.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use oxc_ast::ast::{
    BindingPattern, CallExpression, Declaration, ExportAllDeclaration, ExportDeclaration,
    ExportDefaultDeclaration, ExportFromDeclaration, ExportNamedDeclaration, Expression, IdentifierReference,
    ImportDeclaration, ImportDeclarationSpecifier, ImportExpression, ImportOrExportKind, Program,
    TSExternalModuleReference, TSImportEqualsDeclaration,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, SourceType};

use crate::memo::Memo;
use crate::parse::parse;
use crate::syntax_error::SyntaxError;

#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub sites: Vec<ImportSite>,
    /// Exported names; `export *` without a name is in `stars`.
    pub exports: Vec<String>,
    /// Exported interfaces and type aliases.
    pub types: Vec<String>,
    /// Specifiers of `export * from`.
    pub stars: Vec<String>,
    pub errors: Vec<SyntaxError>,
    /// Whether the global `WebAssembly` is used.
    pub uses_web_assembly: bool,
}

/// One place that asks for a module.
#[derive(Debug, Clone)]
pub(crate) struct ImportSite {
    pub specifier: String,
    /// Byte offset of the literal.
    pub offset: usize,
}

/// The parser's idea of a file: by extension, and an unknown one is JavaScript, as in the bundler.
pub(crate) fn source_type(path: &Path) -> SourceType {
    SourceType::from_path(path).unwrap_or_else(|_| SourceType::mjs())
}

pub(crate) fn scan(source: &str, path: &Path) -> Arc<Scan> {
    static SCANS: Memo<Scan> = Memo::new();
    let language = source_type(path);
    match SCANS.of(source, language, || Ok::<_, Infallible>(read(source, language))) {
        Ok(scan) => scan,
        Err(never) => match never {},
    }
}

fn read(source: &str, language: SourceType) -> Scan {
    let scanned = parse(source, language, |program, errors| Scan { errors, ..collect(program) });
    scanned.unwrap_or_else(|error| Scan { errors: vec![error], ..Scan::default() })
}

pub(crate) fn collect(program: &Program<'_>) -> Scan {
    let mut scan = Scan::default();
    Collector { scan: &mut scan }.visit_program(program);
    scan
}

struct Collector<'s> {
    scan: &'s mut Scan,
}

impl Collector<'_> {
    fn site(&mut self, specifier: &str, offset: u32) {
        self.scan.sites.push(ImportSite { specifier: specifier.to_owned(), offset: offset as usize });
    }

    fn literal(&mut self, expression: &Expression<'_>) {
        match expression.get_inner_expression() {
            Expression::StringLiteral(literal) => self.site(&literal.value, literal.span.start),
            Expression::TemplateLiteral(template) => {
                if let Some(text) = template.single_quasi() {
                    self.site(&text, template.span.start);
                }
            }
            _ => {}
        }
    }

    fn bound(&mut self, pattern: &BindingPattern<'_>) {
        self.scan.exports.extend(pattern.get_binding_identifiers().iter().map(|id| id.name.to_string()));
    }
}

impl<'a> Visit<'a> for Collector<'_> {
    fn visit_identifier_reference(&mut self, it: &IdentifierReference<'a>) {
        self.scan.uses_web_assembly |= it.name == "WebAssembly";
    }

    fn visit_import_declaration(&mut self, it: &ImportDeclaration<'a>) {
        let only_types = it.specifiers.as_ref().is_some_and(|specifiers| {
            !specifiers.is_empty()
                && specifiers.iter().all(|specifier| {
                    matches!(specifier, ImportDeclarationSpecifier::ImportSpecifier(one)
                        if one.import_kind == ImportOrExportKind::Type)
                })
        });
        if it.import_kind == ImportOrExportKind::Value && !only_types {
            self.site(&it.source.value, it.source.span.start);
        }
    }

    fn visit_export_from_declaration(&mut self, it: &ExportFromDeclaration<'a>) {
        let names = it.specifiers.iter().filter(|one| one.export_kind == ImportOrExportKind::Value);
        if it.export_kind == ImportOrExportKind::Value
            && (it.specifiers.is_empty() || names.clone().next().is_some())
        {
            self.site(&it.source.value, it.source.span.start);
            self.scan.exports.extend(names.map(|one| one.exported.name().to_string()));
        }
    }

    fn visit_export_all_declaration(&mut self, it: &ExportAllDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Value {
            self.site(&it.source.value, it.source.span.start);
            match &it.exported {
                Some(name) => self.scan.exports.push(name.name().to_string()),
                None => self.scan.stars.push(it.source.value.to_string()),
            }
        }
    }

    fn visit_export_named_declaration(&mut self, it: &ExportNamedDeclaration<'a>) {
        if it.export_kind == ImportOrExportKind::Value {
            let names = it.specifiers.iter().filter(|one| one.export_kind == ImportOrExportKind::Value);
            self.scan.exports.extend(names.map(|one| one.exported.name().to_string()));
        }
    }

    fn visit_export_default_declaration(&mut self, it: &ExportDefaultDeclaration<'a>) {
        self.scan.exports.push("default".to_owned());
        walk::walk_export_default_declaration(self, it);
    }

    fn visit_export_declaration(&mut self, it: &ExportDeclaration<'a>) {
        match &it.declaration {
            Declaration::VariableDeclaration(variables) => {
                for declarator in &variables.declarations {
                    self.bound(&declarator.id);
                }
            }
            Declaration::FunctionDeclaration(function) => {
                self.scan.exports.extend(function.id.as_ref().map(|id| id.name.to_string()));
            }
            Declaration::ClassDeclaration(class) => {
                self.scan.exports.extend(class.id.as_ref().map(|id| id.name.to_string()));
            }
            Declaration::TSInterfaceDeclaration(it) => self.scan.types.push(it.id.name.to_string()),
            Declaration::TSTypeAliasDeclaration(it) => self.scan.types.push(it.id.name.to_string()),
            Declaration::TSEnumDeclaration(it) => self.scan.exports.push(it.id.name.to_string()),
            _ => {}
        }
        walk::walk_export_declaration(self, it);
    }

    fn visit_import_expression(&mut self, it: &ImportExpression<'a>) {
        self.literal(&it.source);
        walk::walk_import_expression(self, it);
    }

    fn visit_call_expression(&mut self, it: &CallExpression<'a>) {
        if it.callee.is_specific_id("require")
            && let [argument] = it.arguments.as_slice()
            && let Some(expression) = argument.as_expression()
        {
            self.literal(expression);
        }
        walk::walk_call_expression(self, it);
    }

    fn visit_ts_import_equals_declaration(&mut self, it: &TSImportEqualsDeclaration<'a>) {
        if it.import_kind == ImportOrExportKind::Value {
            walk::walk_ts_import_equals_declaration(self, it);
        }
    }

    fn visit_ts_external_module_reference(&mut self, it: &TSExternalModuleReference<'a>) {
        self.site(&it.expression.value, it.expression.span().start);
    }
}
