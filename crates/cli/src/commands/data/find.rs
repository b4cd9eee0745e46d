//! `marsh data search` and `marsh data query`.

use std::process::ExitCode;

use marsh_api::data::{DataQuery, DataSearchRequest};
use marsh_app::Read;
use serde_json::Value;

use super::done;
use crate::args::data::DataSearchArgs;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns};

pub fn search(ui: &Ui, read: Read<'_>, arguments: &DataSearchArgs) -> Result<ExitCode, CliError> {
    let found = read.search_data(&request(arguments))?;
    ui.result(&found, || {
        if found.total == 0 {
            return "no results match".to_owned();
        }
        let rows: Vec<Vec<String>> = found
            .results
            .iter()
            .map(|row| {
                vec![
                    row.model_name.clone(),
                    format!("{NAME}{}{NAME:#}", row.name),
                    format!("v{}", row.version),
                    row.kind.clone(),
                    row.content_type.clone(),
                    format!("{DIM}{}{DIM:#}", row.created_at),
                ]
            })
            .collect();
        let mut text = columns(&rows);
        let more = found.total - found.results.len();
        if more > 0 {
            text.push_str(&format!("{DIM}… {more} more; raise `--limit` to see them{DIM:#}\n"));
        }
        text
    });
    done()
}

fn request(arguments: &DataSearchArgs) -> DataSearchRequest {
    DataSearchRequest {
        query: arguments.query.clone(),
        kind: arguments.kind.clone(),
        lifetime: arguments.lifetime.clone(),
        owner_type: arguments.owner_type.clone(),
        workflow: arguments.workflow.clone(),
        model: arguments.model.clone(),
        content_type: arguments.content_type.clone(),
        since_ms: arguments.since.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        output: arguments.output.clone(),
        run: arguments.run.clone(),
        tags: arguments.tags.clone(),
        streaming: arguments.streaming,
        limit: arguments.limit,
    }
}

pub fn query(
    ui: &Ui,
    read: Read<'_>,
    predicate: Option<&str>,
    select: Option<&str>,
    limit: Option<usize>,
) -> Result<ExitCode, CliError> {
    let found = read.query_data(predicate, select, limit)?;
    ui.result(&found, || {
        let found = match &found {
            DataQuery::Records(found) => found,
            DataQuery::Selected(selected) => {
                let lines = selected.results.iter().map(|value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                return lines.collect::<Vec<_>>().join("\n");
            }
        };
        if found.results.is_empty() {
            return "no results match".to_owned();
        }
        let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let rows: Vec<Vec<String>> = found
            .results
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
