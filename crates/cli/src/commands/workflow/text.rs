//! Runs as text.

use std::time::Duration;

use marsh_model::Models;
use marsh_workflow::{NodeStatus, RunStatus, SkipReason, WorkflowOutcome};

use super::shown;
use crate::commands::bridge::artifact_lines;
use crate::commands::method::duration;
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
pub fn outcome_text(models: &Models, outcome: &WorkflowOutcome, verbose: bool) -> String {
    let name = &outcome.record.workflow_name;
    let mut text = String::new();
    let steps: usize = outcome.jobs.iter().map(|job| job.steps.len()).sum();
    for job in &outcome.jobs {
        for step in &job.steps {
            // Of many, what needs attention.
            if steps > 200 && step.error.is_none() && !verbose {
                continue;
            }
            let status = step_status_text(step.status);
            text.push_str(&format!("{NAME}{}/{}{NAME:#} {status}", job.name, step.name));
            match (&step.error, step.skip_reason) {
                (Some(error), _) => text.push_str(&format!(": {error}\n")),
                (None, Some(reason)) => text.push_str(&format!(": {}\n", reason_text(reason))),
                (None, None) => text.push('\n'),
            }
            text.push_str(&artifact_lines(&step.artifacts, 2));
        }
    }
    text.push_str(&format!(
        "\n{NAME}{name}{NAME:#} {} in {}\n",
        status_text(outcome.status),
        millis(outcome.duration_ms)
    ));
    for (job, step) in outcome.record.waiting() {
        let prompt = step.approval_prompt.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "\n{WARN}waits for an approval{WARN:#}: {job}/{}: {prompt}\n  marsh workflow approve {name} {1}\n  marsh workflow resume {name}\n",
            step.step_name, step.step_name
        ));
    }
    if verbose || outcome.status != RunStatus::Succeeded {
        text.push_str(&format!("  {DIM}record{DIM:#}  {}\n", shown(models, &outcome.path)));
    }
    text
}
