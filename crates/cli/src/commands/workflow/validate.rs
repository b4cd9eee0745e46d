//! `marsh workflow validate`.

use std::process::ExitCode;

use marsh_api::workflow::{FilePosition, ValidationCheck, WorkflowValidation, WorkflowValidations};
use marsh_model::Models;
use marsh_trigger::Pattern;
use marsh_types::Explain as _;
use marsh_workflow::{BrokenWorkflow, StoredWorkflow, ValidationReport, Workflows};

use super::{show, shown};
use crate::commands::{done, failed};
use crate::error::{CliError, source_excerpt};
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
    let mut validations: Vec<WorkflowValidation> =
        stored.iter().map(|stored| checked(workflows, stored).document()).collect();
    validations.extend(broken.iter().map(|broken| unreadable(models, broken)));
    let passed = validations.iter().all(|validation| validation.passed);
    match (name, validations.as_slice()) {
        (Some(_), [one]) => show(ui, one, || validations_text(&validations))?,
        _ => {
            let text = validations_text(&validations);
            show(ui, &WorkflowValidations { workflows: validations, passed }, || text)?;
        }
    }
    if passed { done() } else { failed() }
}

/// The checks of a workflow, and of its schedule.
fn checked(workflows: &Workflows<'_>, stored: &StoredWorkflow) -> ValidationReport {
    let mut report = workflows.validate(stored);
    let schedule = stored.workflow().trigger.as_ref().and_then(|trigger| trigger.schedule.as_deref());
    if let Some(error) = schedule.and_then(|schedule| Pattern::parse(schedule).err()) {
        let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
        let error = format!("{error}{hint}");
        let at = Some(stored.parsed.problem("trigger.schedule", &error));
        report.checks.push(marsh_workflow::ValidationCheck {
            name: "trigger".into(),
            error: Some(error),
            warning: None,
            at,
        });
    }
    report
}

/// The document of a file that cannot be read as a workflow.
fn unreadable(models: &Models, broken: &BrokenWorkflow) -> WorkflowValidation {
    let path = shown(models, &broken.path);
    let checks = broken.problems.iter().map(|problem| ValidationCheck {
        name: "schema".into(),
        passed: false,
        warning: None,
        error: Some(problem.message.clone()),
        position: problem.position(&path),
    });
    WorkflowValidation {
        workflow_id: None,
        validations: checks.collect(),
        workflow_name: path,
        total_warnings: 0,
        passed: false,
    }
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
