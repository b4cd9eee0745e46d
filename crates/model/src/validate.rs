//! Validation of definitions: their text, and their pre-flight checks.

use std::cell::OnceCell;
use std::time::Duration;

use marsh_expr::{Declared, ExprErrorKind};
use marsh_extension::ArgumentsDescription;
use marsh_host_client::CancelToken;
use marsh_types::Explain;
use serde_json::{Map, Value};

use crate::Models;
use crate::check_filter::CheckFilter;
use crate::definition::{CheckRules, Stored};
use crate::error::{Issue, ModelError};
use crate::inputs::InputSchema;
use crate::source_location::DefinitionText;
use crate::types::TypeCode;

/// One check of a definition.
#[derive(Debug, Clone)]
pub struct Check {
    /// The part of the definition, for example `globalArguments`.
    pub name: String,
    /// `None`: passed.
    pub error: Option<String>,
}

/// The result of a validation.
#[derive(Debug, Clone)]
pub struct ValidationReport {
    /// The id of the definition.
    pub model_id: String,
    /// The name of the definition.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The checks, in the order of the definition's parts.
    pub checks: Vec<Check>,
    /// Part and message of each warning.
    pub warnings: Vec<(String, String)>,
}

impl ValidationReport {
    /// Whether all checks passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.error.is_none())
    }
}

/// The pre-flight checks that a validation runs.
#[derive(Debug)]
pub struct Preflight<'a> {
    /// Which ones.
    pub filter: CheckFilter,
    /// How long all of a definition may take.
    pub deadline: Duration,
    /// Ends them.
    pub cancel: &'a CancelToken,
}

impl Models {
    /// Checks type, arguments and expressions of a definition, and runs its pre-flight checks.
    pub fn validate(&self, stored: &Stored, preflight: &Preflight<'_>) -> ValidationReport {
        let definition = &stored.definition;
        let mut checks = vec![Check { name: "definition".into(), error: None }];
        let mut ran = Vec::new();
        let mut push = |name: String, issues: Vec<Issue>| {
            let error = if issues.is_empty() {
                None
            } else {
                Some(ModelError::Validation { what: name.clone(), issues }.to_string())
            };
            checks.push(Check { name, error });
        };
        match self.resolve_type(&stored.type_name) {
            Err(error) => push("type".into(), vec![Issue::new("", error.to_string())]),
            Ok(code) => {
                push("type".into(), Vec::new());
                let mut globals = definition.global_arguments.clone();
                let issues = match &code.description.global_arguments {
                    Some(description) => check_arguments(description, &mut globals),
                    None => globals
                        .keys()
                        .map(|key| Issue::new(key.clone(), "the type takes no global arguments"))
                        .collect(),
                };
                push("globalArguments".into(), issues);
                for method in definition.methods.keys() {
                    let name = format!("methods.{method}.arguments");
                    let issues = match code.method(method) {
                        Err(error) => vec![Issue::new(method.clone(), error.to_string())],
                        Ok(described) => {
                            check_arguments(&described.arguments, &mut definition.method_arguments(method))
                        }
                    };
                    push(name, issues);
                }
                if let Some(rules) = &definition.checks {
                    push("checks".into(), check_selection(rules, &code));
                }
                let Preflight { filter, deadline, cancel } = preflight;
                ran = match self.run_checks(stored, &code, filter, *deadline, cancel) {
                    Ok(results) => results
                        .into_iter()
                        .map(|result| Check { name: format!("Check: {}", result.name), error: result.error })
                        .collect(),
                    Err(error) => vec![Check { name: "preflight".into(), error: Some(error.to_string()) }],
                };
            }
        }
        let file = self.repo.layout.display(&stored.path).display().to_string();
        let mut warnings = near_misses(stored);
        for problem in definition.input_schema().iter().flat_map(InputSchema::problems) {
            warnings.push(("inputs".to_owned(), format!("`{}`: {}", problem.field, problem.message)));
        }
        push("expressions".into(), check_expressions(stored, &file, &mut warnings));
        checks.extend(ran);
        ValidationReport {
            model_id: definition.id.clone(),
            model_name: definition.name.clone(),
            model_type: stored.type_name.to_string(),
            checks,
            warnings,
        }
    }
}

/// Whether a method has an argument of this name, as far as its description says.
pub fn takes(arguments: &ArgumentsDescription, key: &str) -> bool {
    let is_any = arguments.open || arguments.record;
    is_any || arguments.keys.as_ref().is_none_or(|keys| keys.iter().any(|known| known == key))
}

