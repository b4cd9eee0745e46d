//! Inputs from the command line, a file or standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_model::inputs::{FileReader, merge, parse_inputs};
use marsh_model::{CheckSelection, Driver, Models};
use marsh_types::yaml;
use serde_json::{Map, Value};

use crate::args::{InputArgs, RunArgs};
use crate::error::CliError;

/// A method that says nothing about its time may run this long.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Reads `key=@file`, `~/` expanded.
pub struct Files<'a> {
    pub models: &'a Models,
}

impl FileReader for Files<'_> {
    fn read(&self, path: &str) -> std::io::Result<String> {
        let home = self.models.env.raw("HOME");
        let path = match (path.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => PathBuf::from(path),
        };
        std::fs::read_to_string(path)
    }
}

/// One set of inputs per run: several when standard input has several items.
pub fn read(models: &Models, arguments: &InputArgs) -> Result<Vec<Map<String, Value>>, CliError> {
    let given = parse_inputs(&arguments.input, &Files { models })?;
    let bases = match (&arguments.input_file, arguments.stdin) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| CliError::Read { what: path.display().to_string(), source })?;
            vec![document(&text, &path.display().to_string())?]
        }
        (None, true) => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|source| CliError::Read { what: "standard input".into(), source })?;
            items(&text)?
        }
        (None, false) => vec![Map::new()],
    };
    Ok(bases
        .into_iter()
        .map(|mut base| {
            merge(&mut base, given.clone());
            base
        })
        .collect())
}

fn document(text: &str, what: &str) -> Result<Map<String, Value>, CliError> {
    match yaml::from_str::<Value>(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(CliError::usage(format!("{what} must hold a map of inputs"))),
        Err(error) => {
            let place = match (error.line, error.column) {
                (Some(line), Some(column)) => format!("{what}:{line}:{column}"),
                _ => what.to_owned(),
            };
            Err(CliError::usage(format!("{place}: {}", error.message)))
        }
    }
}

/// A JSON object, an array of objects, one object per line, or a YAML map.
fn items(text: &str) -> Result<Vec<Map<String, Value>>, CliError> {
    const WHAT: &str = "standard input";
    let objects = |values: Vec<Value>| -> Result<Vec<Map<String, Value>>, CliError> {
        values
            .into_iter()
            .map(|value| match value {
                Value::Object(map) => Ok(map),
                _ => Err(CliError::usage("every item on standard input must be an object")),
            })
            .collect()
    };
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return match value {
            Value::Array(items) => objects(items),
            value => objects(vec![value]),
        };
    }
    let lines: Result<Vec<Value>, _> =
        text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect();
    match lines {
        Ok(values) if !values.is_empty() => objects(values),
        _ => Ok(vec![document(text, WHAT)?]),
    }
}

/// How long one method may take. Loading its code is bounded by the same time (`Command::load_timeout`).
pub fn deadline(arguments: &RunArgs) -> Duration {
    arguments.timeout.unwrap_or(DEFAULT_TIMEOUT)
}

/// `key=value` tags.
pub fn tags(arguments: &RunArgs) -> Result<Vec<(String, String)>, CliError> {
    arguments
        .tags
        .iter()
        .map(|tag| match tag.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(CliError::usage(format!("`--tag {tag}`: expected key=value"))),
        })
        .collect()
}

pub fn checks(arguments: &RunArgs) -> CheckSelection {
    CheckSelection {
        skip_all: arguments.skip_checks,
        skip_names: arguments.skip_check.clone(),
        skip_labels: arguments.skip_check_label.clone(),
    }
}

/// Where the methods run.
pub fn driver(arguments: &RunArgs) -> Result<Driver, CliError> {
    let config = match arguments.driver_config.as_deref().map(serde_json::from_str::<Value>) {
        None => Map::new(),
        Some(Ok(Value::Object(config))) => config,
        Some(Ok(_)) => return Err(CliError::usage("`--driver-config` must be a JSON object")),
        Some(Err(error)) => {
            return Err(CliError::usage(format!("invalid JSON in `--driver-config`: {error}")));
        }
    };
    match arguments.driver.as_deref() {
        None => Ok(Driver::Raw),
        Some(name) => Ok(Driver::choose(name, config)?),
    }
}
