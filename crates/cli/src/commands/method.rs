//! `marsh model method …`.

use std::process::ExitCode;
use std::time::Duration;

use marsh_extension::kinds::CallOptions;
use marsh_model::run::ArtifactView;
use marsh_model::{
    ModelError, Models, Observer, RunEvent, RunOutcome, RunRequest, RunStatus, Target, Trigger,
};
use marsh_types::{Explain as _, TypeName};
use serde_json::{Map, Value, json};

use super::{done, input, report};
use crate::args::{MethodCommand, MethodRunArgs};
use crate::error::{CliError, excerpt};
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, value_lines};
use crate::{app, exit};

pub fn run(ui: &Ui, models: &Models, command: &MethodCommand) -> Result<ExitCode, CliError> {
    match command {
        MethodCommand::Run(arguments) => run_method(ui, models, arguments),
        MethodCommand::Describe { name, method } => describe(ui, models, name, method),
    }
}

fn describe(ui: &Ui, models: &Models, name: &str, method: &str) -> Result<ExitCode, CliError> {
    let stored = models.definitions.find(name)?;
    let code = models.resolve_type(&stored.type_name)?;
    let described = code.method(method)?;
    let document = json!({
        "modelName": stored.definition.name,
        "modelType": code.type_name,
        "version": code.description.version,
        "method": super::types::method_json(method, described),
        "dataOutputSpecs": super::types::output_specs(&code.description),
    });
    ui.result(&document, || {
        let mut text =
            format!("{NAME}{}{NAME:#} {method}\n  {}\n", stored.definition.name, described.description);
        text.push_str(&super::types::argument_lines(&described.arguments, 2));
        text
    });
    done()
}

fn target(arguments: &MethodRunArgs) -> Result<Target, CliError> {
    match (&arguments.name, arguments.target.starts_with('@')) {
        (Some(name), true) => Ok(Target::Direct {
            type_name: TypeName::parse(&arguments.target).map_err(marsh_model::ModelError::from)?,
            name: name.clone(),
            global_arguments: None,
        }),
        (Some(name), false) => Err(CliError::Usage {
            message: format!("unexpected argument `{name}`: `{}` is no @type", arguments.target),
            hint: Some(format!(
                "to run a type directly: marsh model method run @{} {} {name}",
                arguments.target, arguments.method
            )),
        }),
        // `@scope/name` may also be the name of a definition.
        (None, _) => Ok(Target::Definition(arguments.target.clone())),
    }
}

fn run_method(ui: &Ui, models: &Models, arguments: &MethodRunArgs) -> Result<ExitCode, CliError> {
    let target = target(arguments)?;
    let inputs = input::read(models, &arguments.inputs)?;
    let driver = input::driver(&arguments.run)?;
    let cancel = app::cancel_on_signal(models);
    let several = inputs.len() > 1;
    let mut documents = Vec::new();
    let mut worst = exit::DONE;
    for inputs in inputs {
        let request = RunRequest {
            target: target.clone(),
            method: arguments.method.clone(),
            inputs,
            tags: input::tags(&arguments.run)?,
            checks: input::checks(&arguments.run),
            deadline: input::deadline(&arguments.run),
            cancel: &cancel,
            trigger: Trigger::Manual,
            last_evaluated: arguments.last_evaluated,
            initiated_by: app::initiated_by(&models.env),
            pins: None,
            output_overrides: Vec::new(),
            driver: driver.clone(),
            gate: None,
        };
        let outcome = match models.run(&request, &Talk { ui }) {
            Ok(outcome) => outcome,
            // One document: with several items, what ran before this one is in it.
            Err(error) if several && ui.is_json() => {
                documents.push(CliError::from(error).to_json());
                worst = exit::FAILED;
                break;
            }
            Err(error) => return Err(name_missing(models, arguments, error)),
        };
        worst = worst.max(exit_of(outcome.status));
        let reports = if outcome.status == RunStatus::Cancelled {
            Vec::new()
        } else {
            let options = CallOptions { cancel: cancel.clone(), ..CallOptions::default() };
            models.report_on(&outcome, &report::selection(&arguments.reports), &options, &Talk { ui })?
        };
        if reports.iter().any(|report| report.result.is_err()) {
            worst = worst.max(exit::FAILED);
        }
        if ui.is_json() {
            let mut document = outcome_json(&outcome);
            if !reports.is_empty() {
                document["reports"] = report::reports_json(&reports);
            }
            documents.push(document);
        } else {
            show(ui, &outcome);
            for report in &reports {
                ui.result(&Value::Null, || report::to_text(report));
            }
        }
        if cancel.is_cancelled() {
            break;
        }
    }
    if ui.is_json() {
        let document = if several {
            Value::Array(documents)
        } else {
            documents.into_iter().next().unwrap_or(Value::Null)
        };
        ui.result(&document, String::new);
    }
    Ok(ExitCode::from(worst))
}

/// `@type` without a name reads as the name of a definition; say what is missing when it is a type.
fn name_missing(models: &Models, arguments: &MethodRunArgs, error: ModelError) -> CliError {
    let is_type = matches!(error, ModelError::ModelNotFound { .. })
        && arguments.name.is_none()
        && TypeName::parse(&arguments.target).is_ok_and(|type_name| models.knows_type(&type_name));
    if !is_type {
        return error.into();
    }
    CliError::Usage {
        message: format!("`{}` is a type: give the name of a definition too", arguments.target),
        hint: Some(format!("marsh model method run {} {} <name>", arguments.target, arguments.method)),
    }
}

pub fn exit_of(status: RunStatus) -> u8 {
    match status {
        RunStatus::Succeeded => exit::DONE,
        RunStatus::Cancelled => exit::INTERRUPTED,
        _ => exit::FAILED,
    }
}

