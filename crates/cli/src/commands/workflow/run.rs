//! `marsh workflow run` and `marsh workflow resume`.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use marsh_api::ErrorDocument;
use marsh_api::workflow::WorkflowRun;
use marsh_fs::Durability;
use marsh_host_client::CancelToken;
use marsh_model::Models;
use marsh_workflow::{
    ResumeRequest, RunStatus, WorkflowError, WorkflowObserver, WorkflowOutcome, WorkflowRunRequest, Workflows,
};
use serde::Serialize;
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
    let inputs = bridge::read(models, &arguments.inputs)?;
    if inputs.len() > 1 {
        return Err(CliError::usage(format!("expected one set of inputs, found {}", inputs.len())));
    }
    let driver = bridge::driver(&arguments.run)?;
    let runner = Runner { ui, models, report: &arguments.report };
    let cancel = app::cancel_on_signal(models);
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

/// An element of the list that several runs print.
#[derive(Serialize)]
#[serde(untagged)]
enum RunItem {
    Run(Box<WorkflowRun>),
    Error(ErrorDocument),
}

/// The part that `run` and `resume` share: one run for each set of inputs, and its presentation.
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
            &dyn WorkflowObserver,
        ) -> Result<WorkflowOutcome, WorkflowError>,
    ) -> Result<ExitCode, CliError> {
        let ui = self.ui;
        if self.report.junit && self.report.out.is_none() && ui.is_json() {
            return Err(CliError::Usage {
                message: "`--junit` and `--json` both write to standard output".into(),
                hint: Some("add `--out FILE`".into()),
            });
        }
        let lines = Lines::default();
        let several = inputs.len() > 1;
        let mut documents = Vec::new();
        let mut outcomes = Vec::new();
        let mut worst = exit::DONE;
        for inputs in inputs {
            let result = if self.report.events {
                run(inputs, cancel, &lines)
            } else {
                let progress = Progress::new(ui);
                let result = run(inputs, cancel, &progress);
                progress.end();
                result
            };
            let outcome = match result {
                Ok(outcome) => outcome,
                Err(error) if several && ui.is_json() => {
                    documents.push(RunItem::Error(CliError::from(error).document()));
                    worst = exit::FAILED;
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            worst = worst.max(match outcome.status {
                RunStatus::Succeeded | RunStatus::Suspended => exit::DONE,
                RunStatus::Cancelled => exit::INTERRUPTED,
                RunStatus::Failed | RunStatus::Pending | RunStatus::Running => exit::FAILED,
            });
            if ui.is_json() {
                let mut document = outcome.document();
                if let (false, Value::Object(reports)) =
                    (outcome.reports.is_empty(), bridge::reports_json(&outcome.reports))
                {
                    document.reports = Some(reports);
                }
                documents.push(RunItem::Run(Box::new(document)));
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
            match several {
                true => ui.result(&documents, String::new),
                false => ui.result(&documents.pop(), String::new),
            }
        }
        lines.end()?;
        Ok(ExitCode::from(worst))
    }

    /// The asserts of the runs, for tools that read test reports.
    fn junit(&self, outcomes: &[WorkflowOutcome]) -> Result<(), CliError> {
        let records: Vec<_> = outcomes.iter().map(|outcome| &outcome.record).collect();
        let text = marsh_workflow::junit(&records);
        if let Some(path) = &self.report.out {
            return Ok(marsh_fs::atomic_write(path, text.as_bytes(), Durability::Atomic)?);
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // The reader closed the pipe: it has what it wanted.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(source) => Err(CliError::Write { what: "the report to standard output".into(), source }),
            Ok(()) => Ok(()),
        }
    }
}
