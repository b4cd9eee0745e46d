//! `marsh workflow validate`.

use std::process::ExitCode;

use marsh_model::Models;
use marsh_workflow::schema::Problem;
use marsh_workflow::{Report, Workflows};
use serde_json::{Map, Value, json};

use super::shown;
use crate::commands::{done, failed};
use crate::error::{CliError, excerpt};
use crate::ui::{BAD, GOOD, Ui, WARN};

pub fn validate(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    name: Option<&str>,
) -> Result<ExitCode, CliError> {
    let (stored, broken) = match name {
        Some(name) => (vec![workflows.store().find(name)?], Vec::new()),
        None => {
            let listing = workflows.store().list()?;
            (listing.workflows, listing.broken)
        }
    };
    let mut documents: Vec<Value> =
        stored.iter().map(|stored| report_json(&workflows.validate(stored))).collect();
    for broken in &broken {
        let path = shown(models, &broken.path);
        let validations: Vec<Value> = broken
            .problems
            .iter()
            .map(|problem| {
                let mut fields = Map::new();
                fields.insert("name".into(), json!("schema"));
                fields.insert("passed".into(), json!(false));
                fields.insert("error".into(), json!(problem.message));
                place(&mut fields, &path, problem);
                Value::Object(fields)
            })
            .collect();
        documents.push(
            json!({ "workflowName": path, "validations": validations, "totalWarnings": 0, "passed": false }),
        );
    }
    let all_passed = documents.iter().all(|document| document["passed"] == true);
    let text = || validation_text(&documents);
    let document = match (name, documents.as_slice()) {
        (Some(_), [one]) => one.clone(),
        _ => json!({ "workflows": documents, "passed": all_passed }),
    };
    ui.result(&document, text);
    if all_passed { done() } else { failed() }
}

/// Where a problem is, as far as that is known.
fn place(fields: &mut Map<String, Value>, file: &str, problem: &Problem) {
    let Some(line) = problem.line else { return };
    fields.insert("file".into(), json!(file));
    fields.insert("line".into(), json!(line));
    fields.insert("column".into(), json!(problem.column));
    fields.insert("sourceLine".into(), json!(problem.source_line));
}

fn report_json(report: &Report) -> Value {
    let path = report.path.display().to_string();
    let validations: Vec<Value> = report
        .checks
        .iter()
        .map(|check| {
            let mut fields = Map::new();
            fields.insert("name".into(), json!(check.name));
            fields.insert("passed".into(), json!(check.error.is_none()));
            if let Some(warning) = &check.warning {
                fields.insert("warning".into(), json!(warning));
            }
            if let Some(error) = &check.error {
                fields.insert("error".into(), json!(error));
            }
            if let Some(at) = &check.at {
                place(&mut fields, &path, at);
            }
            Value::Object(fields)
        })
        .collect();
    json!({
        "workflowId": report.workflow_id, "workflowName": report.workflow_name, "validations": validations,
        "totalWarnings": report.warnings(), "passed": report.passed(),
    })
}

fn validation_text(documents: &[Value]) -> String {
    if documents.is_empty() {
        return "no workflows yet".to_owned();
    }
    let mut text = String::new();
    for document in documents {
        let passed = document["passed"] == true;
        let mark = if passed { format!("{GOOD}ok{GOOD:#}    ") } else { format!("{BAD}failed{BAD:#}") };
        text.push_str(&format!("{mark} {}\n", document["workflowName"].as_str().unwrap_or_default()));
        for item in document["validations"].as_array().into_iter().flatten() {
            let place = excerpt(item).map_or_else(String::new, |place| indented(&place));
            if let Some(error) = item["error"].as_str() {
                text.push_str(&format!(
                    "       {}: {error}\n{place}",
                    item["name"].as_str().unwrap_or_default()
                ));
            }
            if let Some(warning) = item["warning"].as_str() {
                text.push_str(&format!("       {WARN}warning{WARN:#}: {warning}\n{place}"));
            }
        }
    }
    text
}

fn indented(place: &str) -> String {
    place.lines().map(|line| format!("       {line}\n")).collect()
}
