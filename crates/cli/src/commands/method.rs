//! `marsh model method …`.

use std::process::ExitCode;
use std::time::Duration;

use marsh_api::model::{DataArtifact, MethodRun, MethodRunDocument, MethodRunItem, MethodRunStatus};
use marsh_api::{ErrorClass, ErrorReport};
use marsh_app::{MethodRunRequest, MethodTarget, Read, Write, is_built_in_report};
use serde_json::Map;

use super::console::ConsoleObserver;
use super::types::argument_lines;
use super::{done, input, report};
use crate::args::MethodRunArgs;
use crate::error::{CliError, source_excerpts};
use crate::exit;
use crate::persona::Persona;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, value_lines};

pub fn describe(ui: &Ui, read: &Read<'_>, name: &str, method: &str) -> Result<ExitCode, CliError> {
    let document = read.describe_method(name, method)?;
    ui.result(&document, || {
        let described = &document.method;
        let mut text = format!(
            "{NAME}{}{NAME:#} {}\n  {}\n",
            document.model_name, described.name, described.description
        );
        text.push_str(&argument_lines(&described.arguments, 2));
        text
    });
    done()
}

fn target(arguments: &MethodRunArgs) -> Result<MethodTarget, CliError> {
    match (&arguments.name, arguments.target.starts_with('@')) {
        (Some(name), true) => Ok(MethodTarget::Type {
            type_name: arguments.target.clone(),
            name: name.clone(),
            global_arguments: None,
        }),
        (Some(name), false) => Err(CliError::Usage {
            message: format!("unexpected argument `{name}`: `{}` is not a type (@…)", arguments.target),
            hint: Some(format!(
                "to run a type directly: marsh model method run @{} {} {name}",
                arguments.target, arguments.method
            )),
        }),
        // `@scope/name` may also be the name of a definition.
        (None, _) => Ok(MethodTarget::Typed(arguments.target.clone())),
    }
}

pub fn run(ui: &Ui, write: &Write<'_>, arguments: &MethodRunArgs) -> Result<ExitCode, CliError> {
    let span = arguments.run.trace_span();
    let _traced = span.as_ref().map(tracing::Span::enter);
    let request = MethodRunRequest {
        target: target(arguments)?,
        method: arguments.method.clone(),
        inputs: Map::new(),
        options: input::options(&arguments.run)?,
        last_evaluated: arguments.last_evaluated,
        reports: input::reports(&arguments.reports),
    };
    let items = input::items(&arguments.inputs)?;
    let document = write.run_method_for_each(&request, &items, &ConsoleObserver { ui })?;
    ui.result(&document, String::new);
    let mut code = exit::DONE;
    let mut shown = |run: &MethodRun| {
        if !ui.is_json() {
            show(ui, run);
        }
        code = code.max(exit_of(run));
    };
    match &document {
        MethodRunDocument::One(run) => shown(run),
        MethodRunDocument::Several(items) => {
            for item in items {
                match item {
                    MethodRunItem::Run(run) => shown(run),
                    MethodRunItem::Error(_) => {}
                }
            }
            if let Some(MethodRunItem::Error(document)) = items.last() {
                if !ui.is_json() {
                    show_error(ui, &document.error);
                }
                code = code.max(Persona::current().exit_code(document.error.class));
            }
        }
    }
    Ok(ExitCode::from(code))
}

fn exit_of(run: &MethodRun) -> u8 {
    let reports_failed = run.reports.iter().flatten().any(|(_, report)| !report.success);
    match run.status {
        MethodRunStatus::Succeeded if reports_failed => exit::FAILED,
        MethodRunStatus::Succeeded => exit::DONE,
        MethodRunStatus::Cancelled => Persona::current().exit_code(ErrorClass::Cancelled),
        _ => exit::FAILED,
    }
}

fn show(ui: &Ui, run: &MethodRun) {
    ui.result(&(), || run_text(run, ui.is_verbose()));
    if let Some(error) = &run.error {
        show_error(ui, error);
    }
    let reports = run.reports.iter().flatten().filter(|(name, _)| !is_built_in_report(name));
    for report in reports.map(|(_, report)| report) {
        ui.result(&(), || report::result_text(report));
    }
}

fn show_error(ui: &Ui, error: &ErrorReport) {
    let mut message = error.message.clone();
    for excerpt in source_excerpts(error) {
        message = format!("{message}\n{excerpt}");
    }
    ui.problem(&message, error.hint.as_deref());
}

/// A run as text: what was written, and its content.
fn run_text(run: &MethodRun, verbose: bool) -> String {
    let time = duration(Duration::from_millis(run.duration));
    let status = match run.status {
        MethodRunStatus::Succeeded => format!("{GOOD}succeeded{GOOD:#}"),
        MethodRunStatus::Cancelled => format!("{BAD}cancelled{BAD:#}"),
        _ => format!("{BAD}failed{BAD:#}"),
    };
    let mut text = format!("{NAME}{}{NAME:#} {} {status} in {time}\n", run.model_name, run.method_name);
    text.push_str(&data_artifact_lines(&run.data_artifacts, 2));
    if verbose {
        text.push_str(&format!("  {DIM}record{DIM:#}  {}\n", run.output_id));
        if let Some(log) = &run.log_file {
            text.push_str(&format!("  {DIM}log{DIM:#}     {log}\n"));
        }
    }
    text
}

/// The versions that a run wrote, with the content of resources and small texts.
pub fn data_artifact_lines(artifacts: &[DataArtifact], indent: usize) -> String {
    let pad = " ".repeat(indent);
    let mut text = String::new();
    for artifact in artifacts {
        text.push_str(&format!("{pad}{NAME}{}{NAME:#} {DIM}v{}{DIM:#}\n", artifact.name, artifact.version));
        match (&artifact.attributes, &artifact.text) {
            (Some(attributes), _) => text.push_str(&value_lines(attributes, indent + 2)),
            (None, Some(content)) => {
                let lines = content.trim_end().lines();
                text.extend(lines.map(|line| format!("{pad}  {line}").trim_end().to_owned() + "\n"));
            }
            (None, None) => {
                let size = artifact.size.map_or_else(String::new, |size| format!(", {size} bytes"));
                text.push_str(&format!("{pad}  {}{size}\n", artifact.content_type));
            }
        }
    }
    text
}

/// A duration for people: `12 ms`, `3.4 s`, `2 min 5 s`.
pub fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1_000 => format!("{millis} ms"),
        millis @ 1_000..60_000 => format!("{:.1} s", millis as f64 / 1000.0),
        millis => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}