/// Shows what happens while a method runs.
pub struct Talk<'a> {
    pub ui: &'a Ui,
}

impl Observer for Talk<'_> {
    fn event(&self, event: &RunEvent) {
        let ui = self.ui;
        match event {
            RunEvent::Output { line, .. } => ui.say(format_args!("{DIM}│{DIM:#} {line}")),
            RunEvent::Warning { message, .. } => ui.warn(message),
            RunEvent::DefinitionCreated { name, .. } => {
                ui.say(format_args!("made the definition {NAME}{name}{NAME:#}"))
            }
            RunEvent::GlobalArgumentsUpdated { name } => {
                ui.say(format_args!("updated the global arguments of {NAME}{name}{NAME:#}"));
            }
            RunEvent::Upgraded { name, to_version } => {
                ui.say(format_args!("upgraded {NAME}{name}{NAME:#} to {to_version}"));
            }
            RunEvent::Executing { checks, .. } if !checks.is_empty() && ui.is_verbose() => {
                ui.say(format_args!("checks passed: {}", checks.join(", ")));
            }
            _ => {}
        }
    }
}

fn show(ui: &Ui, outcome: &RunOutcome) {
    ui.result(&Value::Null, || outcome_text(outcome, ui.is_verbose()));
    if let Some(error) = &outcome.error {
        show_error(ui, error);
    }
}

fn show_error(ui: &Ui, error: &marsh_model::ModelError) {
    let mut message = error.to_string();
    if let Some(place) = error.details().as_ref().and_then(excerpt) {
        message = format!("{message}\n{place}");
    }
    ui.problem(&message, error.hint().as_deref());
}

/// The outcome as text: what was written, and what is in it.
pub fn outcome_text(outcome: &RunOutcome, verbose: bool) -> String {
    let time = duration(Duration::from_millis(outcome.duration_ms));
    let status = match outcome.status {
        RunStatus::Succeeded => format!("{GOOD}succeeded{GOOD:#}"),
        RunStatus::Cancelled => format!("{BAD}cancelled{BAD:#}"),
        _ => format!("{BAD}failed{BAD:#}"),
    };
    let mut text = format!("{NAME}{}{NAME:#} {} {status} in {time}\n", outcome.model_name, outcome.method);
    text.push_str(&artifact_lines(&outcome.artifacts, 2));
    if verbose {
        text.push_str(&format!("  {DIM}record{DIM:#}  {}\n", outcome.output_id));
        if let Some(log) = &outcome.log_file {
            text.push_str(&format!("  {DIM}log{DIM:#}     {log}\n"));
        }
    }
    text
}

pub fn artifact_lines(artifacts: &[ArtifactView], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut text = String::new();
    for artifact in artifacts {
        let metadata = &artifact.metadata;
        text.push_str(&format!("{pad}{NAME}{}{NAME:#} {DIM}v{}{DIM:#}\n", metadata.name, metadata.version));
        match (&artifact.attributes, &artifact.text) {
            (Some(attributes), _) => text.push_str(&value_lines(attributes, indent + 2)),
            (None, Some(content)) => {
                text.extend(
                    content
                        .trim_end()
                        .lines()
                        .map(|line| format!("{pad}  {line}").trim_end().to_owned() + "\n"),
                );
            }
            (None, None) => {
                let size = metadata.size.map_or_else(String::new, |size| format!(", {size} bytes"));
                text.push_str(&format!("{pad}  {}{size}\n", metadata.content_type));
            }
        }
    }
    text
}

pub fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1_000 => format!("{millis} ms"),
        millis @ 1_000..60_000 => format!("{:.1} s", millis as f64 / 1000.0),
        millis => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

/// The shape of `model method run --json`.
pub fn outcome_json(outcome: &RunOutcome) -> Value {
    let mut document = Map::new();
    let mut put = |key: &str, value: Value| document.insert(key.to_owned(), value);
    put("modelId", json!(outcome.model_id));
    put("modelName", json!(outcome.model_name));
    put("modelType", json!(outcome.model_type));
    put("typeVersion", json!(outcome.type_version));
    put("methodName", json!(outcome.method));
    put("status", json!(outcome.status.as_str()));
    put("duration", json!(outcome.duration_ms));
    put("outputId", json!(outcome.output_id));
    put("logFile", json!(outcome.log_file));
    put("dataArtifacts", artifacts_json(outcome));
    put("globalArguments", json!(outcome.global_arguments));
    put("methodArguments", json!(outcome.method_arguments));
    if let Some(fingerprint) = &outcome.fingerprint {
        put("bundleFingerprint", json!(fingerprint));
    }
    if let Some(by) = &outcome.initiated_by {
        put("initiatedBy", json!(by));
    }
    if let Some(error) = &outcome.error {
        put("error", error_json(error));
    }
    Value::Object(document)
}

pub fn error_json(error: &marsh_model::ModelError) -> Value {
    let mut shape = Map::new();
    shape.insert("code".into(), json!(error.code()));
    shape.insert("message".into(), json!(error.to_string()));
    if let Some(hint) = error.hint() {
        shape.insert("hint".into(), json!(hint));
    }
    if let Some(details) = error.details() {
        shape.insert("details".into(), details);
    }
    Value::Object(shape)
}

pub fn artifacts_json(outcome: &RunOutcome) -> Value {
    outcome
        .artifacts
        .iter()
        .map(|artifact| {
            let metadata = &artifact.metadata;
            json!({
                "id": metadata.id,
                "name": metadata.name,
                "version": metadata.version,
                "specName": metadata.tags.get("specName"),
                "kind": metadata.tags.get("type"),
                "contentType": metadata.content_type,
                "path": artifact.path,
                "attributes": artifact.attributes,
            })
        })
        .collect()
}
