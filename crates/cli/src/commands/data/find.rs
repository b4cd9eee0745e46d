//! Questions about all results, answered by the catalog.

use std::ops::ControlFlow;
use std::process::ExitCode;

use marsh_data::{Condition, Operator, Row};
use marsh_model::{ModelError, Models};
use serde_json::{Map, Value, json};

use super::done;
use crate::args::data::DataSearchArgs;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn search(ui: &Ui, models: &Models, arguments: &DataSearchArgs) -> Result<ExitCode, CliError> {
    let mut conditions = Vec::new();
    let mut filters = Map::new();
    let mut want = |filter: &str, path: &[&str], operator: Operator, literal: Value| {
        filters.insert(filter.to_owned(), literal.clone());
        let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        let condition = Condition::new(&path, operator, &literal);
        conditions.extend(condition);
    };
    want("latest", &["isLatest"], Operator::Equal, json!(true));
    for (filter, field, value) in [
        ("type", "dataType", &arguments.kind),
        ("lifetime", "lifetime", &arguments.lifetime),
        ("ownerType", "ownerType", &arguments.owner_type),
        ("contentType", "contentType", &arguments.content_type),
        ("run", "workflowRunId", &arguments.run),
    ] {
        if let Some(value) = value {
            want(filter, &[field], Operator::Equal, json!(value));
        }
    }
    if arguments.streaming {
        want("streaming", &["streaming"], Operator::Equal, json!(true));
    }
    if let Some(since) = arguments.since {
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let from = jiff::Timestamp::now().as_millisecond().saturating_sub(millis);
        let from = jiff::Timestamp::from_millisecond(from).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        want("since", &["createdAt"], Operator::GreaterOrEqual, json!(marsh_types::time::iso_millis(from)));
    }
    for tag in &arguments.tags {
        let (key, value) = tag
            .split_once('=')
            .filter(|(key, _)| !key.is_empty() && !key.contains(['"', '\\']))
            .ok_or_else(|| CliError::usage(format!("invalid tag `{tag}`; expected key=value")))?;
        want(&format!("tag:{key}"), &["tags", key], Operator::Equal, json!(value));
    }
    if let Some(model) = &arguments.model {
        // Data outlive their definition, and are found by its name then.
        match models.definitions.find(model) {
            Ok(stored) => want("model", &["modelId"], Operator::Equal, json!(stored.definition.id)),
            Err(ModelError::ModelNotFound { .. }) => {
                want("model", &["modelName"], Operator::Equal, json!(model))
            }
            Err(error) => return Err(error.into()),
        }
    }
    filters.remove("latest");
    if let Some(workflow) = &arguments.workflow {
        filters.insert("workflow".into(), json!(workflow));
    }
    let ids = match &arguments.output {
        None => None,
        Some(output) => {
            filters.insert("output".into(), json!(output));
            let found = models.outputs.find(output)?.ok_or_else(|| CliError::NotFound {
                message: format!("there is no method run `{output}`"),
                hint: Some("`marsh model output search` lists the runs".into()),
            })?;
            let artifacts = found.record.artifacts.unwrap_or_default().data_artifacts;
            Some(artifacts.into_iter().map(|artifact| artifact.data_id).collect::<Vec<_>>())
        }
    };
    let query = arguments.query.clone().unwrap_or_default();
    let mut rows: Vec<Row> = Vec::new();
    let mut total = 0;
    let selected = models.catalog()?.select(&conditions, None, &mut |row| {
        let of_workflow = arguments.workflow.as_deref().is_none_or(|wanted| {
            row.workflow_name == wanted || row.tags["workflow"] == wanted || row.tags["workflowId"] == wanted
        });
        let named = row.name.contains(&query) || row.model_name.contains(&query);
        if of_workflow && named && ids.as_ref().is_none_or(|ids| ids.contains(&row.id)) {
            total += 1;
            if rows.len() < arguments.limit {
                rows.push(row);
            }
        }
        ControlFlow::Continue(())
    });
    selected.map_err(ModelError::from)?;
    let results: Vec<Value> = rows.iter().map(search_item).collect();
    let document = json!({
        "query": query, "filters": filters, "results": results, "total": total, "limited": total > rows.len(),
    });
    ui.result(&document, || {
        let lines: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                vec![
                    row.model_name.clone(),
                    format!("{NAME}{}{NAME:#}", row.name),
                    format!("v{}", row.version),
                    row.data_type.clone(),
                    row.content_type.clone(),
                    format!("{DIM}{}{DIM:#}", row.created_at),
                ]
            })
            .collect();
        let mut text = columns(&lines);
        if total > rows.len() {
            text.push_str(&format!("{DIM}… {} more; `--limit` shows them{DIM:#}\n", total - rows.len()));
        }
        if total == 0 { "nothing found".to_owned() } else { text }
    });
    done()
}

fn search_item(row: &Row) -> Value {
    let mut item = json!({
        "id": row.id, "name": row.name, "version": row.version, "contentType": row.content_type,
        "type": row.data_type, "lifetime": row.lifetime, "ownerType": row.owner_type, "ownerRef": row.owner_ref,
        "modelId": row.model_id, "modelName": row.model_name, "modelType": row.type_normalized,
        "streaming": row.streaming, "size": row.size, "createdAt": row.created_at, "tags": row.tags,
    });
    for (key, tag) in [("workflowTag", "workflow"), ("jobTag", "job"), ("stepTag", "step")] {
        if let Some(value) = row.tags.get(tag) {
            item[key] = value.clone();
        }
    }
    item
}

pub fn query(
    ui: &Ui,
    models: &Models,
    predicate: &str,
    select: Option<&str>,
    limit: Option<usize>,
) -> Result<ExitCode, CliError> {
    let answer = models.query(predicate, select, limit)?;
    let mut document = json!({
        "predicate": predicate, "results": answer.records, "total": answer.records.len(),
        "limited": answer.limited,
    });
    if let Some(select) = select {
        document["select"] = json!(select);
        document["projected"] = json!({ "kind": answer.projected_kind(), "values": answer.projected });
    }
    ui.result(&document, || {
        if select.is_some() {
            let lines = answer.projected.iter().map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            return lines.collect::<Vec<_>>().join("\n");
        }
        if answer.records.is_empty() {
            return "nothing found".to_owned();
        }
        let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let rows: Vec<Vec<String>> = answer
            .records
            .iter()
            .map(|record| {
                vec![
                    text(record, "modelName"),
                    format!("{NAME}{}{NAME:#}", text(record, "name")),
                    format!("v{}", record["version"]),
                    text(record, "specName"),
                    format!("{DIM}{}{DIM:#}", text(record, "createdAt")),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}
