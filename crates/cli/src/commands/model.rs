//! `marsh model create|get|search|edit|delete|validate`.

use std::io::{IsTerminal as _, Read as _};
use std::process::{Command, ExitCode};

use marsh_model::inputs::parse_inputs;
use marsh_model::{Definition, Models, Stored, TypeCode, direct};
use marsh_repo::env;
use marsh_types::{TypeName, yaml};
use serde_json::{Map, Value, json};

use super::input::Files;
use super::types::{argument_lines, method_json};
use super::{done, failed};
use crate::args::ModelCommand;
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, columns, value_lines};

pub fn run(ui: &Ui, models: &Models, command: &ModelCommand) -> Result<ExitCode, CliError> {
    match command {
        ModelCommand::Create { type_name, name, global_args } => {
            create(ui, models, type_name, name, global_args)
        }
        ModelCommand::Get { name } => get(ui, models, name),
        ModelCommand::Search { query } => search(ui, models, query.as_deref().unwrap_or_default()),
        ModelCommand::Edit { name } => edit(ui, models, name),
        ModelCommand::Delete { name, force, yes } => delete(ui, models, name, *force, *yes),
        ModelCommand::Validate { name } => validate(ui, models, name.as_deref()),
        ModelCommand::Type(_) | ModelCommand::Method(_) | ModelCommand::Output(_) => done(),
    }
}

fn create(
    ui: &Ui,
    models: &Models,
    type_name: &str,
    name: &str,
    globals: &[String],
) -> Result<ExitCode, CliError> {
    let type_name = TypeName::parse(type_name).map_err(marsh_model::ModelError::from)?;
    let code = models.resolve_type(&type_name)?;
    let globals = parse_inputs(globals, &Files { models })?;
    let stored = models.create(&code, name, globals)?;
    let path = models.repo.layout.display(&stored.path).display().to_string();
    let methods: Vec<Value> =
        code.description.methods.iter().map(|(name, method)| method_json(name, method)).collect();
    let document = json!({
        "id": stored.definition.id,
        "type": code.type_name,
        "name": stored.definition.name,
        "path": path,
        "version": code.description.version,
        "globalArguments": code.description.global_arguments.as_ref().map(|globals| &globals.schema),
        "methods": methods,
    });
    ui.result(&document, || {
        let mut text = format!("{GOOD}created{GOOD:#} {NAME}{}{NAME:#} in {path}\n", stored.definition.name);
        if let Some(globals) = &code.description.global_arguments {
            text.push_str("\nglobal arguments\n");
            text.push_str(&argument_lines(globals, 2));
        }
        text.push_str("\nmethods\n");
        let rows: Vec<Vec<String>> = code
            .description
            .methods
            .iter()
            .map(|(name, method)| vec![format!("  {name}"), method.description.clone()])
            .collect();
        text.push_str(&columns(&rows));
        text
    });
    done()
}

fn get(ui: &Ui, models: &Models, name: &str) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(name)?;
    let definition = &stored.definition;
    let mut document = Map::new();
    document.insert("id".into(), json!(definition.id));
    document.insert("name".into(), json!(definition.name));
    document.insert("type".into(), json!(stored.type_name));
    document.insert("version".into(), json!(definition.version));
    document.insert("tags".into(), json!(definition.tags));
    document.insert("globalArguments".into(), json!(definition.global_arguments));
    if stored.auto {
        document.insert("autoCreated".into(), json!(true));
    }
    if let Some(version) = definition.type_version {
        document.insert("typeVersion".into(), json!(version));
    }
    document.insert("path".into(), json!(models.repo.layout.display(&stored.path)));
    // The definition can be shown even when its type cannot be loaded.
    match models.resolve_type(&stored.type_name) {
        Ok(code) => describe_into(&mut document, &code),
        Err(error) => ui.warn(format_args!("the type `{}` cannot be described: {error}", stored.type_name)),
    }
    ui.result(&Value::Object(document), || get_text(models, &stored));
    done()
}

fn describe_into(document: &mut Map<String, Value>, code: &TypeCode) {
    if let Some(globals) = &code.description.global_arguments {
        document.insert("globalArgumentsSchema".into(), globals.schema.clone());
    }
    let methods: Vec<Value> =
        code.description.methods.iter().map(|(name, method)| method_json(name, method)).collect();
    document.insert("methods".into(), json!(methods));
}

fn get_text(models: &Models, stored: &Stored) -> String {
    let definition = &stored.definition;
    let mut text = format!("{NAME}{}{NAME:#} ({})\n", definition.name, stored.type_name);
    text.push_str(&format!("  {DIM}id{DIM:#}    {}\n", definition.id));
    text.push_str(&format!("  {DIM}file{DIM:#}  {}\n", models.repo.layout.display(&stored.path).display()));
    for (title, map) in [("global arguments", &definition.global_arguments), ("methods", &definition.methods)]
    {
        if !map.is_empty() {
            text.push_str(&format!("\n{title}\n{}", value_lines(&Value::Object(map.clone()), 2)));
        }
    }
    text
}

