//! `marsh model type …`.

use std::path::Path;
use std::process::ExitCode;

use marsh_extension::{ArgumentsDescription, MethodDescription, ModelDescription};
use marsh_model::{Models, TypeCode};
use marsh_types::TypeName;
use serde_json::{Map, Value, json};

use super::done;
use crate::args::TypeCommand;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn run(ui: &Ui, models: &Models, command: &TypeCommand) -> Result<ExitCode, CliError> {
    match command {
        TypeCommand::Search { query } => search(ui, models, query.as_deref().unwrap_or_default()),
        TypeCommand::Describe { type_name, compact } => describe(ui, models, type_name, *compact),
    }
}

fn search(ui: &Ui, models: &Models, query: &str) -> Result<ExitCode, CliError> {
    let (types, problems) = models.list_types(query)?;
    for problem in &problems {
        let path = models.repo.layout.display(&problem.path).display().to_string();
        let line = problem.diagnostic.line.map(|line| format!(":{line}")).unwrap_or_default();
        ui.warn(format_args!("{path}{line}: {}", problem.diagnostic.message));
    }
    let results: Vec<Value> = types
        .iter()
        .map(|listed| {
            let mut row = json!({
                "raw": listed.raw,
                "normalized": listed.type_name,
                "version": listed.version,
                "origin": listed.origin,
                "path": listed.path,
            });
            if !listed.method_extensions.is_empty() {
                row["grafts"] = json!(listed.method_extensions);
            }
            row
        })
        .collect();
    ui.result(&json!({ "query": query, "results": results }), || {
        if types.is_empty() {
            return format!("no type matches `{query}`");
        }
        let rows: Vec<Vec<String>> = types
            .iter()
            .map(|listed| {
                vec![
                    format!("{NAME}{}{NAME:#}", listed.type_name),
                    listed.version.clone().unwrap_or_default(),
                    format!("{DIM}{}{DIM:#}", listed.origin),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn describe(ui: &Ui, models: &Models, type_name: &str, compact: bool) -> Result<ExitCode, CliError> {
    let type_name = TypeName::parse(type_name).map_err(marsh_model::ModelError::from)?;
    let code = models.resolve_type(&type_name)?;
    let description = &code.description;
    let mut document = Map::new();
    let names = json!({ "raw": description.raw_type, "normalized": code.type_name });
    document.insert("type".into(), names);
    document.insert("version".into(), json!(description.version));
    if compact {
        let globals = description.global_arguments.as_ref().map(compact_arguments);
        document.insert("globalArguments".into(), json!(globals));
        let methods: Vec<Value> = description
            .methods
            .iter()
            .map(|(name, method)| json!({ "name": name, "arguments": compact_arguments(&method.arguments) }))
            .collect();
        document.insert("methods".into(), json!(methods));
    } else {
        if let Some(globals) = &description.global_arguments {
            document.insert("globalArguments".into(), globals.schema.clone());
        }
        document.insert("dataOutputSpecs".into(), output_specs(description));
        let methods: Vec<Value> = description
            .methods
            .iter()
            .map(|(name, method)| {
                let mut shape = method_json(name, method);
                // Where a method comes from that the type does not declare itself.
                if let Some(graft) = grafted_by(&code, method) {
                    shape["graftedBy"] = json!(graft);
                }
                shape
            })
            .collect();
        document.insert("methods".into(), json!(methods));
        let checks: Vec<Value> = description
            .checks
            .iter()
            .map(|(name, check)| {
                json!({ "name": name, "description": check.description, "labels": check.labels, "appliesTo": check.applies_to })
            })
            .collect();
        document.insert("checks".into(), json!(checks));
    }
    ui.result(&Value::Object(document), || describe_text(&code, compact));
    done()
}

/// The source of a method that a method extension adds.
fn grafted_by<'a>(code: &'a TypeCode, method: &MethodDescription) -> Option<&'a Path> {
    let index = method.method_extension?.checked_sub(1)?;
    code.method_extensions().get(index).map(|graft| graft.entry.as_path())
}

pub fn method_json(name: &str, method: &MethodDescription) -> Value {
    let mut shape = Map::new();
    shape.insert("name".into(), json!(name));
    shape.insert("description".into(), json!(method.description));
    if let Some(kind) = &method.kind {
        shape.insert("kind".into(), json!(kind));
    }
    shape.insert("arguments".into(), method.arguments.schema.clone());
    Value::Object(shape)
}

/// Resources first, then files.
pub fn output_specs(description: &ModelDescription) -> Value {
    let resources = description.resources.iter().map(|output| ("resource", output));
    let files = description.files.iter().map(|output| ("file", output));
    resources
        .chain(files)
        .map(|(kind, (name, output))| {
            let mut spec = Map::new();
            spec.insert("specName".into(), json!(name));
            spec.insert("kind".into(), json!(kind));
            let optional = [
                ("description", json!(output.description)),
                ("schema", json!(output.schema)),
                ("contentType", json!(output.content_type)),
                ("lifetime", json!(output.lifetime)),
                ("garbageCollection", output.garbage_collection.clone()),
                ("streaming", json!(output.streaming)),
                ("tags", json!(output.tags)),
            ];
            for (key, value) in optional {
                if !value.is_null() {
                    spec.insert(key.to_owned(), value);
                }
            }
            Value::Object(spec)
        })
        .collect()
}

fn compact_arguments(arguments: &ArgumentsDescription) -> Value {
    let mut fields = Map::new();
    for (name, schema) in properties(arguments) {
        fields.insert(name.clone(), json!(type_word(schema)));
    }
    Value::Object(fields)
}

fn properties(arguments: &ArgumentsDescription) -> impl Iterator<Item = (&String, &Value)> {
    arguments.schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn type_word(schema: &Value) -> String {
    match (schema.get("type"), schema.get("enum")) {
        (_, Some(Value::Array(values))) => values
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(" | "),
        (Some(Value::String(word)), _) if word == "array" => match schema.get("items") {
            Some(items) => format!("{}[]", type_word(items)),
            None => word.clone(),
        },
        (Some(Value::String(word)), _) => word.clone(),
        _ if schema.get("anyOf").is_some() => {
            let options = schema["anyOf"].as_array().into_iter().flatten();
            options.map(type_word).collect::<Vec<_>>().join(" | ")
        }
        _ => "any".to_owned(),
    }
}

/// A line per argument: name, type, whether it is needed, what it means.
pub fn argument_lines(arguments: &ArgumentsDescription, indent: usize) -> String {
    let required: Vec<&str> = arguments
        .schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let pad = " ".repeat(indent);
    let rows: Vec<Vec<String>> = properties(arguments)
        .map(|(name, schema)| {
            let need = match schema.get("default") {
                Some(default) => format!("default {default}"),
                None if required.contains(&name.as_str()) => "required".to_owned(),
                None => String::new(),
            };
            let meaning = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            vec![
                format!("{pad}{name}"),
                format!("{DIM}{}{DIM:#}", type_word(schema)),
                need,
                meaning.to_owned(),
            ]
        })
        .collect();
    columns(&rows)
}

fn describe_text(code: &TypeCode, compact: bool) -> String {
    let (type_name, description) = (&code.type_name, &code.description);
    let mut text = format!("{NAME}{type_name}{NAME:#} {}\n", description.version);
    if let Some(globals) = &description.global_arguments {
        text.push_str("\nglobal arguments\n");
        text.push_str(&argument_lines(globals, 2));
    }
    text.push_str("\nmethods\n");
    for (name, method) in &description.methods {
        if compact {
            let arguments: Vec<&str> = properties(&method.arguments).map(|(name, _)| name.as_str()).collect();
            text.push_str(&format!("  {NAME}{name}{NAME:#} {}\n", arguments.join(" ")));
        } else {
            text.push_str(&format!("  {NAME}{name}{NAME:#}  {}\n", method.description));
            text.push_str(&argument_lines(&method.arguments, 4));
            if let Some(path) = grafted_by(code, method) {
                text.push_str(&format!("    {DIM}added by {}{DIM:#}\n", path.display()));
            }
        }
    }
    let has_outputs = !description.resources.is_empty() || !description.files.is_empty();
    if has_outputs && !compact {
        text.push_str("\noutputs\n");
        let rows: Vec<Vec<String>> = description
            .resources
            .iter()
            .map(|output| ("resource", output))
            .chain(description.files.iter().map(|output| ("file", output)))
            .map(|(kind, (name, output))| {
                vec![
                    format!("  {name}"),
                    format!("{DIM}{kind}, {}{DIM:#}", output.lifetime),
                    output.description.clone().unwrap_or_default(),
                ]
            })
            .collect();
        text.push_str(&columns(&rows));
    }
    text
}
