//! Approvals and cancellations: decisions about runs that this command does not run.

use std::process::ExitCode;

use marsh_model::Models;
use marsh_workflow::{RunStatus, Workflows};
use serde_json::{Value, json};

use crate::args::{CancelArgs, DecideArgs};
use crate::commands::done;
use crate::error::CliError;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn list(ui: &Ui, workflows: &Workflows<'_>) -> Result<ExitCode, CliError> {
    let pending = workflows.approvals()?;
    let documents: Vec<Value> = pending
        .iter()
        .map(|one| {
            json!({
                "workflowName": one.workflow_name, "runId": one.run_id, "jobName": one.job_name,
                "stepName": one.step_name, "suspendedAt": one.since, "expiresAt": one.expires,
                "prompt": one.prompt, "inputs": one.inputs,
            })
        })
        .collect();
    ui.result(&json!({ "approvals": documents }), || {
        if pending.is_empty() {
            return "nothing waits for an approval".to_owned();
        }
        let rows: Vec<Vec<String>> = pending
            .iter()
            .map(|one| {
                vec![
                    format!("{NAME}{}{NAME:#}", one.workflow_name),
                    one.step_name.clone(),
                    one.prompt.clone(),
                    format!(
                        "{DIM}run {} since {}{DIM:#}",
                        &one.run_id[..8.min(one.run_id.len())],
                        one.since.as_deref().unwrap_or("?")
                    ),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

pub fn decide(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    arguments: &DecideArgs,
    approved: bool,
) -> Result<ExitCode, CliError> {
    let by = models.env.raw("USER").or_else(|| models.env.raw("LOGNAME")).map(str::to_owned);
    let decided = workflows.decide(
        &arguments.workflow,
        &arguments.step,
        arguments.run.as_deref(),
        approved,
        arguments.reason.clone(),
        by,
    )?;
    let document = json!({
        "runId": decided.run_id, "workflowName": decided.workflow_name, "stepName": decided.step_name,
        "approved": decided.decision.approved, "decidedBy": decided.decision.decided_by,
        "reason": decided.decision.reason, "runStatus": decided.status,
    });
    ui.result(&document, || {
        let word = if decided.decision.approved { "approved" } else { "rejected" };
        let next = match decided.status {
            RunStatus::Suspended => {
                format!("\n\nnext: marsh workflow resume {} --run {}", decided.workflow_name, decided.run_id)
            }
            RunStatus::Running => "; the run goes on".to_owned(),
            status => format!("; the run is {}", status.as_str()),
        };
        format!("{GOOD}{word}{GOOD:#} {NAME}{}{NAME:#}{next}", decided.step_name)
    });
    done()
}

pub fn cancel(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    arguments: &CancelArgs,
) -> Result<ExitCode, CliError> {
    let reason = match (&arguments.reason, models.env.raw("USER")) {
        (Some(reason), _) => reason.clone(),
        (None, Some(user)) => format!("cancelled by {user}"),
        (None, None) => "cancelled".to_owned(),
    };
    let wanted: Vec<String> = match &arguments.run {
        Some(run) => vec![workflows.run_record(run)?.record.id],
        None => {
            let open = workflows
                .runs(arguments.workflow.as_deref())?
                .into_iter()
                .filter(|run| matches!(run.entry.status, RunStatus::Running | RunStatus::Suspended))
                .map(|run| run.run_id);
            open.collect()
        }
    };
    if arguments.run.is_none() && arguments.workflow.is_none() && !arguments.all {
        return Err(CliError::usage("say what to cancel: a workflow, `--run ID`, or `--all`"));
    }
    if wanted.len() > 1 && !arguments.all {
        return Err(CliError::Usage {
            message: format!("{} runs are open: {}", wanted.len(), wanted.join(", ")),
            hint: Some("name one with `--run`, or say `--all`".into()),
        });
    }
    let mut cancelled = Vec::new();
    for run in &wanted {
        let record = workflows.cancel(run, &reason)?;
        cancelled.push(
            json!({ "runId": record.id, "workflowName": record.workflow_name, "status": record.status }),
        );
    }
    ui.result(&json!({ "cancelled": cancelled, "reason": reason }), || {
        if cancelled.is_empty() {
            return "no run is open".to_owned();
        }
        let lines: Vec<String> = cancelled
            .iter()
            .map(|one| {
                let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
                format!("{NAME}{}{NAME:#} run {} is {}", text("workflowName"), text("runId"), text("status"))
            })
            .collect();
        lines.join("\n")
    });
    done()
}
