//! The declarations of a source, read off its syntax tree: kind, type, version and method names, without running code.
//!
//! Only literals are reported. Strings and objects may be named by a `const` of the same file; anything else
//! (a call, a spread, an import) makes the declaration non-literal, and the caller has to ask a host.

use std::collections::HashMap;
use std::path::Path;

use marsh_types::Kind;
use oxc_ast::ast::{
    ArrayExpressionElement, BindingPattern, Declaration as Decl, Expression, ObjectExpression,
    ObjectPropertyKind, Program, PropertyKind, Statement, VariableDeclaration,
};

use crate::diagnostic::Diagnostic;
use crate::memo::Memo;
use crate::parse::parse;
use crate::scan::source_type;

/// One export of a kind.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Declaration {
    /// Of what kind the export is.
    pub kind: Kind,
    /// The literal `type`; of a report the literal `name`.
    pub name: Option<String>,
    /// The literal `version`.
    pub version: Option<String>,
    /// Method names in source order, when they are all written out.
    pub methods: Option<Vec<String>>,
    /// The `toVersion` of each upgrade in source order, when they are all written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrades: Option<Vec<String>>,
    /// All that this kind declares is written out and nothing can override it, so that no code has to run to know it.
    pub literal: bool,
    /// Where the exported name is bound, from 1.
    pub line: u32,
}

/// All declarations of a source text, in source order.
///
/// # Errors
///
/// The text has a syntax error, or nests too deep.
pub fn declarations(source: &str, path: &Path) -> Result<Vec<Declaration>, Diagnostic> {
    static DECLARATIONS: Memo<Vec<Declaration>> = Memo::new();
    let found = DECLARATIONS.of(source, source_type(path), || read(source, path))?;
    Ok(found.to_vec())
}

fn read(source: &str, path: &Path) -> Result<Vec<Declaration>, Diagnostic> {
    parse(source, source_type(path), |program, errors| match errors.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(declared(program, source)),
    })
    .flatten()
    .map_err(|error| error.diagnostic(path.to_string_lossy().into_owned(), source))
}

pub(crate) fn declared(program: &Program<'_>, source: &str) -> Vec<Declaration> {
    let file = File::of(program);
    let mut found = Vec::new();
    for statement in &program.body {
        match statement {
            Statement::ExportDeclaration(export) => match &export.declaration {
                Decl::VariableDeclaration(variables) => {
                    for declarator in &variables.declarations {
                        let BindingPattern::BindingIdentifier(id) = &declarator.id else { continue };
                        let Some(kind) = Kind::from_export(&id.name) else { continue };
                        found.push((id.span.start, kind, declarator.init.as_ref()));
                    }
                }
                Decl::ClassDeclaration(class) => {
                    let Some(id) = &class.id else { continue };
                    found.extend(Kind::from_export(&id.name).map(|kind| (id.span.start, kind, None)));
                }
                _ => {}
            },
            Statement::ExportNamedDeclaration(export) if export.export_kind.is_value() => {
                for one in export.specifiers.iter().filter(|one| one.export_kind.is_value()) {
                    let Some(kind) = Kind::from_export(&one.exported.name()) else { continue };
                    let value = file.constants.get(one.local.name().as_str()).copied();
                    found.push((one.span.start, kind, value));
                }
            }
            Statement::ExportFromDeclaration(export) if export.export_kind.is_value() => {
                for one in export.specifiers.iter().filter(|one| one.export_kind.is_value()) {
                    found.extend(
                        Kind::from_export(&one.exported.name()).map(|kind| (one.span.start, kind, None)),
                    );
                }
            }
            _ => {}
        }
    }
    found.into_iter().map(|(at, kind, value)| file.declaration(kind, value, line(source, at))).collect()
}

fn line(source: &str, offset: u32) -> u32 {
    let newlines = source.as_bytes().iter().take(offset as usize).filter(|byte| **byte == b'\n').count();
    u32::try_from(newlines).unwrap_or(u32::MAX - 1) + 1
}

/// The top-level constants of a file, by name.
struct File<'p, 'a> {
    constants: HashMap<&'p str, &'p Expression<'a>>,
}

/// How many constants that name constants are followed; the language forbids no cycle.
const MAX_HOPS: usize = 16;

impl<'p, 'a> File<'p, 'a> {
    fn of(program: &'p Program<'a>) -> Self {
        let mut constants = HashMap::new();
        let mut add = |variables: &'p VariableDeclaration<'a>| {
            if !variables.kind.is_const() {
                return;
            }
            for declarator in &variables.declarations {
                if let (BindingPattern::BindingIdentifier(id), Some(init)) =
                    (&declarator.id, &declarator.init)
                {
                    constants.insert(id.name.as_str(), init);
                }
            }
        };
        for statement in &program.body {
            match statement {
                Statement::VariableDeclaration(variables) => add(variables),
                Statement::ExportDeclaration(export) => {
                    if let Decl::VariableDeclaration(variables) = &export.declaration {
                        add(variables);
                    }
                }
                _ => {}
            }
        }
        Self { constants }
    }

