//! Runs as text.

use std::path::Path;
use std::time::Duration;

use marsh_api::workflow::{ApprovalRequired, NodeStatus, RunStatus, SkipReason};
use marsh_app::{Read, WorkflowRunResult};

use crate::commands::method::{data_artifact_lines, duration};
use crate::persona::Persona;
use crate::ui::{BAD, DIM, GOOD, NAME, WARN};

pub fn reason_text(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Dependency => "a condition on a dependency was not met",
        SkipReason::Guarded => "its guard is true",
        SkipReason::Cancelled => "the run was cancelled",
        SkipReason::Timeout => "its job timed out",
    }
}

pub fn millis(millis: u64) -> String {
    duration(Duration::from_millis(millis))
}

pub fn status_text(status: RunStatus) -> String {
    let colour = match status {
        RunStatus::Succeeded => GOOD,
        RunStatus::Failed | RunStatus::Cancelled => BAD,
        RunStatus::Pending | RunStatus::Running | RunStatus::Suspended => WARN,
    };
    format!("{colour}{}{colour:#}", status.as_str())
}

pub fn step_status_text(status: NodeStatus) -> String {
    let colour = match status {
        NodeStatus::Succeeded => GOOD,
        NodeStatus::Failed | NodeStatus::Cancelled => BAD,
        NodeStatus::WaitingApproval | NodeStatus::Suspended => WARN,
        _ => DIM,
    };
    format!("{colour}{}{colour:#}", status.as_str())
}

/// The run as text: what each step wrote.
pub fn run_text(read: &Read<'_>, run: &WorkflowRunResult, verbose: bool) -> String {
    let document = &run.document;
    let name = &document.workflow_name;
    let mut text = String::new();
    let steps: usize = document.jobs.iter().map(|job| job.steps.len()).sum();
    for job in &document.jobs {
        for step in &job.steps {
            // Of many, what needs attention.
            if steps > 200 && step.error.is_none() && !verbose {
                continue;
            }
            let status = step_status_text(step.status);
            text.push_str(&format!("{NAME}{}/{}{NAME:#} {status}", job.name, step.name));
            match (&step.error, step.reason) {
                (Some(error), _) => text.push_str(&format!(": {error}\n")),
                (None, Some(reason)) => text.push_str(&format!(": {}\n", reason_text(reason))),
                (None, None) => text.push('\n'),
            }
            text.push_str(&data_artifact_lines(run.written_by(&job.name, &step.name), 2));
        }
    }
    text.push_str(&format!(
        "\n{NAME}{name}{NAME:#} {} in {}\n",
        status_text(document.status),
        millis(document.duration)
    ));
    for ApprovalRequired { job_id, step_id, prompt } in &run.waiting {
        let prompt = prompt.as_deref().unwrap_or_default();
        let program = Persona::current().name;
        text.push_str(&format!(
            "\n{WARN}waits for an approval{WARN:#}: {job_id}/{step_id}: {prompt}\n  {program} workflow approve {name} {step_id}\n  {program} workflow resume {name}\n"
        ));
    }
    if verbose || document.status != RunStatus::Succeeded {
        let path = read.display(Path::new(&document.path));
        text.push_str(&format!("  {DIM}record{DIM:#}  {path}\n"));
    }
    text
}