fn search(ui: &Ui, models: &Models, query: &str) -> Result<ExitCode, CliError> {
    let (all, broken) = models.definitions.list();
    for broken in &broken {
        let place =
            broken.error.as_ref().and_then(|error| Some(format!(":{}:{}", error.line?, error.column?)));
        let path = models.repo.layout.display(&broken.path).display();
        let reason = broken.error.as_ref().map_or(&broken.message, |error| &error.message);
        ui.warn(format_args!("skipped {path}{}: {reason}", place.unwrap_or_default()));
    }
    let wanted = query.to_lowercase();
    let found: Vec<&Stored> = all
        .iter()
        .filter(|stored| {
            stored.definition.name.to_lowercase().contains(&wanted)
                || stored.type_name.as_str().contains(&wanted)
        })
        .collect();
    let results: Vec<Value> = found
        .iter()
        .map(|stored| {
            json!({ "id": stored.definition.id, "name": stored.definition.name, "type": stored.type_name })
        })
        .collect();
    ui.result(&json!({ "query": query, "results": results }), || {
        if found.is_empty() {
            return if query.is_empty() {
                "no models yet".to_owned()
            } else {
                format!("no model matches `{query}`")
            };
        }
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|stored| {
                vec![
                    format!("{NAME}{}{NAME:#}", stored.definition.name),
                    stored.type_name.to_string(),
                    format!("{DIM}{}{DIM:#}", stored.definition.id),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

/// The text that replaces a file: piped in, or as the editor left a copy of it.
pub fn edited_text(models: &Models, before: &str, name: &str) -> Result<(String, Option<String>), CliError> {
    if !std::io::stdin().is_terminal() {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|source| CliError::Read { what: "standard input".into(), source })?;
        return Ok((text, None));
    }
    let editor = models.env.get(env::EDITOR).unwrap_or("vi").to_owned();
    let dir = models.repo.layout.derived().join("edit");
    marsh_fs::create_dir_all(&dir)?;
    let copy = dir.join(format!("{}-{}.yaml", std::process::id(), name.replace(['/', '@'], "-")));
    marsh_fs::atomic_write(&copy, before.as_bytes(), marsh_fs::Durability::Atomic)?;
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi").to_owned();
    let status = Command::new(&program)
        .args(words)
        .arg(&copy)
        .status()
        .map_err(|source| CliError::Read { what: format!("the editor `{program}`"), source })?;
    if !status.success() {
        return Err(CliError::Editor { editor, status: status.to_string() });
    }
    let text = std::fs::read_to_string(&copy)
        .map_err(|source| CliError::Read { what: copy.display().to_string(), source })?;
    marsh_fs::remove_file_if_exists(&copy)?;
    Ok((text, Some(editor)))
}

fn edit(ui: &Ui, models: &Models, name: &str) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(name)?;
    let before = std::fs::read_to_string(&stored.path)
        .map_err(|source| CliError::Read { what: stored.path.display().to_string(), source })?;
    let (text, editor) = edited_text(models, &before, &stored.definition.name)?;
    let path = models.repo.layout.display(&stored.path).display().to_string();
    if text != before {
        // Parsed and checked first: an edit that cannot be read must not replace what can.
        let edited = Definition::parse(&stored.path, &text)?;
        direct::check_edit(&stored, &edited)?;
        if let Ok(code) = models.resolve_type(&stored.type_name) {
            models.refuse_sensitive_literals(&code, &edited.name, &edited.global_arguments)?;
        }
        marsh_fs::atomic_write(&stored.path, text.as_bytes(), marsh_fs::Durability::Synced)?;
    }
    let status = if text == before { "unchanged" } else { "updated" };
    let document = json!({
        "path": path, "editor": editor, "status": status, "name": stored.definition.name,
        "type": stored.type_name, "editType": "definition",
    });
    ui.result(&document, || format!("{GOOD}{status}{GOOD:#} {path}"));
    done()
}

fn delete(ui: &Ui, models: &Models, name: &str, force: bool, yes: bool) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(name)?;
    let definition = &stored.definition;
    refuse_if_used(models, &stored)?;
    let (ty, id) = (&stored.type_name, &definition.id);
    let data = models.data.list_model(ty, id)?;
    let living = data.iter().filter(|metadata| !metadata.is_deleted()).count();
    if living > 0 && !force {
        return Err(CliError::Refused {
            message: format!(
                "`{}` still has {living} result{}",
                definition.name,
                if living == 1 { "" } else { "s" }
            ),
            hint: Some(format!("`marsh model delete {} --force` deletes them too", definition.name)),
        });
    }
    if !yes && !force && ui.can_ask() && !ui.confirm(&format!("delete the model `{}`?", definition.name)) {
        return Err(CliError::Refused { message: "nothing was deleted".into(), hint: None });
    }
    let mut deleted = 0;
    for metadata in &data {
        deleted += models.data.delete(ty, id, &metadata.name, None)?;
    }
    let mut outputs = 0;
    for output in models.outputs.list_type(ty)?.outputs {
        if output.record.definition_id == *id && models.outputs.remove(&output)? {
            outputs += 1;
        }
    }
    let evaluated = marsh_fs::remove_file_if_exists(&models.definitions.evaluated_path(definition, ty))?;
    marsh_fs::remove_file_if_exists(&stored.path)?;
    let document = json!({
        "id": id, "name": definition.name, "type": ty,
        "inputPath": models.repo.layout.display(&stored.path),
        "resourceDeleted": deleted > 0, "outputsDeleted": outputs, "evaluatedInputDeleted": evaluated,
        "dataDeleted": deleted, "expiredDataAutoCollected": 0,
    });
    ui.result(&document, || {
        format!(
            "{GOOD}deleted{GOOD:#} {NAME}{}{NAME:#}, {deleted} data versions, {outputs} run records",
            definition.name
        )
    });
    done()
}

/// A workflow that names the model would fail at its next run.
fn refuse_if_used(models: &Models, stored: &Stored) -> Result<(), CliError> {
    let Ok(entries) = std::fs::read_dir(models.repo.layout.workflows()) else { return Ok(()) };
    let (name, id) = (stored.definition.name.as_str(), stored.definition.id.as_str());
    for entry in entries.flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        let Ok(workflow) = yaml::from_str::<Value>(&text) else { continue };
        let jobs = workflow.get("jobs").and_then(Value::as_array).into_iter().flatten();
        let steps = jobs.flat_map(|job| job.get("steps").and_then(Value::as_array).into_iter().flatten());
        let used = steps
            .filter_map(|step| step.get("task")?.get("modelIdOrName")?.as_str())
            .any(|model| model == name || model == id);
        if used {
            let workflow = workflow.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
            return Err(CliError::Refused {
                message: format!("the workflow `{workflow}` uses `{name}`"),
                hint: Some(format!("take it out first: `marsh workflow edit {workflow}`")),
            });
        }
    }
    Ok(())
}

fn validate(ui: &Ui, models: &Models, name: Option<&str>) -> Result<ExitCode, CliError> {
    let (list, broken) = match name {
        Some(name) => (vec![models.definitions.find(name)?], Vec::new()),
        None => models.definitions.list(),
    };
    let reports: Vec<_> = list.iter().map(|stored| models.validate(stored)).collect();
    let documents: Vec<Value> = reports
        .iter()
        .map(|report| {
            let validations: Vec<Value> = report
                .checks
                .iter()
                .map(|check| match &check.error {
                    Some(error) => json!({ "name": check.name, "passed": false, "error": error }),
                    None => json!({ "name": check.name, "passed": true }),
                })
                .collect();
            let warnings: Vec<Value> =
                report.warnings.iter().map(|(name, message)| json!({ "name": name, "message": message })).collect();
            json!({
                "modelId": report.model_id, "modelName": report.model_name, "type": report.model_type,
                "validations": validations, "warnings": warnings, "passed": report.passed(),
            })
        })
        .chain(broken.iter().map(|broken| {
            json!({
                "modelName": models.repo.layout.display(&broken.path), "passed": false,
                "validations": [{ "name": "definition", "passed": false, "error": broken.message }], "warnings": [],
            })
        }))
        .collect();
    let passed = documents.iter().filter(|document| document["passed"] == true).count();
    let all_passed = passed == documents.len();
    let warnings: usize = reports.iter().map(|report| report.warnings.len()).sum();
    let text = || {
        let mut text = String::new();
        for document in &documents {
            let mark = if document["passed"] == true {
                format!("{GOOD}ok{GOOD:#}    ")
            } else {
                format!("{BAD}failed{BAD:#}")
            };
            text.push_str(&format!("{mark} {}\n", document["modelName"].as_str().unwrap_or_default()));
            for check in document["validations"].as_array().into_iter().flatten() {
                if let Some(error) = check["error"].as_str() {
                    text.push_str(&format!("       {error}\n"));
                }
            }
            for warning in document["warnings"].as_array().into_iter().flatten() {
                text.push_str(&format!(
                    "       warning: {}\n",
                    warning["message"].as_str().unwrap_or_default()
                ));
            }
        }
        if documents.is_empty() {
            text.push_str("no models yet\n");
        }
        text
    };
    let document = match (name, documents.as_slice()) {
        (Some(_), [one]) => one.clone(),
        _ => json!({
            "models": documents, "totalPassed": passed, "totalFailed": documents.len() - passed,
            "totalWarnings": warnings, "passed": all_passed,
        }),
    };
    ui.result(&document, text);
    if all_passed { done() } else { failed() }
}
