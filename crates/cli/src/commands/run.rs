//! `marsh run …` and `marsh model cancel`.

use std::process::ExitCode;

use marsh_api::run::{CancelledMethodRun, MethodCancellation, TrackedRun, TrackedStatus};
use marsh_app::{CancelMethodsRequest, Read, Session, Write};

use super::done;
use crate::app;
use crate::args::ModelCancelArgs;
use crate::args::data::Removal;
use crate::args::run::RunCommand;
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, columns};

pub fn run(ui: &Ui, session: &Session, command: &RunCommand) -> Result<ExitCode, CliError> {
    match command {
        RunCommand::History(arguments) => {
            let history = session.read().run_history(arguments.scope())?;
            ui.result(&history, || match history.runs.as_slice() {
                [] => "no runs".to_owned(),
                runs => rows(runs),
            });
            done()
        }
        RunCommand::Doctor { fix: true } => {
            app::change(ui, session, |write| doctor(ui, &write.repair_runs()?))
        }
        RunCommand::Doctor { fix: false } => doctor(ui, &session.read().diagnose_runs()?),
        RunCommand::Gc { older_than, removal } => {
            app::change(ui, session, |write| gc(ui, write, *older_than, removal))
        }
    }
}

fn rows(runs: &[TrackedRun]) -> String {
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let what = match (&run.workflow_name, &run.model_name, &run.model_type) {
                (Some(workflow), ..) => format!("workflow {NAME}{workflow}{NAME:#}"),
                (None, Some(model), _) => format!("{NAME}{model}{NAME:#}"),
                (None, None, model_type) => model_type.clone().unwrap_or_default(),
            };
            let note = if run.stale { " (its process is gone)" } else { "" };
            let status = match run.status {
                TrackedStatus::Completed => format!("{GOOD}succeeded{GOOD:#}"),
                TrackedStatus::Failed => format!("{BAD}failed{BAD:#}"),
                other => other.as_str().to_owned(),
            };
            vec![
                run.id.chars().take(8).collect(),
                format!("{what} {}", run.method_name.as_deref().unwrap_or_default()).trim_end().to_owned(),
                format!("{status}{note}"),
                format!("{DIM}{}{DIM:#}", run.started_at),
            ]
        })
        .collect();
    columns(&rows)
}

fn doctor(ui: &Ui, diagnosis: &marsh_api::run::RunDiagnosis) -> Result<ExitCode, CliError> {
    ui.result(diagnosis, || {
        let repaired = match diagnosis.reaped {
            0 => String::new(),
            reaped => format!(", {reaped} recorded as failed"),
        };
        let mut text = format!(
            "{} runs: {} running, {} without a process{repaired}\n",
            diagnosis.total_tracked, diagnosis.active, diagnosis.stale
        );
        text.push_str(&rows(&diagnosis.active_runs));
        text.push_str(&rows(&diagnosis.stale_runs));
        text
    });
    if diagnosis.stale > 0 && diagnosis.reaped == 0 && !ui.is_json() {
        Ui::note(
            "`marsh run doctor --fix` records them as failed; `marsh workflow resume` goes on with a workflow",
        );
    }
    done()
}

fn gc(
    ui: &Ui,
    write: &Write<'_>,
    older_than: std::time::Duration,
    removal: &Removal,
) -> Result<ExitCode, CliError> {
    let mut collected = write.preview_collect_runs(older_than)?;
    let (runs, outputs) = (collected.workflow_runs_deleted, collected.outputs_deleted);
    if !removal.dry_run {
        let question = format!("Delete the records of {runs} workflow runs and {outputs} method runs?");
        if runs + outputs > 0 && !removal.yes && ui.can_ask() && !ui.confirm(&question) {
            return Err(CliError::Refused { message: "nothing was deleted".into(), hint: None });
        }
        collected = write.collect_runs(older_than)?;
    }
    ui.result(&collected, || {
        format!(
            "{} the records of {} workflow runs and {} method runs, {} bytes",
            if removal.dry_run { "would delete" } else { "deleted" },
            collected.workflow_runs_deleted,
            collected.outputs_deleted,
            collected.total_bytes_reclaimed
        )
    });
    done()
}

pub fn cancel(ui: &Ui, read: &Read<'_>, arguments: &ModelCancelArgs) -> Result<ExitCode, CliError> {
    let request = CancelMethodsRequest { target: arguments.name.clone(), reason: arguments.reason.clone() };
    let (document, warning) = read.cancel_method_runs(&request)?;
    if let Some(warning) = warning {
        ui.warn(warning);
    }
    ui.result(&document, || match &document {
        MethodCancellation::One(run) => cancelled(run),
        MethodCancellation::All(all) if all.cancelled.is_empty() => "no methods are running".to_owned(),
        MethodCancellation::All(all) => all.cancelled.iter().map(cancelled).collect::<Vec<_>>().join("\n"),
    });
    done()
}

fn cancelled(run: &CancelledMethodRun) -> String {
    let CancelledMethodRun { model_name, method, id, .. } = run;
    match run.status {
        TrackedStatus::Cancelled => format!("cancelled {NAME}{model_name}{NAME:#} {method} {DIM}{id}{DIM:#}"),
        other => format!("{NAME}{model_name}{NAME:#} {method} had ended before: {}", other.as_str()),
    }
}
