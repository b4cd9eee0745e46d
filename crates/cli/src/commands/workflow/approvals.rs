//! Approvals and cancellations: decisions about runs of any process.

use std::process::ExitCode;

use marsh_api::workflow::RunStatus;
use marsh_model::Models;
use marsh_workflow::{OpenRuns, Workflows};

use super::show;
use crate::args::{CancelArgs, DecideArgs};
use crate::commands::done;
use crate::error::CliError;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn list(ui: &Ui, workflows: &Workflows<'_>) -> Result<ExitCode, CliError> {
    let pending = workflows.pending_approvals()?;
    show(ui, &pending, || {
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
    })?;
    done()
}

/// The user who runs the command.
fn user(models: &Models) -> Option<String> {
    models.env.raw("USER").or_else(|| models.env.raw("LOGNAME")).map(str::to_owned)
}

pub fn decide(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    arguments: &DecideArgs,
    approved: bool,
) -> Result<ExitCode, CliError> {
    let decided = workflows
        .decide(
            &arguments.workflow,
            &arguments.step,
            arguments.run.as_deref(),
            approved,
            arguments.reason.clone(),
            user(models),
        )?
        .document();
    show(ui, &decided, || {
        let word = if decided.approved { "approved" } else { "rejected" };
        let next = match decided.run_status {
            RunStatus::Suspended => {
                format!("\n\nnext: marsh workflow resume {} --run {}", decided.workflow_name, decided.run_id)
            }
            RunStatus::Running => "; the run continues".to_owned(),
            status => format!("; the run is {}", status.as_str()),
        };
        format!("{GOOD}{word}{GOOD:#} {NAME}{}{NAME:#}{next}", decided.step_name)
    })?;
    done()
}

pub fn cancel(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    arguments: &CancelArgs,
) -> Result<ExitCode, CliError> {
    let which = match (&arguments.run, &arguments.workflow, arguments.all) {
        (Some(run), _, _) => OpenRuns::Run(run),
        (None, Some(workflow), true) => OpenRuns::AllOf(workflow),
        (None, Some(workflow), false) => OpenRuns::OnlyOf(workflow),
        (None, None, true) => OpenRuns::All,
        (None, None, false) => {
            return Err(CliError::usage("missing what to cancel: a workflow, `--run ID` or `--all`"));
        }
    };
    let reason = match (&arguments.reason, models.env.raw("USER")) {
        (Some(reason), _) => reason.clone(),
        (None, Some(user)) => format!("cancelled by {user}"),
        (None, None) => "cancelled".to_owned(),
    };
    let cancelled = workflows.cancel_open(which, &reason)?;
    show(ui, &cancelled, || {
        if cancelled.cancelled.is_empty() {
            return "no run is open".to_owned();
        }
        let lines = cancelled.cancelled.iter().map(|run| {
            format!("{NAME}{}{NAME:#} run {} is {}", run.workflow_name, run.run_id, run.status.as_str())
        });
        lines.collect::<Vec<_>>().join("\n")
    })?;
    done()
}
