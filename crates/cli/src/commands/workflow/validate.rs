//! `marsh workflow validate`.

use std::process::ExitCode;

use marsh_api::workflow::{FilePosition, WorkflowValidation};
use marsh_app::Read;

use crate::commands::{done, failed};
use crate::error::{CliError, source_excerpt};
use crate::ui::{BAD, GOOD, Ui, WARN};

pub fn validate(ui: &Ui, read: &Read<'_>, name: Option<&str>) -> Result<ExitCode, CliError> {
    let passed = match name {
        Some(name) => {
            let validation = read.validate_workflow(name)?;
            ui.result(&validation, || validations_text(std::slice::from_ref(&validation)));
            validation.passed
        }
        None => {
            let validations = read.validate_workflows()?;
            ui.result(&validations, || validations_text(&validations.workflows));
            validations.passed
        }
    };
    if passed { done() } else { failed() }
}

fn validations_text(validations: &[WorkflowValidation]) -> String {
    if validations.is_empty() {
        return "no workflows yet".to_owned();
    }
    let mut text = String::new();
    for validation in validations {
        let mark =
            if validation.passed { format!("{GOOD}ok{GOOD:#}    ") } else { format!("{BAD}failed{BAD:#}") };
        text.push_str(&format!("{mark} {}\n", validation.workflow_name));
        for check in &validation.validations {
            let excerpt = check.position.as_ref().map_or_else(String::new, indented_excerpt);
            if let Some(error) = &check.error {
                text.push_str(&format!("       {}: {error}\n{excerpt}", check.name));
            }
            if let Some(warning) = &check.warning {
                text.push_str(&format!("       {WARN}warning{WARN:#}: {warning}\n{excerpt}"));
            }
        }
    }
    text
}

fn indented_excerpt(at: &FilePosition) -> String {
    let excerpt = source_excerpt(&at.file, at.line, at.column, at.source_line.as_deref());
    excerpt.lines().map(|line| format!("       {line}\n")).collect()
}
