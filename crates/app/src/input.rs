//! Inputs and options of runs: `key=value` texts, files and items become values here, once for every interface.

use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_host_client::CancelToken;
use marsh_model::inputs::{FileReader, merge, parse_inputs};
use marsh_model::{CheckSelection, Driver};
use marsh_types::yaml;
use serde_json::{Map, Value};

use crate::error::AppError;
use crate::session::Read;

/// A method that names no timeout may run this long.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Inputs as texts, before they are read.
#[derive(Debug, Clone, Default)]
pub struct InputItems {
    /// `key=value`, `key:=json`, `key=@file`; these win over the items.
    pub given: Vec<String>,
    /// A text with items, and what to call it in messages. A file holds one map; standard input may hold several.
    pub text: Option<(String, String)>,
    /// Whether the text may hold several items.
    pub several: bool,
}

/// What the runs of methods and workflows have in common.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Tags for everything that the run writes.
    pub tags: Vec<(String, String)>,
    /// Skip all pre-flight checks.
    pub skip_checks: bool,
    /// Skip the checks with these names.
    pub skip_check_names: Vec<String>,
    /// Skip the checks with these labels.
    pub skip_check_labels: Vec<String>,
    /// How long one method may take, loading included.
    pub timeout: Option<Duration>,
    /// Where methods run.
    pub driver: Option<String>,
    /// JSON text: the configuration of the driver.
    pub driver_config: Option<String>,
    /// Cancels this run alone; `None`: the run ends when the session is cancelled.
    pub cancel: Option<CancelToken>,
}

/// `key=value` texts as tags.
///
/// # Errors
///
/// When a text is not `key=value`.
pub fn parse_tags(texts: &[String]) -> Result<Vec<(String, String)>, AppError> {
    texts
        .iter()
        .map(|tag| match tag.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(AppError::usage(format!("invalid tag `{tag}`: expected key=value"))),
        })
        .collect()
}

impl RunOptions {
    /// The pre-flight checks that run.
    pub fn checks(&self) -> CheckSelection {
        CheckSelection {
            skip_all: self.skip_checks,
            skip_names: self.skip_check_names.clone(),
            skip_labels: self.skip_check_labels.clone(),
        }
    }

    /// How long one method may take.
    pub fn deadline(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT)
    }

    /// Where methods run.
    ///
    /// # Errors
    ///
    /// When the name or the configuration of the driver is invalid.
    pub fn driver(&self) -> Result<Driver, AppError> {
        let config = match self.driver_config.as_deref().map(serde_json::from_str::<Value>) {
            None => Map::new(),
            Some(Ok(Value::Object(config))) => config,
            Some(Ok(_)) => return Err(AppError::usage("`--driver-config` must be a JSON object")),
            Some(Err(error)) => {
                return Err(AppError::usage(format!("invalid JSON in `--driver-config`: {error}")));
            }
        };
        match self.driver.as_deref() {
            None => Ok(Driver::Raw),
            Some(name) => Ok(Driver::choose(name, config)?),
        }
    }
}

/// Reads `key=@file`, `~/` expanded.
struct Files<'a> {
    home: Option<&'a str>,
}

impl FileReader for Files<'_> {
    fn read(&self, path: &str) -> std::io::Result<String> {
        let path = match (path.strip_prefix("~/"), self.home) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => PathBuf::from(path),
        };
        std::fs::read_to_string(path)
    }
}

impl Read<'_> {
    /// `key=value` texts as values.
    pub(crate) fn parse_inputs(&self, given: &[String]) -> Result<Map<String, Value>, AppError> {
        Ok(parse_inputs(given, &Files { home: self.models().env.raw("HOME") })?)
    }

    /// What cancels a run with these options.
    pub(crate) fn cancel_of<'b>(&'b self, options: &'b RunOptions) -> &'b CancelToken {
        options.cancel.as_ref().unwrap_or_else(|| self.models().loader.cancel())
    }

    /// The inputs of the only run.
    ///
    /// # Errors
    ///
    /// When a text or a file cannot be read as inputs, or there is not exactly one set of inputs.
    pub fn inputs_of_one_run(&self, items: &InputItems) -> Result<Map<String, Value>, AppError> {
        let mut sets = self.inputs(items)?;
        match (sets.pop(), sets.len()) {
            (Some(only), 0) => Ok(only),
            (last, others) => {
                let found = others + usize::from(last.is_some());
                Err(AppError::usage(format!("expected one set of inputs, found {found}")))
            }
        }
    }

    /// One map of inputs for each run.
    ///
    /// # Errors
    ///
    /// When a text or a file cannot be read as inputs.
    pub fn inputs(&self, items: &InputItems) -> Result<Vec<Map<String, Value>>, AppError> {
        let given = self.parse_inputs(&items.given)?;
        let bases = match &items.text {
            None => vec![Map::new()],
            Some((text, what)) if items.several => several(text, what)?,
            Some((text, what)) => vec![document(text, what)?],
        };
        Ok(bases
            .into_iter()
            .map(|mut base| {
                merge(&mut base, given.clone());
                base
            })
            .collect())
    }
}

fn document(text: &str, what: &str) -> Result<Map<String, Value>, AppError> {
    match yaml::from_str::<Value>(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(AppError::usage(format!("{what} must hold a map of inputs"))),
        Err(error) => {
            let place = match (error.line, error.column) {
                (Some(line), Some(column)) => format!("{what}:{line}:{column}"),
                _ => what.to_owned(),
            };
            Err(AppError::usage(format!("{place}: {}", error.message)))
        }
    }
}

/// A JSON object, an array of objects, one object per line, or a YAML map.
fn several(text: &str, what: &str) -> Result<Vec<Map<String, Value>>, AppError> {
    let objects = |values: Vec<Value>| -> Result<Vec<Map<String, Value>>, AppError> {
        values
            .into_iter()
            .map(|value| match value {
                Value::Object(map) => Ok(map),
                _ => Err(AppError::usage(format!("every item on {what} must be an object"))),
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
        _ => Ok(vec![document(text, what)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_json_objects_are_one_item_each() {
        assert_eq!(several("{\"a\": 1}\n\n{\"a\": 2}\n", "standard input").unwrap().len(), 2);
        assert_eq!(several("[{\"a\": 1}, {}]", "standard input").unwrap().len(), 2);
        assert_eq!(several("a: 1\nb: 2\n", "standard input").unwrap().len(), 1);
    }

    #[test]
    fn item_that_is_not_an_object_is_refused() {
        let error = several("[1]", "standard input").unwrap_err();
        assert_eq!(error.to_string(), "every item on standard input must be an object");
    }

    #[test]
    fn invalid_driver_configuration_names_the_option() {
        let options = RunOptions { driver_config: Some("{".into()), ..RunOptions::default() };
        let message = options.driver().unwrap_err().to_string();
        assert!(message.starts_with("invalid JSON in `--driver-config`"), "{message}");
    }

    #[test]
    fn tag_without_a_value_is_refused() {
        let error = parse_tags(&["env".into()]).unwrap_err();
        assert_eq!(error.to_string(), "invalid tag `env`: expected key=value");
    }
}
