//! Approvals and cancellations: decisions about runs of any process.

use std::process::ExitCode;

use marsh_api::workflow::RunStatus;
use marsh_app::{ApprovalRequest, CancelRequest, OpenRuns, Read, Write};

use crate::args::{CancelArgs, DecideArgs};
use crate::commands::done;
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn list(ui: &Ui, read: &Read<'_>) -> Result<ExitCode, CliError> {
    let pending = read.pending_approvals()?;
    ui.result(&pending, || {
        if pending.approvals.is_empty() {
            return "no step waits for an approval".to_owned();
        }
        let rows: Vec<Vec<String>> = pending
            .approvals
            .iter()
            .map(|approval| {
                let run: String = approval.run_id.chars().take(8).collect();
                let since = approval.suspended_at.as_deref().unwrap_or("?");
                vec![
                    format!("{NAME}{}{NAME:#}", approval.workflow_name),
                    approval.step_name.clone(),
                    approval.prompt.clone(),
                    format!("{DIM}run {run} since {since}{DIM:#}"),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

pub fn decide(
    ui: &Ui,
    write: &Write<'_>,
    arguments: &DecideArgs,
    approved: bool,
) -> Result<ExitCode, CliError> {
    let request = ApprovalRequest {
        workflow: arguments.workflow.clone(),
        step: arguments.step.clone(),
        run: arguments.run.clone(),
        reason: arguments.reason.clone(),
    };
    let decided = if approved { write.approve_step(&request)? } else { write.reject_step(&request)? };
    ui.result(&decided, || {
        let word = if decided.approved { "approved" } else { "rejected" };
        let next = match decided.run_status {
            RunStatus::Suspended => {
                format!(
                    "\n\nnext: {} workflow resume {} --run {}",
                    Persona::current().name,
                    decided.workflow_name,
                    decided.run_id
                )
            }
            RunStatus::Running => "; the run continues".to_owned(),
            status => format!("; the run is {}", status.as_str()),
        };
        format!("{GOOD}{word}{GOOD:#} {NAME}{}{NAME:#}{next}", decided.step_name)
    });
    done()
}

pub fn cancel(ui: &Ui, write: &Write<'_>, arguments: &CancelArgs) -> Result<ExitCode, CliError> {
    let runs = match (&arguments.run, &arguments.workflow, arguments.all) {
        (Some(run), _, _) => OpenRuns::Run(run.clone()),
        (None, Some(workflow), true) => OpenRuns::AllOf(workflow.clone()),
        (None, Some(workflow), false) => OpenRuns::OnlyOf(workflow.clone()),
        (None, None, true) => OpenRuns::All,
        (None, None, false) => {
            return Err(CliError::usage("missing what to cancel: a workflow, `--run ID` or `--all`"));
        }
    };
    let cancelled = write.cancel_runs(&CancelRequest { runs, reason: arguments.reason.clone() })?;
    ui.result(&cancelled, || {
        if cancelled.cancelled.is_empty() {
            return "no run is open".to_owned();
        }
        let lines = cancelled.cancelled.iter().map(|run| {
            format!("{NAME}{}{NAME:#} run {} is {}", run.workflow_name, run.run_id, run.status.as_str())
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    done()
}