/// Checks values against a described schema: unknown keys, and the type of every value without an expression. Missing values
/// pass, as the command line can add them. Text is converted to the type of its field.
pub fn check_arguments(description: &ArgumentsDescription, values: &mut Map<String, Value>) -> Vec<Issue> {
    let mut issues = Vec::new();
    if let Some(keys) = &description.keys
        && !description.open
    {
        for key in values.keys().filter(|key| !keys.contains(key)) {
            let near = marsh_types::near::did_you_mean(key, keys.iter().map(String::as_str));
            issues.push(Issue::new(
                key.clone(),
                near.map_or("unknown argument".into(), |near| format!("unknown argument; {near}")),
            ));
        }
    }
    let Some(properties) = description.schema.get("properties").and_then(Value::as_object) else {
        return issues;
    };
    let literal: Map<String, Value> = values
        .iter()
        .filter(|(_, value)| !marsh_expr::contains_expression(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    // Types that JSON Schema cannot express are described as `{}` and pass here; zod checks them in the host.
    let properties = properties.iter().map(|(key, schema)| (key.clone(), as_input(schema))).collect();
    let schema = InputSchema { properties, required: Vec::new(), additional: true };
    let mut checked = literal;
    let given: Vec<String> = checked.keys().cloned().collect();
    schema.fill(&mut checked);
    checked.retain(|key, _| given.contains(key));
    issues.extend(schema.check(&checked, |_| false));
    for (key, value) in checked {
        values.insert(key, value);
    }
    issues
}

/// A described schema describes the output of zod, which has the defaults and lacks unknown keys. Its input may lack the
/// former and have the latter.
fn as_input(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(as_input).collect(),
        Value::Object(map) => {
            let has_default = |name: &Value| {
                let property = map.get("properties").and_then(|all| all.get(name.as_str()?));
                property.is_some_and(|property| property.get("default").is_some())
            };
            let inner = |(key, value): (&String, &Value)| {
                let value = match (key.as_str(), value) {
                    ("additionalProperties", Value::Bool(false)) => return None,
                    ("required", Value::Array(names)) => {
                        names.iter().filter(|name| !has_default(name)).cloned().collect()
                    }
                    ("default" | "const" | "enum" | "examples", value) => value.clone(),
                    (_, value) => as_input(value),
                };
                Some((key.clone(), value))
            };
            Value::Object(map.iter().filter_map(inner).collect())
        }
        other => other.clone(),
    }
}

/// Rules of the definition about checks that the type does not have.
fn check_selection(rules: &CheckRules, code: &TypeCode) -> Vec<Issue> {
    let known: Vec<&str> = code.description.checks.iter().map(|(name, _)| name.as_str()).collect();
    let named = [("checks.require", &rules.require), ("checks.skip", &rules.skip)];
    let named = named.into_iter().flat_map(|(field, names)| names.iter().map(move |name| (field, name)));
    named
        .filter(|(_, name)| !known.contains(&name.as_str()))
        .map(|(field, name)| {
            let near = marsh_types::near::did_you_mean(name, known.iter().copied());
            let near = near.map_or_else(String::new, |near| format!("; {near}"));
            Issue::new(field, format!("unknown check `{name}`{near}"))
        })
        .collect()
}

/// An input that is used and not declared is a warning, as a run can pass it; one with a similar name is a mistake.
fn check_expressions(stored: &Stored, file: &str, warnings: &mut Vec<(String, String)>) -> Vec<Issue> {
    let definition = &stored.definition;
    let inputs = definition.input_schema().into_iter().flat_map(|schema| schema.properties.into_iter());
    let inputs = inputs.map(|(name, _)| name);
    let declared = Declared::new()
        .with_keys("inputs", inputs)
        .with("self")
        .with("env")
        .with("run")
        .with("workflowRunId")
        .with("model")
        .with_functions_of("data")
        .with_functions_of("file")
        .with_functions_of("workers")
        .with_functions_of("vault");
    let mut issues = Vec::new();
    let written = OnceCell::new();
    for (prefix, map) in [("globalArguments", &definition.global_arguments), ("methods", &definition.methods)]
    {
        for (pointer, expression) in marsh_expr::expressions(&Value::Object(map.clone())) {
            let place = format!("{prefix}{}", pointer.replace('/', "."));
            for problem in marsh_expr::check_expression(&expression, &declared) {
                let all = written.get_or_init(|| DefinitionText::of(stored, file.to_owned()));
                let at = all
                    .as_ref()
                    .and_then(|all| all.location(&format!("/{prefix}{pointer}"), &expression, &problem));
                let at = at.map(|at| format!("{at}: ")).unwrap_or_default();
                match (problem.hint(), problem.kind()) {
                    (None, ExprErrorKind::NoSuchKey { path, .. }) if path == "inputs" => {
                        let message = format!(
                            "`{place}`: {at}`{expression}`: {problem}; a run must pass it, or declare it under `inputs`"
                        );
                        warnings.push(("expressions".to_owned(), message));
                    }
                    (hint, _) => {
                        let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                        issues
                            .push(Issue::new(place.clone(), format!("{at}`{expression}`: {problem}{hint}")));
                    }
                }
            }
        }
    }
    issues
}

/// Warns about text that looks like an expression: `{{x}}`.
fn near_misses(stored: &Stored) -> Vec<(String, String)> {
    let mut warnings = Vec::new();
    let mut pending = vec![
        Value::Object(stored.definition.global_arguments.clone()),
        Value::Object(stored.definition.methods.clone()),
    ];
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(map) => pending.extend(map.into_iter().map(|(_, value)| value)),
            Value::Array(items) => pending.extend(items),
            Value::String(text) if text.contains("{{") && !text.contains("${{") => {
                let message = format!("`{text}` is literal text; an expression is `${{{{ … }}}}`");
                warnings.push(("expressions".into(), message));
            }
            _ => {}
        }
    }
    warnings
}
