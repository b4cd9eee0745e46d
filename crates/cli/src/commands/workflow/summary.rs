//! `marsh summarise`: recent activity.

use std::process::ExitCode;

use marsh_api::workflow::{ActivitySummary, RunStatus};
use marsh_app::Read;

use super::text::status_text;
use crate::args::SummariseArgs;
use crate::commands::done;
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{BAD, DIM, NAME, Ui, columns};

pub fn summarise(ui: &Ui, read: &Read<'_>, arguments: &SummariseArgs) -> Result<ExitCode, CliError> {
    let summary = read.activity(arguments.since, arguments.limit)?;
    ui.result(&summary, || summary_text(&summary));
    done()
}

fn summary_text(summary: &ActivitySummary) -> String {
    let ActivitySummary { since, workflow_runs, method_runs, method_failures, .. } = summary;
    let mut text = format!(
        "since {since}: {workflow_runs} workflow runs, {method_runs} method runs ({method_failures} failed)\n"
    );
    let rows: Vec<Vec<String>> = summary
        .workflows
        .iter()
        .map(|workflow| {
            vec![
                format!("  {NAME}{}{NAME:#}", workflow.name),
                format!("{} succeeded", workflow.succeeded),
                format!("{} failed", workflow.failed),
                format!("{} cancelled", workflow.cancelled),
                format!("{} open", workflow.open),
            ]
        })
        .collect();
    text.push_str(&columns(&rows));
    if !summary.failures.is_empty() {
        text.push_str("\nlast failures\n");
    }
    let rows: Vec<Vec<String>> = summary
        .failures
        .iter()
        .map(|run| {
            let reason = run.failure_reason.as_deref().and_then(|reason| reason.lines().next());
            vec![
                format!("  {}", run.run_id.chars().take(8).collect::<String>()),
                format!("{NAME}{}{NAME:#} {}", run.workflow_name, status_text(RunStatus::Failed)),
                run.failed_step.clone().unwrap_or_default(),
                format!("{BAD}{}{BAD:#}", reason.unwrap_or_default()),
            ]
        })
        .collect();
    text.push_str(&columns(&rows));
    if summary.approvals > 0 {
        text.push_str(&format!(
            "\n{} steps wait for an approval {DIM}({} workflow approvals){DIM:#}\n",
            summary.approvals,
            Persona::current().name
        ));
    }
    text
}
