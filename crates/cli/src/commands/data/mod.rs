//! `marsh data …`: showing results of a model. Changes: `change`. Questions about all: `find`.

mod change;
mod find;

use std::process::ExitCode;

use marsh_data::Metadata;
use marsh_model::{Models, Stored};
use marsh_types::near;
use serde_json::{Map, Value, json};

use super::done;
use crate::args::DataCommand;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns, value_lines};

pub fn run(ui: &Ui, models: &Models, command: &DataCommand) -> Result<ExitCode, CliError> {
    match command {
        DataCommand::Get { model, name, version, no_content } => {
            get(ui, models, model, name, *version, *no_content)
        }
        DataCommand::List { model, kind } => list(ui, models, model, kind.as_deref()),
        DataCommand::Versions { model, name } => versions(ui, models, model, name),
        DataCommand::Search(arguments) => find::search(ui, models, arguments),
        DataCommand::Query { predicate, select, limit } => {
            find::query(ui, models, predicate, select.as_deref(), *limit)
        }
        command => change::run(ui, models, command),
    }
}

fn no_such(models: &Models, stored: &Stored, name: &str, version: Option<u32>) -> CliError {
    let what = version
        .map_or_else(|| format!("no result `{name}`"), |version| format!("no version {version} of `{name}`"));
    let known = models.data.list_model(&stored.type_name, &stored.definition.id).unwrap_or_default();
    let hint = near::did_you_mean(name, known.iter().map(|metadata| metadata.name.as_str()))
        .filter(|_| version.is_none())
        .unwrap_or_else(|| format!("`marsh data list {}` shows what there is", stored.definition.name));
    CliError::NotFound { message: format!("`{}` has {what}", stored.definition.name), hint: Some(hint) }
}

fn get(
    ui: &Ui,
    models: &Models,
    model: &str,
    name: &str,
    version: Option<u32>,
    no_content: bool,
) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(model)?;
    let (ty, id) = (&stored.type_name, &stored.definition.id);
    let found = match version {
        Some(version) => models.data.metadata(ty, id, name, version)?,
        None => models.data.latest(ty, id, name)?,
    };
    let metadata = found.ok_or_else(|| no_such(models, &stored, name, version))?;
    let version = Some(metadata.version);
    let mut document = model_header(&metadata, &stored);
    let path = models.data.content_path(ty, id, &metadata.name, version)?;
    document
        .insert("contentPath".into(), json!(path.as_deref().map(|path| models.repo.layout.display(path))));
    let content = if no_content { None } else { models.data.content(ty, id, &metadata.name, version)? };
    let value = content.as_deref().map(|bytes| content_value(&metadata, bytes));
    if let Some(value) = &value {
        document.insert("content".into(), value.clone());
    }
    ui.result(&Value::Object(document), || {
        let mut text = format!(
            "{NAME}{}{NAME:#} {DIM}v{} of {}, {}, {}{DIM:#}\n",
            metadata.name,
            metadata.version,
            stored.definition.name,
            metadata.content_type,
            metadata.created_at
        );
        match &value {
            Some(Value::String(content)) => text.push_str(content),
            Some(value) => text.push_str(&value_lines(value, 2)),
            None => {}
        }
        text
    });
    done()
}

/// JSON as JSON, text as text; other bytes stay where they are, and `contentPath` says where.
fn content_value(metadata: &Metadata, bytes: &[u8]) -> Value {
    if metadata.content_type == "application/json"
        && let Ok(value) = serde_json::from_slice(bytes)
    {
        return value;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => Value::Null,
    }
}

fn model_header(metadata: &Metadata, stored: &Stored) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("id".into(), json!(metadata.id));
    document.insert("name".into(), json!(metadata.name));
    document.insert("modelId".into(), json!(stored.definition.id));
    document.insert("modelName".into(), json!(stored.definition.name));
    document.insert("modelType".into(), json!(stored.type_name));
    let metadata = serde_json::to_value(metadata).unwrap_or(Value::Null);
    if let Value::Object(fields) = metadata {
        for (key, value) in fields {
            document.entry(key).or_insert(value);
        }
    }
    document
}

fn list(ui: &Ui, models: &Models, model: &str, kind: Option<&str>) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(model)?;
    let mut all = models.data.list_model(&stored.type_name, &stored.definition.id)?;
    let kind_of = |metadata: &Metadata| metadata.tags.get("type").unwrap_or("data").to_owned();
    all.retain(|metadata| kind.is_none_or(|kind| kind_of(metadata) == kind));
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for metadata in &all {
        let kind = kind_of(metadata);
        let item = json!({
            "id": metadata.id, "name": metadata.name, "version": metadata.version,
            "contentType": metadata.content_type, "type": kind, "streaming": metadata.streaming,
            "size": metadata.size, "createdAt": metadata.created_at,
        });
        match groups.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, items)) => items.push(item),
            None => groups.push((kind, vec![item])),
        }
    }
    let groups: Vec<Value> =
        groups.into_iter().map(|(kind, items)| json!({ "type": kind, "items": items })).collect();
    let document = json!({
        "modelId": stored.definition.id, "modelName": stored.definition.name, "modelType": stored.type_name,
        "namespace": "", "groups": groups, "total": all.len(),
    });
    ui.result(&document, || {
        if all.is_empty() {
            return format!("`{}` has no results yet", stored.definition.name);
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|metadata| {
                vec![
                    format!("{NAME}{}{NAME:#}", metadata.name),
                    format!("v{}", metadata.version),
                    kind_of(metadata),
                    metadata.content_type.clone(),
                    metadata.size.map_or_else(String::new, |size| format!("{size} B")),
                    format!("{DIM}{}{DIM:#}", metadata.created_at),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn versions(ui: &Ui, models: &Models, model: &str, name: &str) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(model)?;
    let (ty, id) = (&stored.type_name, &stored.definition.id);
    let versions = models.data.versions(ty, id, name)?;
    let latest = models.data.latest(ty, id, name)?.map(|metadata| metadata.version);
    if versions.is_empty() {
        return Err(no_such(models, &stored, name, None));
    }
    let items: Vec<Value> = versions
        .iter()
        .rev()
        .map(|metadata| {
            json!({
                "version": metadata.version, "createdAt": metadata.created_at, "size": metadata.size,
                "checksum": metadata.checksum, "isLatest": Some(metadata.version) == latest,
            })
        })
        .collect();
    let document = json!({
        "dataName": name, "modelId": id, "modelName": stored.definition.name, "modelType": ty,
        "versions": items, "total": versions.len(),
    });
    ui.result(&document, || {
        let rows: Vec<Vec<String>> = versions
            .iter()
            .rev()
            .map(|metadata| {
                vec![
                    format!("v{}", metadata.version),
                    metadata.created_at.clone(),
                    metadata.size.map_or_else(String::new, |size| format!("{size} B")),
                    if Some(metadata.version) == latest { "latest".to_owned() } else { String::new() },
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}
