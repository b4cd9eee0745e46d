//! `marsh workflow run` and `marsh workflow resume`.

use std::io::Write as _;
use std::process::ExitCode;

use marsh_fs::Durability;
use marsh_host_client::CancelToken;
use marsh_model::Models;
use marsh_workflow::{
    ResumeRequest, RunStatus, WorkflowError, WorkflowOutcome, WorkflowRunRequest, Workflows,
};
use serde_json::{Map, Value};

use super::events::Lines;
use super::progress::Progress;
use super::text::outcome_text;
use crate::args::{ReportArgs, ResumeArgs, WorkflowRunArgs};
use crate::commands::bridge;
use crate::error::CliError;
use crate::ui::Ui;
use crate::{app, exit};

pub fn run(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    arguments: &WorkflowRunArgs,
) -> Result<ExitCode, CliError> {
    let inputs = bridge::read(models, &arguments.inputs)?;
    let tags = bridge::tags(&arguments.run)?;
    let driver = bridge::driver(&arguments.run)?;
    let runner = Runner { ui, models, report: &arguments.report };
    let cancel = app::cancel_on_signal(models);
    runner.all(inputs, &cancel, |inputs, cancel, observer| {
        let request = WorkflowRunRequest {
            name_or_id: &arguments.name,
            inputs,
            tags: tags.clone(),
            checks: bridge::checks(&arguments.run),
            deadline_per_step: bridge::deadline(&arguments.run),
            cancel,
            initiated_by: app::initiated_by(&models.env),
            fail_on: arguments.fail_on.into(),
            trigger_source: "manual",
            driver: driver.clone(),
            reports: bridge::selection(&arguments.reports),
        };
        workflows.run(&request, observer)
    })
}

pub fn resume(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    arguments: &ResumeArgs,
) -> Result<ExitCode, CliError> {
    let mut inputs = bridge::read(models, &arguments.inputs)?;
    if inputs.len() > 1 {
        return Err(CliError::usage("one run is resumed at a time; give one set of inputs"));
    }
    let driver = bridge::driver(&arguments.run)?;
    let runner = Runner { ui, models, report: &arguments.report };
    let cancel = app::cancel_on_signal(models);
    inputs.truncate(1);
    runner.all(inputs, &cancel, |inputs, cancel, observer| {
        let request = ResumeRequest {
            workflow: &arguments.name,
            run: arguments.run_id(),
            from: arguments.from.as_deref(),
            inputs,
            checks: bridge::checks(&arguments.run),
            deadline_per_step: bridge::deadline(&arguments.run),
            cancel,
            driver: driver.clone(),
            reports: bridge::selection(&arguments.reports),
        };
        workflows.resume(&request, observer)
    })
}

/// What is common to both.
struct Runner<'a> {
    ui: &'a Ui,
    models: &'a Models,
    report: &'a ReportArgs,
}

impl Runner<'_> {
    fn all(
        &self,
        inputs: Vec<Map<String, Value>>,
        cancel: &CancelToken,
        run: impl Fn(
            Map<String, Value>,
            &CancelToken,
            &dyn marsh_workflow::WorkflowObserver,
        ) -> Result<WorkflowOutcome, WorkflowError>,
    ) -> Result<ExitCode, CliError> {
        let ui = self.ui;
        let several = inputs.len() > 1;
        let mut documents = Vec::new();
        let mut outcomes = Vec::new();
        let mut worst = exit::DONE;
        for inputs in inputs {
            let result = if self.report.events {
                run(inputs, cancel, &Lines)
            } else {
                let progress = Progress::new(ui);
                let result = run(inputs, cancel, &progress);
                progress.end();
                result
            };
            let outcome = match result {
                Ok(outcome) => outcome,
                Err(error) if several && ui.is_json() => {
                    documents.push(CliError::from(error).to_json());
                    worst = exit::FAILED;
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            worst = worst.max(match outcome.status {
                RunStatus::Succeeded | RunStatus::Suspended => exit::DONE,
                RunStatus::Cancelled => exit::INTERRUPTED,
                _ => exit::FAILED,
            });
            if ui.is_json() {
                let mut document = serde_json::to_value(outcome.document()).unwrap_or_default();
                if !outcome.reports.is_empty() {
                    document["reports"] = bridge::reports_json(&outcome.reports);
                }
                documents.push(document);
            } else if !(self.report.events || self.report.junit && self.report.out.is_none()) {
                ui.result(&Value::Null, || outcome_text(self.models, &outcome, ui.is_verbose()));
                for made in &outcome.reports {
                    ui.result(&Value::Null, || bridge::to_text(made));
                }
            }
            outcomes.push(outcome);
            if cancel.is_cancelled() {
                break;
            }
        }
        if self.report.junit {
            self.junit(&outcomes)?;
        }
        if ui.is_json() && !self.report.events {
            let document =
                if several { Value::Array(documents) } else { documents.pop().unwrap_or(Value::Null) };
            ui.result(&document, String::new);
        }
        Ok(ExitCode::from(worst))
    }

    /// The asserts of the runs, for tools that read test reports.
    fn junit(&self, outcomes: &[WorkflowOutcome]) -> Result<(), CliError> {
        let records: Vec<_> = outcomes.iter().map(|outcome| &outcome.record).collect();
        let text = marsh_workflow::junit(&records);
        match &self.report.out {
            Some(path) => marsh_fs::atomic_write(path, text.as_bytes(), Durability::Atomic)?,
            None if self.ui.is_json() => {
                return Err(CliError::usage(
                    "`--junit` and `--json` both want standard output; add `--out FILE`",
                ));
            }
            None => drop(std::io::stdout().lock().write_all(text.as_bytes())),
        }
        Ok(())
    }
}
