//! `marsh summarise`: what ran lately, in one look.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use marsh_data::OutputStatus;
use marsh_model::Models;
use marsh_workflow::{RunStatus, Workflows};
use serde_json::{Value, json};

use super::text::status_text;
use crate::args::SummariseArgs;
use crate::commands::done;
use crate::error::CliError;
use crate::ui::{BAD, DIM, NAME, Ui, columns};

/// The moment this long ago, in the form that records have. All of them sort as text.
pub fn since(age: Duration) -> String {
    let now = std::time::SystemTime::now();
    let then = now.checked_sub(age).unwrap_or(std::time::SystemTime::UNIX_EPOCH);
    marsh_types::time::iso_system(then)
}

pub fn summarise(ui: &Ui, models: &Models, arguments: &SummariseArgs) -> Result<ExitCode, CliError> {
    let since = since(arguments.since);
    let workflows = Workflows::new(models);
    let runs: Vec<_> = workflows
        .runs(None)?
        .into_iter()
        .filter(|run| run.entry.started_at.as_ref().is_some_and(|at| *at >= since))
        .collect();
    let mut by_workflow: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    for run in &runs {
        let counts = by_workflow.entry(&run.entry.workflow_name).or_default();
        counts[match run.entry.status {
            RunStatus::Succeeded => 0,
            RunStatus::Failed => 1,
            RunStatus::Cancelled => 2,
            RunStatus::Pending | RunStatus::Running | RunStatus::Suspended => 3,
        }] += 1;
    }
    let outputs = models.outputs.list()?.outputs;
    let recent = outputs.iter().filter(|output| output.record.started_at >= since);
    let (mut method_runs, mut method_failures) = (0, 0);
    for output in recent {
        method_runs += 1;
        method_failures += usize::from(output.record.status == OutputStatus::Failed);
    }
    let approvals = workflows.approvals()?;
    let workflows_json: Vec<Value> = by_workflow
        .iter()
        .map(|(name, [succeeded, failed, cancelled, open])| {
            json!({ "name": name, "succeeded": succeeded, "failed": failed, "cancelled": cancelled, "open": open })
        })
        .collect();
    let failures: Vec<_> =
        runs.iter().filter(|run| run.entry.status == RunStatus::Failed).take(arguments.limit).collect();
    let failures_json: Vec<Value> = failures
        .iter()
        .map(|run| {
            json!({
                "runId": run.run_id, "workflowName": run.entry.workflow_name, "startedAt": run.entry.started_at,
                "failedStep": run.entry.failed_step, "failureReason": run.entry.failure_reason,
            })
        })
        .collect();
    let document = json!({
        "since": since,
        "workflowRuns": runs.len(),
        "workflows": workflows_json,
        "failures": failures_json,
        "approvals": approvals.len(),
        "methodRuns": method_runs,
        "methodFailures": method_failures,
    });
    ui.result(&document, || {
        let mut text = format!(
            "since {since}: {} workflow runs, {method_runs} method runs ({method_failures} failed)\n",
            runs.len()
        );
        let rows: Vec<Vec<String>> = by_workflow
            .iter()
            .map(|(name, [succeeded, failed, cancelled, open])| {
                vec![
                    format!("  {NAME}{name}{NAME:#}"),
                    format!("{succeeded} succeeded"),
                    format!("{failed} failed"),
                    format!("{cancelled} cancelled"),
                    format!("{open} open"),
                ]
            })
            .collect();
        text.push_str(&columns(&rows));
        if !failures.is_empty() {
            text.push_str("\nlast failures\n");
        }
        let rows: Vec<Vec<String>> = failures
            .iter()
            .map(|run| {
                vec![
                    format!("  {}", run.run_id.chars().take(8).collect::<String>()),
                    format!("{NAME}{}{NAME:#} {}", run.entry.workflow_name, status_text(run.entry.status)),
                    run.entry.failed_step.clone().unwrap_or_default(),
                    format!(
                        "{BAD}{}{BAD:#}",
                        run.entry
                            .failure_reason
                            .as_deref()
                            .unwrap_or_default()
                            .lines()
                            .next()
                            .unwrap_or_default()
                    ),
                ]
            })
            .collect();
        text.push_str(&columns(&rows));
        if !approvals.is_empty() {
            text.push_str(&format!(
                "\n{} steps wait for an approval {DIM}(marsh workflow approvals){DIM:#}\n",
                approvals.len()
            ));
        }
        text
    });
    done()
}
