//! Functions for the workflow commands until they run on sessions too.

use std::time::Duration;

use marsh_app::{Read, ReportSelection};
use marsh_model::run::ArtifactView;
use marsh_model::run::reports::ReportOutcome;
use marsh_model::{CheckSelection, Driver, Models};
use serde_json::{Map, Value};

use super::{input, method, model, report};
use crate::args::report::ReportSelectionArgs;
use crate::args::{InputArgs, RunArgs};
use crate::error::CliError;

pub fn read(models: &Models, arguments: &InputArgs) -> Result<Vec<Map<String, Value>>, CliError> {
    Ok(Read::of_models(models).inputs(&input::items(arguments)?)?)
}

pub fn deadline(arguments: &RunArgs) -> Duration {
    input::options(arguments).deadline()
}

pub fn tags(arguments: &RunArgs) -> Result<Vec<(String, String)>, CliError> {
    Ok(input::options(arguments).tags()?)
}

pub fn checks(arguments: &RunArgs) -> CheckSelection {
    input::options(arguments).checks()
}

pub fn driver(arguments: &RunArgs) -> Result<Driver, CliError> {
    Ok(input::options(arguments).driver()?)
}

pub fn selection(arguments: &ReportSelectionArgs) -> ReportSelection {
    input::reports(arguments)
}

pub fn reports_json(outcomes: &[ReportOutcome]) -> Value {
    let shapes: Map<String, Value> = outcomes
        .iter()
        .map(|outcome| {
            let document = serde_json::to_value(marsh_app::report_result(outcome)).unwrap_or_default();
            (outcome.name.clone(), document)
        })
        .collect();
    Value::Object(shapes)
}

pub fn to_text(outcome: &ReportOutcome) -> String {
    report::result_text(&marsh_app::report_result(outcome))
}

pub fn artifact_lines(artifacts: &[ArtifactView], indent: usize) -> String {
    let artifacts: Vec<_> = artifacts.iter().map(marsh_app::data_artifact).collect();
    method::data_artifact_lines(&artifacts, indent)
}

pub fn edited_text(models: &Models, before: &str, name: &str) -> Result<(String, Option<String>), CliError> {
    model::edited(&Read::of_models(models), before, name)
}
