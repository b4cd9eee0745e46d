//! `marsh model output …`: records of method runs.

use std::process::ExitCode;

use marsh_data::StoredOutput;
use marsh_model::{ModelError, Models};
use serde_json::{Map, Value, json};

use super::done;
use crate::args::OutputCommand;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns, value_lines};

pub fn run(ui: &Ui, models: &Models, command: &OutputCommand) -> Result<ExitCode, CliError> {
    match command {
        OutputCommand::Get { output } => get(ui, models, output),
        OutputCommand::Search { query } => search(ui, models, query.as_deref().unwrap_or_default()),
        OutputCommand::Logs { output, tail } => logs(ui, models, output, *tail),
    }
}

/// A record by its id or the start of it, else the last run of the model of that name.
fn find(models: &Models, wanted: &str) -> Result<StoredOutput, CliError> {
    if let Ok(Some(output)) = models.outputs.find(wanted) {
        return Ok(output);
    }
    let stored = match models.definitions.find(wanted) {
        Ok(stored) => stored,
        Err(ModelError::ModelNotFound { .. }) => {
            // Says what is wrong with a prefix, if that is what it was.
            models.outputs.find(wanted)?;
            return Err(CliError::NotFound {
                message: format!("there is no run and no model `{wanted}`"),
                hint: Some("`marsh model output search` lists the runs there are".into()),
            });
        }
        Err(error) => return Err(error.into()),
    };
    let outputs = models.outputs.list_type(&stored.type_name)?.outputs;
    let of_model = outputs.into_iter().filter(|output| output.record.definition_id == stored.definition.id);
    of_model
        .max_by(|a, b| a.record.started_at.cmp(&b.record.started_at))
        .ok_or_else(|| CliError::NotFound { message: format!("`{wanted}` was never run"), hint: None })
}

fn model_name(models: &Models, output: &StoredOutput) -> Option<String> {
    models.definitions.find(&output.record.definition_id).ok().map(|stored| stored.definition.name)
}

fn get(ui: &Ui, models: &Models, wanted: &str) -> Result<ExitCode, CliError> {
    let output = find(models, wanted)?;
    let mut document = Map::new();
    document.insert("id".into(), json!(output.record.id));
    document.insert("definitionId".into(), json!(output.record.definition_id));
    document.insert("modelName".into(), json!(model_name(models, &output)));
    document.insert("type".into(), json!(output.type_path));
    if let Ok(Value::Object(fields)) = serde_json::to_value(&output.record) {
        for (key, value) in fields {
            document.entry(key).or_insert(value);
        }
    }
    let document = Value::Object(document);
    ui.result(&document, || value_lines(&document, 0));
    done()
}

fn search(ui: &Ui, models: &Models, query: &str) -> Result<ExitCode, CliError> {
    let listing = models.outputs.list()?;
    for damaged in &listing.damaged {
        let path = models.repo.layout.display(&damaged.path);
        ui.warn(format_args!("skipped {}: {}", path.display(), damaged.message));
    }
    let names: std::collections::HashMap<String, String> = models
        .definitions
        .list()
        .0
        .into_iter()
        .map(|stored| (stored.definition.id, stored.definition.name))
        .collect();
    let wanted = query.to_lowercase();
    let mut outputs: Vec<(StoredOutput, Option<&String>)> = listing
        .outputs
        .into_iter()
        .map(|output| {
            let name = names.get(&output.record.definition_id);
            (output, name)
        })
        .filter(|(output, name)| {
            name.is_some_and(|name| name.to_lowercase().contains(&wanted))
                || output.type_path.as_str().contains(&wanted)
                || output.record.method_name.to_lowercase().contains(&wanted)
        })
        .collect();
    outputs.sort_by(|a, b| b.0.record.started_at.cmp(&a.0.record.started_at));
    let results: Vec<Value> = outputs
        .iter()
        .map(|(output, name)| {
            json!({
                "id": output.record.id, "definitionId": output.record.definition_id, "modelName": name,
                "type": output.type_path, "methodName": output.record.method_name,
                "status": output.record.status.as_str(), "startedAt": output.record.started_at,
                "durationMs": output.record.duration_ms,
            })
        })
        .collect();
    ui.result(&json!({ "query": query, "results": results }), || {
        if outputs.is_empty() {
            return "no runs".to_owned();
        }
        let rows: Vec<Vec<String>> = outputs
            .iter()
            .map(|(output, name)| {
                vec![
                    output.record.id.chars().take(8).collect(),
                    format!("{NAME}{}{NAME:#}", name.map_or("?", String::as_str)),
                    output.record.method_name.clone(),
                    output.record.status.as_str().to_owned(),
                    format!("{DIM}{}{DIM:#}", output.record.started_at),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn logs(ui: &Ui, models: &Models, wanted: &str, tail: Option<usize>) -> Result<ExitCode, CliError> {
    let output = find(models, wanted)?;
    // A run that said nothing leaves no file.
    let log = output.record.log_file.as_deref();
    let text = match log {
        None => String::new(),
        Some(log) => std::fs::read_to_string(models.repo.layout.root().join(log))
            .map_err(|source| CliError::Read { what: log.to_owned(), source })?,
    };
    if text.is_empty() {
        Ui::note("the run logged nothing");
    }
    show_log(
        ui,
        log,
        &text,
        tail,
        &json!({ "outputId": output.record.id, "methodName": output.record.method_name }),
    );
    done()
}

/// The lines of a log, or the last of them.
pub fn show_log(ui: &Ui, path: Option<&str>, text: &str, tail: Option<usize>, header: &Value) {
    let all: Vec<&str> = text.lines().collect();
    let shown = &all[all.len().saturating_sub(tail.unwrap_or(all.len()))..];
    let mut document = header.clone();
    document["path"] = json!(path);
    document["lines"] = json!(shown);
    document["totalLines"] = json!(all.len());
    document["showingLines"] = json!(shown.len());
    ui.result(&document, || shown.join("\n"));
}