    /// Without parentheses and type assertions, and with names of constants replaced by their value.
    fn value<'e>(&self, expression: &'e Expression<'a>) -> &'e Expression<'a>
    where
        'p: 'e,
    {
        let mut current = expression.get_inner_expression();
        for _ in 0..MAX_HOPS {
            let Expression::Identifier(id) = current else { break };
            let Some(next) = self.constants.get(id.name.as_str()) else { break };
            current = next.get_inner_expression();
        }
        current
    }

    fn string<'e>(&self, expression: &'e Expression<'a>) -> Option<String>
    where
        'p: 'e,
    {
        match self.value(expression) {
            Expression::StringLiteral(literal) => Some(literal.value.to_string()),
            Expression::TemplateLiteral(template) => template.single_quasi().map(|text| text.to_string()),
            _ => None,
        }
    }

    fn object<'e>(&self, expression: &'e Expression<'a>) -> Option<&'e ObjectExpression<'a>>
    where
        'p: 'e,
    {
        match self.value(expression) {
            Expression::ObjectExpression(object) => Some(object),
            _ => None,
        }
    }

    fn declaration<'e>(&self, kind: Kind, value: Option<&'e Expression<'a>>, line: u32) -> Declaration
    where
        'p: 'e,
    {
        let opaque = Declaration {
            kind,
            name: None,
            version: None,
            methods: None,
            upgrades: None,
            literal: false,
            line,
        };
        let Some(object) = value.and_then(|value| self.object(value)) else { return opaque };
        let fields = Fields::of(object);
        let name_field = kind.spec().name_field;
        let text = |key| fields.get(key).and_then(|value| self.string(value));
        let name = text(name_field);
        let version = text("version");
        let methods = match kind {
            Kind::Model => fields.get("methods").and_then(|value| self.keys(value)),
            Kind::Extension => fields.get("methods").and_then(|value| self.keys_of_all(value)),
            _ => None,
        };
        let has_methods = matches!(kind, Kind::Model | Kind::Extension);
        let literal = fields.closed
            && name.is_some()
            && (version.is_some() || !fields.has("version"))
            && (methods.is_some() || !has_methods || !fields.has("methods"));
        let upgrades = fields.get("upgrades").and_then(|value| self.targets(value));
        Declaration { name, version, methods, upgrades, literal, ..opaque }
    }

    /// `upgrades: [{ toVersion: "…", … }]`
    fn targets<'e>(&self, expression: &'e Expression<'a>) -> Option<Vec<String>>
    where
        'p: 'e,
    {
        let Expression::ArrayExpression(array) = self.value(expression) else { return None };
        let target = |element: &'e ArrayExpressionElement<'a>| {
            let fields = Fields::of(self.object(element.as_expression()?)?);
            self.string(fields.get("toVersion")?)
        };
        array.elements.iter().map(target).collect()
    }

    /// The keys of an object, if it has no others than the written ones.
    fn keys<'e>(&self, expression: &'e Expression<'a>) -> Option<Vec<String>>
    where
        'p: 'e,
    {
        let fields = Fields::of(self.object(expression)?);
        fields.closed.then(|| fields.names())
    }

    /// A method extension writes `methods: [{ a: … }, { b: … }]`.
    fn keys_of_all<'e>(&self, expression: &'e Expression<'a>) -> Option<Vec<String>>
    where
        'p: 'e,
    {
        let Expression::ArrayExpression(array) = self.value(expression) else { return self.keys(expression) };
        let mut all = Vec::new();
        for element in &array.elements {
            match element {
                ArrayExpressionElement::SpreadElement(_) | ArrayExpressionElement::Elision(_) => return None,
                other => all.extend(self.keys(other.as_expression()?)?),
            }
        }
        Some(all)
    }
}

/// The properties of an object literal.
struct Fields<'e, 'a> {
    entries: Vec<(String, Option<&'e Expression<'a>>)>,
    /// No spread and no computed key, either of which may set anything.
    closed: bool,
}

impl<'e, 'a> Fields<'e, 'a> {
    fn of(object: &'e ObjectExpression<'a>) -> Self {
        let mut fields = Self { entries: Vec::new(), closed: true };
        for property in &object.properties {
            match property {
                ObjectPropertyKind::ObjectProperty(one) => match one.key.static_name() {
                    Some(name) => {
                        // A getter or setter has no value that can be read off.
                        let value = (one.kind == PropertyKind::Init).then_some(&one.value);
                        fields.entries.push((name.into_owned(), value));
                    }
                    None => fields.closed = false,
                },
                ObjectPropertyKind::SpreadProperty(_) => fields.closed = false,
            }
        }
        fields
    }

    fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, _)| key == name)
    }

    /// The last one wins, as in the language.
    fn get(&self, name: &str) -> Option<&'e Expression<'a>> {
        self.entries.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| *value)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (key, _) in &self.entries {
            if !names.contains(key) {
                names.push(key.clone());
            }
        }
        names
    }
}
